#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a challenge that is held to the policy: what the evaluation is told of its factor. */

#include "daemon/manager.h"
#include "policy/explain.h"

/* What the policy in force says of it now. *ret is filled, and freed with policy_verdict_done();
 * what it borrows lasts until the next load. Returns 0 or -errno. */
int policy_ask(Manager *m, const Challenge *c, PolicyVerdict *ret);
/* Likewise, of each rule. */
int policy_ask_why(Manager *m, const Challenge *c, PolicyExplanation *ret);

/* What the policy would say of one that is not held, at another time, with the ticket that it used
 * or NULL. */
int policy_ask_then(Manager *m,
                int64_t factor_id,
                const ChallengeView *v,
                const PolicyTicket *ticket,
                usec_t now,
                PolicyVerdict *ret);
