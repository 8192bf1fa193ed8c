/* SPDX-License-Identifier: Apache-2.0 */
/* Base32 against RFC 4648 §10, and the forms in which people paste it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "totp/base32.h"

static void fill(Secret *s, const void *data, size_t len) {
        secret_done(s);
        assert_int_equal(secret_append(s, data, len), 0);
}

static void assert_decodes(const char *text, const char *want) {
        _cleanup_(secret_done) Secret s = {0};

        assert_int_equal(base32_decode(text, strlen(text), &s), 0);
        assert_int_equal(s.len, strlen(want));
        assert_string_equal(secret_string(&s), want);
}

static void assert_pastes(const char *text, const char *want) {
        _cleanup_(secret_done) Secret s = {0};

        assert_int_equal(base32_decode_pasted(text, strlen(text), &s), 0);
        assert_int_equal(s.len, strlen(want));
        assert_string_equal(secret_string(&s), want);
}

static const struct {
        const char *plain, *padded, *bare;
} vectors[] = {
                {"", "", ""},
                {"f", "MY======", "MY"},
                {"fo", "MZXQ====", "MZXQ"},
                {"foo", "MZXW6===", "MZXW6"},
                {"foob", "MZXW6YQ=", "MZXW6YQ"},
                {"fooba", "MZXW6YTB", "MZXW6YTB"},
                {"foobar", "MZXW6YTBOI======", "MZXW6YTBOI"},
                {"12345678901234567890", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
                                "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"},
};

static void test_vectors(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                _cleanup_(secret_done) Secret plain = {0}, text = {0};

                fill(&plain, vectors[i].plain, strlen(vectors[i].plain));
                assert_int_equal(base32_encode(&plain, &text), 0);
                assert_int_equal(text.len, strlen(vectors[i].bare));
                assert_string_equal(secret_string(&text), vectors[i].bare);
                assert_decodes(vectors[i].padded, vectors[i].plain);
                assert_decodes(vectors[i].bare, vectors[i].plain);
                if (vectors[i].plain[0]) {
                        assert_pastes(vectors[i].padded, vectors[i].plain);
                        assert_pastes(vectors[i].bare, vectors[i].plain);
                }
        }
}

static void test_round_trip(void **state) {
        for (size_t len = 0; len <= 70; len++) {
                _cleanup_(secret_done) Secret plain = {0}, text = {0}, back = {0};

                assert_int_equal(secret_resize(&plain, len), 0);
                if (len > 0)
                        assert_int_equal(random_bytes(plain.data, len), 0);
                assert_int_equal(base32_encode(&plain, &text), 0);
                assert_int_equal(base32_decode((const char *) text.data, text.len, &back), 0);
                assert_true(secret_equal(&plain, &back));
        }
}

static void test_strict_refusals(void **state) {
        static const char *const bad[] = {
                        "M",
                        "MZX",
                        "MZXW6Y",
                        "MZ",       /* unused bits that are not zero */
                        "MZXR====", /* the same, padded */
                        "MZXW7",
                        "my======",
                        "mzxw6ytb",
                        "MZXW6YT0",
                        "MZXW6YT1",
                        "MZXW6YT8",
                        "MZXW 6YTB",
                        "MZXW-6YTB",
                        "MZXW6YTB\n",
                        "MY=",
                        "MY=====",
                        "MY=======",
                        "MZXW6====",
                        "MZXW6==",
                        "MZXW6YTB========",
                        "========",
                        "=",
                        "MY======MY======",
                        "MZ=W6YTB",
                        "MZXW6YT\xc3\xa9",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(secret_done) Secret s = {0};

                fill(&s, "kept", 4);
                if (base32_decode(bad[i], strlen(bad[i]), &s) != -EBADMSG)
                        fail_msg("'%s' was not refused", bad[i]);
                assert_string_equal(secret_string(&s), "kept");
        }
}

static void test_nul_inside_is_refused(void **state) {
        _cleanup_(secret_done) Secret s = {0};

        assert_int_equal(base32_decode("MZXW\0YTB", 8, &s), -EBADMSG);
        assert_int_equal(base32_decode_pasted("MZXW\0YTB", 8, &s), -EBADMSG);
}

static void test_pasted(void **state) {
        assert_pastes("mzxw 6ytb", "fooba");
        assert_pastes("MZXW-6YTB-oi", "foobar");
        assert_pastes(" mzxw6===  ", "foo");
        assert_pastes("mzxw 6 = = =", "foo");
        assert_pastes("gezd gnbv gy3t qojq gezd gnbv gy3t qojq", "12345678901234567890");
        /* The last character carries bits that no byte takes. */
        assert_pastes("MZXW7", "foo");
        assert_pastes("MZ", "f");
}

static void test_pasted_refusals(void **state) {
        static const char *const bad[] = {
                        "",
                        " ",
                        "-",
                        "======",
                        "========",
                        "M",
                        "mzx",
                        "mzxw6y",
                        "MZXW6==",
                        "MZXW6YT0",
                        "MZXW6YT1",
                        "MZXW_6YTB",
                        "MZXW\t6YTB",
                        "MZXW6YTB\n",
                        "MZXW.6YTB",
                        "MY======MY",
                        "\xc2\xa0MZXW6",
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(secret_done) Secret s = {0};

                if (base32_decode_pasted(bad[i], strlen(bad[i]), &s) != -EBADMSG)
                        fail_msg("'%s' was not refused", bad[i]);
                assert_int_equal(s.len, 0);
        }
}

static void test_target_is_replaced(void **state) {
        _cleanup_(secret_done) Secret s = {0};

        fill(&s, "something longer", 16);
        assert_int_equal(base32_decode("MY", 2, &s), 0);
        assert_int_equal(s.len, 1);
        assert_string_equal(secret_string(&s), "f");
        /* Source and target may be one. */
        assert_int_equal(base32_encode(&s, &s), 0);
        assert_string_equal(secret_string(&s), "MY");
        assert_int_equal(base32_decode((const char *) s.data, s.len, &s), 0);
        assert_string_equal(secret_string(&s), "f");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_vectors),
                        cmocka_unit_test(test_round_trip),
                        cmocka_unit_test(test_strict_refusals),
                        cmocka_unit_test(test_nul_inside_is_refused),
                        cmocka_unit_test(test_pasted),
                        cmocka_unit_test(test_pasted_refusals),
                        cmocka_unit_test(test_target_is_replaced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
