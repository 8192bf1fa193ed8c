#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Answering: fetch, compare with what was shown, sign or compute, submit, understand the reply. */

#include "daemon/challenge.h"

/* Starts or repeats an attempt on a decided challenge (answering or submitted): always by a fetch
 * first, so that nothing is sent twice. */
void answer_attempt(Challenge *c);
/* Fetches a challenge that nobody has decided here, to learn what became of it. */
void answer_inquire(Challenge *c);
