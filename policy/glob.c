/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/glob.h"

#include <string.h>

#include "base/text.h"

/* A byte that is no UTF-8 stands for itself, beyond all code points. */
#define BYTE_BASE UINT32_C(0x110000)

typedef struct Point {
        uint32_t c;
        size_t len; /* 0 at the end of the text */
} Point;

static Point point_at(const char *text) {
        Point p = {(uint8_t) *text, *text ? 1 : 0};

        if (p.c < 0x80)
                return p;
        p.len = utf8_decode(text, strnlen(text, 4), &p.c);
        return p.len > 0 ? p : (Point){BYTE_BASE + (uint8_t) *text, 1};
}

/* An element of a pattern: how long it is, whether it takes the code point, or what is wrong. */
typedef struct Element {
        size_t len;
        bool takes;
        const char *fault;
} Element;

static const char ends_in_backslash[] =
                "the pattern ends in a backslash; write \\\\ for one, or [ ] for a blank at the "
                "end";

/* A character of a set, which may be escaped. *ret_step is its length with the backslash. */
static Point set_point(const char *p, size_t *ret_step) {
        bool escaped = *p == '\\';
        Point point = point_at(p + escaped);

        *ret_step = point.len > 0 ? point.len + escaped : 0;
        return point;
}

/* A set, from its '[' on. */
static Element read_set(const char *pattern, uint32_t c) {
        static const char not_closed[] =
                        "a set that '[' opens is not closed; write \\[ for the bracket itself";
        const char *p = pattern + 1;
        bool negated = *p == '!' || *p == '^', found = false;

        p += negated;
        for (const char *first = p; *p != ']' || p == first;) {
                size_t step;
                Point low = set_point(p, &step), high = low;

                if (step == 0)
                        return (Element){.fault = not_closed};
                p += step;
                if (p[0] == '-' && p[1] != ']') {
                        high = set_point(p + 1, &step);
                        if (step == 0)
                                return (Element){.fault = not_closed};
                        p += 1 + step;
                }
                if (low.c > high.c)
                        return (Element){.fault = "a range in a set runs backwards; write the "
                                                  "lower character first"};
                found = found || (c >= low.c && c <= high.c);
        }
        return (Element){.len = (size_t) (p + 1 - pattern), .takes = found != negated};
}

/* The element at p, which is neither '*' nor the end, against a code point. */
static Element read_element(const char *p, uint32_t c) {
        if (*p == '?')
                return (Element){.len = 1, .takes = true};
        if (*p == '[')
                return read_set(p, c);

        bool escaped = *p == '\\';
        Point point = point_at(p + escaped);
        if (point.len == 0)
                return (Element){.fault = ends_in_backslash};
        return (Element){.len = point.len + escaped, .takes = point.c == c};
}

const char *glob_fault(const char *pattern) {
        while (*pattern) {
                Element e = {.len = 1};

                if (*pattern != '*')
                        e = read_element(pattern, 0);
                if (e.fault)
                        return e.fault;
                pattern += e.len;
        }
        return NULL;
}

/* What follows the last '*' is tried at each place after it: an earlier '*' need never take more,
 * since a later one can take it as well. */
bool glob_match(const char *pattern, const char *text) {
        const char *p = pattern, *after_star = NULL, *resume = NULL;

        while (*text) {
                if (*p == '*') {
                        after_star = ++p;
                        resume = text;
                        continue;
                }

                Point point = point_at(text);
                Element e = {0};
                if (*p)
                        e = read_element(p, point.c);
                if (e.fault)
                        return false;
                if (e.takes) {
                        p += e.len;
                        text += point.len;
                        continue;
                }
                if (!after_star)
                        return false;
                p = after_star;
                resume += point_at(resume).len;
                text = resume;
        }
        while (*p == '*')
                p++;
        return *p == '\0';
}
