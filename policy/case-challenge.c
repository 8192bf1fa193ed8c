/* SPDX-License-Identifier: Apache-2.0 */
/* A challenge in JSON, as the API has it or as factorctl prints it. */

#include <errno.h>
#include <string.h>

#include "policy/case.h"

/* What is read of both forms. */
typedef struct Raw {
        char *sid, *factor_sid, *factor, *factor_type, *service_sid, *identity, *message;
        char *details, *fields, *hidden_details;
        usec_t date_created, created, expiration_date, expires;
} Raw;

static const JsonField raw_fields[] = {
                {"sid", JSON_STRING, offsetof(Raw, sid), JSON_NULLABLE},
                {"factor_sid", JSON_STRING, offsetof(Raw, factor_sid), JSON_NULLABLE},
                {"factor", JSON_STRING, offsetof(Raw, factor), JSON_NULLABLE},
                {"factor_type", JSON_STRING, offsetof(Raw, factor_type), JSON_NULLABLE},
                {"service_sid", JSON_STRING, offsetof(Raw, service_sid), JSON_NULLABLE},
                {"identity", JSON_STRING, offsetof(Raw, identity), JSON_NULLABLE},
                {"message", JSON_STRING, offsetof(Raw, message), JSON_NULLABLE},
                {"details", JSON_RAW, offsetof(Raw, details), JSON_NULLABLE},
                {"fields", JSON_RAW, offsetof(Raw, fields), JSON_NULLABLE},
                {"hidden_details", JSON_RAW, offsetof(Raw, hidden_details), JSON_NULLABLE},
                {"date_created", JSON_TIME, offsetof(Raw, date_created), JSON_NULLABLE},
                {"created", JSON_TIME, offsetof(Raw, created), JSON_NULLABLE},
                {"expiration_date", JSON_TIME, offsetof(Raw, expiration_date), JSON_NULLABLE},
                {"expires", JSON_TIME, offsetof(Raw, expires), JSON_NULLABLE},
};

/* What both forms have beside these; no rule looks at it. */
static const char *const others[] = {"account_sid", "entity_sid", "date_updated", "date_responded",
                "responded_reason", "status", "metadata", "url", "links", "digest", "state",
                "reason", "repeat_of", "repeats", "quiet", "confirm", "confirm_field"};

static void raw_done(Raw *raw) {
        json_fields_done(raw_fields, ELEMENTSOF(raw_fields), raw);
}

static bool member_known(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(raw_fields); i++)
                if (streq(raw_fields[i].key, name))
                        return true;
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (streq(others[i], name))
                        return true;
        return false;
}

/* A member that nobody knows may be a new one of the API, or a slip of the keyboard. */
static int note_unknown(const JsonDoc *doc, ErrorList *notes) {
        for (size_t i = 0; i < json_doc_n_members(doc); i++) {
                _cleanup_free_ char *shown = NULL;

                if (member_known(json_doc_member_name(doc, i)))
                        continue;
                int r = text_shown(json_doc_member_name(doc, i), &shown);
                if (r == 0)
                        r = error_list_add(notes, "a challenge has no '%s', ignoring", shown);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_field(DetailField *ret, JsonSlice text, char **reterr_msg) {
        static const JsonField fields[] = {
                        {"label", JSON_STRING, offsetof(DetailField, label), JSON_MANDATORY},
                        {"value", JSON_STRING, offsetof(DetailField, value), JSON_MANDATORY},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;

        int r = json_doc_parse(&doc, text.data, text.len, reterr_msg);
        if (r < 0)
                return r;
        return json_doc_read(doc, fields, ELEMENTSOF(fields), false, ret, reterr_msg);
}

int policy_fields_read(DetailField **ret, size_t *ret_n, JsonSlice text, char **reterr_msg) {
        _cleanup_free_ JsonSlice *items = NULL;
        size_t n = 0;

        int r = json_array_split(text, &items, &n);
        if (r == -EBADMSG)
                return error_set(reterr_msg, r, "'fields' must be an array");
        if (r < 0)
                return r;
        DetailField *fields = calloc(n + 1, sizeof(DetailField));
        if (!fields)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                r = read_field(&fields[i], items[i], reterr_msg);
                if (r < 0) {
                        detail_fields_done(fields, n);
                        return r == -EBADMSG ? error_wrap(reterr_msg, r, "fields[%zu]", i) : r;
                }
        }
        *ret = fields;
        *ret_n = n;
        return 0;
}

static int read_details(ChallengeView *v, const char *text, char **reterr_msg) {
        static const JsonField fields[] = {
                        {"message", JSON_STRING, offsetof(Raw, message), JSON_NULLABLE},
                        {"fields", JSON_RAW, offsetof(Raw, fields), JSON_NULLABLE},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(raw_done) Raw raw = {0};

        int r = json_doc_parse(&doc, text, strlen(text), reterr_msg);
        if (r == 0)
                r = json_doc_read(doc, fields, ELEMENTSOF(fields), false, &raw, reterr_msg);
        if (r == 0 && raw.fields)
                r = policy_fields_read(&v->fields, &v->n_fields,
                                (JsonSlice){raw.fields, strlen(raw.fields)}, reterr_msg);
        if (r < 0)
                return r == -EBADMSG ? error_wrap(reterr_msg, r, "details") : r;
        v->message = TAKE_PTR(raw.message);
        return 0;
}

static int read_sid(char ret[static SID_SIZE], const char *sid, const char *prefix, char **msg) {
        if (!sid)
                return 0;
        if (!sid_valid(sid, prefix))
                return error_set(msg, -EBADMSG, "a SID here is %s and 32 hexadecimal digits",
                                prefix);
        memcpy(ret, sid, SID_SIZE);
        return 0;
}

static int fill(ChallengeView *v, Raw *raw, char **reterr_msg) {
        int type = raw->factor_type ? factor_type_from_string(raw->factor_type) : FACTOR_PUSH;

        if (type < 0)
                return error_set(reterr_msg, -EBADMSG, "'factor_type' must be push or totp");
        if (raw->details && (raw->message || raw->fields))
                return error_set(reterr_msg, -EBADMSG,
                                "message and fields stand in 'details', or beside the SID, not in "
                                "both");
        int r = read_sid(v->sid, raw->sid, "YC", reterr_msg);
        if (r == 0)
                r = read_sid(v->factor_sid, raw->factor_sid, "YF", reterr_msg);
        if (r == 0 && raw->details)
                r = read_details(v, raw->details, reterr_msg);
        if (r == 0 && raw->fields)
                r = policy_fields_read(&v->fields, &v->n_fields,
                                (JsonSlice){raw->fields, strlen(raw->fields)}, reterr_msg);
        if (r < 0)
                return r;

        v->factor_type = (FactorType) type;
        v->created = raw->date_created ? raw->date_created : raw->created;
        v->expires = raw->expiration_date ? raw->expiration_date : raw->expires;
        v->factor = TAKE_PTR(raw->factor);
        v->service_sid = TAKE_PTR(raw->service_sid);
        v->identity = TAKE_PTR(raw->identity);
        v->hidden_details = TAKE_PTR(raw->hidden_details);
        if (raw->message)
                v->message = TAKE_PTR(raw->message);
        return 0;
}

int policy_challenge_read(ChallengeView *ret, JsonSlice text, ErrorList *notes, char **reterr_msg) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(challenge_view_done) ChallengeView v = {0};
        _cleanup_(raw_done) Raw raw = {0};

        int r = json_doc_parse(&doc, text.data, text.len, reterr_msg);
        if (r == 0)
                r = json_doc_read(doc, raw_fields, ELEMENTSOF(raw_fields), false, &raw, reterr_msg);
        if (r == 0)
                r = note_unknown(doc, notes);
        if (r == 0)
                r = fill(&v, &raw, reterr_msg);
        if (r < 0)
                return r;
        *ret = v;
        v = (ChallengeView){0};
        return 0;
}
