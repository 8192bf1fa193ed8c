/* SPDX-License-Identifier: Apache-2.0 */
/* HOTP and TOTP against RFC 4226 appendix D, RFC 6238 appendix B and a table of the parameters that
 * the Verify API takes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "totp/otp.h"

/* The RFCs' seeds: "1234567890" over and over, cut to the hash's size. */
#define SEED "1234567890123456789012345678901234567890123456789012345678901234"

static OtpKey *key_new(OtpAlgorithm algorithm, const void *data, size_t len) {
        _cleanup_(secret_done) Secret secret = {0};
        OtpKey *k = NULL;

        assert_int_equal(secret_append(&secret, data, len), 0);
        assert_int_equal(otp_key_new(&k, algorithm, &secret), 0);
        return k;
}

static void assert_totp(
                OtpKey *k, int64_t time, uint32_t period, unsigned digits, const char *want) {
        char code[OTP_CODE_SIZE];

        assert_int_equal(otp_totp(k, time, 0, period, digits, code), 0);
        assert_string_equal(code, want);
}

static void test_rfc4226(void **state) {
        static const char *const codes[] = {"755224", "287082", "359152", "969429", "338314",
                        "254676", "287922", "162583", "399871", "520489"};
        /* The truncated values in decimal, of the same appendix. */
        static const char *const values[] = {"1284755224", "1094287082", "0137359152", "1726969429",
                        "1640338314", "0868254676", "1918287922", "0082162583", "0673399871",
                        "0645520489"};
        _cleanup_(otp_key_freep) OtpKey *k = key_new(OTP_SHA1, SEED, 20);

        for (size_t i = 0; i < ELEMENTSOF(codes); i++) {
                char code[OTP_CODE_SIZE];

                assert_int_equal(otp_hotp(k, i, 6, code), 0);
                assert_string_equal(code, codes[i]);
                /* Every number of digits is the tail of the ten. */
                for (unsigned digits = OTP_DIGITS_MIN; digits <= OTP_DIGITS_MAX; digits++) {
                        assert_int_equal(otp_hotp(k, i, digits, code), 0);
                        assert_string_equal(code, values[i] + 10 - digits);
                }
        }
}

static void test_rfc6238(void **state) {
        static const struct {
                int64_t time;
                const char *codes[_OTP_ALGORITHM_MAX];
        } rows[] = {
                        {59, {"94287082", "46119246", "90693936"}},
                        {1111111109, {"07081804", "68084774", "25091201"}},
                        {1111111111, {"14050471", "67062674", "99943326"}},
                        {1234567890, {"89005924", "91819424", "93441116"}},
                        {2000000000, {"69279037", "90698825", "38618901"}},
                        {20000000000, {"65353130", "77737706", "47863826"}},
        };
        static const size_t seed_lens[_OTP_ALGORITHM_MAX] = {20, 32, 64};

        for (int a = 0; a < _OTP_ALGORITHM_MAX; a++) {
                _cleanup_(otp_key_freep) OtpKey *k = key_new((OtpAlgorithm) a, SEED, seed_lens[a]);

                for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                        assert_totp(k, rows[i].time, 30, 8, rows[i].codes[a]);
        }
}

/* One secret of 20 bytes under all algorithms, and the periods and lengths that Verify has. */
static void test_verify_parameters(void **state) {
        static const struct {
                OtpAlgorithm algorithm;
                unsigned digits;
                uint32_t period;
        } columns[] = {
                        {OTP_SHA1, 6, 30},
                        {OTP_SHA1, 8, 30},
                        {OTP_SHA1, 3, 30},
                        {OTP_SHA1, 6, 60},
                        {OTP_SHA256, 6, 30},
                        {OTP_SHA512, 6, 30},
        };
        static const struct {
                int64_t time;
                const char *codes[ELEMENTSOF(columns)];
        } rows[] = {
                        {59, {"287082", "94287082", "082", "755224", "247374", "342147"}},
                        {1111111109, {"081804", "07081804", "804", "360094", "756375", "049338"}},
                        {1111111111, {"050471", "14050471", "471", "360094", "584430", "380122"}},
                        {1234567890, {"005924", "89005924", "924", "713351", "829826", "671578"}},
                        {2000000000, {"279037", "69279037", "037", "864010", "428693", "464532"}},
                        {20000000000, {"353130", "65353130", "130", "948864", "142410", "481994"}},
        };

        for (size_t c = 0; c < ELEMENTSOF(columns); c++) {
                _cleanup_(otp_key_freep) OtpKey *k = key_new(columns[c].algorithm, SEED, 20);

                for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                        assert_totp(k, rows[i].time, columns[c].period, columns[c].digits,
                                        rows[i].codes[c]);
        }
}

/* A secret longer than the hash's block is hashed first (RFC 2104): what RFC 6238's first seed
 * gives must not be what its own hash gives unless the secret is long. */
static void test_long_secret(void **state) {
        uint8_t secret[OTP_SECRET_MAX];
        char first[OTP_CODE_SIZE], again[OTP_CODE_SIZE];
        /* SHA-1 of 1024 bytes of 'a'. */
        static const uint8_t hashed[] = {0x8e, 0xca, 0x55, 0x46, 0x31, 0xdf, 0x9e, 0xad, 0x14, 0x51,
                        0x0e, 0x1a, 0x70, 0xae, 0x48, 0xc7, 0x0f, 0x9b, 0x93, 0x84};
        _cleanup_(otp_key_freep) OtpKey *whole = NULL, *hash = NULL;

        memset(secret, 'a', sizeof(secret));
        whole = key_new(OTP_SHA1, secret, sizeof(secret));
        hash = key_new(OTP_SHA1, hashed, sizeof(hashed));
        assert_int_equal(otp_hotp(whole, 7, 10, first), 0);
        assert_int_equal(otp_hotp(hash, 7, 10, again), 0);
        assert_string_equal(first, again);
}

/* Codes of one key are independent of those before. */
static void test_reuse(void **state) {
        _cleanup_(otp_key_freep) OtpKey *k = key_new(OTP_SHA1, SEED, 20);
        char code[OTP_CODE_SIZE];

        for (int i = 0; i < 3; i++) {
                assert_int_equal(otp_hotp(k, 9, 6, code), 0);
                assert_string_equal(code, "520489");
                assert_int_equal(otp_hotp(k, 0, 6, code), 0);
                assert_string_equal(code, "755224");
        }
}

static void test_refusals(void **state) {
        _cleanup_(otp_key_freep) OtpKey *k = key_new(OTP_SHA1, SEED, 20);
        _cleanup_(secret_done) Secret secret = {0};
        OtpKey *none = NULL;
        char code[OTP_CODE_SIZE];

        assert_int_equal(otp_key_new(&none, OTP_SHA1, &secret), -EINVAL);
        assert_int_equal(secret_resize(&secret, OTP_SECRET_MAX + 1), 0);
        assert_int_equal(otp_key_new(&none, OTP_SHA1, &secret), -EINVAL);
        assert_int_equal(secret_resize(&secret, 20), 0);
        assert_int_equal(otp_key_new(&none, _OTP_ALGORITHM_MAX, &secret), -EINVAL);
        assert_int_equal(otp_key_new(&none, (OtpAlgorithm) -1, &secret), -EINVAL);
        assert_null(none);
        assert_int_equal(otp_hotp(k, 0, 0, code), -EINVAL);
        assert_int_equal(otp_hotp(k, 0, OTP_DIGITS_MAX + 1, code), -EINVAL);
        assert_int_equal(otp_totp(k, 59, 0, 30, 0, code), -EINVAL);
        assert_int_equal(otp_totp(k, 59, 60, 30, 6, code), -ERANGE);
        assert_int_equal(otp_totp(k, 59, 0, 0, 6, code), -ERANGE);
}

static void test_step(void **state) {
        uint64_t step = 77;

        assert_int_equal(otp_step(59, 0, 30, &step), 0);
        assert_int_equal(step, 1);
        assert_int_equal(otp_step(60, 0, 30, &step), 0);
        assert_int_equal(step, 2);
        assert_int_equal(otp_step(0, 0, 30, &step), 0);
        assert_int_equal(step, 0);
        assert_int_equal(otp_step(100, 41, 30, &step), 0);
        assert_int_equal(step, 1);
        assert_int_equal(otp_step(0, -31, 30, &step), 0);
        assert_int_equal(step, 1);
        assert_int_equal(otp_step(INT64_MAX, INT64_MIN, 1, &step), 0);
        assert_true(step == UINT64_MAX);
        assert_int_equal(otp_step(-1, 0, 30, &step), -ERANGE);
        assert_int_equal(otp_step(INT64_MIN, INT64_MAX, 30, &step), -ERANGE);
        assert_int_equal(otp_step(59, 0, 0, &step), -ERANGE);
        assert_true(step == UINT64_MAX);
}

static void test_algorithm_words(void **state) {
        assert_string_equal(otp_algorithm_to_string(OTP_SHA1), "sha1");
        assert_string_equal(otp_algorithm_to_string(OTP_SHA256), "sha256");
        assert_string_equal(otp_algorithm_to_string(OTP_SHA512), "sha512");
        assert_null(otp_algorithm_to_string(_OTP_ALGORITHM_MAX));
        assert_null(otp_algorithm_to_string((OtpAlgorithm) -1));
        assert_int_equal(otp_algorithm_from_string("sha1"), OTP_SHA1);
        assert_int_equal(otp_algorithm_from_string("SHA256"), OTP_SHA256);
        assert_int_equal(otp_algorithm_from_string("Sha-512"), OTP_SHA512);
        assert_int_equal(otp_algorithm_from_string("SHA-1"), OTP_SHA1);
        assert_int_equal(otp_algorithm_from_string(""), -EINVAL);
        assert_int_equal(otp_algorithm_from_string("sha"), -EINVAL);
        assert_int_equal(otp_algorithm_from_string("sha-"), -EINVAL);
        assert_int_equal(otp_algorithm_from_string("sha--1"), -EINVAL);
        assert_int_equal(otp_algorithm_from_string("sha224"), -EINVAL);
        assert_int_equal(otp_algorithm_from_string("sha2560"), -EINVAL);
        assert_int_equal(otp_algorithm_from_string("md5"), -EINVAL);
        assert_int_equal(otp_algorithm_from_string("sha1 "), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_rfc4226),
                        cmocka_unit_test(test_rfc6238),
                        cmocka_unit_test(test_verify_parameters),
                        cmocka_unit_test(test_long_secret),
                        cmocka_unit_test(test_reuse),
                        cmocka_unit_test(test_refusals),
                        cmocka_unit_test(test_step),
                        cmocka_unit_test(test_algorithm_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
