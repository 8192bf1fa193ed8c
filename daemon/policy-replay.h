#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy in force would have decided of the challenges whose text is kept, a piece at a
 * time. */

#include "daemon/manager.h"

/* Answers the call with those that changed last at that time or later, in the order in which they
 * did. Returns 0 or -errno. */
int policy_replay_new(Manager *m, Call *call, usec_t since);
void policy_replay_cancel_all(Manager *m);
