#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Desktop: the notification server on the session bus. Keeps a connection to the bus, follows who
 * owns org.freedesktop.Notifications, and talks to that owner alone. Never blocks. */

#include <systemd/sd-event.h>

#include "agent/plan.h"

typedef struct Desktop Desktop;

/* What a notification server can do, by its own word. */
typedef struct ServerAbilities {
        bool actions; /* takes actions */
        bool buttons; /* and shows a button for each: not so one that is known to wait for a command
                         of its own instead, whatever it says of itself */
        bool markup;
} ServerAbilities;

typedef struct DesktopHooks {
        /* There is a notification server. server is borrowed. */
        void (*ready)(void *userdata, const ServerAbilities *server);
        /* It has gone, and with it what stood there; what was asked of it is not answered. */
        void (*gone)(void *userdata);
        /* The answer to desktop_notify(): the id, or 0 when it was refused. */
        void (*shown)(void *userdata, void *cookie, uint32_t id);
        /* Signals of that server. The ids may be others'. */
        void (*closed)(void *userdata, uint32_t id, uint32_t reason);
        void (*clicked)(void *userdata, uint32_t id, const char *key);
} DesktopHooks;

/* Connects to the session bus, now and again. hooks are called from the event loop alone, and must
 * outlive it. Returns 0 or -errno; that there is no bus is no error. */
int desktop_new(Desktop **ret, sd_event *event, const DesktopHooks *hooks, void *userdata);
/* Sends what waits to be sent, and disconnects. Takes NULL, returns NULL. */
Desktop *desktop_free(Desktop *d);
DEFINE_CLEANUP(Desktop *, desktop_free);

/* Something should be shown: when there is no server, the bus is asked to start one. */
void desktop_want_server(Desktop *d, bool wanted);

/* To the server there is; without one both fail or do nothing. notify returns 0 or -errno; after 0
 * comes shown() or gone(). */
int desktop_notify(Desktop *d, const Notice *n, uint32_t replaces, void *cookie);
void desktop_close(Desktop *d, uint32_t id);
