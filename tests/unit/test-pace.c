/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "daemon/pace.h"

#define NOW (1000 * USEC_PER_SEC)

/* How many requests leave in `span` when one goes whenever it may. */
static unsigned run(Pace *p, usec_t now, usec_t span) {
        unsigned n = 0;

        for (usec_t t = now; t < now + span;) {
                if (pace_budget_ready(p) > t) {
                        t = pace_budget_ready(p);
                        continue;
                }
                pace_take(p, t);
                n++;
        }
        return n;
}

static void test_budget(void **state) {
        static const unsigned rates[] = {1, 2, 9, 10, 50, 1000, 100000};

        for (size_t i = 0; i < ELEMENTSOF(rates); i++) {
                Pace p;
                pace_init(&p, rates[i]);
                unsigned first = run(&p, NOW, USEC_PER_SEC);
                /* A burst is a tenth of a second's worth at most. */
                assert_in_range(first, rates[i], rates[i] + rates[i] / PACE_BURST);
                assert_in_range(run(&p, NOW + USEC_PER_SEC, 10 * USEC_PER_SEC), 10 * rates[i] - 1,
                                10 * rates[i] + 1);
        }
}

static void test_no_budget(void **state) {
        Pace p;

        pace_init(&p, 0);
        for (unsigned i = 0; i < 1000; i++)
                pace_take(&p, NOW);
        assert_true(pace_budget_ready(&p) <= NOW);
}

/* Rest is not saved up: after a pause no more than the burst goes at once. */
static void test_rest_is_not_saved(void **state) {
        Pace p;

        pace_init(&p, 50);
        assert_in_range(run(&p, NOW + USEC_PER_HOUR, USEC_PER_SEC), 50, 55);
}

/* What had to go at once (a retry after 401) is paid back. */
static void test_debt(void **state) {
        Pace p;

        pace_init(&p, 10);
        for (unsigned i = 0; i < 20; i++)
                pace_take(&p, NOW);
        assert_int_equal(pace_budget_ready(&p), NOW + 19 * USEC_PER_SEC / 10);
}

static void test_pauses_grow_and_end(void **state) {
        usec_t now = NOW, longest = 0;
        Pace p;

        pace_init(&p, 50);
        for (unsigned i = 1; i <= 20; i++) {
                assert_true(pace_failed(&p, now, now, 0, false));
                assert_int_equal(p.n_failures, i);
                assert_in_range(pace_poll_ready(&p), now + PACE_BACKOFF_FIRST / 10,
                                now + PACE_BACKOFF_MAX);
                longest = pace_poll_ready(&p) - now > longest ? pace_poll_ready(&p) - now : longest;
                now = pace_poll_ready(&p);
        }
        assert_true(longest > PACE_BACKOFF_MAX / 4);
        pace_passed(&p);
        assert_int_equal(p.n_failures, 0);
        assert_int_equal(pace_poll_ready(&p), 0);
}

/* Thirty requests that fail together say no more than one. */
static void test_together_counts_once(void **state) {
        Pace p;

        pace_init(&p, 50);
        for (unsigned i = 0; i < 30; i++)
                assert_int_equal(pace_failed(&p, NOW, NOW + USEC_PER_SEC + i, 0, false), i == 0);
        assert_int_equal(p.n_failures, 1);
        assert_true(pace_failed(&p, NOW + 2 * USEC_PER_SEC, NOW + 3 * USEC_PER_SEC, 0, false));
}

static void test_server_asks(void **state) {
        Pace p;

        pace_init(&p, 50);
        assert_true(pace_failed(&p, NOW, NOW, 7 * USEC_PER_SEC, false));
        assert_int_equal(pace_poll_ready(&p), NOW + 7 * USEC_PER_SEC);
        /* A shorter word that comes later does not take back a longer one. */
        assert_false(pace_failed(&p, NOW, NOW + 1, USEC_PER_SEC, false));
        assert_int_equal(pace_poll_ready(&p), NOW + 7 * USEC_PER_SEC);
        /* Nor do a success that was under way, or somebody's haste. */
        pace_passed(&p);
        pace_hurry(&p);
        assert_int_equal(pace_poll_ready(&p), NOW + 7 * USEC_PER_SEC);
}

static void test_hurry(void **state) {
        Pace p;

        pace_init(&p, 50);
        (void) pace_failed(&p, NOW, NOW, 0, false);
        assert_true(pace_poll_ready(&p) > NOW);
        pace_hurry(&p);
        assert_true(pace_poll_ready(&p) <= NOW);
        /* The next failure goes on counting. */
        assert_true(pace_failed(&p, NOW + 1, NOW + 1, 0, false));
        assert_int_equal(p.n_failures, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_budget),
                        cmocka_unit_test(test_no_budget),
                        cmocka_unit_test(test_rest_is_not_saved),
                        cmocka_unit_test(test_debt),
                        cmocka_unit_test(test_pauses_grow_and_end),
                        cmocka_unit_test(test_together_counts_once),
                        cmocka_unit_test(test_server_asks),
                        cmocka_unit_test(test_hurry),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
