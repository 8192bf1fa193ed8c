#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Link: keeps up with the daemon. It follows the events and, shortly after one, asks for the whole
 * present state again, so that nothing hangs on an event's own words. */

#include <systemd/sd-event.h>

#include "agent/world.h"

typedef struct Link Link;

/* Where the daemon's socket is now. *ret is new. Returns 0 or -ENOMEM. */
typedef int (*LinkPath)(void *userdata, char **ret);

typedef struct LinkHooks {
        LinkPath path;
        /* What is the case, as it was at asked (boot time) or later. w may be taken out of its
         * place; it is not connected when the daemon has gone. challenges: an array of all that
         * the daemon remembers if link_want_final() wants it, else NULL; borrowed. */
        void (*changed)(void *userdata, World *w, json_object *challenges, usec_t asked);
} LinkHooks;

/* Connects after delay, and whenever the daemon comes back. hooks must outlive it; changed() is
 * called from the event loop alone. Returns 0 or -errno. */
int link_new(Link **ret, sd_event *event, usec_t delay, const LinkHooks *hooks, void *userdata);
/* Takes NULL, returns NULL. */
Link *link_free(Link *l);
DEFINE_CLEANUP(Link *, link_free);

/* Asks for the present state soon. */
void link_refresh(Link *l);
/* Whether to ask for final challenges, too, from the next question on. */
void link_want_final(Link *l, bool wanted);
