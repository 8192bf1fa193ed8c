/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/backoff.h"

#define FIRST (250 * USEC_PER_MSEC)
#define MAX (30 * USEC_PER_SEC)

/* Never less than half of the doubled span, never more than the span, whatever the dice say. */
static void test_doubles_to_a_ceiling(void **state) {
        usec_t span = FIRST;

        for (unsigned n = 1; n < 20; n++) {
                for (unsigned i = 0; i < 200; i++) {
                        usec_t delay = backoff_delay(FIRST, MAX, n, 0);
                        assert_in_range(delay, span / 2, span);
                }
                span = span * 2 > MAX ? MAX : span * 2;
        }
        assert_in_range(backoff_delay(FIRST, MAX, UINT32_MAX, 0), MAX / 2, MAX);
}

static void test_is_spread(void **state) {
        usec_t low = USEC_INFINITY, high = 0;

        for (unsigned i = 0; i < 1000; i++) {
                usec_t delay = backoff_delay(FIRST, MAX, 5, 0);
                low = delay < low ? delay : low;
                high = delay > high ? delay : high;
        }
        /* The half that is left to chance is used, nearly whole. */
        assert_true(high - low > 16 * FIRST / 2 * 9 / 10);
}

static void test_the_server_knows_better(void **state) {
        assert_int_equal(backoff_delay(FIRST, MAX, 1, 5 * USEC_PER_SEC), 5 * USEC_PER_SEC);
        assert_int_equal(backoff_delay(FIRST, MAX, 1, 2 * MAX), 2 * MAX);
        /* But it can't make us hurry. */
        assert_true(backoff_delay(FIRST, MAX, 9, 1) >= MAX / 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_doubles_to_a_ceiling),
                        cmocka_unit_test(test_is_spread),
                        cmocka_unit_test(test_the_server_knows_better),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
