/* SPDX-License-Identifier: Apache-2.0 */
/* Factors as the provider describes them. */

#include "verify/reply.h"

#include <errno.h>

#include "base/text.h"
#include "verify/page.h"

void verify_factor_done(VerifyFactor *f) {
        free(f->sid);
        free(f->account_sid);
        free(f->service_sid);
        free(f->identity);
        free(f->friendly_name);
        free(f->factor_type);
        free(f->credential_sid);
        free(f->alg);
        free(f->metadata);
        *f = (VerifyFactor){0};
}

static int factor_check(const VerifyFactor *f, char **reterr_msg) {
        if (!sid_valid(f->sid, "YF"))
                return error_set(reterr_msg, -EBADMSG, "sid is no factor's SID");
        if (!sid_valid(f->account_sid, "AC"))
                return error_set(reterr_msg, -EBADMSG, "account_sid is no account's SID");
        if (!sid_valid(f->service_sid, "VA"))
                return error_set(reterr_msg, -EBADMSG, "service_sid is no service's SID");
        if (!identity_valid(f->identity))
                return error_set(reterr_msg, -EBADMSG, "identity is no Verify identity");
        /* It goes into tokens as their kid. */
        if (f->credential_sid && !sid_like(f->credential_sid))
                return error_set(reterr_msg, -EBADMSG, "config.credential_sid is no SID");
        return 0;
}

static int config_read(VerifyFactor *f, const JsonDoc *factor, char **reterr_msg) {
        static const JsonField fields[] = {
                        {"credential_sid", JSON_STRING, offsetof(VerifyFactor, credential_sid),
                                        JSON_NULLABLE},
                        {"alg", JSON_STRING, offsetof(VerifyFactor, alg), JSON_NULLABLE},
                        {"code_length", JSON_INT, offsetof(VerifyFactor, code_length),
                                        JSON_NULLABLE},
                        {"time_step", JSON_INT, offsetof(VerifyFactor, time_step), JSON_NULLABLE},
                        {"skew", JSON_INT, offsetof(VerifyFactor, skew), JSON_NULLABLE},
        };
        _cleanup_(json_doc_freep) JsonDoc *config = NULL;
        JsonSlice raw;
        int r;

        f->skew = -1;
        if (!json_doc_value(factor, "config") || !json_doc_raw(factor, "config", &raw))
                return 0;
        r = json_doc_parse(&config, raw.data, raw.len, reterr_msg);
        if (r == 0 && json_doc_value(config, "skew"))
                f->skew = 0;
        if (r == 0)
                r = json_doc_read(config, fields, ELEMENTSOF(fields), false, f, reterr_msg);
        return r == -EBADMSG ? error_wrap(reterr_msg, r, "config") : r;
}

/* The status of a factor is one of two words; another is none that can be answered for. */
static int status_read(VerifyFactor *f, const JsonDoc *factor, char **reterr_msg) {
        static const JsonField fields[] = {{"status", JSON_STRING, 0, JSON_MANDATORY}};
        _cleanup_free_ char *status = NULL;
        int r;

        r = json_doc_read(factor, fields, ELEMENTSOF(fields), false, &status, reterr_msg);
        if (r == 0)
                f->verified = streq(status, "verified");
        return r;
}

int verify_factor_read(VerifyFactor *ret, const char *body, size_t len, char **reterr_msg) {
#define FIELD(name, flags)                                                                         \
        { #name, JSON_STRING, offsetof(VerifyFactor, name), flags }
        static const JsonField fields[] = {
                        FIELD(sid, JSON_MANDATORY),
                        FIELD(account_sid, JSON_MANDATORY),
                        FIELD(service_sid, JSON_MANDATORY),
                        FIELD(identity, JSON_MANDATORY),
                        FIELD(friendly_name, JSON_NULLABLE),
                        FIELD(factor_type, JSON_MANDATORY),
                        {"metadata", JSON_RAW, offsetof(VerifyFactor, metadata), JSON_NULLABLE},
        };
#undef FIELD
        _cleanup_(verify_factor_done) VerifyFactor f = {0};
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        int r;

        r = json_doc_parse(&doc, body, len, reterr_msg);
        if (r == 0)
                r = json_doc_read(doc, fields, ELEMENTSOF(fields), false, &f, reterr_msg);
        if (r == 0)
                r = status_read(&f, doc, reterr_msg);
        if (r == 0)
                r = config_read(&f, doc, reterr_msg);
        if (r == 0)
                r = factor_check(&f, reterr_msg);
        if (r < 0)
                return r;
        *ret = f;
        f = (VerifyFactor){0};
        return 0;
}

void verify_factor_list_done(VerifyFactorList *l) {
        for (size_t i = 0; i < l->n_items; i++)
                verify_factor_done(l->items + i);
        free(l->items);
        free(l->page_token);
        *l = (VerifyFactorList){0};
}

int verify_factor_list_read(
                VerifyFactorList *ret, const char *body, size_t len, char **reterr_msg) {
        _cleanup_(verify_factor_list_done) VerifyFactorList list = {0};
        _cleanup_(page_done) Page page = {0};
        int r;

        r = page_read(&page, "factors", body, len, reterr_msg);
        if (r < 0)
                return r;
        if (page.n_items > 0) {
                list.items = calloc(page.n_items, sizeof(*list.items));
                if (!list.items)
                        return -ENOMEM;
        }
        for (size_t i = 0; i < page.n_items; i++) {
                r = verify_factor_read(
                                list.items + i, page.items[i].data, page.items[i].len, reterr_msg);
                if (r == -EBADMSG)
                        return error_wrap(reterr_msg, r, "factors[%zu]", i);
                if (r < 0)
                        return r;
                list.n_items++;
        }
        list.page_token = TAKE_PTR(page.token);
        list.next_page = page.next;
        *ret = list;
        list = (VerifyFactorList){0};
        return 0;
}
