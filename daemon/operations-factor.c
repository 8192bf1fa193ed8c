/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/operations-factor.h"

#include <errno.h>
#include <json-c/json.h>
#include <stddef.h>

#include "base/text.h"
#include "daemon/authorize.h"
#include "daemon/confirm.h"
#include "daemon/life.h"
#include "daemon/parameters.h"
#include "daemon/provider.h"
#include "daemon/view.h"

typedef struct CodeParameters {
        char *name;
        bool next;
} CodeParameters;

#define CLOCK_WARN (15 * USEC_PER_SEC)

/* An imported secret has no server whose clock counts, so the local one must be right. */
static const char *code_warning(Manager *m, const Factor *f) {
        const ServerClock *clock = api_clock(m->api);
        int64_t offset = server_clock_offset(clock, now_realtime(), now_boottime());

        if (f->record.sid || !clock->heard || (usec_t) llabs(offset) < CLOCK_WARN)
                return NULL;
        return "this machine's clock differs from the provider's; the code may be refused";
}

static int totp_codes(Manager *m,
                const Factor *f,
                bool next,
                char code[static OTP_CODE_SIZE],
                char after[static OTP_CODE_SIZE],
                int64_t *ret_valid) {
        int64_t now = (int64_t) ((f->record.sid ? api_now(m->api) : now_realtime()) / USEC_PER_SEC);
        uint32_t period = (uint32_t) f->record.period;
        unsigned digits = (unsigned) f->record.digits;
        int r;

        *ret_valid = period - now % period;
        if (next) {
                now += period;
                *ret_valid += period;
        }
        r = otp_totp(f->otp_key, now, 0, period, digits, code);
        if (r >= 0)
                r = otp_totp(f->otp_key, now + period, 0, period, digits, after);
        return r;
}

static void code_reply(Manager *m, Call *call, Factor *f, bool next) {
        char code[OTP_CODE_SIZE] = "", after[OTP_CODE_SIZE] = "";
        _cleanup_free_ char *why = NULL;
        bool hotp = f->record.type == FACTOR_HOTP;
        int64_t valid_for = 0;
        uint64_t counter;
        json_object *o;
        int r;

        if (hotp) {
                /* The counter is durable before the code is known to anybody. */
                r = store_factor_take_counter(m->store, f->record.id, &counter, &why);
                if (r >= 0)
                        r = otp_hotp(f->otp_key, counter, (unsigned) f->record.digits, code);
        } else
                r = totp_codes(m, f, next, code, after, &valid_for);
        if (r < 0) {
                (void) call_error(call, IPC_STORE_ERROR, NULL, "No code: %s", error_text(why, r));
                return;
        }
        o = view_object_of_string("code", code);
        view_add(o, "valid_for", hotp ? NULL : json_object_new_int64(valid_for));
        view_add_string(o, "next", hotp ? NULL : after);
        view_add_string(o, "warning", hotp ? NULL : code_warning(m, f));
        (void) call_reply(call, o);
        secret_wipe(code, sizeof(code));
        secret_wipe(after, sizeof(after));
}

void operation_get_code(Manager *m, Call *call) {
        static const JsonField fields[] = {
                        {"name", JSON_STRING, offsetof(CodeParameters, name), JSON_MANDATORY},
                        {"next", JSON_BOOL, offsetof(CodeParameters, next), JSON_NULLABLE},
        };
        CodeParameters p = {0};
        Factor *f;
        bool next;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &p))
                return;
        next = p.next;
        f = manager_visible_factor(m, call, p.name);
        json_fields_done(fields, ELEMENTSOF(fields), &p);
        if (!f || !manager_authorize(m, call, f->record.name))
                return;
        if (!f->otp_key)
                (void) call_invalid(call, "name", "Factor %s is a push factor: it has no codes",
                                f->record.name);
        else if (next && f->record.type == FACTOR_HOTP)
                (void) call_invalid(
                                call, "next", "HOTP codes come one at a time, without a next one");
        else
                code_reply(m, call, f, next);
}

typedef struct OwnerParameters {
        char *name;
        int64_t owner;
} OwnerParameters;

static void set_owner(Manager *m, Call *call, Factor *f, uid_t owner) {
        _cleanup_free_ char *why = NULL;
        Actor actor = manager_actor(call);
        uid_t before = f->record.owner;
        int r;

        /* What the former owner's jobs announced is not the new one's. */
        r = owner != before ? tickets_revoke_all(m->tickets, f, &actor, &why) : 0;
        if (r >= 0) {
                f->record.owner = owner;
                r = manager_update_factor(m, f, "owner", &actor, &why);
        }
        if (r < 0) {
                f->record.owner = before;
                (void) call_error(call, IPC_STORE_ERROR, NULL, "%s", error_text(why, r));
                return;
        }
        for (size_t i = 0; i < m->registry.n_challenges; i++)
                if (m->registry.challenges[i]->factor == f)
                        m->registry.challenges[i]->view.owner = owner;
        (void) call_reply(call, view_reply("factor", view_factor(f)));
}

void operation_set_owner(Manager *m, Call *call) {
        static const JsonField fields[] = {
                        {"name", JSON_STRING, offsetof(OwnerParameters, name), JSON_MANDATORY},
                        {"owner", JSON_INT, offsetof(OwnerParameters, owner), JSON_MANDATORY},
        };
        OwnerParameters p = {0};
        int64_t number;
        uid_t owner;
        Factor *f;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &p))
                return;
        number = p.owner;
        f = manager_visible_factor(m, call, p.name);
        json_fields_done(fields, ELEMENTSOF(fields), &p);
        if (f && parameter_owner(call, number, &owner))
                set_owner(m, call, f, owner);
}

typedef struct MatchParameters {
        char *name, *field;
} MatchParameters;

static bool may_match(Call *call, const Factor *f, const char *field) {
        size_t len = field ? utf8_length(field) : 1;

        if (!f->record.sid || f->record.type == FACTOR_HOTP)
                (void) call_invalid(call, "name",
                                "Factor %s is not one of Verify's: it has no challenges",
                                f->record.name);
        else if (len < 1 || len > CONFIRM_LABEL_MAX)
                (void) call_invalid(call, "field", "The label of a detail has 1 to %d characters",
                                CONFIRM_LABEL_MAX);
        else
                return true;
        return false;
}

static void set_match_field(Manager *m, Call *call, Factor *f, const char *field) {
        _cleanup_free_ char *before = NULL, *why = NULL;
        Actor actor = manager_actor(call);
        int r;

        if (!may_match(call, f, field))
                return;
        before = TAKE_PTR(f->record.match_field);
        r = text_set(&f->record.match_field, field);
        if (r >= 0)
                r = manager_update_match_field(m, f, &actor, &why);
        if (r < 0) {
                free(f->record.match_field);
                f->record.match_field = TAKE_PTR(before);
                (void) call_error(call, IPC_STORE_ERROR, NULL, "%s", error_text(why, r));
                return;
        }
        (void) call_reply(call, view_reply("factor", view_factor(f)));
}

void operation_set_match_field(Manager *m, Call *call) {
        static const JsonField fields[] = {
                        {"name", JSON_STRING, offsetof(MatchParameters, name), JSON_MANDATORY},
                        {"field", JSON_STRING, offsetof(MatchParameters, field), JSON_NULLABLE},
        };
        MatchParameters p = {0};
        Factor *f;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &p))
                return;
        f = manager_visible_factor(m, call, p.name);
        if (f)
                set_match_field(m, call, f, p.field);
        json_fields_done(fields, ELEMENTSOF(fields), &p);
}

typedef struct RemoveParameters {
        char *name;
        bool local;
} RemoveParameters;

/* What was decided must be able to end as the provider has it. */
static bool answer_is_under_way(const Manager *m, const Factor *f) {
        for (size_t i = 0; i < m->registry.n_challenges; i++) {
                const Challenge *c = m->registry.challenges[i];
                if (c->factor == f && c->has_decision && !life_is_final(c->view.state))
                        return true;
        }
        return false;
}

static void remove_here(Manager *m, Call *call, Factor *f) {
        _cleanup_free_ char *why = NULL;
        Actor actor = manager_actor(call);
        int r;

        r = manager_drop_factor(m, f, &actor, &why);
        if (r < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "%s", error_text(why, r));
        else
                (void) call_reply(call, NULL);
}

void operation_remove(Manager *m, Call *call) {
        static const JsonField fields[] = {
                        {"name", JSON_STRING, offsetof(RemoveParameters, name), JSON_MANDATORY},
                        {"local", JSON_BOOL, offsetof(RemoveParameters, local), JSON_NULLABLE},
        };
        RemoveParameters p = {0};
        Factor *f;
        bool local;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &p))
                return;
        local = p.local;
        f = manager_visible_factor(m, call, p.name);
        json_fields_done(fields, ELEMENTSOF(fields), &p);
        if (!f)
                return;
        if (!local && answer_is_under_way(m, f)) {
                (void) call_invalid(call, "name",
                                "An answer of factor %s is on its way; try again when it has "
                                "ended, or use --local to remove the factor here alone",
                                f->record.name);
                return;
        }
        if (local || !f->record.sid)
                remove_here(m, call, f);
        else if (f->detached)
                (void) call_invalid(call, "name",
                                "Factor %s was enrolled at %s; set that BaseUrl, or use --local to "
                                "remove it here alone",
                                f->record.name, strempty(f->record.base_url));
        else
                provider_remove_factor(m, call, f);
}
