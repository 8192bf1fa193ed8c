/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/zone-rule.h"

#include <errno.h>
#include <string.h>

#define SECONDS_PER_DAY 86400
#define DEFAULT_TIME (2 * 3600)
#define HOURS_MAX 167 /* of a change's time, by RFC 9636 */

/* A name of three letters or more, or one in angle brackets. */
static int skip_name(const char **text) {
        const char *p = *text;
        size_t len;

        if (*p == '<') {
                len = strspn(++p,
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-");
                if (len < 3 || p[len] != '>')
                        return -EINVAL;
                *text = p + len + 1;
                return 0;
        }
        len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        *text = p + len;
        return len < 3 ? -EINVAL : 0;
}

/* One to three digits, at most max. */
static int read_number(const char **text, unsigned max, unsigned *ret) {
        size_t len = strspn(*text, "0123456789");
        unsigned n = 0;

        if (len == 0 || len > 3)
                return -EINVAL;
        for (size_t i = 0; i < len; i++)
                n = 10 * n + (unsigned) ((*text)[i] - '0');
        *text += len;
        *ret = n;
        return n > max ? -EINVAL : 0;
}

/* "[+-]hh[:mm[:ss]]" */
static int read_time(const char **text, unsigned hours_max, int32_t *ret) {
        bool negative = **text == '-';
        unsigned parts[3] = {0};

        if (**text == '-' || **text == '+')
                (*text)++;
        for (size_t i = 0; i < ELEMENTSOF(parts); i++) {
                if (i > 0 && **text != ':')
                        break;
                *text += i > 0;
                int r = read_number(text, i == 0 ? hours_max : 59, &parts[i]);
                if (r < 0)
                        return r;
        }
        *ret = (int32_t) (3600 * parts[0] + 60 * parts[1] + parts[2]);
        if (negative)
                *ret = -*ret;
        return 0;
}

static int read_month_day(const char **text, ZoneChange *c) {
        int r = read_number(text, 12, &c->month);
        if (r < 0 || c->month == 0 || *(*text)++ != '.')
                return -EINVAL;
        r = read_number(text, 5, &c->week);
        if (r < 0 || c->week == 0 || *(*text)++ != '.')
                return -EINVAL;
        return read_number(text, 6, &c->day);
}

/* ",M3.5.0/2" */
static int read_change(const char **text, ZoneChange *c) {
        int r;

        if (*(*text)++ != ',')
                return -EINVAL;
        if (**text == 'M') {
                (*text)++;
                c->kind = ZONE_DAY_MONTH;
                r = read_month_day(text, c);
        } else if (**text == 'J') {
                (*text)++;
                c->kind = ZONE_DAY_JULIAN;
                r = read_number(text, 365, &c->day);
                if (r == 0 && c->day == 0)
                        r = -EINVAL;
        } else {
                c->kind = ZONE_DAY_OF_YEAR;
                r = read_number(text, 365, &c->day);
        }
        c->time = DEFAULT_TIME;
        if (r < 0 || **text != '/')
                return r;
        (*text)++;
        return read_time(text, HOURS_MAX, &c->time);
}

/* POSIX counts west of Greenwich. */
static int read_offset(const char **text, int32_t *ret) {
        int r = read_time(text, 24, ret);

        *ret = -*ret;
        return r;
}

int zone_rule_parse(ZoneRule *ret, const char *text) {
        ZoneRule rule = {0};

        if (skip_name(&text) < 0 || read_offset(&text, &rule.standard) < 0)
                return -EINVAL;
        if (*text == '\0') {
                *ret = rule;
                return 0;
        }

        rule.has_summer = true;
        rule.summer = rule.standard + 3600;
        if (skip_name(&text) < 0)
                return -EINVAL;
        if (*text != ',' && read_offset(&text, &rule.summer) < 0)
                return -EINVAL;
        if (read_change(&text, &rule.begin) < 0 || read_change(&text, &rule.end) < 0 || *text)
                return -EINVAL;

        *ret = rule;
        return 0;
}

/* Division and remainder towards minus infinity. */
static int64_t floor_div(int64_t a, int64_t b) {
        return a / b - (a % b < 0);
}

static bool is_leap(int64_t year) {
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to January 1st. */
static int64_t year_start(int64_t year) {
        int64_t y = year - 1;

        return 365 * (year - 1970) + floor_div(y, 4) - floor_div(y, 100) + floor_div(y, 400) - 477;
}

static int64_t year_of_day(int64_t day) {
        int64_t year = 1970 + floor_div(day, 366);

        while (year_start(year + 1) <= day)
                year++;
        return year;
}

/* The day of the year, from 0, of "the w-th Sunday of m". */
static int64_t month_day(const ZoneChange *c, int64_t year) {
        static const unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        int64_t first = 0;

        for (unsigned m = 1; m < c->month; m++)
                first += lengths[m - 1] + (m == 2 && is_leap(year));
        int64_t length = lengths[c->month - 1] + (c->month == 2 && is_leap(year));

        /* 1970-01-01 was a Thursday, day 4 from Sunday. */
        int64_t weekday = (year_start(year) + first + 4) % 7;
        weekday = weekday < 0 ? weekday + 7 : weekday;
        int64_t day = (c->day - weekday + 7) % 7 + 7 * ((int64_t) c->week - 1);
        while (day >= length)
                day -= 7;
        return first + day;
}

/* The change of that year, in seconds since the epoch by the clock that it ends. */
static int64_t change_time(const ZoneChange *c, int64_t year) {
        int64_t day = 0;

        switch (c->kind) {
        case ZONE_DAY_JULIAN:
                day = (int64_t) c->day - 1 + (is_leap(year) && c->day >= 60);
                break;
        case ZONE_DAY_OF_YEAR:
                day = c->day;
                break;
        case ZONE_DAY_MONTH:
                day = month_day(c, year);
                break;
        }
        return (year_start(year) + day) * SECONDS_PER_DAY + c->time;
}

int32_t zone_rule_offset(const ZoneRule *rule, int64_t t) {
        if (!rule->has_summer)
                return rule->standard;

        int64_t year = year_of_day(floor_div(t + rule->standard, SECONDS_PER_DAY));
        int64_t begin = change_time(&rule->begin, year) - rule->standard;
        int64_t end = change_time(&rule->end, year) - rule->summer;
        /* South of the equator summer runs over the new year. */
        bool summer = begin < end ? t >= begin && t < end : t >= begin || t < end;

        return summer ? rule->summer : rule->standard;
}
