/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/backoff.h"

#define FIRST (250 * USEC_PER_MSEC)
#define MAX (30 * USEC_PER_SEC)

/* Never less than a tenth of the first span, never more than the doubled one, whatever the dice
 * say. */
static void test_doubles_to_a_ceiling(void **state) {
        usec_t span = FIRST;

        for (unsigned n = 1; n < 20; n++) {
                for (unsigned i = 0; i < 200; i++)
                        assert_in_range(backoff_delay(FIRST, MAX, n, 0), FIRST / BACKOFF_FLOOR,
                                        span);
                span = span * 2 > MAX ? MAX : span * 2;
        }
        assert_in_range(backoff_delay(FIRST, MAX, UINT32_MAX, 0), FIRST / BACKOFF_FLOOR, MAX);
}

/* All of the span is used: each tenth of it as often as the others, nearly. */
static void test_full_jitter(void **state) {
        unsigned tenths[10] = {0};
        usec_t ceiling = 16 * FIRST;

        for (unsigned i = 0; i < 10000; i++)
                tenths[backoff_delay(FIRST, MAX, 5, 0) * 10 / (ceiling + 1)]++;
        for (unsigned i = 0; i < 10; i++)
                assert_in_range(tenths[i], 700, 1300);
}

static void test_the_server_knows_better(void **state) {
        assert_int_equal(backoff_delay(FIRST, MAX, 1, 5 * USEC_PER_SEC), 5 * USEC_PER_SEC);
        assert_int_equal(backoff_delay(FIRST, MAX, 1, 2 * MAX), 2 * MAX);
        assert_int_equal(backoff_delay(FIRST, MAX, 9, 1), 1);
}

static void test_random_span(void **state) {
        usec_t low = USEC_INFINITY, high = 0;

        assert_int_equal(random_span(0), 0);
        for (unsigned i = 0; i < 1000; i++) {
                usec_t s = random_span(USEC_PER_DAY * 365);
                low = s < low ? s : low;
                high = s > high ? s : high;
        }
        assert_true(low < USEC_PER_DAY * 36 && high > USEC_PER_DAY * 329 &&
                        high <= USEC_PER_DAY * 365);
        assert_true(random_span(USEC_INFINITY) > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_doubles_to_a_ceiling),
                        cmocka_unit_test(test_full_jitter),
                        cmocka_unit_test(test_the_server_knows_better),
                        cmocka_unit_test(test_random_span),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
