/* SPDX-License-Identifier: Apache-2.0 */
#include "model-provider.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/json.h"
#include "base/percent.h"
#include "base/text.h"
#include "model-prompts.h"
#include "model-sim.h"
#include "push-verify.h"
#include "push/payload.h"

#define ATTEMPTS_MAX 5
#define SKEW 1 /* time steps */
#define EPOCH (UINT64_C(1800000000) * USEC_PER_SEC)
#define LONG_FIELDS 19

Provider provider;

void provider_start(void) {
        provider = (Provider){.offset = (int64_t) (EPOCH + sim_below(60) * USEC_PER_SEC)};
}

void provider_done(void) {
        while (provider.n_late > 0)
                verify_request_done(&provider.late[--provider.n_late]);
}

usec_t provider_now(void) {
        return sim.boot + (usec_t) provider.offset;
}

void provider_tick(void) {
        for (unsigned i = 0; i < provider.n_remotes; i++) {
                Remote *r = &provider.remotes[i];
                if (r->status == PROVIDER_PENDING && provider_now() >= r->expires) {
                        r->status = PROVIDER_EXPIRED;
                        sim_trace("provider: %u expires", i);
                }
        }
}

Remote *provider_create(FactorType type, usec_t life, bool too_long) {
        unsigned i = provider.n_remotes++;
        usec_t now = provider_now() / USEC_PER_SEC * USEC_PER_SEC;
        Remote *r = &provider.remotes[i];

        *r = (Remote){
                        .index = i,
                        .type = type,
                        .status = PROVIDER_PENDING,
                        .version = too_long ? MODEL_LONG : 1,
                        .created = now,
                        .expires = now + life,
        };
        (void) snprintf(r->sid, sizeof(r->sid), "YC%032u", i + 1);
        sim_trace("provider: %u created, %s, for %u s", i, factor_type_to_string(type),
                        (unsigned) (life / USEC_PER_SEC));
        return r;
}

Remote *provider_by_sid(const char *sid) {
        for (unsigned i = 0; i < provider.n_remotes; i++)
                if (streq(provider.remotes[i].sid, sid))
                        return &provider.remotes[i];
        return NULL;
}

/* "label" and "value" pairs that make the signed text too long. */
static char *fields_text(const Remote *r) {
        char value[3 * 128 + 1], number[MODEL_TYPED_SIZE], *text = NULL;

        /* What the person has to type, whoever asks for it. */
        if (daemon_.match && prompts_number(r, number))
                assert_true(asprintf(&text, "{\"label\":\"" MODEL_LABEL "\",\"value\":\"%s\"}",
                                            number) > 0);
        else
                text = strdup("");
        assert_non_null(text);

        for (size_t i = 0; i < 128; i++)
                memcpy(value + 3 * i, "\xe2\x82\xac", 3);
        value[sizeof(value) - 1] = '\0';
        for (unsigned i = 0; r->version >= MODEL_LONG && i < LONG_FIELDS; i++) {
                char *longer = NULL;
                assert_true(asprintf(&longer, "%s%s{\"label\":\"%u\",\"value\":\"%s\"}", text,
                                            *text ? "," : "", i, value) > 0);
                free(text);
                text = longer;
        }
        assert_non_null(text);
        return text;
}

char *provider_body(const Remote *r, bool item) {
        _cleanup_free_ char *fields = fields_text(r);
        char created[RFC3339_SIZE], expires[RFC3339_SIZE], *body = NULL;
        const char *gap = item ? "\n    " : "";

        /* An odd version differs from the one before in details, an even one in hidden details. */
        assert_true(asprintf(&body,
                                    "{\"sid\":\"%s\",\"account_sid\":\"" MODEL_ACCOUNT
                                    "\",\"service_sid\":\"" MODEL_SERVICE
                                    "\",\"identity\":\"" MODEL_IDENTITY
                                    "\",\"factor_sid\":\"%s\",\"date_created\":\"%s\","
                                    "\"expiration_date\":\"%s\",\"status\":\"%s\",\"details\":{%s"
                                    "\"message\":%s\"Question %u\",\"fields\":[%s]},"
                                    "\"hidden_details\":{%s\"version\":\"%u\"},"
                                    "\"metadata\":{\"decision\":\"%s\"},\"factor_type\":\"%s\"}",
                                    r->sid,
                                    r->type == FACTOR_PUSH ? MODEL_PUSH_SID : MODEL_TOTP_SID,
                                    rfc3339_format(r->created, created),
                                    rfc3339_format(r->expires, expires),
                                    provider_status_to_string(r->status), gap, gap,
                                    (r->version + 1) / 2, fields, gap, r->version, r->decision,
                                    factor_type_to_string(r->type)) > 0);
        return body;
}

void reply_done(Reply *r) {
        free(r->body);
        *r = (Reply){0};
}

static void reply_error(Reply *ret, int status, int code) {
        *ret = (Reply){.status = status};
        assert_true(asprintf(&ret->body, "{\"code\":%d,\"message\":\"No\",\"status\":%d}", code,
                                    status) > 0);
}

static char *form_value(const char *form, const char *name) {
        size_t len = strlen(name);
        char *value = NULL;

        for (const char *p = form, *end; *p; p = end + (*end == '&')) {
                end = p + strcspn(p, "&");
                if (strncmp(p, name, len) != 0 || p[len] != '=')
                        continue;
                assert_null(value);
                p += len + 1;
                assert_int_equal(percent_decode_string(p, (size_t) (end - p), true, &value), 0);
        }
        return value;
}

void update_read(const VerifyRequest *request, char **ret_payload, char **ret_metadata) {
        *ret_payload = form_value(secret_string(&request->body), "AuthPayload");
        *ret_metadata = form_value(secret_string(&request->body), "Metadata");
}

char *decision_of(const char *metadata) {
        static const JsonField fields[] = {{"decision", JSON_STRING, 0, JSON_MANDATORY}};
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        char *decision = NULL;

        if (!metadata || json_doc_parse(&doc, metadata, strlen(metadata), NULL) < 0 ||
                        json_doc_read(doc, fields, 1, false, &decision, NULL) < 0)
                return NULL;
        return decision;
}

char *jws_open(const char *jws) {
        _cleanup_(secret_done) Secret payload = {0};
        _cleanup_free_ char *part = NULL;
        const char *first = strchr(jws, '.'), *second = first ? strchr(first + 1, '.') : NULL;

        if (!second || !verify_jws(RFC6979_PUBLIC, jws, strlen(jws)))
                return NULL;
        part = strndup(first + 1, (size_t) (second - first - 1));
        assert_non_null(part);
        if (base64_decode(BASE64_URL, part, strlen(part), &payload) < 0)
                return NULL;
        return strdup(secret_string(&payload));
}

unsigned version_of(const char *text) {
        const char *p = text ? strstr(text, "\"version\"") : NULL;
        unsigned version = 0;

        if (!p || !(p = strchr(p + 9, '"')) || sscanf(p + 1, "%u", &version) != 1)
                return 0;
        return version;
}

/* Each field that the provider names must be signed as it stands now. */
static bool payload_fits(const Remote *r, const JsonDoc *payload) {
        _cleanup_free_ char *body = provider_body(r, false), *names = strdup(push_usual_fields);
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        char *save = NULL;
        size_t n = 0;

        assert_int_equal(json_doc_parse(&doc, body, strlen(body), NULL), 0);
        for (char *name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
                JsonSlice signed_value, value;
                assert_true(json_doc_raw(doc, name, &value));
                if (!json_doc_raw(payload, name, &signed_value) || signed_value.len != value.len ||
                                memcmp(signed_value.data, value.data, value.len) != 0)
                        return false;
                n++;
        }
        return json_doc_n_members(payload) == n + 1;
}

static ProviderStatus push_answer(const Remote *r, const char *jws) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ char *payload = jws_open(jws);
        JsonSlice status;

        if (!payload || json_doc_parse(&doc, payload, strlen(payload), NULL) < 0 ||
                        !payload_fits(r, doc) || !json_doc_raw(doc, "status", &status))
                return PROVIDER_UNKNOWN;
        if (status.len == 10 && memcmp(status.data, "\"approved\"", 10) == 0)
                return PROVIDER_APPROVED;
        if (status.len == 8 && memcmp(status.data, "\"denied\"", 8) == 0)
                return PROVIDER_DENIED;
        return PROVIDER_UNKNOWN;
}

void code_of(uint64_t step, char ret[static MODEL_DIGITS + 1]) {
        uint8_t message[8], mac[EVP_MAX_MD_SIZE];
        size_t len = 0;

        for (size_t i = 0; i < sizeof(message); i++)
                message[i] = (uint8_t) (step >> (56 - 8 * i));
        assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA1", NULL, MODEL_SEED,
                        sizeof(MODEL_SEED) - 1, message, sizeof(message), mac, sizeof(mac), &len));
        assert_int_equal(len, 20);

        const uint8_t *p = mac + (mac[19] & 15);
        uint32_t number = ((uint32_t) p[0] & 127) << 24 | (uint32_t) p[1] << 16 |
                          (uint32_t) p[2] << 8 | p[3];
        (void) snprintf(ret, MODEL_DIGITS + 1, "%0*" PRIu32, MODEL_DIGITS, number % 100000000);
}

/* A code counts within the skew, and each step's once. */
static bool totp_answer(const char *code) {
        uint64_t now = provider_now() / USEC_PER_SEC / MODEL_PERIOD;

        if (provider.wrong_seed)
                return false;
        for (uint64_t step = now - SKEW; step <= now + SKEW; step++) {
                char right[MODEL_DIGITS + 1];
                bool taken = false;
                for (unsigned i = 0; i < provider.n_steps; i++)
                        taken |= provider.steps[i] == step;
                code_of(step, right);
                if (taken || !streq(code, right))
                        continue;
                assert_true(provider.n_steps < MODEL_STEPS_MAX);
                provider.steps[provider.n_steps++] = step;
                return true;
        }
        return false;
}

static void provider_update(Remote *r, const VerifyRequest *request, Reply *ret) {
        _cleanup_free_ char *payload = NULL, *metadata = NULL, *decision = NULL;
        ProviderStatus status;

        update_read(request, &payload, &metadata);
        decision = decision_of(metadata);
        if (!payload || !decision)
                sim_fail("An update lacks its payload, its metadata or the decision in it");
        if (r->status != PROVIDER_PENDING) {
                reply_error(ret, 403, r->status == PROVIDER_EXPIRED ? 60323 : 60322);
                return;
        }
        if (r->type == FACTOR_TOTP && r->wrong >= ATTEMPTS_MAX) {
                reply_error(ret, 429, 60308);
                return;
        }
        if (r->type == FACTOR_PUSH)
                status = push_answer(r, payload);
        else
                status = totp_answer(payload) ? PROVIDER_APPROVED : PROVIDER_PENDING;
        if (status == PROVIDER_UNKNOWN) {
                reply_error(ret, 403, 60324);
                return;
        }
        r->status = status;
        r->wrong += status == PROVIDER_PENDING;
        (void) snprintf(r->decision, sizeof(r->decision), "%s",
                        status == PROVIDER_PENDING ? "" : decision);
        *ret = (Reply){.status = 200, .body = provider_body(r, false)};
        sim_trace("provider: %u is %s after our answer", r->index,
                        provider_status_to_string(status));
}

static const char *header_text(HeaderFault fault) {
        switch (fault) {
        case HEADER_GOOD:
                return push_usual_fields;
        case HEADER_WITHOUT_SID:
                return "account_sid,service_sid,identity,factor_sid,details,hidden_details";
        case HEADER_ABSENT_FIELD:
                return "sid,details,colour";
        case HEADER_TWICE:
                return ",";
        case HEADER_MISSING:
        case _HEADER_MAX:
                break;
        }
        return NULL;
}

void provider_handle(const VerifyRequest *request, HeaderFault header, Reply *ret) {
        const char *slash = strrchr(request->path, '/');
        Remote *r = slash ? provider_by_sid(slash + 1) : NULL;

        provider_tick();
        if (!r)
                sim_fail("A request for %s", request->path);
        if (r->type == FACTOR_PUSH ? provider.key_revoked : provider.account_refused)
                reply_error(ret, 401, 20003);
        else if (r->gone)
                reply_error(ret, 404, 20404);
        else if (request->method == VERIFY_POST)
                provider_update(r, request, ret);
        else
                *ret = (Reply){
                                .status = 200,
                                .body = provider_body(r, false),
                                .signature_fields = header_text(header),
                                .header_good = header == HEADER_GOOD,
                };
}

void provider_delay(VerifyRequest *request) {
        if (provider.n_late == ELEMENTSOF(provider.late))
                verify_request_done(request);
        else
                provider.late[provider.n_late++] = *request;
        *request = (VerifyRequest){0};
}

void provider_late(void) {
        Reply reply = {0};
        unsigned i;

        if (provider.n_late == 0)
                return;
        i = sim_below(provider.n_late);
        sim_trace("provider: a late update arrives");
        provider_handle(&provider.late[i], HEADER_GOOD, &reply);
        reply_done(&reply);
        verify_request_done(&provider.late[i]);
        provider.late[i] = provider.late[--provider.n_late];
}

void provider_push_key(Secret *ret) {
        PushKey *k = rfc6979_key();

        assert_int_equal(push_key_to_pkcs8(k, ret), 0);
        push_key_free(k);
}
