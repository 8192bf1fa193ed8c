#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Pace: how fast an account, or the provider as a whole, may be asked. Pure but for the dice of the
 * back-off: the time comes in (boot time, microseconds).
 *
 * Three things can make a request wait. The budget spaces requests evenly (the generic cell rate
 * algorithm, ITU-T I.371). The hold is the server's own word, Retry-After, and the pause our guess
 * after failures: both hold back polls. A person's answer is tried at once, and waits itself when
 * it is told to. */

#include "base/time.h"

typedef struct Pace {
        usec_t spacing;      /* between two requests; 0: no budget */
        usec_t next;         /* when the budget would be whole again */
        usec_t held;         /* the server wants nothing before */
        usec_t paused;       /* no poll before */
        usec_t failed;       /* when the last failure was noted */
        unsigned n_failures; /* in a row; those that were under way together count once */
} Pace;

#define PACE_BACKOFF_FIRST USEC_PER_SEC
#define PACE_BACKOFF_MAX (60 * USEC_PER_SEC)
#define PACE_BACKOFF_BRIEF (2 * USEC_PER_SEC) /* while there is somebody else to try */
#define PACE_BURST 10                         /* a tenth of a second's requests may go at once */

/* requests_per_second: 0 for no budget. */
void pace_init(Pace *p, unsigned requests_per_second);

/* When the budget lets the next request go: now or earlier means at once. */
usec_t pace_budget_ready(const Pace *p);
/* When hold and pause let the next poll go. */
usec_t pace_poll_ready(const Pace *p);
/* Takes a request out of the budget; it may go into debt. */
void pace_take(Pace *p, usec_t now);

/* A request that was sent at `sent` failed for a while. retry_after: a span, 0 when the server said
 * nothing; it wins over our own back-off: full jitter under a ceiling that doubles up to
 * PACE_BACKOFF_MAX, or to PACE_BACKOFF_BRIEF. Returns whether it counts as a new failure. */
bool pace_failed(Pace *p, usec_t sent, usec_t now, usec_t retry_after, bool brief);
/* A request was answered: the back-off starts over. The hold stands. */
void pace_passed(Pace *p);
/* Forgets the pause: somebody asked, or the machine was asleep. The hold stands. */
void pace_hurry(Pace *p);
