/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/parameters.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"

bool parameters_read(Call *call, const JsonField *fields, size_t n_fields, void *target) {
        _cleanup_free_ char *why = NULL;
        int r;

        r = json_doc_read(call_parameters(call), fields, n_fields, true, target, &why);
        if (r >= 0)
                return true;
        (void) call_invalid(call, "parameters", "%s", error_text(why, r));
        return false;
}

bool parameter_given(const Call *call, const char *key) {
        return json_doc_value(call_parameters(call), key) != NULL;
}

bool parameter_owner(Call *call, int64_t owner, uid_t *ret) {
        if (!parameter_given(call, "owner")) {
                *ret = call_peer(call)->uid;
                return true;
        }
        if (owner < 0 || owner >= UINT32_MAX) {
                (void) call_invalid(call, "owner", "%" PRIi64 " is not a user id", owner);
                return false;
        }
        *ret = (uid_t) owner;
        return true;
}

bool parameter_new_name(const Manager *m, Call *call, const char *name) {
        if (!name_valid(name))
                (void) call_invalid(call, "name",
                                "%s is no name: use letters, digits, '.', '_' and '-', at most %i, "
                                "not the form of a SID",
                                name, NAME_MAX_LEN);
        else if (registry_factor(&m->registry, name))
                (void) call_invalid(call, "name", "There is a factor %s already", name);
        else
                return true;
        return false;
}

static const JsonField field_fields[] = {
                {"label", JSON_STRING, offsetof(DetailField, label), JSON_MANDATORY},
                {"value", JSON_STRING, offsetof(DetailField, value), JSON_MANDATORY},
};

void field_list_done(FieldList *l) {
        detail_fields_done(l->items, l->n);
}

int field_list_read(const char *raw, FieldList *ret, char **reterr_msg) {
        _cleanup_free_ JsonSlice *slices = NULL;
        size_t n = 0;
        int r;

        r = json_array_split((JsonSlice){raw, strlen(raw)}, &slices, &n);
        if (r < 0)
                return error_set(reterr_msg, r, "fields must be a list");
        ret->items = calloc(n + 1, sizeof(DetailField));
        if (!ret->items)
                return -ENOMEM;
        for (; ret->n < n; ret->n++) {
                _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
                r = json_doc_parse(&doc, slices[ret->n].data, slices[ret->n].len, reterr_msg);
                if (r >= 0)
                        r = json_doc_read(doc, field_fields, ELEMENTSOF(field_fields), true,
                                        &ret->items[ret->n], reterr_msg);
                if (r < 0)
                        return r;
        }
        return 0;
}

static const JsonField target_fields[] = {
                {"factor", JSON_STRING, offsetof(Target, factor), JSON_NULLABLE},
                {"account", JSON_STRING, offsetof(Target, account), JSON_NULLABLE},
                {"service_sid", JSON_STRING, offsetof(Target, service_sid), JSON_NULLABLE},
                {"identity", JSON_STRING, offsetof(Target, identity), JSON_NULLABLE},
};

void target_done(Target *t) {
        json_fields_done(target_fields, ELEMENTSOF(target_fields), t);
}

static bool target_resolve_factor(Manager *m, Call *call, const Target *t, TargetResolved *ret) {
        Factor *f = manager_visible_factor(m, call, t->factor);

        if (!f)
                return false;
        if (!f->record.sid) {
                (void) call_invalid(call, "target",
                                "Factor %s is not one of Verify's: it has no challenges",
                                f->record.name);
                return false;
        }
        if (f->detached) {
                (void) call_invalid(call, "target",
                                "Factor %s was enrolled at %s, not at the BaseUrl of the "
                                "configuration",
                                f->record.name, strempty(f->record.base_url));
                return false;
        }
        ret->factor = f;
        ret->entity = (VerifyEntity){f->record.service_sid, f->record.identity};
        if (t->account)
                ret->who.account = manager_account(m, t->account);
        else if (f->account)
                ret->who.account = f->account;
        else if (f->push_key)
                ret->who.device = f;
        return true;
}

bool target_read(Manager *m,
                Call *call,
                const char *raw,
                Target *ret,
                TargetResolved *ret_resolved) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ char *why = NULL;
        TargetResolved resolved = {0};
        int r;

        r = json_doc_parse(&doc, raw, strlen(raw), &why);
        if (r >= 0)
                r = json_doc_read(doc, target_fields, ELEMENTSOF(target_fields), true, ret, &why);
        if (r < 0) {
                (void) call_invalid(call, "target", "target: %s", error_text(why, r));
                return false;
        }
        if (ret->factor) {
                if (!target_resolve_factor(m, call, ret, &resolved))
                        return false;
        } else if (!ret->account || !ret->service_sid || !ret->identity) {
                (void) call_invalid(call, "target",
                                "Name a factor, or an account, a service and an identity");
                return false;
        } else {
                resolved.who.account = manager_account(m, ret->account);
                resolved.entity = (VerifyEntity){ret->service_sid, ret->identity};
        }
        if (!resolved.who.account && !resolved.who.device) {
                (void) call_invalid(call, "account",
                                "There is no [Account %s] in the configuration",
                                ret->account ? ret->account
                                             : strempty(resolved.factor->record.account));
                return false;
        }
        *ret_resolved = resolved;
        return true;
}
