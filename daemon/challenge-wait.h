#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The callers who decided a challenge and wait for what becomes of it. */

#include "daemon/challenge.h"

/* Answers the call when the challenge ends, or with Unconfirmed after a while. References it. */
void challenge_wait(Challenge *c, Call *call);
/* Tells one caller how a final challenge ended. */
void challenge_tell(const Challenge *c, Call *call);
/* Answers all who wait, and forgets them: with the final state, with Stale, or because nobody
 * follows the challenge any more. */
void challenge_waiters_tell(Challenge *c);
void challenge_waiters_stale(Challenge *c);
void challenge_waiters_dismiss(Challenge *c);
/* {"sid": …}, for an error's parameters. */
json_object *challenge_error_sid(const Challenge *c);
