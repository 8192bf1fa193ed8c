/* SPDX-License-Identifier: Apache-2.0 */
/* What a push factor signs. Tokens are verified by OpenSSL; vectors are of RFC 7515 A.3 and of
 * deterministic signatures (RFC 6979) made elsewhere. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "push/payload.h"
#include "tests/unit/push-verify.h"

#define FACTOR_SID "YF0123456789abcdef0123456789abcdef"
#define CREDENTIAL_SID "CRcccccccccccccccccccccccccccccccc"
#define ACCOUNT_SID "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

#define DEVICE_JWT                                                                                 \
        "eyJjdHkiOiJ0d2lsaW8tcGJhO3Y9MSIsImtpZCI6IkNSY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2M"  \
        "iLCJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJBQ2FhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"   \
        "YWFhYWFhIiwiZXhwIjoxNzAwMDAwNjAwLCJuYmYiOjE3MDAwMDAwMDB9.8udQRaLe8mynBiyc14VY0VSa97Etg"   \
        "oXrLp5P_TDc4QggM7jYJ1E8uOCphi0HdMevJ2WOCftu_c9i4AQ8aXpX5w"

#define CHALLENGE_JWT                                                                              \
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJzaWQiOiJZQzAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM"   \
        "DAwMDAwIiwic2VydmljZV9zaWQiOiJWQTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwIiwiYWNjb3V"   \
        "udF9zaWQiOiJBQ2FhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhIiwiaWRlbnRpdHkiOiJ1c2VyLTAwM"   \
        "DEiLCJmYWN0b3Jfc2lkIjoiWUYwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiIsImRhdGVfY3JlYXR"   \
        "lZCI6IjIwMjYtMDEtMDJUMDM6MDQ6MDVaIiwiZXhwaXJhdGlvbl9kYXRlIjoiMjAyNi0wMS0wMlQwMzowOTowN"   \
        "VoiLCJkZXRhaWxzIjp7Im1lc3NhZ2UiOiJTaWduIGluPyIsImRhdGUiOiIyMDI2LTAxLTAyVDAzOjA0OjA1WiI"   \
        "sImZpZWxkcyI6W3sibGFiZWwiOiJJUCIsInZhbHVlIjoiMTkyLjAuMi43In1dfSwiaGlkZGVuX2RldGFpbHMiO"   \
        "m51bGwsInN0YXR1cyI6ImFwcHJvdmVkIn0.IiBYl5Vu_a3XLYreyfhuRppaOIBkKQZQP7KINoUldU9G3eZRNLD"   \
        "RaP_gHTfle4QybYZP2qnJ7EUhcNhKWNLSFQ"

/* The challenge that the token above answers; its members stand in another order than is signed. */
#define CHALLENGE                                                                                  \
        "{\"url\":\"https:\\/\\/verify.twilio.com\\/v2\",\"status\":\"pending\","                  \
        "\"hidden_details\" : null ,\"details\":{\"message\":\"Sign in?\","                        \
        "\"date\":\"2026-01-02T03:04:05Z\",\"fields\":[{\"label\":\"IP\",\"value\":\"192.0.2.7\"}" \
        "]},\"expiration_date\":\"2026-01-02T03:09:05Z\","                                         \
        "\"date_created\":\"2026-01-02T03:04:05Z\",\"factor_sid\":\"" FACTOR_SID                   \
        "\","                                                                                      \
        "\"identity\":\"user-0001\",\"account_sid\":\"" ACCOUNT_SID                                \
        "\","                                                                                      \
        "\"service_sid\":\"VA00000000000000000000000000000000\","                                  \
        "\"sid\":\"YC00000000000000000000000000000000\"}"

#define CHALLENGE_FIELDS                                                                           \
        "sid,service_sid,account_sid,identity,factor_sid,date_created,expiration_date,details,"    \
        "hidden_details"

static JsonDoc *doc_new(const char *text) {
        _cleanup_free_ char *msg = NULL;
        JsonDoc *d = NULL;

        if (json_doc_parse(&d, text, strlen(text), &msg) < 0)
                fail_msg("%s", strempty(msg));
        return d;
}

/* The length of header.payload of a token. */
static size_t signed_len(const char *jws) {
        return (size_t) (strrchr(jws, '.') - jws);
}

/* Asserts that the token says what the vector says and verifies under the vector's key; the
 * signatures themselves differ from run to run. */
static void assert_token(const Secret *token, const char *vector) {
        const char *text = secret_string(token);

        assert_int_equal(token->len, strlen(vector));
        assert_int_equal(signed_len(text), signed_len(vector));
        assert_memory_equal(text, vector, signed_len(vector));
        assert_true(verify_jws(RFC6979_PUBLIC, text, token->len));
        assert_true(verify_jws(RFC6979_PUBLIC, vector, strlen(vector)));
}

static void test_device_jwt(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        _cleanup_(secret_done) Secret jwt = {0};

        assert_int_equal(push_device_jwt(k, CREDENTIAL_SID, ACCOUNT_SID, 1700000005, &jwt), 0);
        assert_token(&jwt, DEVICE_JWT);
        /* What *ret held is replaced. */
        assert_int_equal(push_device_jwt(k, CREDENTIAL_SID, ACCOUNT_SID, 1700000005, &jwt), 0);
        assert_token(&jwt, DEVICE_JWT);
}

static void test_device_jwt_refusals(void **state) {
        static const char *const bad_sids[] = {
                        "",
                        "AC",
                        "YFaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                        "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                        "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                        "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        };
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        _cleanup_(secret_done) Secret jwt = {0};

        for (size_t i = 0; i < ELEMENTSOF(bad_sids); i++)
                assert_int_equal(push_device_jwt(k, CREDENTIAL_SID, bad_sids[i], 1700000005, &jwt),
                                -EINVAL);
        assert_int_equal(push_device_jwt(k, "CR", ACCOUNT_SID, 1700000005, &jwt), -EINVAL);
        assert_int_equal(push_device_jwt(k, "cr\"\"\"", ACCOUNT_SID, 1700000005, &jwt), -EINVAL);
        assert_int_equal(push_device_jwt(k, CREDENTIAL_SID, ACCOUNT_SID, 4, &jwt), -EINVAL);
        assert_int_equal(push_device_jwt(k, CREDENTIAL_SID, ACCOUNT_SID, INT64_MIN, &jwt), -EINVAL);
        assert_int_equal(push_device_jwt(k, CREDENTIAL_SID, ACCOUNT_SID, INT64_MAX, &jwt), -EINVAL);
        assert_int_equal(jwt.len, 0);
        assert_int_equal(push_device_jwt(k, CREDENTIAL_SID, ACCOUNT_SID, 5, &jwt), 0);
}

static void test_factor_payload(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        EVP_PKEY *pkey = public_key(RFC6979_PUBLIC);

        for (int i = 0; i < 50; i++) {
                _cleanup_(secret_done) Secret payload = {0}, der = {0};

                assert_int_equal(push_factor_payload(k, FACTOR_SID, &payload), 0);
                assert_int_equal(base64_decode(BASE64_STANDARD, secret_string(&payload),
                                                 payload.len, &der),
                                0);
                assert_true(verify_der(pkey, FACTOR_SID, SID_LEN, der.data, der.len));
        }
        EVP_PKEY_free(pkey);
}

static void test_factor_payload_refusals(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        _cleanup_(secret_done) Secret payload = {0};

        assert_int_equal(push_factor_payload(k, "", &payload), -EINVAL);
        assert_int_equal(push_factor_payload(k, ACCOUNT_SID, &payload), -EINVAL);
        assert_int_equal(push_factor_payload(k, FACTOR_SID "0", &payload), -EINVAL);
        assert_int_equal(payload.len, 0);
}

static void test_challenge_jws(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        _cleanup_(json_doc_freep) JsonDoc *challenge = doc_new(CHALLENGE);
        _cleanup_(secret_done) Secret jws = {0};
        _cleanup_free_ char *payload = NULL;
        PushRefusal refusal = _PUSH_REFUSAL_MAX;
        size_t len;

        assert_int_equal(push_challenge_jws(k, challenge, CHALLENGE_FIELDS, "approved", &jws,
                                         &refusal),
                        0);
        assert_int_equal(refusal, PUSH_OK);
        assert_token(&jws, CHALLENGE_JWT);
        assert_int_equal(jws.len, 723);
        assert_int_equal(push_challenge_payload(challenge, CHALLENGE_FIELDS, "approved", &payload,
                                         &len, &refusal),
                        0);
        assert_int_equal(len, strlen(payload));
        assert_int_equal(push_challenge_jws_len(len), jws.len);
}

static void assert_payload(
                const char *challenge, const char *fields, const char *status, const char *want) {
        _cleanup_(json_doc_freep) JsonDoc *d = doc_new(challenge);
        _cleanup_free_ char *payload = NULL;
        PushRefusal refusal = _PUSH_REFUSAL_MAX;
        size_t len;

        assert_int_equal(push_challenge_payload(d, fields, status, &payload, &len, &refusal), 0);
        assert_int_equal(refusal, PUSH_OK);
        assert_string_equal(payload, want);
        assert_int_equal(len, strlen(want));
}

static void test_values_are_kept(void **state) {
        /* Numbers past any type, escapes that a writer would undo, white space inside values, both
         * orders of members, empty containers, a member that looks like a payload's end. */
        static const char challenge[] =
                        "{ \"sid\" : \"YC\\/1\" ,\n\"big\":123456789012345678901234567890.10e+05,"
                        "\"esc\":\"caf\\u00e9 \\/ \\\"q\\\" \\ud83d\\ude00 caf\xc3\xa9\","
                        "\"nested\":{ \"b\" : [ 1 , 2.0 , -0 ] ,\t\"a\":{\"x\":null}},"
                        "\"null\":null,\"yes\":true,\"no\" :false,\"empty\":\"\",\"o\":{},\"l\":[ "
                        "],"
                        "\"tricky\":\"\\\",\\\"status\\\":\\\"denied\\\"}\",\"status\":"
                        "\"pending\"}";

        assert_payload(challenge, "sid", "approved",
                        "{\"sid\":\"YC\\/1\",\"status\":\"approved\"}");
        assert_payload(challenge, "big,sid", "denied",
                        "{\"big\":123456789012345678901234567890.10e+05,\"sid\":\"YC\\/1\","
                        "\"status\":\"denied\"}");
        assert_payload(challenge, "sid,esc", "denied",
                        "{\"sid\":\"YC\\/1\",\"esc\":\"caf\\u00e9 \\/ \\\"q\\\" \\ud83d\\ude00 "
                        "caf\xc3\xa9\",\"status\":\"denied\"}");
        assert_payload(challenge, "nested,sid,null,yes,no,empty,o,l", "approved",
                        "{\"nested\":{ \"b\" : [ 1 , 2.0 , -0 ] ,\t\"a\":{\"x\":null}},"
                        "\"sid\":\"YC\\/1\",\"null\":null,\"yes\":true,\"no\":false,\"empty\":\"\","
                        "\"o\":{},\"l\":[ ],\"status\":\"approved\"}");
        assert_payload(challenge, "tricky,sid", "approved",
                        "{\"tricky\":\"\\\",\\\"status\\\":\\\"denied\\\"}\",\"sid\":\"YC\\/1\","
                        "\"status\":\"approved\"}");
}

static void test_status_is_ours(void **state) {
        static const char challenge[] = "{\"sid\":1,\"status\":\"pending\",\"x\":2}";

        assert_payload(challenge, "status,sid", "approved", "{\"sid\":1,\"status\":\"approved\"}");
        assert_payload(challenge, "sid,status,x", "denied",
                        "{\"sid\":1,\"x\":2,\"status\":\"denied\"}");
        /* It need not be there. */
        assert_payload("{\"sid\":1}", "sid,status", "denied", "{\"sid\":1,\"status\":\"denied\"}");
}

static void test_white_space_round_names(void **state) {
        assert_payload("{\"sid\":1,\"x\":2}", "  x ,\tsid\t ", "approved",
                        "{\"x\":2,\"sid\":1,\"status\":\"approved\"}");
}

static void test_other_status_is_refused(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        _cleanup_(json_doc_freep) JsonDoc *d = doc_new("{\"sid\":1}");
        _cleanup_(secret_done) Secret jws = {0};
        static const char *const bad[] = {"", "pending", "expired", "Approved", "approved\""};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                PushRefusal refusal = _PUSH_REFUSAL_MAX;
                char *payload = NULL;
                size_t len;

                assert_int_equal(push_challenge_payload(d, "sid", bad[i], &payload, &len, &refusal),
                                -EINVAL);
                assert_null(payload);
                assert_int_equal(push_challenge_jws(k, d, "sid", bad[i], &jws, &refusal), -EINVAL);
                assert_int_equal(jws.len, 0);
                assert_int_equal(refusal, _PUSH_REFUSAL_MAX);
        }
}

static void assert_refused(const char *challenge, const char *fields, PushRefusal want) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        _cleanup_(json_doc_freep) JsonDoc *d = doc_new(challenge);
        _cleanup_(secret_done) Secret jws = {0};
        PushRefusal refusal = _PUSH_REFUSAL_MAX;
        char *payload = NULL;
        size_t len = 42;

        assert_int_equal(push_challenge_jws(k, d, fields, "approved", &jws, &refusal), 0);
        if (refusal != want)
                fail_msg("'%s': %d instead of %d", strempty(fields), refusal, want);
        assert_int_equal(jws.len, 0);
        if (want == PUSH_TOO_LONG)
                return;
        refusal = _PUSH_REFUSAL_MAX;
        assert_int_equal(
                        push_challenge_payload(d, fields, "approved", &payload, &len, &refusal), 0);
        assert_int_equal(refusal, want);
        assert_null(payload);
        assert_int_equal(len, 42);
}

static void test_refusals(void **state) {
        static const char challenge[] =
                        "{\"sid\":1,\"x\":null,\"nested\":{\"inner\":1},"
                        "\"a b\":1,\"q\\\"\":1,\"\":1}";

        assert_refused(challenge, NULL, PUSH_FIELDS_MISSING);
        assert_refused(challenge, "", PUSH_FIELDS_MISSING);
        assert_refused(challenge, " \t ", PUSH_FIELDS_MISSING);
        assert_refused(challenge, ",", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid,", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, ",sid", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid, ,x", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid,x,sid", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid,status,status", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid,a b", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid,q\"", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid,q\\", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid,\x01", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid,\xc3\xa9", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "sid\n", PUSH_FIELDS_MALFORMED);
        assert_refused(challenge, "x", PUSH_FIELDS_NO_SID);
        assert_refused(challenge, "status", PUSH_FIELDS_NO_SID);
        assert_refused(challenge, "Sid,x", PUSH_FIELDS_NO_SID);
        assert_refused(challenge, "sidx,x", PUSH_FIELDS_NO_SID);
        assert_refused(challenge, "absent,x", PUSH_FIELDS_NO_SID);
        assert_refused(challenge, "sid,absent", PUSH_FIELD_ABSENT);
        assert_refused(challenge, "sid,inner", PUSH_FIELD_ABSENT);
        assert_refused(challenge, "sid,X", PUSH_FIELD_ABSENT);
        assert_refused("{\"x\":1}", "sid", PUSH_FIELD_ABSENT);
}

static void test_number_of_names(void **state) {
        char fields[PUSH_FIELDS_MAX * 8] = "sid", challenge[PUSH_FIELDS_MAX * 16] = "{\"sid\":1";
        char *f = fields + strlen(fields), *c = challenge + strlen(challenge);

        for (int i = 1; i < PUSH_FIELDS_MAX; i++) {
                f += sprintf(f, ",f%d", i);
                c += sprintf(c, ",\"f%d\":%d", i, i);
        }
        strcpy(c, ",\"more\":1}");
        {
                _cleanup_(json_doc_freep) JsonDoc *d = doc_new(challenge);
                _cleanup_free_ char *payload = NULL;
                PushRefusal refusal;
                size_t len;

                assert_int_equal(push_challenge_payload(
                                                 d, fields, "approved", &payload, &len, &refusal),
                                0);
                assert_int_equal(refusal, PUSH_OK);
                assert_non_null(strstr(payload, ",\"f63\":63,\"status\":\"approved\"}"));
        }
        strcpy(f, ",more");
        assert_refused(challenge, fields, PUSH_FIELDS_MALFORMED);
}

/* The longest payload that fits, and one byte more. */
static void test_length_limit(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        size_t room = 0;

        while (push_challenge_jws_len(room + 1) <= PUSH_PAYLOAD_MAX)
                room++;
        for (size_t extra = 0; extra <= 1; extra++) {
                _cleanup_free_ char *challenge = NULL, *filling = NULL;
                size_t filling_len =
                                room + extra - strlen("{\"sid\":\"\",\"status\":\"approved\"}");

                filling = calloc(1, filling_len + 1);
                assert_non_null(filling);
                memset(filling, 'x', filling_len);
                assert_true(asprintf(&challenge, "{\"sid\":\"%s\"}", filling) > 0);
                if (extra > 0)
                        assert_refused(challenge, "sid", PUSH_TOO_LONG);
                else {
                        _cleanup_(json_doc_freep) JsonDoc *d = doc_new(challenge);
                        _cleanup_(secret_done) Secret jws = {0};
                        PushRefusal refusal;

                        assert_int_equal(
                                        push_challenge_jws(k, d, "sid", "approved", &jws, &refusal),
                                        0);
                        assert_int_equal(refusal, PUSH_OK);
                        assert_in_range(jws.len, PUSH_PAYLOAD_MAX - 1, PUSH_PAYLOAD_MAX);
                        assert_true(verify_jws(RFC6979_PUBLIC, secret_string(&jws), jws.len));
                }
        }
}

static void test_jws_len(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();

        for (size_t n = 8; n < 40; n++) {
                _cleanup_(json_doc_freep) JsonDoc *d = NULL;
                _cleanup_(secret_done) Secret jws = {0};
                _cleanup_free_ char *payload = NULL;
                char challenge[64];
                PushRefusal refusal;
                size_t len;

                snprintf(challenge, sizeof(challenge), "{\"sid\":\"%0*d\"}", (int) n, 7);
                d = doc_new(challenge);
                assert_int_equal(push_challenge_payload(
                                                 d, "sid", "denied", &payload, &len, &refusal),
                                0);
                assert_int_equal(push_challenge_jws(k, d, "sid", "denied", &jws, &refusal), 0);
                assert_int_equal(push_challenge_jws_len(len), jws.len);
        }
}

static void test_usual_fields(void **state) {
        _cleanup_(json_doc_freep) JsonDoc *d = doc_new(CHALLENGE);
        _cleanup_free_ char *payload = NULL;
        PushRefusal refusal;
        size_t len, n = 1;

        for (const char *p = push_usual_fields; *p; p++)
                n += *p == ',';
        assert_int_equal(n, 9);
        assert_int_equal(push_challenge_payload(d, push_usual_fields, "approved", &payload, &len,
                                         &refusal),
                        0);
        assert_int_equal(refusal, PUSH_OK);
        assert_int_equal(push_challenge_jws_len(len), strlen(CHALLENGE_JWT));
}

static void test_refusal_texts(void **state) {
        for (int r = 0; r < _PUSH_REFUSAL_MAX; r++) {
                const char *text = push_refusal_text((PushRefusal) r);

                assert_non_null(text);
                assert_true(strlen(text) > 10);
                assert_int_not_equal(text[strlen(text) - 1], '.');
        }
        assert_null(push_refusal_text(_PUSH_REFUSAL_MAX));
        assert_null(push_refusal_text((PushRefusal) -1));
}

/* RFC 7515 A.3: its key, its signing input, its signature; and RFC 7518 §3.4, whose signature is 64
 * bytes, never fewer. */
static void test_rfc7515_a3(void **state) {
        static const char header[] = "{\"alg\":\"ES256\"}";
        static const char payload[] =
                        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n "
                        "\"http://example.com/is_root\":true}";
        static const char example[] =
                        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0"
                        "dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-X"
                        "x-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
        static const char d[] = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
        static const char x[] = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        static const char y[] = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        _cleanup_(secret_done) Secret scalar = {0}, spki = {0}, part = {0}, jws = {0};
        _cleanup_(push_key_freep) PushKey *k = NULL;
        _cleanup_free_ char *text = NULL;

        assert_int_equal(base64_decode(BASE64_URL, d, strlen(d), &scalar), 0);
        assert_int_equal(scalar.len, 32);
        assert_int_equal(key_from_scalar(&k, scalar.data), 0);
        assert_int_equal(push_key_public(k, &text), 0);
        assert_int_equal(base64_decode(BASE64_STANDARD, text, strlen(text), &spki), 0);
        assert_int_equal(base64_decode(BASE64_URL, x, strlen(x), &part), 0);
        assert_memory_equal(spki.data + 27, part.data, 32);
        assert_int_equal(base64_decode(BASE64_URL, y, strlen(y), &part), 0);
        assert_memory_equal(spki.data + 59, part.data, 32);
        assert_true(verify_jws(text, example, strlen(example)));
        for (int i = 0; i < 600; i++) {
                assert_int_equal(
                                push_jws(k, header, strlen(header), payload, strlen(payload), &jws),
                                0);
                assert_int_equal(jws.len, strlen(example));
                assert_memory_equal(jws.data, example, signed_len(example));
                assert_true(verify_jws(text, secret_string(&jws), jws.len));
        }
        /* A changed payload does not verify. */
        jws.data[30] ^= 1;
        assert_false(verify_jws(text, secret_string(&jws), jws.len));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_device_jwt),
                        cmocka_unit_test(test_device_jwt_refusals),
                        cmocka_unit_test(test_factor_payload),
                        cmocka_unit_test(test_factor_payload_refusals),
                        cmocka_unit_test(test_challenge_jws),
                        cmocka_unit_test(test_values_are_kept),
                        cmocka_unit_test(test_status_is_ours),
                        cmocka_unit_test(test_white_space_round_names),
                        cmocka_unit_test(test_other_status_is_refused),
                        cmocka_unit_test(test_refusals),
                        cmocka_unit_test(test_number_of_names),
                        cmocka_unit_test(test_length_limit),
                        cmocka_unit_test(test_jws_len),
                        cmocka_unit_test(test_usual_fields),
                        cmocka_unit_test(test_refusal_texts),
                        cmocka_unit_test(test_rfc7515_a3),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
