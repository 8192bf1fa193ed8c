/* SPDX-License-Identifier: Apache-2.0 */
/* Base64: RFC 4648 §10 vectors, every other encoding of the same bytes refused. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/base64.h"

static const struct {
        const char *bytes, *standard, *url;
} vectors[] = {
                {"", "", ""}, {"f", "Zg==", "Zg"}, {"fo", "Zm8=", "Zm8"}, {"foo", "Zm9v", "Zm9v"},
                {"foob", "Zm9vYg==", "Zm9vYg"}, {"fooba", "Zm9vYmE=", "Zm9vYmE"},
                {"foobar", "Zm9vYmFy", "Zm9vYmFy"}, {"\xfb\xff\xfe", "+//+", "-__-"},
                {"\xff", "/w==", "_w"},
                {"\x03\xec\xff\xe0\xc1", "A+z/4ME=", "A-z_4ME"}, /* RFC 7515, appendix C */
};

static void check_vector(Base64Kind kind, const char *bytes, const char *text) {
        _cleanup_(secret_done) Secret s = {0};
        _cleanup_free_ char *encoded = NULL;
        size_t len = strlen(bytes);

        assert_int_equal(base64_encode(kind, bytes, len, &encoded), 0);
        assert_string_equal(encoded, text);
        assert_int_equal(base64_encoded_len(kind, len), strlen(text));

        assert_int_equal(base64_decode(kind, text, strlen(text), &s), 0);
        assert_int_equal(s.len, len);
        assert_string_equal(secret_string(&s), bytes);
}

static void test_vectors(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                check_vector(BASE64_STANDARD, vectors[i].bytes, vectors[i].standard);
                check_vector(BASE64_URL, vectors[i].bytes, vectors[i].url);
        }
}

static void test_every_byte_and_length(void **state) {
        uint8_t bytes[300];

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t) (i * 7 + i / 256);

        for (size_t len = 0; len <= sizeof(bytes); len++)
                for (Base64Kind kind = BASE64_STANDARD; kind <= BASE64_URL; kind++) {
                        _cleanup_(secret_done) Secret s = {0};
                        _cleanup_free_ char *text = NULL;

                        assert_int_equal(base64_encode(kind, bytes, len, &text), 0);
                        assert_int_equal(strlen(text), base64_encoded_len(kind, len));
                        assert_int_equal(base64_decode(kind, text, strlen(text), &s), 0);
                        assert_int_equal(s.len, len);
                        assert_memory_equal(secret_string(&s), bytes, len);
                }
}

static void assert_refused(Base64Kind kind, const char *text, size_t len) {
        _cleanup_(secret_done) Secret s = {0};

        assert_int_equal(secret_append_string(&s, "before"), 0);
        if (base64_decode(kind, text, len, &s) != -EBADMSG)
                fail_msg("'%.*s' was taken", (int) len, text);
        assert_string_equal(secret_string(&s), "before");
}

static void test_refuses_other_encodings(void **state) {
        static const char *const standard[] = {
                        "Zg",
                        "Zg=",
                        "Zg===",
                        "Zg====",
                        "Zm8",
                        "Zm8==",
                        "Zm9v=",
                        "Zm9v==",
                        "Zm9v====",
                        "=",
                        "==",
                        "===",
                        "====",
                        "Z===",
                        "Z",
                        "Zm9vY",
                        "Zh==",
                        "Zm9=",
                        "Zm9vYh==",
                        "Zm9vYmF=",
                        "Z=g=",
                        "=Zg=",
                        "Zg=\n",
                        " Zg==",
                        "Zg== ",
                        "Zg==\n",
                        "Z g==",
                        "Zm9v\n",
                        "Zm\n9v",
                        "Zm-_",
                        "-__-",
                        "Zm9v!!!!",
                        "Zm9\x80",
                        "\xff\xff\xff\xff",
                        "Zg==Zg==",
                        "Zm9vZg=",
                        "Zm9v.",
                        "@@@@",
                        "[[[[",
                        "````",
                        "{{{{",
                        "////=",
                        ",,,,",
                        "::::",
        };
        static const char *const url[] = {
                        "Zg==",
                        "Zm8=",
                        "Z",
                        "Zm9vY",
                        "Zh",
                        "Zm9",
                        "+//+",
                        "Zm+v",
                        "Zm/v",
                        " Zg",
                        "Zg ",
                        "Zg\n",
                        "Zm.9",
                        "Z\tg",
                        "Zm9v=",
                        "=",
                        "^^^^",
                        "\x80\x80",
        };

        for (size_t i = 0; i < ELEMENTSOF(standard); i++)
                assert_refused(BASE64_STANDARD, standard[i], strlen(standard[i]));
        for (size_t i = 0; i < ELEMENTSOF(url); i++)
                assert_refused(BASE64_URL, url[i], strlen(url[i]));
        assert_refused(BASE64_STANDARD, "Zm9v\0\0\0\0", 8);
        assert_refused(BASE64_URL, "Z\0", 2);
}

/* Each byte that is no character of the alphabet, at each place of a group. */
static void test_alphabets_are_exact(void **state) {
        static const char *const extra[] = {"+/", "-_"};

        for (Base64Kind kind = BASE64_STANDARD; kind <= BASE64_URL; kind++)
                for (int c = 0; c < 256; c++)
                        for (int place = 0; place < 4; place++) {
                                _cleanup_(secret_done) Secret s = {0};
                                char text[4] = "AAAA";
                                bool in = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                          (c >= '0' && c <= '9') || (c && strchr(extra[kind], c));

                                if (c == '=' && place == 3 && kind == BASE64_STANDARD)
                                        continue; /* padding, and a good one */
                                text[place] = (char) c;
                                assert_int_equal(base64_decode(kind, text, 4, &s),
                                                in ? 0 : -EBADMSG);
                        }
}

static void test_decodes_only_len(void **state) {
        _cleanup_(secret_done) Secret s = {0};

        assert_int_equal(base64_decode(BASE64_STANDARD, "Zm9vYmFy!", 4, &s), 0);
        assert_string_equal(secret_string(&s), "foo");
        assert_int_equal(base64_decode(BASE64_STANDARD, "", 0, &s), 0);
        assert_int_equal(s.len, 0);
}

static void test_overflow(void **state) {
        char *text = NULL;

        assert_int_equal(base64_encode(BASE64_STANDARD, "", SIZE_MAX, &text), -EOVERFLOW);
        assert_int_equal(base64_encode(BASE64_URL, "", SIZE_MAX / 4 * 3 + 3, &text), -EOVERFLOW);
        assert_null(text);
        assert_true(base64_encoded_len(BASE64_STANDARD, SIZE_MAX) == SIZE_MAX);
        assert_int_equal(base64_encoded_len(BASE64_STANDARD, 3000001), 4000004);
        assert_int_equal(base64_encoded_len(BASE64_URL, 3000001), 4000002);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_vectors),
                        cmocka_unit_test(test_every_byte_and_length),
                        cmocka_unit_test(test_refuses_other_encodings),
                        cmocka_unit_test(test_alphabets_are_exact),
                        cmocka_unit_test(test_decodes_only_len),
                        cmocka_unit_test(test_overflow),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
