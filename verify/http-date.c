/* SPDX-License-Identifier: Apache-2.0 */
/* Dates of HTTP: the three forms of RFC 9110 §5.6.7. */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "verify/http.h"

/* A cursor over the text; everything is passed over once something did not fit. */
typedef struct Reader {
        const char *p;
        bool failed;
} Reader;

static void read_text(Reader *r, const char *text) {
        size_t len = strlen(text);

        if (!r->failed && strncmp(r->p, text, len) == 0)
                r->p += len;
        else
                r->failed = true;
}

/* Exactly so many digits; the first of two may be a space when padded (asctime). */
static int read_number(Reader *r, int digits, bool padded) {
        int n = 0;

        for (int i = 0; i < digits && !r->failed; i++) {
                if (padded && i == 0 && *r->p == ' ')
                        r->p++;
                else if (*r->p >= '0' && *r->p <= '9')
                        n = n * 10 + (*r->p++ - '0');
                else
                        r->failed = true;
        }
        return n;
}

static int read_word(Reader *r, const char *const *words, size_t n_words) {
        for (size_t i = 0; i < n_words && !r->failed; i++) {
                size_t len = strlen(words[i]);
                if (strncmp(r->p, words[i], len) == 0) {
                        r->p += len;
                        return (int) i;
                }
        }
        r->failed = true;
        return 0;
}

static int read_month(Reader *r) {
        static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
                        "Sep", "Oct", "Nov", "Dec"};
        return read_word(r, months, ELEMENTSOF(months));
}

static void read_clock(Reader *r, struct tm *tm) {
        tm->tm_hour = read_number(r, 2, false);
        read_text(r, ":");
        tm->tm_min = read_number(r, 2, false);
        read_text(r, ":");
        tm->tm_sec = read_number(r, 2, false);
}

/* "06 Nov 1994 08:49:37 GMT", after the weekday. */
static void read_fixdate(Reader *r, struct tm *tm) {
        tm->tm_mday = read_number(r, 2, false);
        read_text(r, " ");
        tm->tm_mon = read_month(r);
        read_text(r, " ");
        tm->tm_year = read_number(r, 4, false) - 1900;
        read_text(r, " ");
        read_clock(r, tm);
        read_text(r, " GMT");
}

/* "06-Nov-94 08:49:37 GMT". Two digits are of the years 1970 to 2069, whatever the time is now. */
static void read_rfc850(Reader *r, struct tm *tm) {
        tm->tm_mday = read_number(r, 2, false);
        read_text(r, "-");
        tm->tm_mon = read_month(r);
        read_text(r, "-");
        tm->tm_year = read_number(r, 2, false);
        if (tm->tm_year < 70)
                tm->tm_year += 100;
        read_text(r, " ");
        read_clock(r, tm);
        read_text(r, " GMT");
}

/* "Nov  6 08:49:37 1994". */
static void read_asctime(Reader *r, struct tm *tm) {
        tm->tm_mon = read_month(r);
        read_text(r, " ");
        tm->tm_mday = read_number(r, 2, true);
        read_text(r, " ");
        read_clock(r, tm);
        read_text(r, " ");
        tm->tm_year = read_number(r, 4, false) - 1900;
}

static int time_from(const struct tm *tm, usec_t *ret) {
        struct tm normal = *tm;
        time_t t;

        if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60)
                return -EINVAL;
        if (normal.tm_sec == 60) /* a leap second */
                normal.tm_sec = 59;
        t = timegm(&normal);
        if (t < 0 || normal.tm_mday != tm->tm_mday || normal.tm_mon != tm->tm_mon)
                return -EINVAL;
        *ret = (usec_t) t * USEC_PER_SEC;
        return 0;
}

int http_date_parse(const char *text, usec_t *ret) {
        static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday",
                        "Friday", "Saturday", "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
        Reader r = {.p = text};
        struct tm tm = {0};
        bool is_long;

        is_long = read_word(&r, days, ELEMENTSOF(days)) < 7;
        if (!r.failed && *r.p == ',') {
                read_text(&r, ", ");
                if (is_long)
                        read_rfc850(&r, &tm);
                else
                        read_fixdate(&r, &tm);
        } else {
                read_text(&r, " ");
                read_asctime(&r, &tm);
        }
        if (r.failed || *r.p != '\0')
                return -EINVAL;
        return time_from(&tm, ret);
}

int http_retry_after_parse(const char *text, usec_t now, usec_t *ret_delay) {
        usec_t date, seconds = 0;
        size_t len = strspn(text, "0123456789");
        int r;

        if (len > 0 && text[len] == '\0') {
                for (size_t i = 0; i < len; i++) {
                        seconds = seconds * 10 + (usec_t) (text[i] - '0');
                        if (seconds > USEC_INFINITY / USEC_PER_SEC / 10)
                                break; /* ages: more digits change nothing */
                }
                *ret_delay = seconds * USEC_PER_SEC;
                return 0;
        }
        r = http_date_parse(text, &date);
        if (r == 0)
                *ret_delay = usec_sub(date, now);
        return r;
}
