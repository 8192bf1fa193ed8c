/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones: the system's files against libc, rules of POSIX, damaged files. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "policy/hours.h"
#include "policy/zone-file.h"
#include "policy/zone-rule.h"

/* North, south, halves and quarters, summer time that is winter time, none, changes at midnight. */
static const char *const names[] = {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                "America/Sao_Paulo", "Asia/Kathmandu", "Europe/Dublin", "Africa/Casablanca",
                "Pacific/Apia", "Asia/Gaza", "America/Havana", "Antarctica/Troll", "Etc/GMT+12",
                "Etc/UTC"};

static void assert_as_libc(const Zone *z, const char *name, time_t t) {
        unsigned day, minute;
        struct tm tm;

        zone_local(z, (usec_t) t * USEC_PER_SEC, &day, &minute);
        assert_non_null(localtime_r(&t, &tm));
        if (day != (unsigned) (tm.tm_wday + 6) % 7 ||
                        minute != (unsigned) (60 * tm.tm_hour + tm.tm_min))
                fail_msg("%s at %lld: day %u %02u:%02u", name, (long long) t, day, minute / 60,
                                minute % 60);
}

/* Each half hour and the second before it, over years in the table and far beyond it. */
static void test_as_libc(void **state) {
        static const int from_years[] = {1970, 2025, 2037, 2100};

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_(zone_freep) Zone *z = NULL;

                assert_int_equal(zone_read(&z, names[i], NULL), 0);
                assert_int_equal(setenv("TZ", names[i], 1), 0);
                tzset();
                for (size_t j = 0; j < ELEMENTSOF(from_years); j++) {
                        time_t start = (time_t) (from_years[j] - 1970) * 31556952;

                        for (time_t t = start; t < start + 31556952 + 31556952 / 4; t += 1800) {
                                assert_as_libc(z, names[i], t / 1800 * 1800);
                                if (t > 0)
                                        assert_as_libc(z, names[i], t / 1800 * 1800 - 1);
                        }
                }
        }
        unsetenv("TZ");
        tzset();
}

static void test_no_such_zone(void **state) {
        static const char *const bad[] = {"Europe/Berlim", "europe/berlin", "Europe", "",
                        "/etc/passwd", "../zoneinfo/UTC", "Europe/../UTC", "Europe//Berlin",
                        "Europe/", "zone.tab", "Europe/Berlin/x", "Europe/Berlin ",
                        "right/Europe/Berlin", "tzdata.zi", "CET-1CEST", ":Europe/Berlin"};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(zone_freep) Zone *z = NULL;
                _cleanup_free_ char *msg = NULL;

                if (zone_read(&z, bad[i], &msg) != -EINVAL)
                        fail_msg("%s", bad[i]);
                assert_non_null(msg);
        }
}

static void test_utc_and_local(void **state) {
        _cleanup_(zone_freep) Zone *utc = NULL, *local = NULL;
        unsigned day, minute;

        assert_int_equal(zone_read(&utc, "UTC", NULL), 0);
        zone_local(utc, 0, &day, &minute);
        assert_int_equal(day, 3);
        assert_int_equal(minute, 0);
        zone_local(utc, (usec_t) 4102444799 * USEC_PER_SEC, &day, &minute); /* 2099-12-31 */
        assert_int_equal(day, 3);
        assert_int_equal(minute, MINUTES_PER_DAY - 1);
        assert_int_equal(zone_read(&local, NULL, NULL), 0);
}

static void test_rules(void **state) {
        static const struct {
                const char *text;
                int64_t t;
                int32_t offset;
        } table[] = {
                        {"UTC0", 0, 0},
                        {"<+0530>-5:30", 0, 19800},
                        {"EST5EDT,M3.2.0,M11.1.0", 1772953199, -18000}, /* 2026-03-08 */
                        {"EST5EDT,M3.2.0,M11.1.0", 1772953200, -14400},
                        {"EST5EDT,M3.2.0,M11.1.0", 1793512799, -14400}, /* 2026-11-01 */
                        {"EST5EDT,M3.2.0,M11.1.0", 1793512800, -18000},
                        {"AAA3BBB,J60/0,J61/0", 1709261999, -10800}, /* 2024-03-01 00:00 -03 */
                        {"AAA3BBB,J60/0,J61/0", 1709262000, -7200},
                        {"AAA3BBB,59/0,60/0", 1709175600, -7200},  /* 2024-02-29, by number */
                        {"AAA3BBB,59/0,60/0", 1772334000, -7200},  /* 2026-03-01 */
                        {"XXX0YYY,0/0,J365/25", 1767225600, 3600}, /* always summer */
                        {"XXX0YYY,0/0,J365/25", 1798761599, 3600},
                        {"IST-1GMT0,M10.5.0,M3.5.0/1", 1768478400, 0}, /* winter is the change */
                        {"IST-1GMT0,M10.5.0,M3.5.0/1", 1784116800, 3600},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                ZoneRule rule;

                assert_int_equal(zone_rule_parse(&rule, table[i].text), 0);
                if (zone_rule_offset(&rule, table[i].t) != table[i].offset)
                        fail_msg("%s at %lld: %d", table[i].text, (long long) table[i].t,
                                        (int) zone_rule_offset(&rule, table[i].t));
        }
}

static void test_rule_faults(void **state) {
        static const char *const bad[] = {"", "A", "AB1", "UTC", "UTCx", "UTC25", "UTC0:60",
                        "<UTC0", "<UT>0", "EST5EDT", "EST5EDT,", "EST5EDT,M3.2.0",
                        "EST5EDT,M13.2.0,M1.1.0", "EST5EDT,M0.2.0,M1.1.0", "EST5EDT,M3.6.0,M1.1.0",
                        "EST5EDT,M3.0.0,M1.1.0", "EST5EDT,M3.2.7,M1.1.0", "EST5EDT,J0,J1",
                        "EST5EDT,J366,J1", "EST5EDT,366,1", "EST5EDT,M3.2.0/168,M1.1.0",
                        "EST5EDT,M3.2.0,M11.1.0x", "EST5EDT,M3.2,M1.1.0", "UTC0000",
                        "A3B,J60/0,J61/0", "<A-3>3B,J60/0,J61/0"};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                ZoneRule rule;

                if (zone_rule_parse(&rule, bad[i]) != -EINVAL)
                        fail_msg("%s", bad[i]);
        }
}

/* A file that is cut anywhere is refused or, cut where nothing is missed, read; with any byte
 * changed it is never read past its end. */
static void test_damaged(void **state) {
        _cleanup_(secret_done) Secret file = {0};
        unsigned day, minute;

        assert_int_equal(file_read_named(&file, ZONE_DIRECTORY "/Europe/Berlin", ZONE_FILE_MAX,
                                         NULL),
                        0);
        for (size_t len = 0; len < file.len; len++) {
                _cleanup_(zone_freep) Zone *z = NULL;
                _cleanup_free_ uint8_t *copy = malloc(len > 0 ? len : 1);

                assert_non_null(copy);
                memcpy(copy, file.data, len);
                assert_int_equal(zone_parse(&z, copy, len, NULL), -EINVAL);
        }
        for (size_t i = 0; i < file.len; i++) {
                _cleanup_(zone_freep) Zone *z = NULL;
                _cleanup_free_ uint8_t *copy = malloc(file.len);

                assert_non_null(copy);
                memcpy(copy, file.data, file.len);
                copy[i] ^= 0xff;
                if (zone_parse(&z, copy, file.len, NULL) == 0)
                        zone_local(z, (usec_t) 1767614400 * USEC_PER_SEC, &day, &minute);
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_as_libc),
                        cmocka_unit_test(test_no_such_zone),
                        cmocka_unit_test(test_utc_and_local),
                        cmocka_unit_test(test_rules),
                        cmocka_unit_test(test_rule_faults),
                        cmocka_unit_test(test_damaged),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
