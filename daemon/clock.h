#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The server's clock, from the Date of its replies. Pure: both local clocks come in.
 *
 * The offset is server time minus boot time, so that a jump of the local wall clock does not matter
 * once a server has been heard. Until then server time is local wall time. */

#include "base/time.h"

typedef struct ServerClock {
        bool heard;         /* a server's Date is in use */
        usec_t local_base;  /* local wall time minus boot time, when last asked */
        int64_t offset;     /* server minus local wall clock at local_base, microseconds */
        bool has_candidate; /* a large change that waits for a second reply that agrees */
        int64_t candidate;
} ServerClock;

#define CLOCK_LARGE_CHANGE (30 * USEC_PER_SEC) /* needs two replies that agree */
#define CLOCK_AGREE (3 * USEC_PER_SEC)

/* Zeroes the clock and notes the local clocks' difference. */
void server_clock_init(ServerClock *c, usec_t realtime, usec_t boottime);
/* Server time at boot time `boottime`, in microseconds. */
usec_t server_clock_now(const ServerClock *c, usec_t boottime);
/* The offset of server time to the local wall clock now, microseconds: for people. */
int64_t server_clock_offset(const ServerClock *c, usec_t realtime, usec_t boottime);
/* Feeds a reply's Date (whole seconds) with the boot times of sending and receiving. A difference
 * within half the round trip plus a second counts as none. A change over CLOCK_LARGE_CHANGE is kept
 * until a second reply agrees within CLOCK_AGREE. Returns true when server time changed by a second
 * or more. */
bool server_clock_observe(ServerClock *c, usec_t date, usec_t sent, usec_t received);
/* The same when the reply was 401: the Date is believed at once, because the retry that follows is
 * the second reply. Returns true when server time changed by a second or more. */
bool server_clock_observe_refusal(ServerClock *c, usec_t date, usec_t sent, usec_t received);
