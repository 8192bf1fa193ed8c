#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What a person is told of the decision that they clicked. Pure. */

#include <json-c/json_types.h>

#include "agent/plan.h"

typedef enum DecisionEnd {
        DECISION_DONE,    /* told; nothing more comes */
        DECISION_WAITS,   /* it is kept, and its end is still to come; told */
        DECISION_PENDING, /* likewise, but there is nothing new to tell */
} DecisionEnd;

/* Each reads the daemon's word on the decision that kind was, on a challenge of that factor (a
 * valid name), and sets *ret (but its times and SID) when there is something to tell. Each returns
 * a DecisionEnd, or -ENOMEM: then nothing is told. */

/* The reply: error NULL for a good one; o its parameters. */
int outcome_of_reply(Outcome *ret,
                ActionKind kind,
                const char *factor,
                const char *error,
                json_object *o);
/* The challenge as it is found later; NULL: it is remembered no more. */
int outcome_of_challenge(Outcome *ret, ActionKind kind, const char *factor, json_object *challenge);
/* The decision could not be sent: why. */
int outcome_of_failure(Outcome *ret, ActionKind kind, const char *factor, const char *why);

/* Frees and zeroes. */
void outcome_done(Outcome *o);
