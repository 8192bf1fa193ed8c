#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The rule of a time zone for the years that its table does not reach: the TZ string of POSIX, with
 * the extensions of RFC 9636 §3.3.1. Pure. */

#include "base/macros.h"

typedef enum ZoneDayKind {
        ZONE_DAY_JULIAN,  /* Jn: 1 to 365, February 29th is never counted */
        ZONE_DAY_OF_YEAR, /* n: 0 to 365 */
        ZONE_DAY_MONTH,   /* Mm.w.d */
} ZoneDayKind;

/* When daylight saving time begins or ends in a year. */
typedef struct ZoneChange {
        ZoneDayKind kind;
        unsigned day;   /* 0 for Sunday with ZONE_DAY_MONTH */
        unsigned month; /* 1 to 12 */
        unsigned week;  /* 1 to 5; 5 is the month's last */
        int32_t time;   /* seconds from that day's midnight, by the clock that is left */
} ZoneChange;

typedef struct ZoneRule {
        int32_t standard, summer; /* seconds east of UTC */
        bool has_summer;
        ZoneChange begin, end;
} ZoneRule;

/* Reads "CET-1CEST,M3.5.0,M10.5.0/3". A zone with summer time must say when it is. Returns 0 or
 * -EINVAL. */
int zone_rule_parse(ZoneRule *ret, const char *text);

/* Seconds east of UTC at that time (seconds since the epoch). */
int32_t zone_rule_offset(const ZoneRule *rule, int64_t t);
