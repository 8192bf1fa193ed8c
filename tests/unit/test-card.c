/* SPDX-License-Identifier: Apache-2.0 */
/* What the prompter shows: no text can leave its row or pass for another's. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <locale.h>
#include <string.h>

#include "base/text.h"
#include "cli/card.h"
#include "cli/output.h"
#include "cli/rows.h"

#define SID "YC0123456789abcdef0123456789abcd01"

static char *print_card(const char *text, const CardLook *look) {
        json_object *o = json_tokener_parse(text);
        char *ret = NULL;
        size_t len;
        FILE *f = open_memstream(&ret, &len);

        assert_non_null(o);
        assert_int_equal(card_print(f, o, look), 0);
        assert_int_equal(fclose(f), 0);
        json_object_put(o);
        return ret;
}

static char *card(const char *text, size_t columns, bool styled) {
        return print_card(text, &(CardLook){.columns = columns, .styled = styled});
}

static char *wrapped(const char *text, size_t columns) {
        char *ret = NULL;
        size_t len;
        FILE *f = open_memstream(&ret, &len);

        wrap_print(f, "- ", "> ", text, columns);
        assert_int_equal(fclose(f), 0);
        return ret;
}

static void test_wrap(void **state) {
        static const struct {
                const char *text;
                size_t columns;
                const char *rows;
        } cases[] = {
                        {"", 20, "- \n"},
                        {"short", 20, "- short\n"},
                        {"12345678", 10, "- 12345678\n"},
                        {"123456789", 10, "- 12345678\n> 9\n"},
                        {"one two three", 10, "- one two \n> three\n"},
                        {"a 3456789012", 10, "- a 345678\n> 9012\n"},
                        {"汉汉汉汉汉", 10, "- 汉汉汉汉\n> 汉\n"},
                        {"汉汉", 0, "- 汉汉\n"},
                        {"abcdefg", 1, "- abcdef\n> g\n"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *rows = wrapped(cases[i].text, cases[i].columns);

                assert_string_equal(rows, cases[i].rows);
                free(rows);
        }
}

static void test_card(void **state) {
        char *text = card("{'sid':'" SID
                          "','factor':'laptop','factor_type':'push',"
                          "'service_sid':'VA1','identity':'alice','created':'2026','message':'Hi',"
                          "'fields':[{'label':'IP','value':'1.2'},{'label':'Code','value':null}]}",
                        80, false);

        assert_string_equal(text, "     challenge: " SID
                                  "\n"
                                  "        factor: laptop\n"
                                  "          type: push\n"
                                  "       service: VA1\n"
                                  "      identity: alice\n"
                                  "       created: 2026\n"
                                  "       message: Hi\n"
                                  "              | IP: 1.2\n"
                                  "              | Code: (to be typed)\n");
        free(text);
        text = card("{'sid':'" SID "','factor':'f','factor_type':'totp'}", 20, true);
        assert_string_equal(text,
                        "\x1b[1mchallenge: YC0123456\n> 789abcdef012345678\n> 9abcd01\n\x1b[0m"
                        "factor: f\ntype: totp\n");
        free(text);
}

/* On paper no row is too long, and the time left is by the clock that is given. */
static void test_full(void **state) {
        const CardLook look = {
                        .columns = SIZE_MAX,
                        .full = true,
                        .now = UINT64_C(1767323045) * USEC_PER_SEC,
        };
        char *text = print_card("{'sid':'" SID
                                "','factor':'laptop','factor_type':'push','state':'asking',"
                                "'expires':'2026-01-02T03:08:05Z','digest':'ab','repeats':2,"
                                "'message':'Hi'}",
                        &look);

        assert_string_equal(text, "     challenge: " SID
                                  "\n"
                                  "        factor: laptop\n"
                                  "          type: push\n"
                                  "         state: asking\n"
                                  "       expires: 2026-01-02T03:08:05Z\n"
                                  "     time left: 4min\n"
                                  "        digest: ab\n"
                                  "       repeats: 2 more that ask for the same\n"
                                  "       message: Hi\n");
        free(text);
}

static void test_warnings(void **state) {
        static const struct {
                const char *view, *said;
        } cases[] = {
                        {"{'quiet':true}", "being bombed"},
                        {"{'confirm':'sid'}", "last four characters"},
                        {"{'confirm':'field','confirm_field':'Number'}", "the value of \"Number\""},
                        {"{'confirm':'never'}", "can't be approved"},
        };
        char *text = card("{'quiet':true,'repeat_of':'" SID "','confirm':'none'}", 200, false);

        assert_string_equal(text, "");
        free(text);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                text = card(cases[i].view, 200, false);
                assert_non_null(strstr(text, cases[i].said));
                free(text);
        }
}

/* Every row begins with a mark of ours, is no wider than the terminal, and holds nothing that a
 * terminal obeys, at any width. */
static void test_hostile(void **state) {
        static const char *const evil =
                        "\\u001b[2J\\u001b]0;x\\u0007 <b>bold</b> \\u202egnp.exe\\n        factor: "
                        "laptop\\r\\n| Where: Berlin\\u2028\\u200b\\u009b31m                       "
                        " "
                        "                                       | Where: Berlin";
        static const char *const begins[] = {"challenge: ", "factor: ", "message: ", "| ", "> "};

        for (size_t columns = 0; columns < 130; columns++) {
                size_t limit = columns < 20 ? 20 : columns;
                char json[2048], *text, *row, *rest;

                snprintf(json, sizeof(json),
                                "{'sid':'" SID
                                "','factor':'%s','message':'%s','fields':[{'label':"
                                "'%s','value':'%s'}]}",
                                "laptop", evil, evil, evil);
                text = card(json, columns, false);
                rest = text;
                while ((row = strsep(&rest, "\n")) && rest) {
                        const char *mark = row + strspn(row, " ");
                        bool ours = false;

                        for (size_t i = 0; i < ELEMENTSOF(begins); i++)
                                ours = ours || strncmp(mark, begins[i], strlen(begins[i])) == 0;
                        assert_true(ours);
                        assert_true(text_columns(row) <= limit);
                        for (size_t i = 0, n, len = strlen(row); i < len; i += n) {
                                uint32_t c;

                                n = utf8_decode(row + i, len - i, &c);
                                assert_true(n > 0 && !codepoint_is_unsafe(c));
                        }
                }
                free(text);
        }
}

static void test_countdown(void **state) {
        static const struct {
                usec_t left;
                const char *text;
        } cases[] = {
                        {0, "0:00"},
                        {1, "0:01"},
                        {USEC_PER_SEC, "0:01"},
                        {59 * USEC_PER_SEC + 1, "1:00"},
                        {299 * USEC_PER_SEC, "4:59"},
                        {3600 * USEC_PER_SEC, "1:00:00"},
                        {3723 * USEC_PER_SEC, "1:02:03"},
                        {USEC_INFINITY, ""},
        };
        char text[COUNTDOWN_SIZE];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_string_equal(countdown_text(cases[i].left, text), cases[i].text);
}

static char *
rows(const char *prompt, const char *typed, const char *status, size_t n, size_t columns) {
        char *ret = NULL;
        size_t len;
        FILE *f = open_memstream(&ret, &len);

        rows_print(f, prompt, typed, status, n, columns);
        assert_int_equal(fclose(f), 0);
        return ret;
}

static void test_rows(void **state) {
        static const struct {
                const char *prompt, *typed, *status;
                size_t rows, columns;
                const char *text;
        } cases[] = {
                        {"1:00 > ", "app", "", 24, 80, "\r\x1b[J1:00 > app"},
                        {"1:00 > ", "app", "2 more wait", 24, 80,
                                        "\r\x1b[J1:00 > app\n2 more wait\x1b[A\r\x1b[10C"},
                        {"1:00 > ", "app", "2 more wait", 2, 80, "\r\x1b[J1:00 > app"},
                        /* The end of what is typed, the beginning of the rest; a column is free. */
                        {"> ", "0123456789", "0123456789", 5, 10,
                                        "\r\x1b[J> 3456789\n012345678\x1b[A\r\x1b[9C"},
                        {"a long prompt > ", "xyz", "", 5, 10, "\r\x1b[Ja lonxyz"},
                        {"> ", "a汉汉汉", "", 5, 8, "\r\x1b[J> 汉汉"},
                        {"> ", "abcdef", "", 1, 0, "\r\x1b[J> bcdef"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *text = rows(cases[i].prompt, cases[i].typed, cases[i].status, cases[i].rows,
                                cases[i].columns);

                assert_string_equal(text, cases[i].text);
                free(text);
        }
}

static int setup(void **state) {
        return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_wrap),
                        cmocka_unit_test(test_card),
                        cmocka_unit_test(test_full),
                        cmocka_unit_test(test_warnings),
                        cmocka_unit_test(test_hostile),
                        cmocka_unit_test(test_countdown),
                        cmocka_unit_test(test_rows),
        };

        return cmocka_run_group_tests(tests, setup, NULL);
}
