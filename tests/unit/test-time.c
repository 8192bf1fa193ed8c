/* SPDX-License-Identifier: Apache-2.0 */
/* Spans as people write them, RFC 3339 dates. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"

#define UNTOUCHED 4711

static void test_spans(void **state) {
        static const struct {
                const char *text;
                usec_t span;
        } good[] = {
                        {"1us", 1},
                        {"500ms", 500000},
                        {"5s", 5000000},
                        {"10min", 10 * USEC_PER_MINUTE},
                        {"2h", 2 * USEC_PER_HOUR},
                        {"400d", 400 * USEC_PER_DAY},
                        {"3w", 21 * USEC_PER_DAY},
                        {"0s", 0},
                        {"007s", 7 * USEC_PER_SEC},
                        {"1h 30min", 90 * USEC_PER_MINUTE},
                        {"1h30min", 90 * USEC_PER_MINUTE},
                        {"1min  30s ", 90 * USEC_PER_SEC},
                        {" 5 s", 5 * USEC_PER_SEC},
                        {"1s 1s", 2 * USEC_PER_SEC},
                        {"1w 2d 3h 4min 5s 6ms 7us", UINT64_C(788645006007)},
                        {"18446744073709551614us", UINT64_MAX - 1},
        };
        static const char *const bad[] = {
                        "",
                        " ",
                        "5",
                        "s",
                        "5x",
                        "5m",
                        "5S",
                        "5 min 3",
                        "-5s",
                        "+5s",
                        "1.5s",
                        "5s,",
                        "5,s",
                        "5s\n",
                        "\t5s",
                        "0x5s",
                        "1e3s",
                        "5sec",
                        "5ss",
                        "infinity",
                        "5hours",
                        "1h 30",
                        "1h min",
                        "5s5",
                        "٥s",
                        "5µs",
                        "5M",
        };
        static const char *const huge[] = {
                        "18446744073709551615us",
                        "18446744073709551616us",
                        "99999999999999999999999s",
                        "30500568905w",
                        "18446744073709551614us 1us",
                        "18446744073710s",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                usec_t span = UNTOUCHED;
                if (timespan_parse(good[i].text, &span) != 0)
                        fail_msg("'%s' was refused", good[i].text);
                assert_int_equal(span, good[i].span);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                usec_t span = UNTOUCHED;
                if (timespan_parse(bad[i], &span) != -EINVAL)
                        fail_msg("'%s' was taken", bad[i]);
                assert_int_equal(span, UNTOUCHED);
        }
        for (size_t i = 0; i < ELEMENTSOF(huge); i++) {
                usec_t span = UNTOUCHED;
                if (timespan_parse(huge[i], &span) != -ERANGE)
                        fail_msg("'%s' was taken", huge[i]);
                assert_int_equal(span, UNTOUCHED);
        }
}

static void test_span_format(void **state) {
        static const struct {
                usec_t span;
                const char *text;
        } table[] = {
                        {0, "0s"},
                        {1, "1us"},
                        {1500, "1ms 500us"},
                        {500000, "500ms"},
                        {90 * USEC_PER_SEC, "1min 30s"},
                        {USEC_PER_HOUR, "1h"},
                        {90 * USEC_PER_MINUTE, "1h 30min"},
                        {400 * USEC_PER_DAY, "400d"},
                        {USEC_PER_DAY + 1, "1d 1us"},
                        {USEC_PER_DAY - 1, "23h 59min 59s 999ms 999us"},
                        {USEC_INFINITY - 1, "213503982d 8h 1min 49s 551ms 614us"},
                        {USEC_INFINITY, "infinity"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *text = NULL;
                usec_t back;

                assert_int_equal(timespan_format(table[i].span, &text), 0);
                assert_string_equal(text, table[i].text);
                if (table[i].span == USEC_INFINITY)
                        continue;
                assert_int_equal(timespan_parse(text, &back), 0);
                assert_int_equal(back, table[i].span);
        }
}

static void test_arithmetic(void **state) {
        assert_int_equal(usec_add(1, 2), 3);
        assert_true(usec_add(USEC_INFINITY, 0) == USEC_INFINITY);
        assert_true(usec_add(USEC_INFINITY - 1, 1) == USEC_INFINITY);
        assert_true(usec_add(USEC_INFINITY - 1, 2) == USEC_INFINITY);
        assert_true(usec_add(5, USEC_INFINITY) == USEC_INFINITY);
        assert_int_equal(usec_sub(5, 2), 3);
        assert_int_equal(usec_sub(2, 2), 0);
        assert_int_equal(usec_sub(2, 5), 0);
        assert_true(usec_sub(USEC_INFINITY, 1) == USEC_INFINITY);
        assert_int_equal(usec_sub(1, USEC_INFINITY), 0);
}

static void test_dates(void **state) {
        static const struct {
                const char *text;
                usec_t t;
        } good[] = {
                        {"1970-01-01T00:00:00Z", 0},
                        {"1970-01-01T00:00:01Z", USEC_PER_SEC},
                        {"2026-01-02T03:04:05Z", UINT64_C(1767323045000000)},
                        {"2026-01-02t03:04:05z", UINT64_C(1767323045000000)},
                        {"2026-01-02T03:04:05+00:00", UINT64_C(1767323045000000)},
                        {"2026-01-02T03:04:05-00:00", UINT64_C(1767323045000000)},
                        {"2026-01-02T04:34:05+01:30", UINT64_C(1767323045000000)},
                        {"2026-01-01T19:04:05-08:00", UINT64_C(1767323045000000)},
                        {"2026-01-03T03:03:05+23:59", UINT64_C(1767323045000000)},
                        /* RFC 3339 §5.8 */
                        {"1985-04-12T23:20:50.52Z", UINT64_C(482196050520000)},
                        {"1996-12-19T16:39:57-08:00", UINT64_C(851042397000000)},
                        {"1990-12-31T23:59:60Z", UINT64_C(662687999000000)},
                        {"1990-12-31T15:59:60-08:00", UINT64_C(662687999000000)},
                        /* fractions */
                        {"1970-01-01T00:00:00.1Z", 100000},
                        {"1970-01-01T00:00:00.000001Z", 1},
                        {"1970-01-01T00:00:00.0000019Z", 1},
                        {"1970-01-01T00:00:00.123456789123456789Z", 123456},
                        {"1990-12-31T23:59:60.9Z", UINT64_C(662687999900000)},
                        /* leap years and the ends of months */
                        {"2000-02-29T00:00:00Z", UINT64_C(951782400000000)},
                        {"2024-02-29T12:00:00Z", UINT64_C(1709208000000000)},
                        {"2024-03-01T00:00:00Z", UINT64_C(1709251200000000)},
                        {"2100-02-28T23:59:59Z", UINT64_C(4107542399000000)},
                        {"2100-03-01T00:00:00Z", UINT64_C(4107542400000000)},
                        /* past 2038, to the last */
                        {"2038-01-19T03:14:08Z", UINT64_C(2147483648000000)},
                        {"9999-12-31T23:59:59Z", UINT64_C(253402300799000000)},
                        {"9999-12-31T23:59:59.999999Z", UINT64_C(253402300799999999)},
                        {"9999-12-31T23:59:59+00:01", UINT64_C(253402300739000000)},
                        /* the instant counts, not the year that is written */
                        {"1969-12-31T23:30:00-01:00", 30 * USEC_PER_MINUTE},
        };
        static const char *const bad[] = {
                        "",
                        "2026",
                        "2026-01-02",
                        "2026-01-02T",
                        "2026-01-02T03:04Z",
                        "2026-01-02T03:04:05",
                        "2026-01-02 03:04:05Z",
                        "2026-01-02T03:04:05 Z",
                        " 2026-01-02T03:04:05Z",
                        "2026-01-02T03:04:05Z ",
                        "2026-01-02T03:04:05ZZ",
                        "2026-01-02T03:04:05+0000",
                        "2026-01-02T03:04:05+00",
                        "2026-01-02T03:04:05+00:0",
                        "2026-01-02T03:04:05+00:000",
                        "2026-01-02T03:04:05+24:00",
                        "2026-01-02T03:04:05+00:60",
                        "2026-01-02T03:04:05Z+00:00",
                        "2026-01-02T03:04:05.Z",
                        "2026-01-02T03:04:05.",
                        "2026-01-02T03:04:05,5Z",
                        "2026-01-02T03:04:05.5.5Z",
                        "2026-01-02T03:04:05.-5Z",
                        "2026-01-02T24:00:00Z",
                        "2026-01-02T03:60:00Z",
                        "2026-01-02T03:04:61Z",
                        "2026-00-02T03:04:05Z",
                        "2026-13-02T03:04:05Z",
                        "2026-01-00T03:04:05Z",
                        "2026-01-32T03:04:05Z",
                        "2026-04-31T03:04:05Z",
                        "2026-02-29T03:04:05Z",
                        "2100-02-29T03:04:05Z",
                        "1900-02-29T03:04:05Z",
                        "2024-02-30T03:04:05Z",
                        "1969-12-31T23:59:59Z",
                        "1970-01-01T00:00:00+00:01",
                        "0001-01-01T00:00:00Z",
                        "0000-01-01T00:00:00Z",
                        "9999-12-31T23:59:59-00:01",
                        "10000-01-01T00:00:00Z",
                        "+2026-01-02T03:04:05Z",
                        "-2026-01-02T03:04:05Z",
                        "2026-1-2T03:04:05Z",
                        "2026-01-02T3:04:05Z",
                        "20260102T030405Z",
                        "2026/01/02T03:04:05Z",
                        "2026-01-02T-3:04:05Z",
                        "2026-01-02T03:04:+5Z",
                        "Fri, 02 Jan 2026 03:04:05 GMT",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                usec_t t = UNTOUCHED;
                if (rfc3339_parse(good[i].text, &t) != 0)
                        fail_msg("'%s' was refused", good[i].text);
                assert_int_equal(t, good[i].t);
        }
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                usec_t t = UNTOUCHED;
                if (rfc3339_parse(bad[i], &t) != -EINVAL)
                        fail_msg("'%s' was taken", bad[i]);
                assert_int_equal(t, UNTOUCHED);
        }
}

static void test_date_format(void **state) {
        char text[RFC3339_SIZE];

        assert_string_equal(rfc3339_format(0, text), "1970-01-01T00:00:00Z");
        assert_string_equal(
                        rfc3339_format(UINT64_C(1767323045999999), text), "2026-01-02T03:04:05Z");
        assert_string_equal(
                        rfc3339_format(UINT64_C(253402300799000000), text), "9999-12-31T23:59:59Z");
        assert_string_equal(
                        rfc3339_format(UINT64_C(253402300800000000), text), "9999-12-31T23:59:59Z");
        assert_string_equal(rfc3339_format(USEC_INFINITY, text), "9999-12-31T23:59:59Z");
        assert_ptr_equal(rfc3339_format(0, text), text);
}

/* Each day of the range, against the C library's calendar. */
static void test_every_day(void **state) {
        for (int64_t day = 0; day * 86400 <= INT64_C(253402300799); day++) {
                time_t at = (time_t) (day * 86400 + day % 86400);
                usec_t t = (usec_t) at * USEC_PER_SEC, back;
                char ours[RFC3339_SIZE], theirs[RFC3339_SIZE];
                struct tm tm;

                rfc3339_format(t, ours);
                assert_non_null(gmtime_r(&at, &tm));
                assert_int_not_equal(
                                strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%SZ", &tm), 0);
                if (strcmp(ours, theirs) != 0 || rfc3339_parse(ours, &back) != 0 || back != t)
                        fail_msg("%s is written %s", theirs, ours);
        }
}

static void test_no_time_zone(void **state) {
        usec_t t;
        char text[RFC3339_SIZE];

        assert_int_equal(setenv("TZ", "America/St_Johns", 1), 0);
        tzset();
        assert_int_equal(rfc3339_parse("2026-07-02T03:04:05Z", &t), 0);
        assert_int_equal(t, UINT64_C(1782961445000000));
        assert_string_equal(rfc3339_format(t, text), "2026-07-02T03:04:05Z");
        unsetenv("TZ");
        tzset();
}

static void test_clocks(void **state) {
        usec_t boot = now_boottime(), real = now_realtime();

        assert_true(now_boottime() >= boot);
        assert_true(boot > 0);
        assert_true(real / USEC_PER_SEC >= (usec_t) time(NULL) - 10);
        assert_true(real / USEC_PER_SEC <= (usec_t) time(NULL) + 10);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_spans),
                        cmocka_unit_test(test_span_format),
                        cmocka_unit_test(test_arithmetic),
                        cmocka_unit_test(test_dates),
                        cmocka_unit_test(test_date_format),
                        cmocka_unit_test(test_every_day),
                        cmocka_unit_test(test_no_time_zone),
                        cmocka_unit_test(test_clocks),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
