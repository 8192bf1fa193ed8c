#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* How the manager decides challenges by rules, and by deciders. */

#include "daemon/manager.h"

/* Once the store is open: loads the rules. Faults in them are no failure: none is then in force.
 * Returns 0 or -errno with a message. */
int manager_prepare_policy(Manager *m, char **reterr_msg);
/* Loads them again. Returns 0; -EINVAL with faults in problems, and the old ones stay; -ENOMEM. */
int manager_reload_policy(Manager *m, const Actor *actor, ErrorList *problems);
/* The functions of ChallengeHost. */
void manager_host_policy(ChallengeHost *host);
