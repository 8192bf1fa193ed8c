#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The server's clock, from the Date of its replies. Pure: both local clocks come in.
 *
 * Server time is kept as a distance from boot time, so that a jump of the local wall clock does not
 * matter once a server has been heard. Until then server time is local wall time, jumps included.
 */

#include "base/time.h"

typedef struct ServerClock {
        bool heard;         /* a server's Date is in use */
        int64_t base;       /* server time minus boot time, microseconds */
        bool has_candidate; /* a large change that waits for a second reply that agrees */
        int64_t candidate;  /* the base that it would be */
        usec_t waits_since; /* boot time */
        usec_t last_date;   /* what was fed last; 0: nothing */
} ServerClock;

#define CLOCK_LARGE_CHANGE (30 * USEC_PER_SEC) /* needs two replies that agree */
#define CLOCK_AGREE (3 * USEC_PER_SEC)
#define CLOCK_SETTLING_MAX (10 * USEC_PER_SEC)

/* Zeroes the clock and notes the local clocks' difference. */
void server_clock_init(ServerClock *c, usec_t realtime, usec_t boottime);
/* The local wall clock was set: server time follows it unless a server was heard. */
void server_clock_note_local(ServerClock *c, usec_t realtime, usec_t boottime);
/* Server time at boot time `boottime`, in microseconds. */
usec_t server_clock_now(const ServerClock *c, usec_t boottime);
/* The same if the large change that waits (if one does) were believed: for the request that is to
 * prove it. */
usec_t server_clock_trial(const ServerClock *c, usec_t boottime);
/* The offset of server time to the local wall clock now, microseconds: for people. */
int64_t server_clock_offset(const ServerClock *c, usec_t realtime, usec_t boottime);
/* How far the change that waits would move server time; 0 when none waits. */
int64_t server_clock_candidate(const ServerClock *c);

/* Whether a large change has come up just now: what depends on the exact time, a code, had better
 * wait until another reply settles it. */
bool server_clock_is_settling(const ServerClock *c, usec_t boottime);

/* Feeds a reply's Date (whole seconds) with the boot times of sending and receiving. A difference
 * within half the round trip plus a second counts as none. A change over CLOCK_LARGE_CHANGE waits
 * until a second reply agrees within CLOCK_AGREE. A Date that is fed again tells nothing new: it
 * moves no clock, and agrees with none. Returns true when server time changed by a second or more.
 */
bool server_clock_observe(ServerClock *c, usec_t date, usec_t sent, usec_t received);
/* The same for the reply to a request that was sent again after a 401 whose Date was fed: it is a
 * second reply, also when it came within the same second. */
bool server_clock_observe_retry(ServerClock *c, usec_t date, usec_t sent, usec_t received);
