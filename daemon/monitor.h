#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Monitor: the callers who watch, and what each may see. */

#include "daemon/registry.h"

typedef struct Monitor Monitor;

/* One that nobody watches yet. Returns 0 or -ENOMEM. */
int monitor_new(Monitor **ret);
/* Ends every stream. Takes NULL, returns NULL. */
Monitor *monitor_free(Monitor *m);
DEFINE_CLEANUP(Monitor *, monitor_free);

/* Adds a caller, until it leaves. References the call. Returns 0 or -ENOMEM. */
int monitor_add(Monitor *m, Call *call);

/* Sends a caller what changed after the cursor, in its present state and in the order of the
 * changes: of what the registry holds. Returns 0, -ENOMEM, or the error of call_reply_more(). */
int monitor_replay(const Registry *r, Call *call, uint64_t since);

/* Somebody of the daemon's own who hears of every change: a door that tells them in its own way. */
typedef struct MonitorListener {
        void (*challenge)(const Challenge *c, void *userdata);
        void (*factor)(Factor *f, const char *type, void *userdata);
        void *userdata;
} MonitorListener;

/* Sets the one listener; NULL: none. */
void monitor_listen(Monitor *m, const MonitorListener *listener);

/* Tells those who may see what belongs to owner. */
void monitor_challenge(Monitor *m, const Challenge *c);
void monitor_factor(Monitor *m, Factor *f, const char *type);
