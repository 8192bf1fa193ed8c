#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Refusals: how many of them are recorded, so that nobody fills the audit trail with them. Pure. */

#include <sys/types.h>

#include "base/time.h"

#define REFUSALS_OF_UID 5  /* recorded of a uid in a window … */
#define REFUSALS_OF_ALL 60 /* … and of all together */
/* While too many come each window is twice as long as the last one. */
#define REFUSALS_WINDOW USEC_PER_MINUTE
#define REFUSALS_WINDOW_MAX USEC_PER_HOUR

typedef struct RefusalCount {
        uid_t uid; /* -1: of all the others together */
        unsigned n;
        uint64_t left_out;
} RefusalCount;

/* A zero-initialised one is empty and valid. */
typedef struct Refusals {
        RefusalCount uids[REFUSALS_OF_ALL];
        size_t n_uids;
        unsigned n;
        uint64_t left_out; /* of uids that have no place in the array */
        usec_t window;
        usec_t end; /* of the window; 0: none has begun */
} Refusals;

/* A refusal at a time (boot time): whether it is to be recorded; else it is counted. */
bool refusals_take(Refusals *r, uid_t uid, usec_t now);
/* Ends the window when its time has come; ret takes what was left out in it, at most
 * REFUSALS_OF_ALL + 1 entries, and *ret_span its length. Returns how many entries. */
size_t refusals_end(Refusals *r, usec_t now, RefusalCount *ret, usec_t *ret_span);
