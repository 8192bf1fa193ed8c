/* SPDX-License-Identifier: Apache-2.0 */
/* The line that a person types at the prompter. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/text.h"
#include "cli/line.h"

/* The result of the last byte. */
static LineResult feed(Line *l, const char *bytes) {
        LineResult r = LINE_SAME;

        for (; *bytes; bytes++)
                r = line_feed(l, (uint8_t) *bytes);
        return r;
}

static void test_edit(void **state) {
        static const struct {
                const char *typed, *text;
        } cases[] = {
                        {"approve", "approve"},
                        {"deny\x7f\x7f\x7f\x7f", ""},
                        {"\x7f\b", ""},
                        {"den\bny", "deny"},
                        {"aé\x7f"
                         "b",
                                        "ab"},
                        {"a€😀\x7f", "a€"},
                        {"one two  \x17"
                         "three",
                                        "one three"},
                        {"one\x17\x17", ""},
                        {"anything\x15skip", "skip"},
                        /* Cursor and function keys, Alt, and ESC before something that counts. */
                        {"a\x1b[Ab\x1b[1;5Cc\x1b[15~d\x1bOPe\x1bxf", "abcdef"},
                        {"a\x1b[3\x7f", ""},
                        /* What no keyboard means: NUL is no byte here. */
                        {"a\x01\x02\t\x1ez", "az"},
                        /* Malformed, or invisible: bidi override, C1, zero width. */
                        {"a\xff\xc3\x28\xe2\x82z", "a(z"},
                        {"a\xe2\x80\xae"
                         "b\xc2\x9b"
                         "c\xe2\x80\x8b"
                         "d",
                                        "abcd"},
                        {"\x80\xbf", ""},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Line l = {0};

                (void) feed(&l, cases[i].typed);
                assert_string_equal(line_text(&l), cases[i].text);
                assert_true(utf8_valid(l.text, l.len));
                assert_int_equal(l.len, strlen(l.text));
        }
}

static void test_results(void **state) {
        Line l = {0};

        assert_int_equal(feed(&l, "\x04"), LINE_ENDED);
        assert_int_equal(feed(&l, "x"), LINE_EDITED);
        assert_int_equal(feed(&l, "\x04"), LINE_SAME);
        assert_int_equal(feed(&l, "\x1b"), LINE_SAME);
        assert_int_equal(feed(&l, "\n"), LINE_ENTERED); /* not the rest of a key's sequence */
        assert_int_equal(feed(&l, "\r"), LINE_ENTERED);
        assert_int_equal(feed(&l, "\x0c"), LINE_REDRAW);
        assert_int_equal(feed(&l, "\xe2\x82"), LINE_SAME);
        assert_int_equal(feed(&l, "\xac"), LINE_EDITED);
        assert_string_equal(line_text(&l), "x€");
        line_clear(&l);
        assert_string_equal(line_text(&l), "");
        assert_int_equal(feed(&l, "\x04"), LINE_ENDED);
}

/* A line that is too long is no answer, not the beginning of one. */
static void test_bounded(void **state) {
        Line l = {0};

        for (size_t i = 0; i < LINE_BYTES_MAX - 1; i++)
                assert_int_equal(line_feed(&l, 'a'), LINE_EDITED);
        assert_non_null(line_text(&l));
        assert_int_equal(feed(&l, "€"), LINE_SAME); /* three bytes, one is left */
        assert_null(line_text(&l));
        assert_int_equal(l.len, LINE_BYTES_MAX - 1);
        for (size_t i = 0; i < 100000; i++)
                (void) line_feed(&l, 'b');
        assert_int_equal(l.len, LINE_BYTES_MAX);
        assert_null(line_text(&l));
        assert_int_equal(feed(&l, "\x7f\n"), LINE_ENTERED);
        assert_null(line_text(&l));
        assert_int_equal(feed(&l, "\x15"), LINE_EDITED);
        assert_string_equal(line_text(&l), "");
}

/* Whatever comes: well-formed, bounded, nothing that a terminal obeys. */
static void test_any_bytes(void **state) {
        uint32_t random = 1;

        for (unsigned round = 0; round < 200; round++) {
                Line l = {0};

                for (unsigned i = 0; i < 2000; i++) {
                        random = random * 1664525 + 1013904223;
                        (void) line_feed(&l, (uint8_t) (random >> 24));
                }
                assert_true(l.len <= LINE_BYTES_MAX && utf8_valid(l.text, l.len));
                for (size_t i = 0, n; i < l.len; i += n) {
                        uint32_t c;

                        n = utf8_decode(l.text + i, l.len - i, &c);
                        assert_false(codepoint_is_unsafe(c));
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_edit),
                        cmocka_unit_test(test_results),
                        cmocka_unit_test(test_bounded),
                        cmocka_unit_test(test_any_bytes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
