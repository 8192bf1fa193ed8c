#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Changes of a challenge: durable first, then real, then known. What its parts share: challenge.c,
 * challenge-decide.c, challenge-policy.c. */

#include "daemon/challenge.h"

#define CHALLENGE_STORE_RETRY (10 * USEC_PER_SEC)

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

/* When something becomes of it by itself: it expires, or a rule's denial that was held back is
 * sent. */
usec_t challenge_end(const Challenge *c);
/* Makes its timer that end, while nobody has decided it. */
void challenge_schedule_expiry(Challenge *c);
/* Puts it to the policy. What can't be recorded is put to it again in a while. */
void challenge_put_to_policy(Challenge *c);
/* Whether that has to wait: the provider names another time than this machine, and has not been
 * heard twice. Rules go by its clock. */
bool challenge_awaits_clock(const Challenge *c);
/* Waits with that until all that is pending is known. */
void challenge_await_list(Challenge *c);
/* Nobody has decided otherwise: the word that a rule's Override= held back is the decision. */
void challenge_end_held(Challenge *c);
