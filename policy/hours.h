#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Hours of the week: "Mon..Fri 08:00-18:00; Sat 10:00-12:00,13:00-15:00". Pure. */

#include "base/error.h"

#define HOURS_TEXT_MAX 1024
#define MINUTES_PER_DAY (24 * 60)
#define MINUTES_PER_WEEK (7 * MINUTES_PER_DAY)

/* A bit for each minute of a week by the clock on the wall; Monday is the first day. */
typedef struct Hours {
        uint8_t minutes[MINUTES_PER_WEEK / 8];
} Hours;

/* Windows are separated by ';'. Each has days (names of three letters, ranges with "..", which may
 * run over Sunday, lists with ','), or times (HH:MM-HH:MM, lists with ','), or both. Days alone are
 * whole days, times alone are every day's. The first minute is in, the last is not; 24:00 is the
 * day's end. A time that ends before it begins runs over midnight and belongs to the day on which
 * it begins. Returns 0, -EINVAL with the reason, -ENOMEM. */
int hours_parse(Hours *ret, const char *text, char **reterr_msg);

/* day: 0 for Monday to 6; minute: of the day. */
bool hours_contain(const Hours *h, unsigned day, unsigned minute);
