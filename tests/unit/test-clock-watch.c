/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/clock-watch.h"

#define S USEC_PER_SEC
#define START                                                                                      \
        ((ClockTimes){.realtime = 1800000000 * S, .boottime = 5000 * S, .monotonic = 4000 * S})

/* After so much time awake and asleep, with the wall clock set by so much. */
static ClockTimes later(ClockTimes t, usec_t awake, usec_t asleep, int64_t set) {
        t.monotonic += awake;
        t.boottime += awake + asleep;
        t.realtime += awake + asleep + (usec_t) set;
        return t;
}

static ClockChange step(ClockTimes *last, ClockTimes *t, usec_t awake, usec_t asleep, int64_t set) {
        *t = later(*t, awake, asleep, set);
        return clock_times_compare(last, t);
}

#define assert_change(change, by, how_long)                                                        \
        do {                                                                                       \
                ClockChange _c = (change);                                                         \
                assert_int_equal(_c.jumped, by);                                                   \
                assert_int_equal(_c.slept, how_long);                                              \
        } while (false)

static void test_nothing(void **state) {
        ClockTimes last = START, t = START;

        assert_change(clock_times_compare(&last, &t), 0, 0);
        for (int i = 0; i < 1000; i++)
                assert_change(step(&last, &t, 3600 * S, 0, 0), 0, 0);
}

static void test_jump(void **state) {
        ClockTimes last = START, t = START;

        assert_change(step(&last, &t, 60 * S, 0, 3600 * (int64_t) S), 3600 * (int64_t) S, 0);
        /* Said once. */
        assert_change(step(&last, &t, 60 * S, 0, 0), 0, 0);
        assert_change(step(&last, &t, 0, 0, -3600 * (int64_t) S), -3600 * (int64_t) S, 0);
        assert_change(step(&last, &t, 60 * S, 0, 0), 0, 0);
        /* To 1970 and back. */
        assert_change(step(&last, &t, S, 0, -1700000000 * (int64_t) S), -1700000000 * (int64_t) S,
                        0);
        assert_change(step(&last, &t, S, 0, 1700000000 * (int64_t) S), 1700000000 * (int64_t) S, 0);
}

static void test_sleep(void **state) {
        ClockTimes last = START, t = START;

        assert_change(step(&last, &t, 10 * S, 8 * USEC_PER_HOUR, 0), 0, 8 * USEC_PER_HOUR);
        assert_change(step(&last, &t, 60 * S, 0, 0), 0, 0);
        /* A wall clock that stood still in a sleep, or that was set at its end. */
        assert_change(step(&last, &t, S, USEC_PER_HOUR, -(int64_t) USEC_PER_HOUR),
                        -(int64_t) USEC_PER_HOUR, USEC_PER_HOUR);
        assert_change(step(&last, &t, 60 * S, 0, 0), 0, 0);
}

/* What is too small to tell adds up. */
static void test_small(void **state) {
        ClockTimes last = START, t = START;

        assert_change(step(&last, &t, S, 0, (int64_t) S - 1), 0, 0);
        assert_change(step(&last, &t, S, 0, 0), 0, 0);
        assert_change(step(&last, &t, S, 0, 1), (int64_t) S, 0);
        assert_change(step(&last, &t, S, 0, -(int64_t) S + 1), 0, 0);
        assert_change(step(&last, &t, S, 0, (int64_t) S - 1), 0, 0);
        assert_change(step(&last, &t, S, S - 1, 0), 0, 0);
        assert_change(step(&last, &t, S, 1, 0), 0, S);
        assert_change(step(&last, &t, S, 0, 0), 0, 0);
}

/* The real clocks stand in the same order all the time. */
static void test_watch(void **state) {
        ClockWatchHandler handler = {0};
        ClockWatch *w = NULL;
        sd_event *event = NULL;

        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(clock_watch_new(&w, event, &handler), 0);
        assert_true(sd_event_run(event, 0) >= 0);
        assert_null(clock_watch_free(w));
        assert_null(clock_watch_free(NULL));
        sd_event_unref(event);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_nothing),
                        cmocka_unit_test(test_jump),
                        cmocka_unit_test(test_sleep),
                        cmocka_unit_test(test_small),
                        cmocka_unit_test(test_watch),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
