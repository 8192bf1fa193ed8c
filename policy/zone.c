/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/zone.h"

#include <errno.h>
#include <string.h>

#include "policy/hours.h"
#include "policy/zone-rule.h"

#define HEADER_SIZE 44
#define TYPE_SIZE 6
#define TYPES_MAX 256
#define TRANSITIONS_MAX 10000
#define RULE_MAX 255
#define OFFSET_MAX (26 * 3600) /* RFC 9636: less than that */

typedef struct Transition {
        int64_t time;
        int32_t offset; /* seconds east of UTC from then on */
} Transition;

struct Zone {
        int32_t first_offset; /* before all transitions */
        Transition *transitions;
        size_t n_transitions;
        bool has_rule; /* what holds from the last transition on */
        ZoneRule rule;
};

/* What is left to read. */
typedef struct Bytes {
        const uint8_t *data;
        size_t len;
} Bytes;

typedef struct Header {
        uint32_t n_isut, n_isstd, n_leap, n_times, n_types, n_chars;
} Header;

static uint64_t big_endian(const uint8_t *p, size_t n) {
        uint64_t value = 0;

        while (n-- > 0)
                value = value << 8 | *p++;
        return value;
}

/* The next len bytes, or NULL when there are fewer. */
static const uint8_t *take(Bytes *b, size_t len) {
        const uint8_t *p = b->data;

        if (len > b->len)
                return NULL;
        b->data += len;
        b->len -= len;
        return p;
}

static int read_header(Bytes *b, Header *ret) {
        const uint8_t *p = take(b, HEADER_SIZE);

        if (!p || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
                return -EINVAL;
        *ret = (Header){
                        .n_isut = (uint32_t) big_endian(p + 20, 4),
                        .n_isstd = (uint32_t) big_endian(p + 24, 4),
                        .n_leap = (uint32_t) big_endian(p + 28, 4),
                        .n_times = (uint32_t) big_endian(p + 32, 4),
                        .n_types = (uint32_t) big_endian(p + 36, 4),
                        .n_chars = (uint32_t) big_endian(p + 40, 4),
        };
        if (ret->n_times > TRANSITIONS_MAX || ret->n_types == 0 || ret->n_types > TYPES_MAX ||
                        ret->n_leap > TRANSITIONS_MAX || ret->n_chars > ZONE_FILE_MAX ||
                        ret->n_isut > TYPES_MAX || ret->n_isstd > TYPES_MAX)
                return -EINVAL;
        return 0;
}

/* Bytes of a block behind the transitions' times and types, whose times have so many bytes. */
static size_t rest_of_block(const Header *h, size_t time_size) {
        return h->n_chars + h->n_leap * (time_size + 4) + h->n_isstd + h->n_isut;
}

static int read_offset(const uint8_t *types, uint32_t n_types, uint8_t i, int32_t *ret) {
        if (i >= n_types)
                return -EINVAL;
        *ret = (int32_t) (uint32_t) big_endian(types + TYPE_SIZE * (size_t) i, 4);
        return *ret > -OFFSET_MAX && *ret < OFFSET_MAX ? 0 : -EINVAL;
}

static int read_transitions(Zone *z, Bytes *b, const Header *h) {
        const uint8_t *times = take(b, (size_t) h->n_times * 8);
        const uint8_t *indices = take(b, h->n_times);
        const uint8_t *types = take(b, (size_t) h->n_types * TYPE_SIZE);

        if (!times || !indices || !types)
                return -EINVAL;
        z->transitions = calloc((size_t) h->n_times + 1, sizeof(Transition));
        if (!z->transitions)
                return -ENOMEM;
        z->n_transitions = h->n_times;

        for (size_t i = 0; i < h->n_times; i++) {
                Transition *t = &z->transitions[i];

                t->time = (int64_t) big_endian(times + 8 * i, 8);
                int r = read_offset(types, h->n_types, indices[i], &t->offset);
                if (r < 0 || (i > 0 && t->time <= t[-1].time))
                        return -EINVAL;
        }
        return read_offset(types, h->n_types, 0, &z->first_offset);
}

/* What stands between two newlines at the file's end; nothing there: the last offset stays. */
static int read_rule(Zone *z, Bytes *b) {
        char text[RULE_MAX + 1];
        const char *start = (const char *) b->data + 1;

        if (b->len < 2 || b->data[0] != '\n')
                return -EINVAL;
        const char *end = memchr(start, '\n', b->len - 1);
        if (!end || end - start > RULE_MAX)
                return -EINVAL;
        if (end == start)
                return 0;

        *(char *) mempcpy(text, start, (size_t) (end - start)) = '\0';
        z->has_rule = true;
        return zone_rule_parse(&z->rule, text);
}

static int read_zone(Zone *z, Bytes b, bool *ret_leap) {
        Header h;

        /* The first block is for readers of 32 bits. */
        int r = read_header(&b, &h);
        if (r == 0 && !take(&b, (size_t) h.n_times * 5 + (size_t) h.n_types * TYPE_SIZE +
                                                      rest_of_block(&h, 4)))
                r = -EINVAL;
        if (r == 0)
                r = read_header(&b, &h);
        if (r < 0)
                return r;
        *ret_leap = h.n_leap > 0;
        r = read_transitions(z, &b, &h);
        if (r == 0 && !take(&b, rest_of_block(&h, 8)))
                r = -EINVAL;
        return r < 0 ? r : read_rule(z, &b);
}

int zone_parse(Zone **ret, const void *data, size_t len, char **reterr_msg) {
        bool leap = false;

        _cleanup_(zone_freep) Zone *z = calloc(1, sizeof(Zone));
        if (!z)
                return -ENOMEM;
        int r = read_zone(z, (Bytes){data, len}, &leap);
        if (r == -EINVAL)
                return error_set(reterr_msg, r, "the file of this zone is damaged or too old");
        if (r < 0)
                return r;
        if (leap)
                return error_set(reterr_msg, -EINVAL,
                                "this zone counts leap seconds, the clock does not");
        *ret = TAKE_PTR(z);
        return 0;
}

int zone_new_utc(Zone **ret) {
        Zone *z = calloc(1, sizeof(Zone));
        if (!z)
                return -ENOMEM;
        *ret = z;
        return 0;
}

Zone *zone_free(Zone *z) {
        if (z)
                free(z->transitions);
        free(z);
        return NULL;
}

static int32_t zone_offset(const Zone *z, int64_t t) {
        size_t low = 0, high = z->n_transitions; /* the first transition after t is in there */

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (z->transitions[middle].time <= t)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == z->n_transitions && z->has_rule)
                return zone_rule_offset(&z->rule, t);
        return low > 0 ? z->transitions[low - 1].offset : z->first_offset;
}

void zone_local(const Zone *z, usec_t instant, unsigned *ret_day, unsigned *ret_minute) {
        int64_t t = (int64_t) (instant / USEC_PER_SEC);
        /* 1970-01-01 was a Thursday; the added week keeps the sum from being negative. */
        int64_t start = INT64_C(60) * (MINUTES_PER_WEEK + 3 * MINUTES_PER_DAY);
        int64_t minutes = (start + t + zone_offset(z, t)) / 60;

        minutes %= MINUTES_PER_WEEK;
        *ret_day = (unsigned) (minutes / MINUTES_PER_DAY);
        *ret_minute = (unsigned) (minutes % MINUTES_PER_DAY);
}
