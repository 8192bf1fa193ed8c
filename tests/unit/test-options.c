/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: options, words, and where one ends and a program's own begin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/options.h"

#define ARGUMENTS_MAX 16

/* Parses what stands between blanks. */
static int parse(Arguments *ret, const char *line, char **ret_copy, char **reterr_msg) {
        char *argv[ARGUMENTS_MAX + 1], *rest;
        int argc = 0;

        *ret_copy = strdup(line);
        assert_non_null(*ret_copy);
        for (char *word = strtok_r(*ret_copy, " ", &rest); word;
                        word = strtok_r(NULL, " ", &rest)) {
                assert_true(argc < ARGUMENTS_MAX);
                argv[argc++] = word;
        }
        argv[argc] = NULL;
        return arguments_parse(ret, argc, argv, reterr_msg);
}

static void test_split(void **state) {
        static const struct {
                const char *line, *words;
                size_t n_after;
                bool divided;
        } table[] = {
                        {"ctl", "", 0, false},
                        {"ctl expect ci", "expect ci", 0, false},
                        {"ctl expect ci --", "expect ci", 0, true},
                        {"ctl expect ci -- make", "expect ci make", 1, true},
                        {"ctl --json expect --within 5s ci -- make -n 5 --json --",
                                        "expect ci make -n 5 --json --", 5, true},
                        {"ctl expect ci -- -- x", "expect ci -- x", 2, true},
                        {"ctl -- expect ci", "expect ci", 2, true},
                        /* An option's value is what it is. */
                        {"ctl expect ci --message --", "expect ci", 0, false},
                        {"ctl expect --message -- ci", "expect ci", 0, false},
                        {"ctl expect ci --message -- -- make", "expect ci make", 1, true},
                        {"ctl expect ci --message=-- -- make", "expect ci make", 1, true},
                        {"ctl expect - ci", "expect - ci", 0, false},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(arguments_done) Arguments a = {0};
                _cleanup_free_ char *copy = NULL, *msg = NULL;
                char words[256] = "";

                assert_int_equal(parse(&a, table[i].line, &copy, &msg), 0);
                for (size_t k = 0; k < a.n_words; k++) {
                        strcat(words, k > 0 ? " " : "");
                        strcat(words, a.words[k]);
                }
                assert_null(a.words[a.n_words]);
                if (!streq(words, table[i].words) || a.n_after != table[i].n_after ||
                                a.divided != table[i].divided)
                        fail_msg("%s: '%s', %zu after, %d", table[i].line, words, a.n_after,
                                        a.divided);
        }
}

static void test_options(void **state) {
        _cleanup_(arguments_done) Arguments a = {0};
        _cleanup_free_ char *copy = NULL, *msg = NULL;

        assert_int_equal(parse(&a, "ctl expect ci --field a=b --within 5s --field c=d -h", &copy,
                                         &msg),
                        0);
        assert_int_equal(a.n_fields, 2);
        assert_string_equal(a.fields[0], "a=b");
        assert_string_equal(a.fields[1], "c=d");
        assert_string_equal(a.values[OPTION_WITHIN], "5s");
        assert_true(argument_given(&a, OPTION_HELP));
        assert_false(argument_given(&a, OPTION_JSON));
}

static void test_refused(void **state) {
        static const struct {
                const char *line, *says;
        } table[] = {
                        {"ctl --bogus", "--bogus"},
                        {"ctl -x", "-x"},
                        {"ctl expect --within", "--within wants"},
                        {"ctl --message a --message b", "twice"},
                        {"ctl --json=1", "--json=1"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(arguments_done) Arguments a = {0};
                _cleanup_free_ char *copy = NULL, *msg = NULL;

                assert_int_equal(parse(&a, table[i].line, &copy, &msg), -EINVAL);
                assert_non_null(msg);
                if (!strstr(msg, table[i].says))
                        fail_msg("%s: %s", table[i].line, msg);
        }
}

static void test_integer(void **state) {
        static const char *const bad[] = {
                        "", "x", "-1", "+1", " 1", "1 ", "1x", "9223372036854775808"};
        int64_t n = 0;

        assert_int_equal(integer_parse("9223372036854775807", &n), 0);
        assert_int_equal(n, INT64_MAX);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_int_equal(integer_parse(bad[i], &n), -EINVAL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_split),
                        cmocka_unit_test(test_options),
                        cmocka_unit_test(test_refused),
                        cmocka_unit_test(test_integer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
