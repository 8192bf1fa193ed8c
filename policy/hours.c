/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/hours.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

static const char *const day_names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
#define DAYS ELEMENTSOF(day_names)
#define ALL_DAYS ((1U << DAYS) - 1)

static int fault(char **reterr_msg, const char *what) {
        return error_set(reterr_msg, -EINVAL,
                        "%s; write days and times as in Mon..Fri 08:00-18:00, and ';' between "
                        "windows",
                        what);
}

static int find_day(const char *text, size_t len, unsigned *ret) {
        for (unsigned i = 0; i < DAYS; i++)
                if (len == 3 && strncmp(text, day_names[i], 3) == 0) {
                        *ret = i;
                        return 0;
                }
        return -EINVAL;
}

/* "Mon" or "Mon..Fri", as bits. */
static int read_days(const char *text, unsigned *days, char **reterr_msg) {
        const char *dots = strstr(text, "..");
        size_t len = dots ? (size_t) (dots - text) : strlen(text);
        unsigned first, last;

        if (find_day(text, len, &first) < 0)
                return fault(reterr_msg, "a day is one of Mon, Tue, Wed, Thu, Fri, Sat and Sun");
        last = first;
        if (dots && find_day(dots + 2, strlen(dots + 2), &last) < 0)
                return fault(reterr_msg, "a range of days ends with a day");

        for (unsigned day = first;; day = (day + 1) % DAYS) {
                *days |= 1U << day;
                if (day == last)
                        return 0;
        }
}

/* "HH:MM" at *text. */
static int read_time(const char **text, unsigned *ret) {
        const char *t = *text;
        unsigned hour, minute;

        for (unsigned i = 0; i < 5; i++)
                if (i == 2 ? t[i] != ':' : t[i] < '0' || t[i] > '9')
                        return -EINVAL;
        hour = (unsigned) (10 * (t[0] - '0') + t[1] - '0');
        minute = (unsigned) (10 * (t[3] - '0') + t[4] - '0');
        if (minute > 59 || hour > 24 || (hour == 24 && minute > 0))
                return -EINVAL;

        *ret = 60 * hour + minute;
        *text += 5;
        return 0;
}

static void set_minutes(Hours *h, unsigned day, unsigned begin, unsigned end) {
        if (end < begin)
                end += MINUTES_PER_DAY;
        for (unsigned i = begin; i < end; i++) {
                unsigned minute = (day * MINUTES_PER_DAY + i) % MINUTES_PER_WEEK;

                h->minutes[minute / 8] |= (uint8_t) (1U << minute % 8);
        }
}

/* "08:00-18:00" on those days. */
static int read_range(Hours *h, const char *text, unsigned days, char **reterr_msg) {
        unsigned begin, end;

        if (read_time(&text, &begin) < 0 || *text++ != '-' || read_time(&text, &end) < 0 || *text)
                return fault(reterr_msg, "a time is HH:MM-HH:MM with two digits each, up to 24:00");
        if (begin == end || begin == MINUTES_PER_DAY)
                return fault(reterr_msg,
                                "a time ends after it begins; the whole day is "
                                "00:00-24:00");
        for (unsigned day = 0; day < DAYS; day++)
                if (days & 1U << day)
                        set_minutes(h, day, begin, end);
        return 0;
}

/* "Mon..Fri,Sun" */
static int read_day_list(char *text, unsigned *days, char **reterr_msg) {
        for (char *word; (word = strsep(&text, ","));) {
                int r = read_days(word, days, reterr_msg);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_times(Hours *h, char *text, unsigned days, char **reterr_msg) {
        for (char *word; (word = strsep(&text, ","));) {
                int r = read_range(h, word, days, reterr_msg);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Days, times, or both with blanks between them. */
static int read_window(Hours *h, char *text, char **reterr_msg) {
        char all_day[] = "00:00-24:00";
        char *words[3] = {NULL};
        unsigned days = 0;
        size_t n = 0;

        for (char *word; n < ELEMENTSOF(words) && (word = strsep(&text, " \t"));)
                if (*word)
                        words[n++] = word;
        if (n == 0 || n > 2)
                return fault(reterr_msg, n == 0 ? "a window is empty"
                                                : "a window has days and times and no more");

        bool has_days = words[0][0] < '0' || words[0][0] > '9';
        if (n == 2 && !has_days)
                return fault(reterr_msg, "days come before times");
        if (has_days) {
                int r = read_day_list(words[0], &days, reterr_msg);
                if (r < 0)
                        return r;
        }
        char *times = n == 2 ? words[1] : has_days ? all_day : words[0];
        return read_times(h, times, has_days ? days : ALL_DAYS, reterr_msg);
}

int hours_parse(Hours *ret, const char *text, char **reterr_msg) {
        Hours h = {0};

        if (strlen(text) > HOURS_TEXT_MAX)
                return error_set(reterr_msg, -EINVAL, "the hours are over %d bytes; shorten them",
                                HOURS_TEXT_MAX);
        _cleanup_free_ char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        for (char *rest = copy, *window; (window = strsep(&rest, ";"));) {
                int r = read_window(&h, window, reterr_msg);
                if (r < 0)
                        return r;
        }
        *ret = h;
        return 0;
}

bool hours_contain(const Hours *h, unsigned day, unsigned minute) {
        unsigned i = day * MINUTES_PER_DAY + minute;

        return i < MINUTES_PER_WEEK && (h->minutes[i / 8] >> i % 8 & 1);
}
