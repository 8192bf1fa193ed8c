/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: the exact bytes, and each limit of the specification from both sides. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "verify/form.h"
#include "verify/reply.h"
#include "verify/request.h"

#define HEX "0123456789abcdef0123456789ABCDEF"
#define VA "VA" HEX
#define YF "YF" HEX
#define YC "YC" HEX
#define YK "YK" HEX
#define ENTITY "/v2/Services/" VA "/Entities/user-0001"

#define NOW ((usec_t) 1767323045 * USEC_PER_SEC) /* 2026-01-02T03:04:05Z */

static const VerifyEntity entity = {.service_sid = VA, .identity = "user-0001"};

/* A request is as expected; takes it over. body NULL: none. */
static void check(int r,
                VerifyRequest *q,
                char *why,
                VerifyMethod method,
                const char *path,
                const char *body,
                bool creates) {
        if (r < 0)
                fail_msg("refused: %s", error_text(why, r));
        assert_int_equal(r, 0);
        assert_null(why);
        assert_int_equal(q->method, method);
        assert_string_equal(q->path, path);
        assert_string_equal(secret_string(&q->body), body ? body : "");
        assert_int_equal(q->creates, creates);
        verify_request_done(q);
        assert_null(q->path);
        assert_int_equal(q->body.len, 0);
}

static void check_refused(int r, const VerifyRequest *q, char *why, const char *message) {
        assert_int_equal(r, -EINVAL);
        assert_non_null(why);
        assert_string_equal(why, message);
        assert_null(q->path);
        assert_null(q->body.data);
        free(why);
}

/* A value between limits is taken; one past it gives exactly that message. */
#define TAKEN(call)                                                                                \
        do {                                                                                       \
                VerifyRequest q = {0};                                                             \
                char *why = NULL;                                                                  \
                int _r = call;                                                                     \
                if (_r < 0)                                                                        \
                        fail_msg("refused: %s", error_text(why, _r));                              \
                verify_request_done(&q);                                                           \
        } while (0)
#define REFUSED(call, message)                                                                     \
        do {                                                                                       \
                VerifyRequest q = {0};                                                             \
                char *why = NULL;                                                                  \
                int _r = call;                                                                     \
                check_refused(_r, &q, why, message);                                               \
        } while (0)
#define EXACTLY(call, ...)                                                                         \
        do {                                                                                       \
                VerifyRequest q = {0};                                                             \
                char *why = NULL;                                                                  \
                int _r = call;                                                                     \
                check(_r, &q, why, __VA_ARGS__);                                                   \
        } while (0)

/* n characters, each two bytes long: limits are in characters. */
static char *wide(size_t n) {
        static char text[2 * 6000 + 1];

        assert_true(n <= 6000);
        for (size_t i = 0; i < n; i++)
                memcpy(text + 2 * i, "\xC3\xA9", 2);
        text[2 * n] = '\0';
        return text;
}

static const char *chars(size_t n) {
        static char text[6001];

        assert_true(n <= 6000);
        memset(text, 'a', n);
        text[n] = '\0';
        return text;
}

/* {"k":"aaa…"} of n characters. */
static const char *map(size_t n) {
        static char text[6100];

        snprintf(text, sizeof(text), "{\"k\":\"%s\"}", chars(n - 8));
        assert_int_equal(strlen(text), n);
        return text;
}

static Secret secret_of(const char *text) {
        Secret s = {0};

        assert_int_equal(secret_append_string(&s, text), 0);
        return s;
}

static void test_entity(void **state) {
        static const struct {
                VerifyEntity entity;
                const char *message;
        } bad[] = {
                        {{NULL, "user-0001"}, "ServiceSid is missing"},
                        {{VA, NULL}, "Identity is missing"},
                        {{"VA1", "user-0001"},
                                        "ServiceSid is 3 characters long; it must be VA and 32 "
                                        "hexadecimal digits"},
                        {{YF, "user-0001"}, "ServiceSid is " YF
                                            "; it must be VA and 32 hexadecimal digits"},
                        {{"VA0123456789abcdef0123456789abcdeg", "user-0001"},
                                        "ServiceSid is not VA and 32 hexadecimal digits"},
                        {{VA, "user-01"},
                                        "Identity is 7 characters long; it must have 8 to 64 "
                                        "letters and digits, with single dashes between them"},
                        {{VA, "user/0001"},
                                        "Identity has something else than letters and digits with "
                                        "single dashes between them"},
                        {{VA, "user\xFF-0001"}, "Identity is not valid UTF-8 text"},
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                REFUSED(verify_challenge_fetch(&q, &bad[i].entity, YC, &why), bad[i].message);
        TAKEN(verify_challenge_fetch(&q, &(VerifyEntity){VA, chars(8)}, YC, &why));
        TAKEN(verify_challenge_fetch(&q, &(VerifyEntity){VA, chars(64)}, YC, &why));
        REFUSED(verify_challenge_fetch(&q, &(VerifyEntity){VA, chars(65)}, YC, &why),
                        "Identity is 65 characters long; it must have 8 to 64 letters and digits, "
                        "with single dashes between them");
        REFUSED(verify_challenge_fetch(&q, &entity, NULL, &why), "ChallengeSid is missing");
        REFUSED(verify_challenge_fetch(&q, &entity, "../x", &why),
                        "ChallengeSid is 4 characters long; it must be YC and 32 hexadecimal "
                        "digits");
}

static void test_challenge_create(void **state) {
        static const DetailField fields[] = {
                        {"IP", "192.0.2.7"},
                        {"Say \"hi\"", "a/b\\c\n\xC3\xA9 & more"},
        };
        const VerifyChallengeCreate p = {
                        .factor_sid = YF,
                        .expiration_date = "2026-01-02T03:09:05Z",
                        .message = "Sign in? 100%",
                        .fields = fields,
                        .n_fields = ELEMENTSOF(fields),
                        .hidden_details = "{\"ip\":\"192.0.2.7\"}",
        };
        EXACTLY(verify_challenge_create(&q, &entity, &p, NOW, &why), VERIFY_POST,
                        ENTITY "/Challenges",
                        "FactorSid=" YF
                        "&ExpirationDate=2026-01-02T03%3A09%3A05Z"
                        "&Details.Message=Sign%20in%3F%20100%25"
                        "&Details.Fields=%7B%22label%22%3A%22IP%22%2C%22value%22%3A%22192.0.2.7%22"
                        "%7D"
                        "&Details.Fields=%7B%22label%22%3A%22Say%20%5C%22hi%5C%22%22%2C%22value%22"
                        "%3A%22a%2Fb%5C%5Cc%5Cn%C3%A9%20%26%20more%22%7D"
                        "&HiddenDetails=%7B%22ip%22%3A%22192.0.2.7%22%7D",
                        true);

        _cleanup_(secret_done) Secret code = secret_of("123456");
        const VerifyChallengeCreate totp = {.factor_sid = YF, .auth_payload = &code};
        EXACTLY(verify_challenge_create(&q, &entity, &totp, NOW, &why), VERIFY_POST,
                        ENTITY "/Challenges", "FactorSid=" YF "&AuthPayload=123456", true);
        REFUSED(verify_challenge_create(&q, &entity, &(VerifyChallengeCreate){0}, NOW, &why),
                        "FactorSid is missing");
}

static void test_challenge_create_limits(void **state) {
        DetailField fields[21];
        VerifyChallengeCreate p = {.factor_sid = YF, .fields = fields};

        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                fields[i] = (DetailField){"l", ""};
#define CREATE verify_challenge_create(&q, &entity, &p, NOW, &why)
        p.message = wide(256);
        TAKEN(CREATE);
        p.message = wide(257);
        REFUSED(CREATE, "Details.Message is 257 characters long; the limit is 256");
        p.message = "";
        REFUSED(CREATE, "Details.Message is empty; it must have 1 to 256 characters");
        p.message = "\xC0\xAF";
        REFUSED(CREATE, "Details.Message is not valid UTF-8 text");
        p.message = NULL;

        p.n_fields = 20;
        TAKEN(CREATE);
        p.n_fields = 21;
        REFUSED(CREATE, "Details.Fields has 21 fields; the limit is 20");
        p.n_fields = 2;
        fields[1].label = wide(36);
        TAKEN(CREATE);
        fields[1].label = wide(37);
        REFUSED(CREATE, "Details.Fields[1].label is 37 characters long; the limit is 36");
        fields[1].label = NULL;
        REFUSED(CREATE, "Details.Fields[1].label is missing");
        fields[1].label = "l";
        fields[1].value = wide(128);
        TAKEN(CREATE);
        fields[1].value = wide(129);
        REFUSED(CREATE, "Details.Fields[1].value is 129 characters long; the limit is 128");
        p.n_fields = 0;

        p.hidden_details = map(1024);
        TAKEN(CREATE);
        p.hidden_details = map(1025);
        REFUSED(CREATE, "HiddenDetails is 1025 characters long; the limit is 1024");
        p.hidden_details = NULL;

        for (size_t n = 2; n <= 9; n++) {
                _cleanup_(secret_done) Secret code = secret_of(chars(n));
                p.auth_payload = &code;
                if (n >= 3 && n <= 8)
                        TAKEN(CREATE);
                else if (n < 3)
                        REFUSED(CREATE, "AuthPayload is 2 characters long; it must have 3 to 8");
                else
                        REFUSED(CREATE, "AuthPayload is 9 characters long; the limit is 8");
        }
}

static void test_expiration_date(void **state) {
        static const char *const good[] = {"2026-01-02T03:04:06Z", "2026-01-02T04:04:10Z",
                        "2026-01-02T05:04:05+01:00"};
        VerifyChallengeCreate p = {.factor_sid = YF};

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                p.expiration_date = good[i];
                TAKEN(CREATE);
        }
        p.expiration_date = "2026-01-02T04:04:11Z";
        REFUSED(CREATE, "ExpirationDate is 61 minutes ahead; the limit is 60");
        p.expiration_date = "2026-01-02T03:04:05Z";
        REFUSED(CREATE, "ExpirationDate is 2026-01-02T03:04:05Z; it must be in the future");
        p.expiration_date = "tomorrow";
        REFUSED(CREATE, "ExpirationDate is no RFC 3339 date such as 2026-01-02T03:04:05Z");
}

static void test_challenge_fetch_and_list(void **state) {
        EXACTLY(verify_challenge_fetch(&q, &entity, YC, &why), VERIFY_GET, ENTITY "/Challenges/" YC,
                        NULL, false);
        VerifyList p = {.page = -1};
#define LIST verify_challenge_list(&q, &entity, &p, &why)
        EXACTLY(LIST, VERIFY_GET, ENTITY "/Challenges", NULL, false);
        p = (VerifyList){
                        .factor_sid = YF,
                        .status = "pending",
                        .order = "desc",
                        .page_size = 100,
                        .page = 1,
                        .page_token = "DN+/=&YC",
        };
        EXACTLY(LIST, VERIFY_GET,
                        ENTITY "/Challenges?FactorSid=" YF
                               "&Status=pending&Order=desc&PageSize=100&Page=1"
                               "&PageToken=DN%2B%2F%3D%26YC",
                        NULL, false);
        p = (VerifyList){.page = -1, .page_size = 1};
        TAKEN(LIST);
        p.page_size = 1000;
        TAKEN(LIST);
        p.page_size = 1001;
        REFUSED(LIST, "PageSize is 1001; it must be from 1 to 1000");
        p.page_size = -1;
        REFUSED(LIST, "PageSize is -1; it must be from 1 to 1000");
        p = (VerifyList){.status = "open"};
        REFUSED(LIST, "Status is none of pending, expired, approved or denied");
        p = (VerifyList){.order = "up"};
        REFUSED(LIST, "Order is none of asc or desc");
        p = (VerifyList){.factor_sid = YC};
        REFUSED(LIST, "FactorSid is " YC "; it must be YF and 32 hexadecimal digits");
        p = (VerifyList){.page_token = chars(VERIFY_PAGE_TOKEN_MAX)};
        TAKEN(LIST);
        p.page_token = chars(VERIFY_PAGE_TOKEN_MAX + 1);
        REFUSED(LIST, "PageToken is 2049 characters long; the limit is 2048");
}

static void test_challenge_update(void **state) {
        _cleanup_(secret_done) Secret longest = secret_of(chars(5456));
        _cleanup_(secret_done) Secret longer = secret_of(chars(5457));
        _cleanup_(secret_done) Secret jwt = secret_of("eyJ0.eyJz-_.c2ln");
        VerifyChallengeUpdate p = {
                        .challenge_sid = YC,
                        .auth_payload = &jwt,
                        .metadata = "{\"os\":\"Linux\"}",
        };
#define UPDATE verify_challenge_update(&q, &entity, &p, &why)
        EXACTLY(UPDATE, VERIFY_POST, ENTITY "/Challenges/" YC,
                        "AuthPayload=eyJ0.eyJz-_.c2ln&Metadata=%7B%22os%22%3A%22Linux%22%7D",
                        false);
        p.auth_payload = &longest;
        TAKEN(UPDATE);
        p.auth_payload = &longer;
        REFUSED(UPDATE, "AuthPayload is 5457 characters long; the limit is 5456");
        p.auth_payload = NULL;
        p.metadata = map(1024);
        TAKEN(UPDATE);
        p.metadata = map(1025);
        REFUSED(UPDATE, "Metadata is 1025 characters long; the limit is 1024");
        p.metadata = NULL;
        REFUSED(UPDATE, "an update needs AuthPayload or Metadata");
}

static void test_factor_create_push(void **state) {
        VerifyFactorCreatePush p = {
                        .friendly_name = "desk 1",
                        .public_key = "MFkw/+A=",
                        .app_id = "factord",
                        .sdk_version = "0.1.0",
                        .metadata = "{}",
        };
#define PUSH verify_factor_create_push(&q, &entity, &p, &why)
        EXACTLY(PUSH, VERIFY_POST, ENTITY "/Factors",
                        "FriendlyName=desk%201&FactorType=push&Binding.Alg=ES256"
                        "&Binding.PublicKey=MFkw%2F%2BA%3D&Config.AppId=factord"
                        "&Config.NotificationPlatform=none&Config.SdkVersion=0.1.0&Metadata=%7B%7D",
                        true);
        p.friendly_name = wide(64);
        TAKEN(PUSH);
        p.friendly_name = wide(65);
        REFUSED(PUSH, "FriendlyName is 65 characters long; the limit is 64");
        p.friendly_name = NULL;
        REFUSED(PUSH, "FriendlyName is missing");
        p.friendly_name = "x";
        p.app_id = chars(100);
        TAKEN(PUSH);
        p.app_id = chars(101);
        REFUSED(PUSH, "Config.AppId is 101 characters long; the limit is 100");
        p.app_id = NULL;
        REFUSED(PUSH, "Config.AppId is missing");
        p.app_id = "x";
        p.sdk_version = NULL;
        REFUSED(PUSH, "Config.SdkVersion is missing");
        p.sdk_version = "1";
        p.public_key = "not base64";
        REFUSED(PUSH, "Binding.PublicKey is not base64 of a DER public key");
        p.public_key = NULL;
        REFUSED(PUSH, "Binding.PublicKey is missing");
}

static void test_factor_create_totp(void **state) {
        _cleanup_(secret_done) Secret secret = secret_of("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        _cleanup_(secret_done) Secret bad = secret_of("gezdgnbv1");
        VerifyFactorCreateTotp p = {.friendly_name = "ci", .secret = &secret, .skew = -1};
#define TOTP verify_factor_create_totp(&q, &entity, &p, &why)
        EXACTLY(TOTP, VERIFY_POST, ENTITY "/Factors",
                        "FriendlyName=ci&FactorType=totp"
                        "&Binding.Secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
                        true);
        p.time_step = 20;
        p.skew = 0;
        p.code_length = 8;
        p.alg = "sha512";
        EXACTLY(TOTP, VERIFY_POST, ENTITY "/Factors",
                        "FriendlyName=ci&FactorType=totp"
                        "&Binding.Secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&Config.TimeStep=20"
                        "&Config.Skew=0&Config.CodeLength=8&Config.Alg=sha512",
                        true);
        p.time_step = 60;
        p.skew = 2;
        p.code_length = 3;
        TAKEN(TOTP);
        p.time_step = 19;
        REFUSED(TOTP, "Config.TimeStep is 19; it must be from 20 to 60");
        p.time_step = 61;
        REFUSED(TOTP, "Config.TimeStep is 61; it must be from 20 to 60");
        p.time_step = 0;
        p.skew = 3;
        REFUSED(TOTP, "Config.Skew is 3; it must be from 0 to 2");
        p.skew = -1;
        p.code_length = 9;
        REFUSED(TOTP, "Config.CodeLength is 9; it must be from 3 to 8");
        p.code_length = 2;
        REFUSED(TOTP, "Config.CodeLength is 2; it must be from 3 to 8");
        p.code_length = 0;
        p.alg = "md5";
        REFUSED(TOTP, "Config.Alg is none of sha1, sha256 or sha512");
        p.alg = NULL;
        p.secret = &bad;
        REFUSED(TOTP, "Binding.Secret is not Base32 (A to Z and 2 to 7, no padding)");
        p.secret = NULL;
        REFUSED(TOTP, "Binding.Secret is missing");
}

static void test_factor_update(void **state) {
        _cleanup_(secret_done) Secret payload = secret_of("MEQ+/A==");
        VerifyFactorUpdate p = {.factor_sid = YF, .auth_payload = &payload, .skew = -1};
#define FACTOR verify_factor_update(&q, &entity, &p, &why)
        EXACTLY(FACTOR, VERIFY_POST, ENTITY "/Factors/" YF, "AuthPayload=MEQ%2B%2FA%3D%3D", false);
        p = (VerifyFactorUpdate){
                        .factor_sid = YF,
                        .friendly_name = "new",
                        .notification_token = "01234567890123456789012345678901",
                        .notification_platform = "none",
                        .sdk_version = "2",
                        .time_step = 30,
                        .skew = 0,
                        .code_length = 6,
                        .alg = "sha1",
        };
        EXACTLY(FACTOR, VERIFY_POST, ENTITY "/Factors/" YF,
                        "FriendlyName=new&Config.NotificationToken=01234567890123456789012345678901"
                        "&Config.NotificationPlatform=none&Config.SdkVersion=2&Config.TimeStep=30"
                        "&Config.Skew=0&Config.CodeLength=6&Config.Alg=sha1",
                        false);
        p.notification_token = chars(255);
        TAKEN(FACTOR);
        p.notification_token = chars(256);
        REFUSED(FACTOR, "Config.NotificationToken is 256 characters long; the limit is 255");
        p.notification_token = chars(31);
        REFUSED(FACTOR, "Config.NotificationToken is 31 characters long; it must have 32 to 255");
        p.notification_token = NULL;
        p.notification_platform = "smoke";
        REFUSED(FACTOR, "Config.NotificationPlatform is none of apn, fcm or none");
        p = (VerifyFactorUpdate){.factor_sid = YF, .skew = -1};
        REFUSED(FACTOR, "an update needs at least one parameter");
        p.factor_sid = NULL;
        REFUSED(FACTOR, "FactorSid is missing");
}

static void test_factor_others(void **state) {
        VerifyList p = {.page_size = 50, .page = 0};

        EXACTLY(verify_factor_fetch(&q, &entity, YF, &why), VERIFY_GET, ENTITY "/Factors/" YF, NULL,
                        false);
        EXACTLY(verify_factor_delete(&q, &entity, YF, &why), VERIFY_DELETE, ENTITY "/Factors/" YF,
                        NULL, false);
        EXACTLY(verify_factor_list(&q, &entity, &p, &why), VERIFY_GET,
                        ENTITY "/Factors?PageSize=50&Page=0", NULL, false);
        p.status = "pending";
        REFUSED(verify_factor_list(&q, &entity, &p, &why),
                        "FactorSid, Status and Order are for lists of challenges only");
}

static void test_access_token(void **state) {
        VerifyAccessTokenCreate p = {.service_sid = VA, .identity = "user-0001"};
#define TOKEN verify_access_token_create(&q, &p, &why)
        EXACTLY(TOKEN, VERIFY_POST, "/v2/Services/" VA "/AccessTokens",
                        "Identity=user-0001&FactorType=push", true);
        p.factor_friendly_name = "desk";
        p.ttl = 60;
        EXACTLY(TOKEN, VERIFY_POST, "/v2/Services/" VA "/AccessTokens",
                        "Identity=user-0001&FactorType=push&FactorFriendlyName=desk&Ttl=60", true);
        p.ttl = 300;
        TAKEN(TOKEN);
        p.ttl = 59;
        REFUSED(TOKEN, "Ttl is 59; it must be from 60 to 300");
        p.ttl = 301;
        REFUSED(TOKEN, "Ttl is 301; it must be from 60 to 300");
        p.ttl = 0;
        p.factor_friendly_name = wide(65);
        REFUSED(TOKEN, "FactorFriendlyName is 65 characters long; the limit is 64");
        p.factor_friendly_name = NULL;
        p.identity = "short";
        REFUSED(TOKEN, "Identity is 5 characters long; it must have 8 to 64 letters and digits, "
                       "with single dashes between them");
        p.identity = NULL;
        REFUSED(TOKEN, "Identity is missing");
        EXACTLY(verify_access_token_fetch(&q, VA, YK, &why), VERIFY_GET,
                        "/v2/Services/" VA "/AccessTokens/" YK, NULL, false);
}

static void test_string_map(void **state) {
        static const char *const bad[] = {"", "x", "[]", "null", "{\"a\":1}", "{\"a\":null}",
                        "{\"a\":{}}", "{\"a\":\"1\",\"a\":\"2\"}", "{\"a\":\"b\"} x",
                        "{\"hush\":true}"};

        assert_int_equal(verify_check_string_map("Metadata", "{}", 1024, NULL), 0);
        assert_int_equal(verify_check_string_map("Metadata", "{ \"a\" : \"b\" }", 14, NULL), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *why = NULL;
                if (verify_check_string_map("Metadata", bad[i], 1024, &why) != -EINVAL)
                        fail_msg("%s was taken", bad[i]);
                assert_non_null(strstr(why, "Metadata"));
                assert_null(strstr(why, "hush"));
        }
}

/* Values that are secret stand in no message. */
static void test_no_secret_in_messages(void **state) {
        _cleanup_(secret_done) Secret secret = secret_of("HUSHHUSH0189");
        VerifyRequest q = {0};
        char *why = NULL;

        const VerifyFactorCreateTotp totp = {.friendly_name = "x", .secret = &secret};
        assert_int_equal(verify_factor_create_totp(&q, &entity, &totp, &why), -EINVAL);
        assert_null(strstr(why, "HUSH"));
        const VerifyChallengeCreate create = {.factor_sid = YF, .auth_payload = &secret};
        assert_int_equal(verify_challenge_create(&q, &entity, &create, NOW, &why), -EINVAL);
        assert_null(strstr(why, "HUSH"));
        free(why);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_entity),
                        cmocka_unit_test(test_challenge_create),
                        cmocka_unit_test(test_challenge_create_limits),
                        cmocka_unit_test(test_expiration_date),
                        cmocka_unit_test(test_challenge_fetch_and_list),
                        cmocka_unit_test(test_challenge_update),
                        cmocka_unit_test(test_factor_create_push),
                        cmocka_unit_test(test_factor_create_totp),
                        cmocka_unit_test(test_factor_update),
                        cmocka_unit_test(test_factor_others),
                        cmocka_unit_test(test_access_token),
                        cmocka_unit_test(test_string_map),
                        cmocka_unit_test(test_no_secret_in_messages),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
