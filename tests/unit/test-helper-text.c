/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/helper-text.h"

static char factor[] = "laptop";

static ChallengeView view_of(char *message, DetailField *fields, size_t n) {
        return (ChallengeView){
                        .factor = factor,
                        .message = message,
                        .fields = fields,
                        .n_fields = n,
        };
}

static void assert_text(const ChallengeView *v, usec_t left, const char *typed, const char *want) {
        _cleanup_free_ char *text = NULL;

        assert_int_equal(helper_text(v, left, typed, &text), 0);
        assert_string_equal(text, want);
}

static void test_text(void **state) {
        char message[] = "Sign in?", where[] = "Location", city[] = "Berlin";
        DetailField fields[] = {{where, city}};
        ChallengeView v = view_of(message, fields, 1);

        assert_text(&v, 298 * USEC_PER_SEC + 999999, NULL,
                        "Approve with factor laptop?\n"
                        "\n"
                        "Message: Sign in?\n"
                        "\n"
                        "Details:\n"
                        "    Location: Berlin\n"
                        "\n"
                        "It expires in 4min 58s.");
}

/* A code's challenge has neither message nor details. */
static void test_bare(void **state) {
        ChallengeView v = view_of(NULL, NULL, 0);

        assert_text(&v, USEC_PER_SEC, NULL, "Approve with factor laptop?\n\nIt expires in 1s.");
        assert_text(&v, USEC_PER_SEC - 1, NULL,
                        "Approve with factor laptop?\n\nIt is about to expire.");
        assert_text(&v, 0, NULL, "Approve with factor laptop?\n\nIt is about to expire.");
}

/* The value that is to be typed stands nowhere. */
static void test_typed(void **state) {
        char message[] = "Sign in?", number[] = "Number", value[] = "4711", other[] = "Host",
             host[] = "db1";
        DetailField fields[] = {{number, value}, {other, host}};
        ChallengeView v = view_of(message, fields, 2);

        assert_text(&v, 60 * USEC_PER_SEC, "Number",
                        "Approve with factor laptop?\n"
                        "\n"
                        "Message: Sign in?\n"
                        "\n"
                        "Details:\n"
                        "    Number: (to be typed)\n"
                        "    Host: db1\n"
                        "\n"
                        "It expires in 1min.\n"
                        "To approve, type the value of: Number");
}

/* No provider's text begins a line, ends one, or reaches a terminal as more than letters. */
static void test_hostile(void **state) {
        char message[] = "\x1b[2JOK\n\nIt expires in 9h.\r\n", label[] = "a\nMessage",
             value[] = "\xe2\x80\xae<b>evil</b>\x7f";
        DetailField fields[] = {{label, value}};
        ChallengeView v = view_of(message, fields, 1);

        assert_text(&v, 60 * USEC_PER_SEC, "a\nMessage",
                        "Approve with factor laptop?\n"
                        "\n"
                        "Message: \\x1b[2JOK\\n\\nIt expires in 9h.\\x0d\\n\n"
                        "\n"
                        "Details:\n"
                        "    a\\nMessage: (to be typed)\n"
                        "\n"
                        "It expires in 1min.\n"
                        "To approve, type the value of: a\\nMessage");
        assert_text(&v, 60 * USEC_PER_SEC, NULL,
                        "Approve with factor laptop?\n"
                        "\n"
                        "Message: \\x1b[2JOK\\n\\nIt expires in 9h.\\x0d\\n\n"
                        "\n"
                        "Details:\n"
                        "    a\\nMessage: \\u{202e}<b>evil</b>\\x7f\n"
                        "\n"
                        "It expires in 1min.");
}

static Secret secret_of(const char *data, size_t len) {
        Secret s = {0};

        assert_int_equal(secret_append(&s, data, len), 0);
        return s;
}

#define ANSWER(literal) literal, STRLEN(literal)

static bool says_yes(const char *data, size_t len) {
        _cleanup_(secret_done) Secret s = secret_of(data, len);

        return helper_says_yes(&s);
}

static void test_yes(void **state) {
        assert_true(helper_says_yes(&(Secret){0}));
        assert_true(says_yes(ANSWER("\n")));
        assert_true(says_yes(ANSWER("\r\n")));
        assert_true(says_yes(ANSWER("yes")));
        assert_true(says_yes(ANSWER("yes\n")));
        assert_true(says_yes(ANSWER("YeS\r\nno\n")));
        assert_true(says_yes(ANSWER("\nno")));

        assert_false(says_yes(ANSWER("no\n")));
        assert_false(says_yes(ANSWER("y\n")));
        assert_false(says_yes(ANSWER("yes ")));
        assert_false(says_yes(ANSWER(" yes")));
        assert_false(says_yes(ANSWER(" \n")));
        assert_false(says_yes(ANSWER("yess")));
        assert_false(says_yes(ANSWER("\0\n")));
        assert_false(says_yes(ANSWER("yes\0\n")));
        assert_false(says_yes(ANSWER("no\nyes\n")));
}

static void assert_typed(const char *data, size_t len, const char *want) {
        _cleanup_(secret_done) Secret s = secret_of(data, len);
        _cleanup_(secret_string_freep) char *typed = NULL;

        assert_int_equal(helper_typed(&s, &typed), 0);
        if (want)
                assert_string_equal(typed, want);
        else
                assert_null(typed);
}

static void test_what_was_typed(void **state) {
        assert_typed(ANSWER("4711\n"), "4711");
        assert_typed(ANSWER("4711"), "4711");
        assert_typed(ANSWER("4711\r\n"), "4711");
        assert_typed(ANSWER(" a b \nc\n"), " a b ");
        assert_typed(ANSWER("yes"), "yes");
        assert_typed(ANSWER("\n4711\n"), NULL);
        assert_typed(ANSWER("47\0"
                            "11\n"),
                        NULL);
        assert_typed(ANSWER("\xff\n"), NULL);
        assert_typed("", 0, NULL);
}

static bool environment_has(char **environment, const char *entry) {
        for (; *environment; environment++)
                if (streq(*environment, entry))
                        return true;
        return false;
}

static size_t environment_count(char **environment) {
        size_t n = 0;

        while (environment[n])
                n++;
        return n;
}

static void test_environment(void **state) {
        char *const ours[] = {"DISPLAY=:0", "NOTIFY_SOCKET=/x", "LISTEN_FDS=1", "LISTEN_PID=2",
                        "LISTEN_FDNAMES=a", "WATCHDOG_USEC=1", "WATCHDOG_PID=2",
                        "CREDENTIALS_DIRECTORY=/y", "JOURNAL_STREAM=1:2", "SSH_ASKPASS_PROMPT=none",
                        "FACTORD_CHALLENGE=YC1", "LISTENER=me", "WATCHDOGS=2", NULL};
        _cleanup_(environment_freep) char **confirm = NULL, **typed = NULL, **empty = NULL;

        assert_int_equal(helper_environment(ours, "YC2", false, &confirm), 0);
        assert_int_equal(environment_count(confirm), 5);
        assert_true(environment_has(confirm, "DISPLAY=:0"));
        assert_true(environment_has(confirm, "LISTENER=me"));
        assert_true(environment_has(confirm, "WATCHDOGS=2"));
        assert_true(environment_has(confirm, "FACTORD_CHALLENGE=YC2"));
        assert_true(environment_has(confirm, "SSH_ASKPASS_PROMPT=confirm"));

        assert_int_equal(helper_environment(ours, "YC2", true, &typed), 0);
        assert_int_equal(environment_count(typed), 4);
        assert_false(environment_has(typed, "SSH_ASKPASS_PROMPT=confirm"));

        assert_int_equal(helper_environment(NULL, "YC2", false, &empty), 0);
        assert_int_equal(environment_count(empty), 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_text),
                        cmocka_unit_test(test_bare),
                        cmocka_unit_test(test_typed),
                        cmocka_unit_test(test_hostile),
                        cmocka_unit_test(test_yes),
                        cmocka_unit_test(test_what_was_typed),
                        cmocka_unit_test(test_environment),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
