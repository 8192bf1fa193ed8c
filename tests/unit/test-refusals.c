/* SPDX-License-Identifier: Apache-2.0 */
/* How many refusals are recorded, whoever asks for them and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/refusals.h"

#define START (7 * USEC_PER_HOUR)

static RefusalCount left[REFUSALS_OF_ALL + 1];

static unsigned take(Refusals *r, uid_t uid, unsigned n, usec_t now) {
        unsigned recorded = 0;

        for (unsigned i = 0; i < n; i++)
                recorded += refusals_take(r, uid, now);
        return recorded;
}

static void test_few(void **state) {
        Refusals r = {0};
        usec_t span;

        assert_int_equal(refusals_end(&r, START, left, &span), 0);
        assert_int_equal(take(&r, 1, REFUSALS_OF_UID, START), REFUSALS_OF_UID);
        assert_int_equal(take(&r, 2, 1, START), 1);
        assert_int_equal(r.end, START + REFUSALS_WINDOW);
        assert_int_equal(refusals_end(&r, START + REFUSALS_WINDOW - 1, left, &span), 0);
        assert_int_equal(take(&r, 2, 1, START), 1);
        assert_int_equal(refusals_end(&r, START + REFUSALS_WINDOW, left, &span), 0);
        assert_int_equal(r.end, 0);
        assert_int_equal(take(&r, 1, 1, START + REFUSALS_WINDOW), 1);
}

static void test_one_uid(void **state) {
        Refusals r = {0};
        usec_t span;

        assert_int_equal(take(&r, 1, 1000, START), REFUSALS_OF_UID);
        assert_int_equal(take(&r, 2, 2, START), 2); /* others are recorded all the same */
        assert_int_equal(refusals_end(&r, START + REFUSALS_WINDOW, left, &span), 1);
        assert_int_equal(left[0].uid, 1);
        assert_int_equal(left[0].left_out, 1000 - REFUSALS_OF_UID);
        assert_int_equal(span, REFUSALS_WINDOW);
}

/* Somebody who has many uids. */
static void test_many_uids(void **state) {
        unsigned recorded = 0;
        Refusals r = {0};
        usec_t span;
        size_t n;

        for (uid_t uid = 0; uid < 10000; uid++)
                recorded += take(&r, uid, 1, START);
        assert_int_equal(recorded, REFUSALS_OF_ALL);
        n = refusals_end(&r, START + REFUSALS_WINDOW, left, &span);
        assert_int_equal(n, 1);
        assert_int_equal(left[0].uid, (uid_t) -1);
        assert_int_equal(left[0].left_out, 10000 - REFUSALS_OF_ALL);
}

/* A day of it: few records, every refusal counted, and a quiet window ends the long ones. */
static void test_a_day(void **state) {
        uint64_t asked = 0, counted = 0;
        size_t records = 0, n;
        Refusals r = {0};
        usec_t span, t;

        for (t = START; t < START + USEC_PER_DAY; t += USEC_PER_SEC) {
                n = refusals_end(&r, t, left, &span);
                records += n;
                for (size_t i = 0; i < n; i++)
                        counted += left[i].left_out;
                for (uid_t uid = 0; uid < 20; uid++, asked++)
                        if (refusals_take(&r, uid, t)) {
                                records++;
                                counted++;
                        }
        }
        n = refusals_end(&r, USEC_INFINITY, left, &span);
        assert_int_equal(span, REFUSALS_WINDOW_MAX);
        for (size_t i = 0; i < n; i++)
                counted += left[i].left_out;
        assert_int_equal(counted, asked);
        assert_true(records < 30 * (2 * REFUSALS_OF_ALL + 1));

        assert_int_equal(take(&r, 1, 1, t), 1);
        assert_int_equal(r.window, REFUSALS_WINDOW_MAX);
        assert_int_equal(refusals_end(&r, t + REFUSALS_WINDOW_MAX, left, &span), 0);
        assert_int_equal(r.window, REFUSALS_WINDOW);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_few),
                        cmocka_unit_test(test_one_uid),
                        cmocka_unit_test(test_many_uids),
                        cmocka_unit_test(test_a_day),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
