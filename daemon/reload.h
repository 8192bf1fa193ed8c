#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Reading configuration and rules again while the daemon runs. */

#include "daemon/manager.h"

/* Each is taken whole or not at all: with faults in the configuration the old one stays, with
 * faults in the rules the old ones. What is wrong is logged, stands in status until a reload
 * succeeds, and goes to problems; what else there is to say goes to notes. Both may be NULL. actor:
 * who asked; NULL: a signal. */
void reload(Manager *m, const Actor *actor, ErrorList *problems, ErrorList *notes);
