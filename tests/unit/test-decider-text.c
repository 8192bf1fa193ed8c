/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "daemon/decider-text.h"

static void assert_word(const char *text, size_t len, int expected) {
        Verb verb = VERB_ASK;
        int r = decider_word(text, len, &verb);

        if (expected < 0 ? r != -EINVAL : r != 0 || (int) verb != expected)
                fail_msg("\"%s\" is %d, not %d", text, r < 0 ? r : (int) verb, expected);
}

/* One word, and one newline or none. */
static void test_word(void **state) {
        static const struct {
                const char *text;
                int verb;
        } words[] = {
                        {"approve", VERB_APPROVE},
                        {"approve\n", VERB_APPROVE},
                        {"deny\n", VERB_DENY},
                        {"ask", VERB_ASK},
                        {"ignore\n", VERB_IGNORE},
                        {"", -EINVAL},
                        {"\n", -EINVAL},
                        {"approve\n\n", -EINVAL},
                        {"\napprove", -EINVAL},
                        {" approve", -EINVAL},
                        {"approve ", -EINVAL},
                        {"approve\r\n", -EINVAL},
                        {"approve approve", -EINVAL},
                        {"approve\napprove", -EINVAL},
                        {"Approve", -EINVAL},
                        {"approv", -EINVAL},
                        {"approved", -EINVAL},
                        {"\"approve\"", -EINVAL},
                        {"{\"result\":\"approve\"}", -EINVAL},
                        {"\xef\xbb\xbf"
                         "approve",
                                        -EINVAL},
                        {"0", -EINVAL},
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                assert_word(words[i].text, strlen(words[i].text), words[i].verb);
        assert_word("approve\0", 8, -EINVAL);
        assert_word("approve\0deny", 12, -EINVAL);
        assert_word("\0approve", 8, -EINVAL);
        assert_word("approvexyz", 7, VERB_APPROVE); /* nothing is read past the end */
}

/* No answer is longer than it may be. */
static void test_length(void **state) {
        char text[3 * DECIDER_ANSWER_MAX];

        memset(text, 'a', sizeof(text));
        for (size_t n = 1; n <= sizeof(text); n++)
                assert_word(text, n, -EINVAL);
}

/* All of it, in one line, hidden details as they came. */
static void test_question(void **state) {
        char message[] = "Wire \"10\" EUR\n", label[] = "To", value[] = "\xc3\xa4\xe2\x80\xae";
        char factor[] = "ci", identity[] = "a-001";
        char hidden[] = "{\"n\":\n 1.50,\r\"big\": 123456789012345678901234567890}";
        DetailField fields[] = {{label, value}};
        ChallengeView v = {
                        .sid = "YC0123",
                        .factor = factor,
                        .identity = identity,
                        .message = message,
                        .fields = fields,
                        .n_fields = 1,
                        .hidden_details = hidden,
                        .created = 1767614400 * USEC_PER_SEC,
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ char *text = NULL;

        assert_int_equal(decider_question(&v, "asks", &text), 0);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        assert_int_equal(json_doc_parse(&doc, text, strlen(text), NULL), 0);
        assert_non_null(strstr(
                        text, "{\"schema\":1,\"rule\":\"asks\",\"challenge\":{\"sid\":\"YC0123\""));
        assert_non_null(
                        strstr(text, "\"hidden_details\":{\"n\":  1.50, \"big\": "
                                     "123456789012345678901234567890}"));
        assert_non_null(strstr(text, "\"message\":\"Wire \\\"10\\\" EUR\\n\""));
        assert_non_null(strstr(text, "{\"label\":\"To\",\"value\":\"\xc3\xa4\xe2\x80\xae\"}"));
        assert_non_null(strstr(text, "\"created\":\"2026-01-05T12:00:00Z\""));
        assert_null(strstr(text, "confirm"));
}

/* A code's challenge. */
static void test_bare(void **state) {
        ChallengeView v = {.factor_type = FACTOR_TOTP};
        _cleanup_free_ char *text = NULL;

        assert_int_equal(decider_question(&v, "asks", &text), 0);
        assert_non_null(strstr(text, "\"factor_type\":\"totp\""));
        assert_non_null(strstr(text, "\"message\":null,\"fields\":[],\"hidden_details\":null"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_word),
                        cmocka_unit_test(test_length),
                        cmocka_unit_test(test_question),
                        cmocka_unit_test(test_bare),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
