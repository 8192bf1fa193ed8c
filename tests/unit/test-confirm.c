/* SPDX-License-Identifier: Apache-2.0 */
/* What has to be typed to approve, and what counts as it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/confirm.h"

#define LABEL "Number"

static DetailField fields[] = {
                {(char *) "Where", (char *) "Berlin"},
                {(char *) LABEL, (char *) "42"},
                {(char *) "number", (char *) "17"},
                {(char *) LABEL, (char *) "43"},
                {(char *) "Empty", (char *) ""},
};

static ChallengeView view_of(size_t n) {
        return (ChallengeView){
                        .sid = "YC0123456789abcdef0123456789ab12cd",
                        .fields = fields,
                        .n_fields = n,
        };
}

static void test_kind(void **state) {
        ChallengeView one = view_of(3), none = view_of(1), twice = view_of(4), bare = view_of(0);
        ChallengeView all = view_of(5);

        assert_int_equal(confirm_kind(&one, NULL, false), CONFIRM_NONE);
        assert_int_equal(confirm_kind(&one, NULL, true), CONFIRM_SID);
        for (int cooling = 0; cooling <= 1; cooling++) {
                assert_int_equal(confirm_kind(&one, LABEL, cooling), CONFIRM_FIELD);
                assert_int_equal(confirm_kind(&none, LABEL, cooling), CONFIRM_NEVER);
                assert_int_equal(confirm_kind(&bare, LABEL, cooling), CONFIRM_NEVER);
                assert_int_equal(confirm_kind(&twice, LABEL, cooling), CONFIRM_NEVER);
                assert_int_equal(confirm_kind(&all, "Empty", cooling), CONFIRM_NEVER);
                assert_int_equal(confirm_kind(&all, "NUMBER", cooling), CONFIRM_NEVER);
        }
}

static void test_fits(void **state) {
        static const char *const wrong[] = {NULL, "", "4", "422", " 42", "42 ", "43", "17"};
        static const char *const wrong_sids[] = {NULL, "", "2cd", "12CD", "b12cd", "12ce", "YC01"};
        ChallengeView v = view_of(3), twice = view_of(4);

        assert_true(confirm_fits(CONFIRM_NONE, &v, NULL, NULL));
        assert_true(confirm_fits(CONFIRM_NONE, &v, NULL, "whatever"));
        assert_true(confirm_fits(CONFIRM_FIELD, &v, LABEL, "42"));
        for (size_t i = 0; i < ELEMENTSOF(wrong); i++)
                assert_false(confirm_fits(CONFIRM_FIELD, &v, LABEL, wrong[i]));
        assert_true(confirm_fits(CONFIRM_SID, &v, NULL, "12cd"));
        for (size_t i = 0; i < ELEMENTSOF(wrong_sids); i++)
                assert_false(confirm_fits(CONFIRM_SID, &v, NULL, wrong_sids[i]));
        assert_false(confirm_fits(CONFIRM_NEVER, &twice, LABEL, "42"));
        assert_false(confirm_fits(CONFIRM_NEVER, &twice, LABEL, "43"));
        assert_false(confirm_fits(CONFIRM_NEVER, &v, LABEL, NULL));
        assert_false(confirm_fits(_CONFIRM_MAX, &v, LABEL, "42"));
}

static void test_words(void **state) {
        assert_string_equal(confirm_to_string(CONFIRM_NONE), "none");
        assert_string_equal(confirm_to_string(CONFIRM_SID), "sid");
        assert_string_equal(confirm_to_string(CONFIRM_FIELD), "field");
        assert_string_equal(confirm_to_string(CONFIRM_NEVER), "never");
        assert_null(confirm_to_string(_CONFIRM_MAX));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_kind),
                        cmocka_unit_test(test_fits),
                        cmocka_unit_test(test_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
