#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* One unit of time (microseconds), spans as people write them, RFC 3339 dates. */

#include "base/macros.h"

typedef uint64_t usec_t; /* an instant (since the epoch or since boot) or a span */

#define USEC_INFINITY UINT64_MAX
#define USEC_PER_MSEC ((usec_t) 1000)
#define USEC_PER_SEC ((usec_t) 1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)

#define RFC3339_SIZE 32

/* Wall clock and boot-time clock, now. Only daemon/, cli/, sandbox/ and tests read clocks. */
usec_t now_realtime(void);
usec_t now_boottime(void);

/* a + b and a - b, ending at USEC_INFINITY and 0; USEC_INFINITY stays itself. */
usec_t usec_add(usec_t a, usec_t b);
usec_t usec_sub(usec_t a, usec_t b);
/* How far a difference is from none. */
usec_t usec_magnitude(int64_t difference);

/* Reads "500ms", "5s", "10min", "2h", "400d", or several parts ("1h 30min"). Units: us ms s min h d
 * w. A unit is required; a space may stand before it. Returns 0, -EINVAL, or -ERANGE. */
int timespan_parse(const char *text, usec_t *ret);
/* Writes a span with its largest exact units up to days, "1min 30s"; "0s", and "infinity" (which is
 * not read back). *ret is new. Returns 0 or -ENOMEM. */
int timespan_format(usec_t span, char **ret);

/* Reads an RFC 3339 date-time: any offset, fractions of a second to the microsecond (more digits
 * are cut), leap second 60 read as 59. The instant must lie in the years 1970 to 9999 UTC. Returns
 * 0 or -EINVAL. */
int rfc3339_parse(const char *text, usec_t *ret);
/* Writes whole seconds in UTC, "2026-01-02T03:04:05Z" (RFC 3339 §5.6); past the year 9999
 * its last second. Returns ret. */
const char *rfc3339_format(usec_t t, char ret[static RFC3339_SIZE]);
