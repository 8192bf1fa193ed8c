/* SPDX-License-Identifier: Apache-2.0 */
#include "push/payload.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/text.h"

#define CHALLENGE_HEADER "{\"typ\":\"JWT\",\"alg\":\"ES256\"}"
#define STATUS_FIELD "status"

const char push_usual_fields[] =
                "account_sid,service_sid,identity,factor_sid,sid,date_created,"
                "expiration_date,details,hidden_details";

/* Writes data in base64url at *p, where there is room for it, and moves *p past it. */
static int put_base64url(uint8_t **p, const void *data, size_t len) {
        _cleanup_(secret_string_freep) char *text = NULL;
        int r;

        r = base64_encode(BASE64_URL, data, len, &text);
        if (r < 0)
                return r;
        *p = mempcpy(*p, text, base64_encoded_len(BASE64_URL, len));
        return 0;
}

/* The length of a compact JWS: three parts and two dots. */
static size_t jws_len(size_t header_len, size_t payload_len) {
        return base64_encoded_len(BASE64_URL, header_len) + 1 +
               base64_encoded_len(BASE64_URL, payload_len) + 1 +
               base64_encoded_len(BASE64_URL, PUSH_SIGNATURE_RAW_SIZE);
}

int push_jws(PushKey *k,
                const char *header,
                size_t header_len,
                const char *payload,
                size_t payload_len,
                Secret *ret) {
        _cleanup_(secret_done) Secret jws = {0};
        uint8_t signature[PUSH_SIGNATURE_RAW_SIZE], *p;
        int r;

        if (header_len > INT_MAX || payload_len > INT_MAX)
                return -ENOMEM;
        r = secret_resize(&jws, jws_len(header_len, payload_len));
        if (r < 0)
                return r;
        p = jws.data;
        r = put_base64url(&p, header, header_len);
        if (r < 0)
                return r;
        *p++ = '.';
        r = put_base64url(&p, payload, payload_len);
        if (r < 0)
                return r;
        r = push_key_sign_raw(k, jws.data, (size_t) (p - jws.data), signature);
        if (r < 0)
                return r;
        *p++ = '.';
        r = put_base64url(&p, signature, sizeof(signature));
        if (r < 0)
                return r;
        secret_move(ret, &jws);
        return 0;
}

int push_device_jwt(PushKey *k,
                const char *credential_sid,
                const char *account_sid,
                int64_t now,
                Secret *ret) {
        char header[128], payload[128];
        int header_len, payload_len;
        int64_t not_before;

        /* The provider says nowhere which prefix a credential's SID has. */
        if (!sid_like(credential_sid) || !sid_valid(account_sid, "AC"))
                return -EINVAL;
        if (now < PUSH_JWT_BACKDATE || now > INT64_MAX - PUSH_JWT_LIFETIME)
                return -EINVAL;
        not_before = now - PUSH_JWT_BACKDATE;
        header_len = snprintf(header, sizeof(header),
                        "{\"cty\":\"twilio-pba;v=1\",\"kid\":\"%s\",\"typ\":\"JWT\",\"alg\":"
                        "\"ES256\"}",
                        credential_sid);
        payload_len = snprintf(payload, sizeof(payload),
                        "{\"sub\":\"%s\",\"exp\":%" PRId64 ",\"nbf\":%" PRId64 "}", account_sid,
                        not_before + PUSH_JWT_LIFETIME, not_before);
        return push_jws(k, header, (size_t) header_len, payload, (size_t) payload_len, ret);
}

int push_factor_payload(PushKey *k, const char *factor_sid, Secret *ret) {
        _cleanup_free_ char *text = NULL;
        _cleanup_(secret_done) Secret payload = {0};
        uint8_t signature[PUSH_SIGNATURE_DER_MAX];
        size_t len;
        int r;

        if (!sid_valid(factor_sid, "YF"))
                return -EINVAL;
        r = push_key_sign_der(k, factor_sid, strlen(factor_sid), signature, &len);
        if (r < 0)
                return r;
        r = base64_encode(BASE64_STANDARD, signature, len, &text);
        if (r < 0)
                return r;
        r = secret_append_string(&payload, text);
        if (r < 0)
                return r;
        secret_move(ret, &payload);
        return 0;
}

const char *push_refusal_text(PushRefusal r) {
        static const char *const texts[_PUSH_REFUSAL_MAX] = {
                        [PUSH_OK] = "the challenge can be signed",
                        [PUSH_FIELDS_MISSING] = "the provider does not say which fields to sign",
                        [PUSH_FIELDS_MALFORMED] = "the list of fields to sign is malformed",
                        [PUSH_FIELDS_NO_SID] = "the list of fields to sign does not name the SID",
                        [PUSH_FIELD_ABSENT] = "a field that is to be signed is missing",
                        [PUSH_TOO_LONG] = "the signed answer is longer than the provider takes",
        };

        return (unsigned) r < _PUSH_REFUSAL_MAX ? texts[r] : NULL;
}

/* The header's names, trimmed and checked. */
typedef struct FieldNames {
        char *text; /* a copy of the header, cut at the commas */
        const char *names[PUSH_FIELDS_MAX];
        size_t n;
} FieldNames;

static void field_names_done(FieldNames *f) {
        free(f->text);
}

static char *trim(char *text) {
        static const char blanks[] = " \t";
        char *end;

        text += strspn(text, blanks);
        end = text + strlen(text);
        while (end > text && strchr(blanks, end[-1]))
                end--;
        *end = '\0';
        return text;
}

/* A name that stands in JSON as it is. */
static bool field_name_valid(const char *name) {
        if (!*name)
                return false;
        for (; *name; name++)
                if (*name <= ' ' || *name > '~' || *name == '"' || *name == '\\')
                        return false;
        return true;
}

static bool field_names_has(const FieldNames *f, const char *name) {
        for (size_t i = 0; i < f->n; i++)
                if (streq(f->names[i], name))
                        return true;
        return false;
}

/* Cuts f->text, which is trimmed and not empty, into names. */
static PushRefusal field_names_split(FieldNames *f, char *text) {
        char *name;

        while ((name = strsep(&text, ","))) {
                name = trim(name);
                if (!field_name_valid(name) || field_names_has(f, name) || f->n == PUSH_FIELDS_MAX)
                        return PUSH_FIELDS_MALFORMED;
                f->names[f->n++] = name;
        }
        return field_names_has(f, "sid") ? PUSH_OK : PUSH_FIELDS_NO_SID;
}

static int field_names_read(FieldNames *f, const char *header, PushRefusal *ret_refusal) {
        char *text;

        f->text = strdup(strempty(header));
        if (!f->text)
                return -ENOMEM;
        text = trim(f->text);
        *ret_refusal = *text ? field_names_split(f, text) : PUSH_FIELDS_MISSING;
        return 0;
}

/* A member to sign: its name and its value's bytes as received. */
typedef struct Member {
        const char *name;
        JsonSlice value;
} Member;

typedef struct Members {
        Member items[PUSH_FIELDS_MAX];
        size_t n;
        size_t len; /* as JSON, each followed by a comma */
} Members;

static PushRefusal members_find(Members *m, const FieldNames *f, const JsonDoc *challenge) {
        for (size_t i = 0; i < f->n; i++) {
                Member *member = &m->items[m->n];

                /* Ours is the answer, whatever the challenge's own says. */
                if (streq(f->names[i], STATUS_FIELD))
                        continue;
                member->name = f->names[i];
                if (!json_doc_raw(challenge, member->name, &member->value))
                        return PUSH_FIELD_ABSENT;
                m->len += STRLEN("\"\":,") + strlen(member->name) + member->value.len;
                m->n++;
        }
        return PUSH_OK;
}

static int members_write(const Members *m, const char *status, char **ret, size_t *ret_len) {
        size_t len = STRLEN("{\"" STATUS_FIELD "\":\"\"}") + m->len + strlen(status);
        char *text, *p;

        text = malloc(len + 1);
        if (!text)
                return -ENOMEM;
        p = stpcpy(text, "{");
        for (size_t i = 0; i < m->n; i++) {
                p = stpcpy(p, "\"");
                p = stpcpy(p, m->items[i].name);
                p = stpcpy(p, "\":");
                p = mempcpy(p, m->items[i].value.data, m->items[i].value.len);
                p = stpcpy(p, ",");
        }
        p = stpcpy(p, "\"" STATUS_FIELD "\":\"");
        p = stpcpy(p, status);
        stpcpy(p, "\"}");
        *ret = text;
        *ret_len = len;
        return 0;
}

int push_challenge_payload(const JsonDoc *challenge,
                const char *signature_fields,
                const char *status,
                char **ret,
                size_t *ret_len,
                PushRefusal *ret_refusal) {
        _cleanup_(field_names_done) FieldNames names = {0};
        Members members = {0};
        PushRefusal refusal;
        int r;

        if (!streq(status, "approved") && !streq(status, "denied"))
                return -EINVAL;
        r = field_names_read(&names, signature_fields, &refusal);
        if (r < 0)
                return r;
        if (refusal == PUSH_OK)
                refusal = members_find(&members, &names, challenge);
        if (refusal == PUSH_OK) {
                r = members_write(&members, status, ret, ret_len);
                if (r < 0)
                        return r;
        }
        *ret_refusal = refusal;
        return 0;
}

size_t push_challenge_jws_len(size_t payload_len) {
        return jws_len(STRLEN(CHALLENGE_HEADER), payload_len);
}

int push_challenge_jws(PushKey *k,
                const JsonDoc *challenge,
                const char *signature_fields,
                const char *status,
                Secret *ret,
                PushRefusal *ret_refusal) {
        _cleanup_free_ char *payload = NULL;
        PushRefusal refusal;
        size_t len;
        int r;

        r = push_challenge_payload(challenge, signature_fields, status, &payload, &len, &refusal);
        if (r < 0)
                return r;
        if (refusal == PUSH_OK && push_challenge_jws_len(len) > PUSH_PAYLOAD_MAX)
                refusal = PUSH_TOO_LONG;
        if (refusal == PUSH_OK) {
                r = push_jws(k, CHALLENGE_HEADER, STRLEN(CHALLENGE_HEADER), payload, len, ret);
                if (r < 0)
                        return r;
        }
        *ret_refusal = refusal;
        return 0;
}
