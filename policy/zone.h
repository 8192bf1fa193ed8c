#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones: bytes of a compiled zone file (TZif, RFC 9636) in, the clock on the wall out. Pure.
 *
 * libc's own reader is not used: it reads the zone that a variable of the environment names into
 * state of the whole process, calls a name that it does not know UTC, and may read the file again
 * whenever it is asked. */

#include "base/error.h"
#include "base/time.h"

#define ZONE_FILE_MAX (256 * 1024)

typedef struct Zone Zone; /* opaque, constant once it is there */

/* Universal time. *ret is new. Returns 0 or -ENOMEM. */
int zone_new_utc(Zone **ret);
/* Reads a zone file of version 2 or later. *ret is new. Returns 0, -EINVAL with the reason,
 * -ENOMEM. */
int zone_parse(Zone **ret, const void *data, size_t len, char **reterr_msg);
/* Takes NULL, returns NULL. */
Zone *zone_free(Zone *z);
DEFINE_CLEANUP(Zone *, zone_free);

/* The day of the week (0 for Monday) and the minute of the day that the clock on the wall shows at
 * an instant. Each instant has exactly one: minutes that are skipped when clocks go forward never
 * come, those that come twice are there twice. */
void zone_local(const Zone *z, usec_t instant, unsigned *ret_day, unsigned *ret_minute);
