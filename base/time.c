/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* 9999-12-31T23:59:59Z */
#define LAST_SECOND INT64_C(253402300799)
#define SECONDS_PER_DAY 86400

static usec_t now_by(clockid_t clock) {
        struct timespec t = {0};

        (void) clock_gettime(clock, &t); /* cannot fail for these clocks */
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

usec_t now_realtime(void) {
        return now_by(CLOCK_REALTIME);
}

usec_t now_boottime(void) {
        return now_by(CLOCK_BOOTTIME);
}

usec_t usec_add(usec_t a, usec_t b) {
        return a > USEC_INFINITY - b ? USEC_INFINITY : a + b;
}

usec_t usec_sub(usec_t a, usec_t b) {
        if (a == USEC_INFINITY)
                return a;
        return a > b ? a - b : 0;
}

usec_t usec_magnitude(int64_t difference) {
        return difference < 0 ? -(usec_t) difference : (usec_t) difference;
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* From the largest to the smallest, as a span is written. */
static const struct {
        const char *name;
        usec_t length;
        bool read_only; /* nobody wants to read 400 days as 57 weeks and a day */
} units[] = {
                {"w", 7 * USEC_PER_DAY, true},
                {"d", USEC_PER_DAY, false},
                {"h", USEC_PER_HOUR, false},
                {"min", USEC_PER_MINUTE, false},
                {"s", USEC_PER_SEC, false},
                {"ms", USEC_PER_MSEC, false},
                {"us", 1, false},
};

/* Reads a number. Returns 0, -EINVAL without a digit, -ERANGE. */
static int read_number(const char **text, usec_t *ret) {
        const char *p = *text;
        usec_t value = 0;

        if (!is_digit(*p))
                return -EINVAL;
        for (; is_digit(*p); p++)
                if (__builtin_mul_overflow(value, 10, &value) ||
                                __builtin_add_overflow(value, (usec_t) (*p - '0'), &value))
                        return -ERANGE;

        *text = p;
        *ret = value;
        return 0;
}

static int read_unit(const char **text, usec_t *ret) {
        size_t len = strspn(*text, "abcdefghijklmnopqrstuvwxyz");

        for (size_t i = 0; i < ELEMENTSOF(units); i++)
                if (strlen(units[i].name) == len && strncmp(units[i].name, *text, len) == 0) {
                        *text += len;
                        *ret = units[i].length;
                        return 0;
                }
        return -EINVAL;
}

int timespan_parse(const char *text, usec_t *ret) {
        usec_t span = 0;

        text += strspn(text, " ");
        do {
                usec_t number, unit;

                int r = read_number(&text, &number);
                if (r < 0)
                        return r;
                text += strspn(text, " ");
                r = read_unit(&text, &unit);
                if (r < 0)
                        return r;
                if (__builtin_mul_overflow(number, unit, &number) ||
                                __builtin_add_overflow(span, number, &span) ||
                                span == USEC_INFINITY)
                        return -ERANGE;
                text += strspn(text, " ");
        } while (*text);

        *ret = span;
        return 0;
}

int timespan_format(usec_t span, char **ret) {
        char buffer[128] = "";
        char *p = buffer;

        for (size_t i = 0; span != USEC_INFINITY && i < ELEMENTSOF(units); i++) {
                if (units[i].read_only || span < units[i].length)
                        continue;
                p += sprintf(p, "%s%llu%s", p > buffer ? " " : "",
                                (unsigned long long) (span / units[i].length), units[i].name);
                span %= units[i].length;
        }

        const char *text = span == USEC_INFINITY ? "infinity" : p > buffer ? buffer : "0s";
        char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

/* Days since 1970-01-01 in the Gregorian calendar. The year is taken to begin in March, so that the
 * leap day is its last, and eras of 400 years all have the same length. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
        if (month <= 2)
                year--, month += 12;
        return 365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + day -
               1 - 719468;
}

static void civil_from_days(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
        days += 719468;
        int64_t era = days / 146097, of_era = days % 146097;
        int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
        int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        int64_t shifted = (5 * of_year + 2) / 153; /* months since March */

        *day = of_year - (153 * shifted + 2) / 5 + 1;
        *month = shifted < 10 ? shifted + 3 : shifted - 9;
        *year = 400 * era + year_of_era + (*month <= 2);
}

static int64_t days_in_month(int64_t year, int64_t month) {
        static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

        return month == 2 && leap ? 29 : days[month - 1];
}

/* Reads exactly n digits and then the character after (any when it is '\0'). */
static bool read_digits(const char **text, int n, char after, int64_t *ret) {
        int64_t value = 0;

        for (; n > 0; n--, (*text)++) {
                if (!is_digit(**text))
                        return false;
                value = 10 * value + (**text - '0');
        }
        if (after && *(*text)++ != after)
                return false;
        *ret = value;
        return true;
}

/* Reads ".123…" if it is there, to microseconds. */
static bool read_fraction(const char **text, int64_t *ret) {
        int64_t value = 0, weight = 100000;

        if (**text == '.') {
                if (!is_digit(*++*text))
                        return false;
                for (; is_digit(**text); (*text)++, weight /= 10)
                        value += weight * (**text - '0');
        }
        *ret = value;
        return true;
}

/* Reads "Z" or "+hh:mm" up to the end of the text, in seconds east. */
static bool read_offset(const char *text, int64_t *ret) {
        int64_t hour, minute;

        if (*text == 'Z' || *text == 'z') {
                *ret = 0;
                return text[1] == '\0';
        }
        if (*text != '+' && *text != '-')
                return false;

        int64_t sign = *text++ == '+' ? 1 : -1;
        if (!read_digits(&text, 2, ':', &hour) || !read_digits(&text, 2, '\0', &minute) || *text)
                return false;
        *ret = sign * (3600 * hour + 60 * minute);
        return hour <= 23 && minute <= 59;
}

int rfc3339_parse(const char *text, usec_t *ret) {
        int64_t year, month, day, hour, minute, second, fraction, offset;

        if (!read_digits(&text, 4, '-', &year) || !read_digits(&text, 2, '-', &month) ||
                        !read_digits(&text, 2, '\0', &day))
                return -EINVAL;
        if (*text != 'T' && *text != 't')
                return -EINVAL;
        text++;
        if (!read_digits(&text, 2, ':', &hour) || !read_digits(&text, 2, ':', &minute) ||
                        !read_digits(&text, 2, '\0', &second) || !read_fraction(&text, &fraction) ||
                        !read_offset(text, &offset))
                return -EINVAL;
        if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
                        minute > 59 || second > 60)
                return -EINVAL;
        if (second == 60)
                second = 59;

        int64_t seconds = days_from_civil(year, month, day) * SECONDS_PER_DAY + 3600 * hour +
                          60 * minute + second - offset;
        if (seconds < 0 || seconds > LAST_SECOND)
                return -EINVAL;

        *ret = (usec_t) seconds * USEC_PER_SEC + (usec_t) fraction;
        return 0;
}

const char *rfc3339_format(usec_t t, char ret[static RFC3339_SIZE]) {
        int64_t seconds = (int64_t) (t / USEC_PER_SEC), year, month, day;

        if (seconds > LAST_SECOND)
                seconds = LAST_SECOND;
        civil_from_days(seconds / SECONDS_PER_DAY, &year, &month, &day);
        seconds %= SECONDS_PER_DAY;

        snprintf(ret, RFC3339_SIZE, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int) year, (int) month,
                        (int) day, (int) (seconds / 3600), (int) (seconds / 60 % 60),
                        (int) (seconds % 60));
        return ret;
}
