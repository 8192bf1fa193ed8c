/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8, escapes for a terminal, names and SIDs. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define HEX32 "0123456789abcdef0123456789ABCDEF"

static void test_utf8(void **state) {
        static const struct {
                const char *text;
                uint32_t code;
        } good[] = {
                        {"a", 'a'},
                        {"\x7f", 0x7f},
                        {"\xc2\x80", 0x80},
                        {"\xdf\xbf", 0x7ff},
                        {"\xe0\xa0\x80", 0x800},
                        {"\xed\x9f\xbf", 0xd7ff},
                        {"\xee\x80\x80", 0xe000},
                        {"\xef\xbf\xbf", 0xffff},
                        {"\xf0\x90\x80\x80", 0x10000},
                        {"\xf4\x8f\xbf\xbf", 0x10ffff},
        };
        static const char *const bad[] = {
                        "\x80",
                        "\xbf",
                        "\xc0\x80",
                        "\xc1\xbf", /* lone continuation, overlong */
                        "\xe0\x80\x80",
                        "\xe0\x9f\xbf",
                        "\xf0\x80\x80\x80",
                        "\xf0\x8f\xbf\xbf",
                        "\xed\xa0\x80",
                        "\xed\xbf\xbf",
                        "\xed\xa0\xbd\xed\xb8\x80", /* surrogates */
                        "\xf4\x90\x80\x80",
                        "\xf5\x80\x80\x80",
                        "\xf8\x88\x80\x80\x80", /* too large */
                        "\xfe",
                        "\xff",
                        "\xc2",
                        "\xc2"
                        "a",
                        "\xe2\x82",
                        "\xe2\x82"
                        "a",
                        "\xf0\x9f\x98",
                        "\xe2"
                        "a\x80",
                        "\xf0\x9f\x98"
                        "a",
        };
        uint32_t c;

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                size_t len = strlen(good[i].text);
                assert_int_equal(utf8_decode(good[i].text, len, &c), len);
                assert_int_equal(c, good[i].code);
                assert_true(utf8_valid(good[i].text, len));
                assert_int_equal(utf8_length(good[i].text), 1);
                /* cut short: never read past the end */
                for (size_t cut = 1; cut < len; cut++)
                        assert_int_equal(utf8_decode(good[i].text, cut, &c), 0);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                if (utf8_decode(bad[i], strlen(bad[i]), &c) != 0)
                        fail_msg("malformed form %zu was taken", i);
                assert_false(utf8_valid(bad[i], strlen(bad[i])));
        }
}

static void test_utf8_whole_texts(void **state) {
        assert_true(utf8_valid("", 0));
        assert_true(utf8_valid("a\0b", 3));
        assert_true(utf8_valid("Grüße, 世界 😀", strlen("Grüße, 世界 😀")));
        assert_false(utf8_valid("abc\xff", 4));
        assert_true(utf8_valid("abc\xff", 3));
        assert_int_equal(utf8_length(""), 0);
        assert_int_equal(utf8_length("Grüße 世界😀"), 9);
}

/* Every code point there is survives encoding by hand and decoding. */
static void test_utf8_every_codepoint(void **state) {
        for (uint32_t c = 0; c <= 0x10ffff; c++) {
                char text[4];
                size_t n;
                uint32_t back = 0;
                bool surrogate = c >= 0xd800 && c <= 0xdfff;

                if (c < 0x80)
                        n = 1, text[0] = (char) c;
                else if (c < 0x800)
                        n = 2, text[0] = (char) (0xc0 | c >> 6);
                else if (c < 0x10000)
                        n = 3, text[0] = (char) (0xe0 | c >> 12);
                else
                        n = 4, text[0] = (char) (0xf0 | c >> 18);
                for (size_t i = 1; i < n; i++)
                        text[i] = (char) (0x80 | (c >> (6 * (n - 1 - i)) & 0x3f));

                if (utf8_decode(text, n, &back) != (surrogate ? 0 : n) || (!surrogate && back != c))
                        fail_msg("U+%04X is decoded as U+%04X", c, back);
        }
}

static void test_unsafe_codepoints(void **state) {
        static const uint32_t unsafe[] = {
                        0x00,
                        0x01,
                        0x07,
                        0x08,
                        0x09,
                        0x0a,
                        0x0d,
                        0x1b,
                        0x1f,
                        0x7f,
                        0x80,
                        0x85,
                        0x9b,
                        0x9f,
                        0xad,
                        0x34f,
                        0x61c,
                        0x115f,
                        0x1160,
                        0x17b4,
                        0x180e,
                        0x200b,
                        0x200c,
                        0x200d,
                        0x200e,
                        0x200f,
                        0x2028,
                        0x2029,
                        0x202a,
                        0x202b,
                        0x202c,
                        0x202d,
                        0x202e,
                        0x2060,
                        0x2064,
                        0x2066,
                        0x2067,
                        0x2068,
                        0x2069,
                        0x206a,
                        0x206f,
                        0x2800,
                        0x3164,
                        0xfdd0,
                        0xfeff,
                        0xffa0,
                        0xfff9,
                        0xfffa,
                        0xfffb,
                        0xfffe,
                        0xffff,
                        0x1d173,
                        0x1ffff,
                        0xe0000,
                        0xe0001,
                        0xe0020,
                        0xe007f,
                        0xe0100,
                        0x10fffe,
                        0x110000,
                        UINT32_MAX,
        };
        static const uint32_t safe[] = {
                        ' ',
                        '!',
                        '\\',
                        '~',
                        0xa0,
                        0xac,
                        0xae,
                        0xe9,
                        0x61b,
                        0x61d,
                        0x5d0,
                        0x627,
                        0x115e,
                        0x1161,
                        0x180a,
                        0x200a,
                        0x2010,
                        0x2027,
                        0x202f,
                        0x205f,
                        0x2070,
                        0x20ac,
                        0x27ff,
                        0x2801,
                        0x3000,
                        0x3163,
                        0x4e16,
                        0xd7ff,
                        0xe000,
                        0xfe0f,
                        0xfefe,
                        0xff9f,
                        0xfffc,
                        0xfffd,
                        0x10000,
                        0x1f600,
                        0xdffff - 2,
                        0x10fffd,
        };

        for (size_t i = 0; i < ELEMENTSOF(unsafe); i++)
                if (!codepoint_is_unsafe(unsafe[i]))
                        fail_msg("U+%04X passes as safe", unsafe[i]);
        for (size_t i = 0; i < ELEMENTSOF(safe); i++)
                if (codepoint_is_unsafe(safe[i]))
                        fail_msg("U+%04X passes as unsafe", safe[i]);
}

static void test_escape(void **state) {
        static const struct {
                const char *text, *escaped;
        } table[] = {
                        {"", ""},
                        {"plain text", "plain text"},
                        {"Grüße, 世界 😀", "Grüße, 世界 😀"},
                        {"a\nb\tc", "a\\nb\\tc"},
                        {"a\\nb", "a\\\\nb"},
                        {"\\", "\\\\"},
                        {"\r\a\b\f\v", "\\x0d\\x07\\x08\\x0c\\x0b"},
                        {"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"},
                        {"\x1b]0;title\x07", "\\x1b]0;title\\x07"},
                        {"\x7f", "\\x7f"},
                        {"\xc2\x9b"
                         "2J",
                                        "\\u{009b}2J"}, /* the C1 form of ESC [ */
                        {"user\xe2\x80\xaegnp.exe", "user\\u{202e}gnp.exe"},
                        {"a\xe2\x81\xa6"
                         "b\xe2\x81\xa9",
                                        "a\\u{2066}b\\u{2069}"},
                        {"zero\xe2\x80\x8bwidth", "zero\\u{200b}width"},
                        {"\xef\xbb\xbf"
                         "bom",
                                        "\\u{feff}bom"},
                        {"\xf3\xa0\x81\x81", "\\u{e0041}"},
                        {"line\xe2\x80\xa8separator", "line\\u{2028}separator"},
                        {"\xff\xfe", "\\xff\\xfe"},
                        {"cut \xe2\x82", "cut \\xe2\\x82"},
                        {"\x9b"
                         "1m",
                                        "\\x9b"
                                        "1m"},
                        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
                        {"\xc0\xaf", "\\xc0\\xaf"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *escaped = NULL;

                assert_int_equal(text_escape(table[i].text, &escaped), 0);
                assert_string_equal(escaped, table[i].escaped);
        }
}

/* Whatever two bytes are put in, what comes out is one safe, well-formed line; and from different
 * texts come different lines. */
static void test_escape_is_safe_and_one_to_one(void **state) {
        char before[64] = "";

        for (unsigned bytes = 0x0101; bytes <= 0xffff; bytes++) {
                char text[] = {(char) (bytes >> 8), (char) bytes, '\0'};
                _cleanup_free_ char *escaped = NULL;
                uint32_t c;

                if (!text[1])
                        continue;
                assert_int_equal(text_escape(text, &escaped), 0);
                assert_true(strlen(escaped) < sizeof(before));
                assert_string_not_equal(escaped, before);
                strcpy(before, escaped);
                for (const char *p = escaped; *p;) {
                        size_t n = utf8_decode(p, strlen(p), &c);
                        assert_true(n > 0);
                        assert_false(codepoint_is_unsafe(c));
                        p += n;
                }
        }
}

static void test_sid(void **state) {
        assert_true(sid_valid("YF" HEX32, "YF"));
        assert_true(sid_valid("AC00000000000000000000000000000000", "AC"));
        assert_false(sid_valid("YF" HEX32, "YC"));
        assert_false(sid_valid("yf" HEX32, "YF"));
        assert_false(sid_valid("YF" HEX32 "0", "YF"));
        assert_false(sid_valid("YF0123456789abcdef0123456789abcde", "YF"));
        assert_false(sid_valid("YF0123456789abcdef0123456789abcdeg", "YF"));
        assert_false(sid_valid("YF0123456789abcdef0123456789abcd/e", "YF"));
        assert_false(sid_valid("YF0123456789abcdef0123456789abcd\xc3\xa9", "YF"));
        assert_false(sid_valid("YF../../../../../../../../etc/pass", "YF"));
        assert_false(sid_valid("", "YF"));
        assert_false(sid_valid("YF", "YF"));

        assert_true(sid_like("YF" HEX32));
        assert_true(sid_like("ZZ" HEX32));
        assert_false(sid_like("Yf" HEX32));
        assert_false(sid_like("Y1" HEX32));
        assert_false(sid_like("Y"));
        assert_false(sid_like(""));
        assert_false(sid_like("YF" HEX32 "\n"));
}

static void test_name(void **state) {
        static const char *const good[] = {
                        "a",
                        "0",
                        "main",
                        "ci-runner.7",
                        "A_b",
                        "9to5",
                        "a--b..c__",
                        ("x" HEX32),
                        ("Yf" HEX32),
                        ("YF" HEX32 "0"),
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        };
        static const char *const bad[] = {
                        "",
                        ".",
                        "..",
                        ".hidden",
                        "-n",
                        "_a",
                        "a b",
                        "a/b",
                        "a\\b",
                        "a\n",
                        "é",
                        "a:b",
                        "a*",
                        "a@b",
                        ("YF" HEX32),
                        "a\x1b",
                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (!name_valid(good[i]))
                        fail_msg("'%s' was refused", good[i]);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (name_valid(bad[i]))
                        fail_msg("'%s' was taken", bad[i]);
}

static void test_identity(void **state) {
        static const char *const good[] = {
                        "user0001",
                        "user-0001",
                        "a-b-c-d-e",
                        "12345678",
                        "ff483d1ff591898a9942916050d2ca3f",
                        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        };
        static const char *const bad[] = {
                        "",
                        "user001",
                        "-user0001",
                        "user0001-",
                        "user--0001",
                        "user_0001",
                        "user 0001",
                        "user@example.com",
                        "user.0001",
                        "üser00001",
                        "user/0001",
                        "user0001\n",
                        "--------",
                        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (!identity_valid(good[i]))
                        fail_msg("'%s' was refused", good[i]);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (identity_valid(bad[i]))
                        fail_msg("'%s' was taken", bad[i]);
}

static void test_comparisons(void **state) {
        assert_true(streq("a", "a"));
        assert_false(streq("a", "A"));
        assert_false(streq("a", "ab"));
        assert_true(streq_ptr(NULL, NULL));
        assert_true(streq_ptr("a", "a"));
        assert_false(streq_ptr(NULL, "a"));
        assert_false(streq_ptr("", NULL));
        assert_string_equal(strempty(NULL), "");
        assert_string_equal(strempty("a"), "a");
}

static void test_shown(void **state) {
        char long_text[201] = "";
        _cleanup_free_ char *a = NULL, *b = NULL, *c = NULL;

        assert_int_equal(text_shown("a\tb", &a), 0);
        assert_string_equal(a, "a\\tb");
        memset(long_text, 'x', 200);
        assert_int_equal(text_shown(long_text, &b), 0);
        assert_int_equal(strlen(b), TEXT_SHOWN_MAX + STRLEN("…"));
        /* A character at the cut goes as a whole. */
        memcpy(long_text + TEXT_SHOWN_MAX - 1, "ä", 2);
        assert_int_equal(text_shown(long_text, &c), 0);
        assert_int_equal(strlen(c), TEXT_SHOWN_MAX - 1 + STRLEN("…"));
}

static void test_set(void **state) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(text_set(&text, "one"), 0);
        assert_string_equal(text, "one");
        assert_int_equal(text_set(&text, text), 0); /* its own text */
        assert_string_equal(text, "one");
        assert_int_equal(text_set(&text, ""), 0);
        assert_string_equal(text, "");
        assert_int_equal(text_set(&text, NULL), 0);
        assert_null(text);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_utf8),
                        cmocka_unit_test(test_utf8_whole_texts),
                        cmocka_unit_test(test_utf8_every_codepoint),
                        cmocka_unit_test(test_unsafe_codepoints),
                        cmocka_unit_test(test_escape),
                        cmocka_unit_test(test_escape_is_safe_and_one_to_one),
                        cmocka_unit_test(test_sid),
                        cmocka_unit_test(test_name),
                        cmocka_unit_test(test_identity),
                        cmocka_unit_test(test_comparisons),
                        cmocka_unit_test(test_shown),
                        cmocka_unit_test(test_set),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
