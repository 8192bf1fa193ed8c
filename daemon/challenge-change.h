#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a challenge: durable first, then real, then known. For challenge.c and
 * challenge-decide.c. */

#include "daemon/challenge.h"

/* A change of state with all that must be durable with it. */
typedef struct Change {
        ChallengeState to;
        const char *reason;
        StoreDecision *decision; /* a new one; taken on success */
        int64_t ticket;          /* that the decision uses: without it it does not stand; 0: none */
        const char *void_reason; /* the standing one is voided */
        const Actor *mismatch;   /* who typed one more wrong value */
} Change;

/* The one place that assigns a state. */
void challenge_set_state(Challenge *c, ChallengeState to);
/* Makes a change durable, then real, then known, and with it what it means for other challenges. On
 * failure nothing has changed. */
int challenge_change(Challenge *c, const Change *change, char **reterr_msg);
/* Counts a wrong value, durably, with an audit record. On failure nothing has changed. */
int challenge_note_mismatch(Challenge *c, const Actor *actor, char **reterr_msg);
/* Makes an end durable that could not be recorded when it came, and what it means for others. On
 * failure nothing has changed. */
int challenge_record_end(Challenge *c);
/* After a final state: nothing more is due, and nobody waits any more. */
void challenge_settle(Challenge *c);
