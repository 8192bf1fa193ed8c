/* SPDX-License-Identifier: Apache-2.0 */
/* When prompts are too many, and when it is over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/budget.h"
#include "daemon/config-parse.h"

static const BudgetLimit three = {.n = 3, .span = 100};

/* The one too many begins it: at the instant the clock begins, too. */
static void test_one_too_many(void **state) {
        Budget b = {0};

        for (usec_t t = 0; t < 3; t++) {
                assert_false(budget_is_spent(&b, &three, t));
                assert_false(budget_add(&b, &three, t));
        }
        assert_true(budget_is_spent(&b, &three, 3));
        assert_true(budget_add(&b, &three, 3));
        assert_true(b.cooling);
        assert_int_equal(budget_until(&b, &three), 103);
        budget_done(&b);
        assert_false(b.cooling);
}

/* One is forgotten when the span is over, not before. */
static void test_span(void **state) {
        static const struct {
                usec_t at;
                bool begins;
        } cases[] = {{99, true}, {100, false}, {101, false}};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Budget b = {0};
                for (int n = 0; n < 3; n++)
                        assert_false(budget_add(&b, &three, n == 0 ? 0 : 50));
                assert_int_equal(budget_is_spent(&b, &three, cases[i].at), cases[i].begins);
                assert_int_equal(budget_add(&b, &three, cases[i].at), cases[i].begins);
                budget_done(&b);
        }
}

/* Just as many as may come, for ever. */
static void test_steady(void **state) {
        Budget b = {0};
        usec_t t = 0;

        for (int i = 0; i < 1000; i++, t += 34)
                assert_false(budget_add(&b, &three, t));
        for (int i = 0; i < 3; i++)
                (void) budget_add(&b, &three, t);
        assert_true(b.cooling);
        budget_done(&b);
}

/* It lasts until the span is over without another one, and is told of once. */
static void test_cool_down(void **state) {
        Budget b = {0};
        unsigned n = 0;

        for (usec_t t = 0; t < 1000; t += 10)
                n += budget_add(&b, &three, t);
        assert_int_equal(n, 1);
        assert_int_equal(budget_until(&b, &three), 1090);
        assert_false(budget_pass(&b, &three, 1089));
        assert_true(b.cooling);
        /* One more prolongs it. */
        assert_false(budget_is_spent(&b, &three, 1089));
        assert_false(budget_add(&b, &three, 1089));
        assert_false(budget_pass(&b, &three, 1188));
        assert_true(budget_pass(&b, &three, 1189));
        assert_false(budget_pass(&b, &three, 1190));
        assert_false(b.cooling);
        /* Then all begins anew. */
        for (usec_t t = 1190; t < 1193; t++)
                assert_false(budget_add(&b, &three, t));
        assert_true(budget_add(&b, &three, 1193));
        budget_done(&b);
}

static void test_one(void **state) {
        const BudgetLimit one = {.n = 1, .span = 1};
        Budget b = {0};

        assert_false(budget_add(&b, &one, 7));
        assert_false(budget_add(&b, &one, 8));
        assert_true(budget_add(&b, &one, 8));
        assert_true(budget_pass(&b, &one, 9));
        budget_done(&b);
}

/* The largest budget that the configuration takes: memory for what came, and none afterwards. */
static void test_memory(void **state) {
        const BudgetLimit huge = {.n = CONFIG_BUDGET_MAX, .span = USEC_PER_DAY};
        Budget b = {0};

        assert_null(b.times);
        assert_false(budget_add(&b, &huge, 1));
        assert_true(b.allocated <= 8);
        for (usec_t t = 2; t <= CONFIG_BUDGET_MAX; t++)
                assert_false(budget_add(&b, &huge, t));
        assert_int_equal(b.n, CONFIG_BUDGET_MAX);
        assert_int_equal(b.allocated, CONFIG_BUDGET_MAX);
        assert_true(budget_add(&b, &huge, CONFIG_BUDGET_MAX + 1));
        assert_null(b.times);
        assert_true(budget_pass(&b, &huge, USEC_INFINITY));

        for (usec_t t = 0; t < 100; t++)
                assert_false(budget_add(&b, &huge, t));
        assert_false(budget_pass(&b, &huge, USEC_PER_DAY + 98));
        assert_int_equal(b.n, 1);
        assert_false(budget_pass(&b, &huge, USEC_PER_DAY + 99));
        assert_null(b.times);
        budget_done(&b);
}

/* The ring goes round, and grows while it has. */
static void test_ring(void **state) {
        const BudgetLimit limit = {.n = 20, .span = 100};
        Budget b = {0};
        usec_t t = 0;

        for (int i = 0; i < 50; i++, t += 13)
                assert_false(budget_add(&b, &limit, t));
        for (size_t left = 20 - b.n; left > 0; left--)
                assert_false(budget_add(&b, &limit, t - 13));
        assert_true(budget_is_spent(&b, &limit, t - 13));
        assert_int_equal(b.n, 20);
        budget_done(&b);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_one_too_many),
                        cmocka_unit_test(test_span),
                        cmocka_unit_test(test_steady),
                        cmocka_unit_test(test_cool_down),
                        cmocka_unit_test(test_one),
                        cmocka_unit_test(test_memory),
                        cmocka_unit_test(test_ring),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
