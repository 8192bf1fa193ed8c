#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* SessionLock: whether a person's screen is locked, as logind knows it. */

#include <sys/types.h>

#include <systemd/sd-event.h>

#include "base/macros.h"

typedef struct SessionLock SessionLock;

/* Watches the sessions that logind knows, over a connection of its own to the system bus, again
 * after the bus or logind restarts. Without logind, and before it has answered, nothing is locked;
 * when it goes away, what it said last holds for some seconds more, so that its restart unlocks
 * nothing by itself. Never blocks. changed is called from the event loop when what
 * session_lock_is_locked() says may have changed; not before this returns, and it may not free the
 * object. Returns 0 or -errno; that there is no bus is no error. */
int session_lock_new(SessionLock **ret,
                sd_event *event,
                void (*changed)(void *userdata),
                void *userdata);
/* Takes NULL, returns NULL. */
SessionLock *session_lock_free(SessionLock *l);
DEFINE_CLEANUP(SessionLock *, session_lock_free);

/* Whether that user's screen is locked: at least one session of class "user…" says LockedHint, and
 * no active one is unlocked. Of NULL nothing is locked. */
bool session_lock_is_locked(const SessionLock *l, uid_t uid);
/* Whether one of the user's graphical sessions (Type x11, wayland, mir) says LockedHint: what
 * stands on that screen is seen by anybody. */
bool session_lock_is_screen_locked(const SessionLock *l, uid_t uid);
