/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/clock.h"

#define S USEC_PER_SEC
#define WALL (1800000000 * S) /* local wall time at the start */
#define BOOT (5000 * S)       /* boot time then */

static ServerClock clock_new(void) {
        ServerClock c;

        server_clock_init(&c, WALL, BOOT);
        return c;
}

/* A reply after `at` seconds of a server that is `skew` ahead, over a line that takes `trip` both
 * ways alike. */
static bool reply(ServerClock *c, usec_t at, int64_t skew, usec_t trip) {
        usec_t there = (usec_t) ((int64_t) (WALL + at) + skew);

        return server_clock_observe(c, there / S * S, BOOT + at - trip / 2, BOOT + at + trip / 2);
}

static int64_t error_after(const ServerClock *c, usec_t at, int64_t skew) {
        return (int64_t) (server_clock_now(c, BOOT + at) - (WALL + at)) - skew;
}

#define assert_near(value, limit)                                                                  \
        do {                                                                                       \
                int64_t _v = (value);                                                              \
                assert_true(_v <= (int64_t) (limit) && _v >= -(int64_t) (limit));                  \
        } while (false)

static void test_unheard(void **state) {
        ServerClock c = clock_new();

        assert_false(c.heard);
        assert_int_equal(server_clock_now(&c, BOOT), WALL);
        assert_int_equal(server_clock_now(&c, BOOT + 7), WALL + 7);
        assert_int_equal(server_clock_now(&c, BOOT - 7), WALL - 7);
        assert_int_equal(server_clock_offset(&c, WALL, BOOT), 0);
        /* The local wall clock is set forward by an hour. */
        assert_int_equal(server_clock_offset(&c, WALL + 3600 * S, BOOT), -(int64_t) (3600 * S));
}

static void test_wall_clock_behind_boot(void **state) {
        ServerClock c;

        server_clock_init(&c, 10 * S, BOOT);
        assert_int_equal(server_clock_now(&c, BOOT), 10 * S);
        assert_int_equal(server_clock_now(&c, BOOT + S), 11 * S);

        assert_false(server_clock_observe(&c, WALL, BOOT, BOOT));
        assert_true(server_clock_observe(&c, WALL + S, BOOT + S, BOOT + S));
        assert_int_equal(server_clock_now(&c, BOOT), WALL + S / 2);
}

/* Whatever the fraction of the second: a server that is right changes nothing. */
static void test_right_clock(void **state) {
        for (usec_t at = 0; at < 3 * S; at += 12347) {
                ServerClock c = clock_new();

                assert_false(reply(&c, at, 0, 80 * USEC_PER_MSEC));
                assert_true(c.heard);
                assert_int_equal(c.base, WALL - BOOT);
                assert_false(reply(&c, at, (int64_t) S, 0));
                assert_false(reply(&c, at, -(int64_t) S, 0));
                assert_int_equal(c.base, WALL - BOOT);
        }
}

static void test_tolerance(void **state) {
        ServerClock c = clock_new();
        int64_t skew = -(int64_t) (4 * S);

        /* Over ten seconds there and back, four seconds are within what the line may do. */
        assert_false(reply(&c, 0, skew, 10 * S));
        assert_int_equal(c.base, WALL - BOOT);
        assert_true(reply(&c, S, skew, S));
        assert_near(error_after(&c, S, skew), S / 2);

        /* The edges, to the microsecond: a second before the Date, two after it. */
        c = clock_new();
        assert_false(server_clock_observe(&c, WALL, BOOT - S, BOOT - S));
        assert_false(server_clock_observe(&c, WALL, BOOT + 2 * S, BOOT + 2 * S));
        assert_int_equal(c.base, WALL - BOOT);
        c = clock_new();
        (void) server_clock_observe(&c, WALL, BOOT - S - 1, BOOT - S - 1);
        assert_int_not_equal(c.base, WALL - BOOT);
        c = clock_new();
        (void) server_clock_observe(&c, WALL, BOOT + 2 * S + 1, BOOT + 2 * S + 1);
        assert_int_not_equal(c.base, WALL - BOOT);
}

/* A server that keeps its time moves ours once at most, whatever fractions its Dates cut. */
static void test_stable(void **state) {
        for (int64_t skew = -25 * (int64_t) S; skew <= 25 * (int64_t) S; skew += 1300001) {
                ServerClock c = clock_new();
                int changes = 0;

                for (usec_t at = 0; at < 5 * S; at += 333333)
                        changes += reply(&c, at, skew, 100 * USEC_PER_MSEC);
                assert_true(changes <= 1);
                assert_int_equal(changes == 0, c.base == WALL - BOOT);
                assert_near(error_after(&c, 9 * S, skew), changes > 0 ? S : 2 * S);
        }
}

static void test_small_change(void **state) {
        ServerClock c = clock_new();

        assert_true(reply(&c, 0, 20 * (int64_t) S, 0));
        assert_true(c.heard);
        assert_near(error_after(&c, 0, 20 * (int64_t) S), S / 2);
        assert_near(server_clock_offset(&c, WALL, BOOT) - 20 * (int64_t) S, S / 2);

        assert_true(reply(&c, 60 * S, -5 * (int64_t) S, 0));
        assert_near(error_after(&c, 60 * S, -5 * (int64_t) S), S / 2);
}

static void test_large_change(void **state) {
        static const int64_t skews[] = {
                        600 * (int64_t) S, -600 * (int64_t) S, -1700000000 * (int64_t) S};

        for (size_t i = 0; i < ELEMENTSOF(skews); i++) {
                ServerClock c = clock_new();

                assert_false(reply(&c, 0, skews[i], 0));
                assert_false(c.heard);
                assert_int_equal(server_clock_now(&c, BOOT), WALL);
                assert_true(reply(&c, 10 * S, skews[i] + 2 * (int64_t) S, 0));
                assert_true(c.heard);
                assert_false(c.has_candidate);
                assert_near(error_after(&c, 10 * S, skews[i] + 2 * (int64_t) S), S / 2);
        }
}

static void test_large_change_wants_agreement(void **state) {
        ServerClock c = clock_new();

        /* Two servers that contradict each other, and neither us. */
        assert_false(reply(&c, 0, 600 * (int64_t) S, 0));
        assert_false(reply(&c, 1 * S, 605 * (int64_t) S, 0));
        assert_false(reply(&c, 2 * S, -600 * (int64_t) S, 0));
        assert_int_equal(c.base, WALL - BOOT);
        /* A reply that agrees with us ends what was waiting. */
        assert_false(reply(&c, 3 * S, 0, 0));
        assert_true(c.heard);
        assert_false(reply(&c, 4 * S, -600 * (int64_t) S, 0));
        assert_int_equal(c.base, WALL - BOOT);
        assert_true(reply(&c, 5 * S, -600 * (int64_t) S, 0));
        assert_near(error_after(&c, 5 * S, -600 * (int64_t) S), S / 2);
}

/* Not for ever: a Date that nobody ever confirms must not keep codes back. */
static void test_settling(void **state) {
        ServerClock c = clock_new();

        assert_false(server_clock_is_settling(&c, BOOT));
        assert_false(reply(&c, 0, 600 * (int64_t) S, 0));
        assert_true(server_clock_is_settling(&c, BOOT));
        assert_true(server_clock_is_settling(&c, BOOT + CLOCK_SETTLING_MAX - 1));
        assert_false(server_clock_is_settling(&c, BOOT + CLOCK_SETTLING_MAX));
        assert_true(reply(&c, S, 600 * (int64_t) S, 0));
        assert_false(server_clock_is_settling(&c, BOOT + S));
}

/* What a cache gives again moves no clock and agrees with none, far off or near. */
static void test_repeated_date(void **state) {
        static const int64_t skews[] = {7200 * (int64_t) S, -20 * (int64_t) S};

        for (size_t i = 0; i < ELEMENTSOF(skews); i++) {
                ServerClock c = clock_new();
                usec_t date = (usec_t) ((int64_t) WALL + skews[i]);
                int64_t base;

                (void) server_clock_observe(&c, date, BOOT, BOOT);
                base = c.base;
                for (usec_t at = 0; at < 100 * S; at += S / 4)
                        assert_false(server_clock_observe(&c, date, BOOT + at, BOOT + at));
                assert_int_equal(c.base, base);
        }

        /* Another Date does agree with the first. */
        ServerClock c = clock_new();
        assert_false(server_clock_observe(&c, WALL + 7200 * S, BOOT, BOOT));
        assert_false(server_clock_observe(&c, WALL + 7200 * S, BOOT + S / 2, BOOT + S / 2));
        assert_true(server_clock_observe(&c, WALL + 7201 * S, BOOT + S, BOOT + S));
        assert_near(error_after(&c, S, 7200 * (int64_t) S), S / 2);
}

/* A 401 and its retry are two replies. */
static void test_retry(void **state) {
        ServerClock c = clock_new();
        usec_t date = WALL - 7200 * S;

        assert_int_equal(server_clock_trial(&c, BOOT), WALL);
        assert_int_equal(server_clock_candidate(&c), 0);
        assert_false(server_clock_observe(&c, date, BOOT, BOOT));
        assert_true(c.has_candidate);
        assert_near(server_clock_candidate(&c) + 7200 * (int64_t) S, S / 2);
        /* What is signed anew takes the other time, and nothing else does. */
        assert_int_equal(server_clock_trial(&c, BOOT + S), date + S + S / 2);
        assert_int_equal(server_clock_now(&c, BOOT + S), WALL + S);
        assert_true(server_clock_observe_retry(&c, date, BOOT + S / 4, BOOT + S / 4));
        assert_true(c.heard);
        assert_false(c.has_candidate);
        assert_near(error_after(&c, S / 4, -7200 * (int64_t) S), S);
        assert_int_equal(server_clock_trial(&c, BOOT + S), server_clock_now(&c, BOOT + S));
}

/* A refusal whose Date was nonsense: the retry's reply says so. */
static void test_retry_disagrees(void **state) {
        ServerClock c = clock_new();

        assert_false(server_clock_observe(&c, WALL + 86400 * S, BOOT, BOOT));
        assert_false(server_clock_observe_retry(&c, WALL, BOOT + S / 4, BOOT + S / 4));
        assert_true(c.heard);
        assert_false(c.has_candidate);
        assert_int_equal(c.base, WALL - BOOT);
        /* Or it says a third thing. */
        assert_false(server_clock_observe(&c, WALL + 86400 * S, BOOT + S, BOOT + S));
        assert_false(server_clock_observe_retry(&c, WALL + 7200 * S, BOOT + S, BOOT + S));
        assert_true(c.has_candidate);
        assert_int_equal(c.base, WALL - BOOT);
}

/* Set before a server was heard: followed. After it: of no matter. */
static void test_local_jump(void **state) {
        ServerClock c = clock_new();

        server_clock_note_local(&c, WALL + 3600 * S, BOOT);
        assert_false(c.heard);
        assert_int_equal(server_clock_now(&c, BOOT), WALL + 3600 * S);
        assert_int_equal(server_clock_offset(&c, WALL + 3600 * S, BOOT), 0);

        /* A change that waits is the server's word, whatever the local clock does. */
        assert_false(reply(&c, 0, 0, 0));
        assert_true(c.has_candidate);
        server_clock_note_local(&c, WALL - 7200 * S, BOOT);
        assert_true(reply(&c, S, 0, 0));
        assert_near(error_after(&c, S, 0), S / 2);

        server_clock_note_local(&c, WALL + 3600 * S, BOOT);
        assert_near(error_after(&c, S, 0), S / 2);
        assert_near(server_clock_offset(&c, WALL + 3601 * S, BOOT + S) + 3600 * (int64_t) S, S / 2);
}

/* The clock is set to what the server says while its first Date waits. */
static void test_local_jump_agrees(void **state) {
        ServerClock c = clock_new();

        assert_false(reply(&c, 0, 7200 * (int64_t) S, 0));
        server_clock_note_local(&c, WALL + 7200 * S, BOOT);
        assert_false(reply(&c, S, 7200 * (int64_t) S, 0));
        assert_true(c.heard);
        assert_false(c.has_candidate);
        assert_int_equal(server_clock_offset(&c, WALL + 7200 * S, BOOT), 0);
}

/* The caller mixed up the times: taken as no time on the way. */
static void test_sent_after_received(void **state) {
        ServerClock c = clock_new();

        assert_true(server_clock_observe(&c, WALL + 10 * S, BOOT + 9 * S, BOOT));
        assert_near(error_after(&c, 0, 10 * (int64_t) S), S / 2);
}

static void test_no_wrap(void **state) {
        ServerClock c = clock_new();

        assert_false(server_clock_observe(&c, S, BOOT, BOOT));
        assert_int_equal(server_clock_trial(&c, 0), 0);
        assert_true(server_clock_observe(&c, 2 * S, BOOT + S, BOOT + S));
        assert_int_equal(server_clock_now(&c, 0), 0);
        assert_int_equal(server_clock_now(&c, BOOT + S), 2 * S + S / 2);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_unheard),
                        cmocka_unit_test(test_wall_clock_behind_boot),
                        cmocka_unit_test(test_right_clock),
                        cmocka_unit_test(test_tolerance),
                        cmocka_unit_test(test_stable),
                        cmocka_unit_test(test_small_change),
                        cmocka_unit_test(test_large_change),
                        cmocka_unit_test(test_large_change_wants_agreement),
                        cmocka_unit_test(test_settling),
                        cmocka_unit_test(test_repeated_date),
                        cmocka_unit_test(test_retry),
                        cmocka_unit_test(test_retry_disagrees),
                        cmocka_unit_test(test_local_jump),
                        cmocka_unit_test(test_local_jump_agrees),
                        cmocka_unit_test(test_sent_after_received),
                        cmocka_unit_test(test_no_wrap),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
