/* SPDX-License-Identifier: Apache-2.0 */
/* otpauth URIs both ways, and the migration export, well-formed and not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/text.h"
#include "totp/otpauth.h"

#define S "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

typedef struct Case {
        const char *uri;
        OtpKind kind;
        OtpAlgorithm algorithm;
        unsigned digits;
        uint32_t period;
        uint64_t counter;
        const char *issuer, *account;
} Case;

static const Case cases[] = {
                {"otpauth://totp/?" S, OTP_TOTP, OTP_SHA1, 6, 30, 0, NULL, ""},
                {"otpauth://totp?" S, OTP_TOTP, OTP_SHA1, 6, 30, 0, NULL, ""},
                {"otpauth://totp/alice?" S, OTP_TOTP, OTP_SHA1, 6, 30, 0, NULL, "alice"},
                {"otpauth://totp/ACME%20Co:john@example.com?" S
                 "&issuer=ACME%20Co&algorithm=SHA1&digits=6&period=30",
                                OTP_TOTP, OTP_SHA1, 6, 30, 0, "ACME Co", "john@example.com"},
                {"otpauth://totp/Issuer:Account%20Name?" S
                 "&issuer=Issuer&algorithm=SHA512&digits=8&period=60",
                                OTP_TOTP, OTP_SHA512, 8, 60, 0, "Issuer", "Account Name"},
                {"OTPAUTH://TOTP/"
                 "a%3a%20%20b?SECRET=gezdgnbvgy3tqojqgezdgnbvgy3tqojq&Algorithm=sha256",
                                OTP_TOTP, OTP_SHA256, 6, 30, 0, "a", "b"},
                {"otpauth://hotp/x?" S "&counter=18446744073709551615&period=nonsense", OTP_HOTP,
                                OTP_SHA1, 6, 30, UINT64_MAX, NULL, "x"},
                {"otpauth://totp/x?counter=nonsense&" S "&&image=http://e/&image=again&flag&",
                                OTP_TOTP, OTP_SHA1, 6, 30, 0, NULL, "x"},
                /* The parameter has the last word, and '+' is a space in it. */
                {"otpauth://totp/big+CORP:x?" S "&issuer=Big%2BCorp", OTP_TOTP, OTP_SHA1, 6, 30, 0,
                                "Big+Corp", "x"},
                {"otpauth://totp/Big%20Corp:x?" S "&issuer=Big+Corp", OTP_TOTP, OTP_SHA1, 6, 30, 0,
                                "Big Corp", "x"},
                {"otpauth://totp/x?" S "&issuer=", OTP_TOTP, OTP_SHA1, 6, 30, 0, NULL, "x"},
                {"otpauth://totp/P:x?" S "&issuer=", OTP_TOTP, OTP_SHA1, 6, 30, 0, "P", "x"},
                {"otpauth://totp/x?" S "&issuer=P", OTP_TOTP, OTP_SHA1, 6, 30, 0, "P", "x"},
                {"otpauth://totp/P:a:b%3Ac?" S, OTP_TOTP, OTP_SHA1, 6, 30, 0, "P", "a:b:c"},
                {"otpauth://totp/P%3AQ:a?" S, OTP_TOTP, OTP_SHA1, 6, 30, 0, "P:Q", "a"},
                {"otpauth://totp/a/b?" S, OTP_TOTP, OTP_SHA1, 6, 30, 0, NULL, "a/b"},
                {"otpauth://totp/J%C3%BCrgen\xc3\xa9?" S "&digits=1&period=4294967295", OTP_TOTP,
                                OTP_SHA1, 1, UINT32_MAX, 0, NULL, "J\xc3\xbcrgen\xc3\xa9"},
                {"otpauth://totp/x?secret=GEZD+GNBV%20GY3T-QOJQGEZDGNBVGY3TQOJQ&digits=010",
                                OTP_TOTP, OTP_SHA1, 10, 30, 0, NULL, "x"},
};

static void assert_account(const OtpAccount *a, const Case *c) {
        assert_int_equal(a->kind, c->kind);
        assert_int_equal(a->algorithm, c->algorithm);
        assert_int_equal(a->digits, c->digits);
        assert_int_equal(a->period, c->period);
        assert_true(a->counter == c->counter);
        if (c->issuer)
                assert_string_equal(a->issuer, c->issuer);
        else
                assert_null(a->issuer);
        assert_string_equal(a->account, c->account);
}

static void test_parse(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(otp_account_done) OtpAccount a = {0};
                _cleanup_free_ char *msg = NULL;
                int r;

                r = otpauth_parse(&a, cases[i].uri, strlen(cases[i].uri), &msg);
                if (r < 0)
                        fail_msg("%s: %s", cases[i].uri, msg);
                assert_account(&a, &cases[i]);
                assert_int_equal(a.secret.len, 20);
                assert_memory_equal(a.secret.data, "12345678901234567890", 20);
        }
}

static void test_length_counts(void **state) {
        static const char uri[] = "otpauth://totp/x?" S "garbage";
        _cleanup_(otp_account_done) OtpAccount a = {0};
        _cleanup_free_ char *copy = NULL;
        size_t len = sizeof(uri) - sizeof("garbage");

        /* An exact copy, so that a checker of memory sees a read past the end. */
        copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, uri, len);
        assert_int_equal(otpauth_parse(&a, copy, len, NULL), 0);
        assert_int_equal(a.secret.len, 20);
}

static const struct {
        const char *uri;
        const char *word; /* that the message holds */
} refusals[] = {
                {"", "otpauth://"},
                {"otpauth:/", "otpauth://"},
                {"otpauth://", "totp"},
                {"http://totp/x?" S, "otpauth://"},
                {"otpauth://motp/x?" S, "totp"},
                {"otpauth://totpx/x?" S, "totp"},
                {"otpauth://tot", "totp"},
                {"otpauth://totp/x", "'secret'"},
                {"otpauth://totp/x?digits=6", "'secret'"},
                {"otpauth://totp/x?secret=", "Base32"},
                {"otpauth://totp/x?secret", "Base32"},
                {"otpauth://totp/x?secret=GEZDGNB1", "Base32"},
                {"otpauth://totp/x?secret=GEZDGNBV%00", "'secret'"},
                {"otpauth://totp/x?secret=GEZDGNBV%2", "'secret'"},
                {"otpauth://totp/x?secret=GEZDGNBV%", "'secret'"},
                {"otpauth://totp/x?secret=GEZDGNBV%zz", "'secret'"},
                {"otpauth://totp/x?" S "&" S, "twice"},
                {"otpauth://totp/x?" S "&SECRET=MY", "twice"},
                {"otpauth://totp/x?" S "&s%65cret=MY", "twice"},
                {"otpauth://totp/x?" S "&digits=6&digits=6", "twice"},
                {"otpauth://totp/x?" S "&digits=0", "'digits'"},
                {"otpauth://totp/x?" S "&digits=11", "'digits'"},
                {"otpauth://totp/x?" S "&digits=", "'digits'"},
                {"otpauth://totp/x?" S "&digits=6x", "'digits'"},
                {"otpauth://totp/x?" S "&digits=%206", "'digits'"},
                {"otpauth://totp/x?" S "&digits=-6", "'digits'"},
                {"otpauth://totp/x?" S "&digits=%2B6", "'digits'"},
                {"otpauth://totp/x?" S "&digits=18446744073709551622", "'digits'"},
                {"otpauth://totp/x?" S "&period=0", "'period'"},
                {"otpauth://totp/x?" S "&period=4294967296", "'period'"},
                {"otpauth://totp/x?" S "&period=30.0", "'period'"},
                {"otpauth://totp/x?" S "&algorithm=MD5", "algorithm"},
                {"otpauth://totp/x?" S "&algorithm=", "algorithm"},
                {"otpauth://hotp/x?" S, "'counter'"},
                {"otpauth://hotp/x?" S "&counter=", "'counter'"},
                {"otpauth://hotp/x?" S "&counter=18446744073709551616", "'counter'"},
                {"otpauth://totp/A:x?" S "&issuer=B", "issuers"},
                {"otpauth://totp/x%?" S, "label"},
                {"otpauth://totp/x%0a?" S, "label"},
                {"otpauth://totp/x\n?" S, "label"},
                {"otpauth://totp/x%ff?" S, "label"},
                {"otpauth://totp/%ed%a0%80?" S, "label"},
                {"otpauth://totp/x?" S "&issuer=%ff", "'issuer'"},
                {"otpauth://totp/x?" S "&%zz=1", "name"},
                {"otpauth://totp/x?" S "#digits=8", "%23"},
};

static void test_refusals(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(refusals); i++) {
                OtpAccount a = {.digits = 42};
                _cleanup_free_ char *msg = NULL;
                int r;

                r = otpauth_parse(&a, refusals[i].uri, strlen(refusals[i].uri), &msg);
                if (r != -EINVAL || !msg || !strstr(msg, refusals[i].word))
                        fail_msg("%s: %d, %s", refusals[i].uri, r, strempty(msg));
                assert_null(strcasestr(msg, "GEZD"));
                assert_int_equal(a.digits, 42);
                assert_null(a.secret.data);
        }
}

static void test_limits(void **state) {
        _cleanup_(otp_account_done) OtpAccount a = {0};
        _cleanup_free_ char *msg = NULL, *uri = NULL;
        char secret[OTP_SECRET_MAX / 5 * 8 + 8 + 1];

        memset(secret, 'A', sizeof(secret) - 1);
        secret[sizeof(secret) - 1] = '\0';
        assert_true(asprintf(&uri, "otpauth://totp/x?secret=%s", secret) > 0);
        assert_int_equal(otpauth_parse(&a, uri, strlen(uri), &msg), -EINVAL);
        assert_non_null(strstr(msg, "longer than 1024 bytes"));
        /* 1639 characters are 1024 bytes. */
        uri[STRLEN("otpauth://totp/x?secret=") + 1639] = '\0';
        assert_int_equal(otpauth_parse(&a, uri, strlen(uri), NULL), 0);
        assert_int_equal(a.secret.len, OTP_SECRET_MAX);
        free(uri);
        assert_true(asprintf(&uri, "otpauth://totp/%4060s?" S, "") > OTPAUTH_URI_MAX);
        assert_int_equal(otpauth_parse(&a, uri, strlen(uri), NULL), -EINVAL);
        uri[OTPAUTH_URI_MAX] = '\0';
        otp_account_done(&a);
        assert_int_equal(otpauth_parse(&a, uri, OTPAUTH_URI_MAX, NULL), 0);
        assert_true(a.secret.len < 20);
}

static void test_format(void **state) {
        _cleanup_(secret_done) Secret uri = {0};
        OtpAccount a = {
                        .kind = OTP_TOTP,
                        .algorithm = OTP_SHA256,
                        .digits = 8,
                        .period = 60,
                        .issuer = "ACME & Co",
                        .account = "j\xc3\xbcrgen@example.com",
        };

        assert_int_equal(secret_append_string(&a.secret, "12345678901234567890"), 0);
        assert_int_equal(otpauth_format(&a, &uri), 0);
        assert_string_equal(secret_string(&uri),
                        "otpauth://totp/ACME%20%26%20Co:j%C3%BCrgen%40example.com?" S
                        "&issuer=ACME%20%26%20Co&algorithm=SHA256&digits=8&period=60");
        a.kind = OTP_HOTP;
        a.counter = 7;
        a.issuer = NULL;
        assert_int_equal(otpauth_format(&a, &uri), 0);
        assert_string_equal(secret_string(&uri), "otpauth://hotp/j%C3%BCrgen%40example.com?" S
                                                 "&algorithm=SHA256&digits=8&counter=7");
        secret_done(&a.secret);
}

static void test_format_refusals(void **state) {
        _cleanup_(secret_done) Secret uri = {0};
        _cleanup_free_ char *long_name = NULL;
        OtpAccount good = {.digits = 6, .period = 30, .account = "x"}, a;

        assert_int_equal(secret_append_string(&good.secret, "1234567890"), 0);
        assert_int_equal(otpauth_format(&good, &uri), 0);
#define REFUSED(change)                                                                            \
        do {                                                                                       \
                a = good;                                                                          \
                change;                                                                            \
                assert_int_equal(otpauth_format(&a, &uri), -EINVAL);                               \
        } while (0)
        REFUSED(a.digits = 0);
        REFUSED(a.digits = 11);
        REFUSED(a.period = 0);
        REFUSED(a.algorithm = _OTP_ALGORITHM_MAX);
        REFUSED(a.kind = (OtpKind) 2);
        REFUSED(a.secret.len = 0);
        REFUSED(a.account = "a\nb");
        REFUSED(a.account = "\xff");
        REFUSED(a.issuer = "\x7f");
        long_name = malloc(OTPAUTH_URI_MAX);
        assert_non_null(long_name);
        memset(long_name, 'x', OTPAUTH_URI_MAX - 1);
        long_name[OTPAUTH_URI_MAX - 1] = '\0';
        REFUSED(a.account = long_name);
#undef REFUSED
        secret_done(&good.secret);
}

static void assert_same(const OtpAccount *a, const OtpAccount *b) {
        assert_int_equal(a->kind, b->kind);
        assert_int_equal(a->algorithm, b->algorithm);
        assert_int_equal(a->digits, b->digits);
        assert_int_equal(a->period, b->period);
        assert_true(a->counter == b->counter);
        assert_true(streq_ptr(a->issuer, b->issuer));
        assert_string_equal(a->account, b->account);
        assert_true(secret_equal(&a->secret, &b->secret));
}

/* Parsed, written and parsed again, nothing changes, and the second text is the first. */
static void test_round_trip(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(otp_account_done) OtpAccount a = {0}, b = {0};
                _cleanup_(secret_done) Secret uri = {0}, again = {0};

                assert_int_equal(otpauth_parse(&a, cases[i].uri, strlen(cases[i].uri), NULL), 0);
                assert_int_equal(otpauth_format(&a, &uri), 0);
                assert_int_equal(otpauth_parse(&b, secret_string(&uri), uri.len, NULL), 0);
                assert_same(&a, &b);
                assert_int_equal(otpauth_format(&b, &again), 0);
                assert_true(secret_equal(&uri, &again));
        }
}

static void test_round_trip_of_names(void **state) {
        static char *const names[] = {
                        "x",
                        "a:b",
                        "a:b:c",
                        ":",
                        "::x",
                        "%3A",
                        "%",
                        "a+b c",
                        "&=?#/",
                        "\xe6\x97\xa5\xe6\x9c\xac",
                        "\xf0\x9f\x94\x91",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                for (size_t j = 0; j <= ELEMENTSOF(names); j++) {
                        _cleanup_(secret_done) Secret uri = {0};
                        _cleanup_(otp_account_done) OtpAccount b = {0};
                        OtpAccount a = {
                                        .digits = 6,
                                        .period = 30,
                                        .account = names[i],
                                        .issuer = j < ELEMENTSOF(names) ? names[j] : NULL,
                        };

                        assert_int_equal(secret_append_string(&a.secret, "1234567890"), 0);
                        assert_int_equal(otpauth_format(&a, &uri), 0);
                        assert_int_equal(otpauth_parse(&b, secret_string(&uri), uri.len, NULL), 0);
                        assert_same(&a, &b);
                        secret_done(&a.secret);
                }
}

/* A migration URI over a payload's bytes. */
static char *migration_uri(const void *payload, size_t len) {
        _cleanup_free_ char *base64 = NULL;
        char *uri;

        assert_int_equal(base64_encode(BASE64_STANDARD, payload, len, &base64), 0);
        assert_true(asprintf(&uri, "otpauth-migration://offline?data=%s", base64) > 0);
        return uri;
}

static int parse_payload(
                const void *payload, size_t len, OtpAccount **ret, size_t *ret_n, char **msg) {
        _cleanup_free_ char *uri = migration_uri(payload, len);

        return otpauth_migration_parse(ret, ret_n, uri, strlen(uri), msg);
}

static void accounts_free(OtpAccount *accounts, size_t n) {
        for (size_t i = 0; i < n; i++)
                otp_account_done(&accounts[i]);
        free(accounts);
}

/* A sample that is about in public, made by the application itself. */
static void test_migration_sample(void **state) {
        static const char uri[] =
                        "otpauth-migration://offline?data="
                        "CjEKCkhlbGxvId6tvu8SGEV4YW1wbGU6YWxpY2VAZ29vZ2xlLmNvbRoHRXhhbXBsZTAC";
        static const Case want = {
                        NULL, OTP_TOTP, OTP_SHA1, 6, 30, 0, "Example", "alice@google.com"};
        OtpAccount *accounts;
        size_t n;

        assert_int_equal(otpauth_migration_parse(&accounts, &n, uri, strlen(uri), NULL), 0);
        assert_int_equal(n, 1);
        assert_account(&accounts[0], &want);
        assert_int_equal(accounts[0].secret.len, 10);
        assert_memory_equal(accounts[0].secret.data, "Hello!\xde\xad\xbe\xef", 10);
        accounts_free(accounts, n);
}

#define SECRET "\x0a\x02\x31\x32" /* "12" */

static void test_migration_accounts(void **state) {
        static const char payload[] =
                        /* HOTP, SHA-256, eight digits, counter 300, an unknown field of each wire
                         * type */
                        "\x0a\x38" SECRET
                        "\x12\x03"
                        "bob"
                        "\x1a\x00"
                        "\x20\x02"
                        "\x28\x02"
                        "\x30\x01"
                        "\x38\xac\x02"
                        "\x42\x02"
                        "id"
                        "\x79"
                        "12345678"
                        "\x7d"
                        "1234"
                        "\x82\x01\x03"
                        "abc"
                        "\xa0\x06\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"
                        /* TOTP, SHA-512, seven digits; its counter means nothing */
                        "\x0a\x15" SECRET
                        "\x12\x07"
                        "ACME: z"
                        "\x20\x03"
                        "\x28\x03"
                        "\x30\x02"
                        "\x38\x05"
                        /* A prefix that is not the issuer stays in the name. */
                        "\x0a\x0e" SECRET
                        "\x12\x03"
                        "a:b"
                        "\x1a\x01"
                        "C"
                        "\x30\x02"
                        /* version, batch size, index and id */
                        "\x10\x01\x18\x01\x20\x00\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        static const Case want[] = {
                        {NULL, OTP_HOTP, OTP_SHA256, 8, 30, 300, NULL, "bob"},
                        {NULL, OTP_TOTP, OTP_SHA512, 7, 30, 0, "ACME", "z"},
                        {NULL, OTP_TOTP, OTP_SHA1, 6, 30, 0, "C", "a:b"},
        };
        _cleanup_free_ char *msg = NULL;
        OtpAccount *accounts;
        size_t n;
        int r;

        r = parse_payload(payload, sizeof(payload) - 1, &accounts, &n, &msg);
        if (r < 0)
                fail_msg("%s", msg);
        assert_int_equal(n, ELEMENTSOF(want));
        for (size_t i = 0; i < n; i++) {
                assert_account(&accounts[i], &want[i]);
                assert_string_equal(secret_string(&accounts[i].secret), "12");
        }
        accounts_free(accounts, n);
}

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
        const char *payload;
        size_t len;
        const char *word;
} bad_payloads[] = {
                {BYTES(""), "no account"},
                {BYTES("\x10\x01"), "no account"},
                {BYTES("\x0a"), "damaged"},
                {BYTES("\x0a\x05\x0a"), "damaged"},
                {BYTES("\x08\x01"), "damaged"}, /* an account that is a number */
                {BYTES("\x0a\x06" SECRET "\x30\x02\x10"), "damaged"},
                {BYTES("\x0a\x06" SECRET "\x30\x02\x13"), "damaged"},         /* a group */
                {BYTES("\x0a\x06" SECRET "\x30\x02\x02\x01\x00"), "damaged"}, /* field 0 */
                {BYTES("\x0a\x06" SECRET "\x30\x02\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
                                "damaged"}, /* past 64 bits */
                {BYTES("\x0a\x06" SECRET
                       "\x30\x02\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
                                "damaged"}, /* eleven bytes */
                {BYTES("\x0a\x06" SECRET "\x30\x02\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                                "damaged"}, /* a length of 2^64 - 1 */
                {BYTES("\x0a\x08" SECRET "\x30\x02\x30\x02"), "account 1"}, /* a field twice */
                {BYTES("\x0a\x0a" SECRET SECRET "\x30\x02"), "account 1"},
                {BYTES("\x0a\x06\x08\x02\x12\x00\x30\x02"),
                                "account 1"}, /* a secret that is a number */
                {BYTES("\x0a\x05" SECRET "\x30"), "account 1"},
                {BYTES("\x0a\x04" SECRET), "neither"},
                {BYTES("\x0a\x06" SECRET "\x30\x03"), "neither"},
                {BYTES("\x0a\x02\x30\x02"), "no secret"},
                {BYTES("\x0a\x04\x0a\x00\x30\x02"), "no secret"},
                {BYTES("\x0a\x08" SECRET "\x30\x02\x20\x04"), "algorithm"}, /* MD5 */
                {BYTES("\x0a\x08" SECRET "\x30\x02\x28\x04"), "digits"},
                {BYTES("\x0a\x11" SECRET "\x30\x01\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
                                "counter"},
                {BYTES("\x0a\x09" SECRET "\x30\x02\x12\x01\xff"), "UTF-8"},
                {BYTES("\x0a\x09" SECRET "\x30\x02\x12\x01\x00"), "UTF-8"},
                {BYTES("\x0a\x09" SECRET "\x30\x02\x1a\x01\n"), "UTF-8"},
                {BYTES("\x0a\x06" SECRET "\x30\x02\x0a\x04" SECRET), "account 2"},
};

static void test_migration_refusals(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(bad_payloads); i++) {
                _cleanup_free_ char *msg = NULL;
                OtpAccount *accounts = NULL;
                size_t n = 42;
                int r;

                r = parse_payload(
                                bad_payloads[i].payload, bad_payloads[i].len, &accounts, &n, &msg);
                if (r != -EINVAL || !msg || !strstr(msg, bad_payloads[i].word))
                        fail_msg("payload %zu: %d, %s", i, r, strempty(msg));
                assert_null(accounts);
                assert_int_equal(n, 42);
        }
}

static void test_migration_uris(void **state) {
        static const char *const bad[] = {
                        "",
                        "otpauth-migration://offline",
                        "otpauth-migration://offline?",
                        "otpauth-migration://offline?dat=CgA=",
                        "otpauth-migration://online?data=CgYKAjEyMAI=",
                        "otpauth-migration://offlinex?data=CgYKAjEyMAI=",
                        "otpauth://offline?data=CgYKAjEyMAI=",
                        "otpauth-migration://offline?data=CgYKAjEyMAI", /* no padding */
                        "otpauth-migration://offline?data=CgYKAjEyMAI=&data=CgYKAjEyMAI=",
                        "otpauth-migration://offline?data=CgYKAjEyMAI%3",
                        "otpauth-migration://offline?data=CgYKAjEyMAI=%0A",
                        "otpauth-migration://offline?data=CgYKAjEyMAI=#",
        };
        static const char *const good[] = {
                        "otpauth-migration://offline?data=CgYKAjEyMAI=",
                        "otpauth-migration://offline/?data=CgYKAjEyMAI%3D",
                        "OTPAUTH-MIGRATION://OFFLINE?x=y&&data=CgYKAjEyMAI%3D&z",
        };
        _cleanup_free_ char *too_long = NULL;
        OtpAccount *accounts = NULL;
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (otpauth_migration_parse(&accounts, &n, bad[i], strlen(bad[i]), NULL) != -EINVAL)
                        fail_msg("'%s' was not refused", bad[i]);
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                assert_int_equal(otpauth_migration_parse(
                                                 &accounts, &n, good[i], strlen(good[i]), NULL),
                                0);
                assert_int_equal(n, 1);
                assert_string_equal(accounts[0].account, "");
                accounts_free(accounts, n);
        }
        too_long = malloc(OTPAUTH_MIGRATION_URI_MAX + 1);
        assert_non_null(too_long);
        memset(too_long, 'x', OTPAUTH_MIGRATION_URI_MAX + 1);
        memcpy(too_long, good[0], strlen(good[0]));
        too_long[strlen(good[0])] = '&';
        assert_int_equal(otpauth_migration_parse(
                                         &accounts, &n, too_long, OTPAUTH_MIGRATION_URI_MAX, NULL),
                        0);
        accounts_free(accounts, n);
        assert_int_equal(otpauth_migration_parse(&accounts, &n, too_long,
                                         OTPAUTH_MIGRATION_URI_MAX + 1, NULL),
                        -EINVAL);
}

/* Every prefix of a good payload is read or refused, never read past its end. */
static void test_migration_cut(void **state) {
        static const char payload[] = "\x0a\x0e" SECRET
                                      "\x12\x03"
                                      "bob"
                                      "\x1a\x01"
                                      "C"
                                      "\x30\x02"
                                      "\x10\x01";

        for (size_t len = 0; len < sizeof(payload) - 1; len++) {
                OtpAccount *accounts = NULL;
                size_t n = 0;

                if (parse_payload(payload, len, &accounts, &n, NULL) == 0)
                        accounts_free(accounts, n);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_parse),
                        cmocka_unit_test(test_length_counts),
                        cmocka_unit_test(test_refusals),
                        cmocka_unit_test(test_limits),
                        cmocka_unit_test(test_format),
                        cmocka_unit_test(test_format_refusals),
                        cmocka_unit_test(test_round_trip),
                        cmocka_unit_test(test_round_trip_of_names),
                        cmocka_unit_test(test_migration_sample),
                        cmocka_unit_test(test_migration_accounts),
                        cmocka_unit_test(test_migration_refusals),
                        cmocka_unit_test(test_migration_uris),
                        cmocka_unit_test(test_migration_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
