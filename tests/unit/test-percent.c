/* SPDX-License-Identifier: Apache-2.0 */
/* Percent coding (RFC 3986). */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/percent.h"

static void test_encode(void **state) {
        static const char reserved[] = " !\"#$%&'()*+,/:;<=>?@[\\]^`{|}\x7f\xC3\xA9";
        static const char kept[] = "ABCXYZabcxyz0189-._~";
        _cleanup_(secret_done) Secret s = {0}, all = {0};
        _cleanup_free_ char *decoded = NULL;

        assert_int_equal(percent_encode(&s, reserved, strlen(reserved)), 0);
        assert_string_equal(secret_string(&s),
                        "%20%21%22%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D"
                        "%5E%60%7B%7C%7D%7F%C3%A9");
        assert_int_equal(percent_decode_string(secret_string(&s), s.len, false, &decoded), 0);
        assert_string_equal(decoded, reserved);

        assert_int_equal(percent_encode(&all, kept, strlen(kept)), 0);
        assert_string_equal(secret_string(&all), kept);
        assert_int_equal(percent_encode(&all, "\0", 1), 0);
        assert_string_equal(secret_string(&all) + strlen(kept), "%00");
}

static void test_decode(void **state) {
        static const struct {
                const char *text;
                bool plus;
                const char *decoded;
        } good[] = {
                        {"", false, ""},
                        {"a+b%2b%2B", false, "a+b++"},
                        {"a+b%2b%2B", true, "a b++"},
                        {"%41%7e%7E", false, "A~~"},
                        {"%C3%A9\xC3\xA9", false, "\xC3\xA9\xC3\xA9"},
                        {"%25%32%35", false, "%25"},
                        {"%1f%7F", false, "\x1f\x7f"},
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                _cleanup_(secret_done) Secret s = {0};
                _cleanup_free_ char *text = NULL;
                size_t len = strlen(good[i].text);

                assert_int_equal(percent_decode(good[i].text, len, good[i].plus, &s), 0);
                assert_string_equal(secret_string(&s), good[i].decoded);
                assert_int_equal(s.len, strlen(good[i].decoded));
                assert_int_equal(percent_decode_string(good[i].text, len, good[i].plus, &text), 0);
                assert_string_equal(text, good[i].decoded);
        }
}

/* What is refused leaves the target as it was. */
static void test_refused(void **state) {
        static const char *const bad[] = {
                        "%",
                        "%4",
                        "a%4",
                        "%4g",
                        "%g4",
                        "%%41",
                        "% 1",
                        "%00",
                        "%FF",
                        "%C3",
                        "%ED%A0%80",
        };
        _cleanup_(secret_done) Secret s = {0};
        char *text = NULL;

        assert_int_equal(secret_append_string(&s, "before"), 0);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_int_equal(percent_decode(bad[i], strlen(bad[i]), true, &s), -EBADMSG);
                assert_int_equal(percent_decode_string(bad[i], strlen(bad[i]), true, &text),
                                -EBADMSG);
        }
        assert_int_equal(percent_decode("a\0b", 3, false, &s), -EBADMSG);
        /* An escape that only the bytes after the text would complete. */
        assert_int_equal(percent_decode("%41", 2, false, &s), -EBADMSG);
        assert_string_equal(secret_string(&s), "before");
        assert_null(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_encode),
                        cmocka_unit_test(test_decode),
                        cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
