/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges as the provider describes them. */

#include "verify/reply.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "verify/page.h"
#include "verify/request.h"

/* Hidden details may come back with each character as a \uXXXX. */
#define HIDDEN_DETAILS_RAW_MAX (6 * VERIFY_HIDDEN_DETAILS_MAX)

/* The members as they stand in the reply. */
typedef struct Raw {
        char *sid, *account_sid, *service_sid, *identity, *factor_sid;
        char *factor_type, *status, *created, *expires;
} Raw;

static const JsonField raw_fields[] = {
                {"sid", JSON_STRING, offsetof(Raw, sid), JSON_MANDATORY},
                {"account_sid", JSON_STRING, offsetof(Raw, account_sid), JSON_NULLABLE},
                {"service_sid", JSON_STRING, offsetof(Raw, service_sid), JSON_MANDATORY},
                {"identity", JSON_STRING, offsetof(Raw, identity), JSON_MANDATORY},
                {"factor_sid", JSON_STRING, offsetof(Raw, factor_sid), JSON_MANDATORY},
                {"factor_type", JSON_STRING, offsetof(Raw, factor_type), JSON_NULLABLE},
                {"status", JSON_STRING, offsetof(Raw, status), JSON_MANDATORY},
                {"date_created", JSON_STRING, offsetof(Raw, created), JSON_MANDATORY},
                {"expiration_date", JSON_STRING, offsetof(Raw, expires), JSON_MANDATORY},
};

static void raw_done(Raw *raw) {
        json_fields_done(raw_fields, ELEMENTSOF(raw_fields), raw);
}

void verify_challenge_done(VerifyChallenge *c) {
        free(c->sid);
        free(c->account_sid);
        free(c->service_sid);
        free(c->identity);
        free(c->factor_sid);
        free(c->factor_type);
        free(c->message);
        detail_fields_done(c->fields, c->n_fields);
        free(c->hidden_details);
        free(c->decision);
        json_doc_free(c->doc);
        *c = (VerifyChallenge){0};
}

static int raw_check(const Raw *raw, char **reterr_msg) {
        const struct {
                const char *name, *sid, *prefix;
        } sids[] = {
                        {"sid", raw->sid, "YC"},
                        {"account_sid", raw->account_sid, "AC"},
                        {"service_sid", raw->service_sid, "VA"},
                        {"factor_sid", raw->factor_sid, "YF"},
        };

        for (size_t i = 0; i < ELEMENTSOF(sids); i++)
                if (sids[i].sid && !sid_valid(sids[i].sid, sids[i].prefix))
                        return error_set(reterr_msg, -EBADMSG,
                                        "%s is not %s and 32 hexadecimal digits", sids[i].name,
                                        sids[i].prefix);
        if (!identity_valid(raw->identity))
                return error_set(reterr_msg, -EBADMSG, "identity is no Verify identity");
        return 0;
}

/* The raw value of a member; false also for null. */
static bool raw_value(const JsonDoc *doc, const char *key, JsonSlice *ret) {
        return json_doc_value(doc, key) && json_doc_raw(doc, key, ret);
}

static int length_check(const char *name, const char *text, size_t max, char **reterr_msg) {
        size_t n = utf8_length(text);
        if (n <= max)
                return 0;
        return error_set(reterr_msg, -EBADMSG, "%s is %zu characters long; the limit is %zu", name,
                        n, max);
}

static int field_read(DetailField *ret, JsonSlice raw, char **reterr_msg) {
        static const JsonField fields[] = {
                        {"label", JSON_STRING, offsetof(DetailField, label), JSON_MANDATORY},
                        {"value", JSON_STRING, offsetof(DetailField, value), JSON_MANDATORY},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        int r;

        r = json_doc_parse(&doc, raw.data, raw.len, reterr_msg);
        if (r == 0)
                r = json_doc_read(doc, fields, ELEMENTSOF(fields), false, ret, reterr_msg);
        if (r == 0)
                r = length_check("label", ret->label, VERIFY_FIELD_LABEL_MAX, reterr_msg);
        if (r == 0)
                r = length_check("value", ret->value, VERIFY_FIELD_VALUE_MAX, reterr_msg);
        return r;
}

static int fields_read(VerifyChallenge *c, JsonSlice raw, char **reterr_msg) {
        _cleanup_free_ JsonSlice *items = NULL;
        size_t n;
        int r;

        r = json_array_split(raw, &items, &n);
        if (r == -EBADMSG)
                return error_set(reterr_msg, r, "fields is not an array");
        if (r < 0 || n == 0)
                return r;
        if (n > VERIFY_FIELDS_MAX)
                return error_set(reterr_msg, -EBADMSG, "fields has %zu items; the limit is %d", n,
                                VERIFY_FIELDS_MAX);
        c->fields = calloc(n, sizeof(*c->fields));
        if (!c->fields)
                return -ENOMEM;
        c->n_fields = n;
        for (size_t i = 0; i < n; i++) {
                r = field_read(c->fields + i, items[i], reterr_msg);
                if (r == -EBADMSG)
                        return error_wrap(reterr_msg, r, "fields[%zu]", i);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int details_read(VerifyChallenge *c, JsonSlice raw, char **reterr_msg) {
        static const JsonField fields[] = {
                        {"message", JSON_STRING, offsetof(VerifyChallenge, message), JSON_NULLABLE},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        JsonSlice raw_fields_value;
        int r;

        r = json_doc_parse(&doc, raw.data, raw.len, reterr_msg);
        if (r == 0)
                r = json_doc_read(doc, fields, ELEMENTSOF(fields), false, c, reterr_msg);
        if (r == 0 && c->message)
                r = length_check("message", c->message, VERIFY_MESSAGE_MAX, reterr_msg);
        if (r == 0 && raw_value(doc, "fields", &raw_fields_value))
                r = fields_read(c, raw_fields_value, reterr_msg);
        return r == -EBADMSG ? error_wrap(reterr_msg, r, "details") : r;
}

static int hidden_details_read(VerifyChallenge *c, JsonSlice raw, char **reterr_msg) {
        if (raw.data[0] != '{')
                return error_set(reterr_msg, -EBADMSG, "hidden_details is not an object");
        if (raw.len > HIDDEN_DETAILS_RAW_MAX)
                return error_set(reterr_msg, -EBADMSG,
                                "hidden_details is %zu bytes long; the limit is %d", raw.len,
                                HIDDEN_DETAILS_RAW_MAX);
        c->hidden_details = strndup(raw.data, raw.len);
        return c->hidden_details ? 0 : -ENOMEM;
}

/* Another device may have written any metadata: what is not ours to read is passed over. */
static int decision_read(VerifyChallenge *c) {
        static const JsonField fields[] = {
                        {"decision", JSON_STRING, offsetof(VerifyChallenge, decision),
                                        JSON_NULLABLE},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        JsonSlice raw;
        int r;

        if (!raw_value(c->doc, "metadata", &raw))
                return 0;
        r = json_doc_parse(&doc, raw.data, raw.len, NULL);
        if (r == 0)
                r = json_doc_read(doc, fields, ELEMENTSOF(fields), false, c, NULL);
        return r == -EBADMSG ? 0 : r;
}

/* A list indents members deeper than a fetch does: white space outside strings does not count. */
static int digest_add_member(Digest *d, const JsonDoc *doc, const char *key) {
        _cleanup_free_ char *text = NULL;
        JsonSlice raw;
        size_t len;
        int r;

        if (!json_doc_raw(doc, key, &raw))
                return digest_add_part(d, NULL, 0);
        r = json_minify(raw, &text, &len);
        return r < 0 ? r : digest_add_part(d, text, len);
}

static int digest_make(VerifyChallenge *c, const Raw *raw) {
        const char *parts[] = {raw->sid, raw->factor_sid, raw->service_sid, raw->identity,
                        raw->created, raw->expires};
        _cleanup_(digest_freep) Digest *d = NULL;
        uint8_t hash[SHA256_SIZE];
        int r;

        r = digest_new(&d);
        for (size_t i = 0; i < ELEMENTSOF(parts) && r == 0; i++)
                r = digest_add_part(d, parts[i], strlen(parts[i]));
        if (r == 0)
                r = digest_add_member(d, c->doc, "details");
        if (r == 0)
                r = digest_add_member(d, c->doc, "hidden_details");
        if (r == 0)
                r = digest_finish(d, hash);
        if (r == 0)
                hex_encode(hash, sizeof(hash), c->digest);
        return r;
}

static int dates_read(VerifyChallenge *c, const Raw *raw, char **reterr_msg) {
        if (rfc3339_parse(raw->created, &c->created) < 0)
                return error_set(reterr_msg, -EBADMSG, "date_created is no RFC 3339 date");
        if (rfc3339_parse(raw->expires, &c->expires) < 0)
                return error_set(reterr_msg, -EBADMSG, "expiration_date is no RFC 3339 date");
        return 0;
}

int verify_challenge_read(VerifyChallenge *ret, const char *body, size_t len, char **reterr_msg) {
        _cleanup_(verify_challenge_done) VerifyChallenge c = {0};
        _cleanup_(raw_done) Raw raw = {0};
        JsonSlice slice;
        int r;

        r = json_doc_parse(&c.doc, body, len, reterr_msg);
        if (r == 0)
                r = json_doc_read(
                                c.doc, raw_fields, ELEMENTSOF(raw_fields), false, &raw, reterr_msg);
        if (r == 0)
                r = raw_check(&raw, reterr_msg);
        if (r == 0)
                r = dates_read(&c, &raw, reterr_msg);
        if (r == 0 && raw_value(c.doc, "details", &slice))
                r = details_read(&c, slice, reterr_msg);
        if (r == 0 && raw_value(c.doc, "hidden_details", &slice))
                r = hidden_details_read(&c, slice, reterr_msg);
        if (r == 0)
                r = decision_read(&c);
        if (r == 0)
                r = digest_make(&c, &raw);
        if (r < 0)
                return r;
        c.status = provider_status_from_string(raw.status);
        c.sid = TAKE_PTR(raw.sid);
        c.account_sid = TAKE_PTR(raw.account_sid);
        c.service_sid = TAKE_PTR(raw.service_sid);
        c.identity = TAKE_PTR(raw.identity);
        c.factor_sid = TAKE_PTR(raw.factor_sid);
        c.factor_type = TAKE_PTR(raw.factor_type);
        *ret = c;
        c = (VerifyChallenge){0};
        return 0;
}

void verify_challenge_list_done(VerifyChallengeList *l) {
        for (size_t i = 0; i < l->n_items; i++)
                verify_challenge_done(l->items + i);
        free(l->items);
        free(l->malformed_why);
        free(l->page_token);
        *l = (VerifyChallengeList){0};
}

static int list_add(VerifyChallengeList *l, JsonSlice item) {
        _cleanup_free_ char *why = NULL;
        int r;

        r = verify_challenge_read(l->items + l->n_items, item.data, item.len, &why);
        if (r == 0)
                l->n_items++;
        if (r != -EBADMSG)
                return r;
        l->n_malformed++;
        if (!l->malformed_why)
                l->malformed_why = TAKE_PTR(why);
        return 0;
}

int verify_challenge_list_read(
                VerifyChallengeList *ret, const char *body, size_t len, char **reterr_msg) {
        _cleanup_(verify_challenge_list_done) VerifyChallengeList list = {0};
        _cleanup_(page_done) Page page = {0};
        int r;

        r = page_read(&page, "challenges", body, len, reterr_msg);
        if (r < 0)
                return r;
        if (page.n_items > 0) {
                list.items = calloc(page.n_items, sizeof(*list.items));
                if (!list.items)
                        return -ENOMEM;
        }
        for (size_t i = 0; i < page.n_items; i++) {
                r = list_add(&list, page.items[i]);
                if (r < 0)
                        return r;
        }
        list.page_token = TAKE_PTR(page.token);
        list.next_page = page.next;
        *ret = list;
        list = (VerifyChallengeList){0};
        return 0;
}
