#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions: what was clicked on its way to the daemon, each on a connection of its own, and what
 * became of it. */

#include <json-c/json_types.h>
#include <systemd/sd-event.h>

#include "agent/outcome.h"

typedef struct Decisions Decisions;

/* changed: outcomes or what is under way are others now; called from the event loop alone. Returns
 * 0 or -ENOMEM. */
int decisions_new(
                Decisions **ret, sd_event *event, void (*changed)(void *userdata), void *userdata);
/* Takes NULL, returns NULL. What is under way goes on without us. */
Decisions *decisions_free(Decisions *d);
DEFINE_CLEANUP(Decisions *, decisions_free);

/* Sends what a chose (to approve, deny or ignore) to the daemon at path. */
void decisions_send(Decisions *d, const char *path, const NoticeAction *a, const char *factor);
/* The daemon's state as it was at asked (boot time) or later is known. Looks for what is still to
 * come in challenges, all that the daemon remembers (NULL: not known). */
void decisions_look(Decisions *d, json_object *challenges, usec_t asked);
/* Whether decisions_look() has something to look for. */
bool decisions_wait(const Decisions *d);

/* The SIDs with a decision under way, and the outcomes to show, for the plan. Borrowed, until
 * anything else is called; in->now must be set. */
void decisions_fill(Decisions *d, PlanInput *in);
