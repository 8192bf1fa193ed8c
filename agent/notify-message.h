#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The Notify call of the Desktop Notifications Specification. */

#include <systemd/sd-bus.h>

#include "agent/plan.h"

#define SERVER_NAME "org.freedesktop.Notifications"
#define SERVER_PATH "/org/freedesktop/Notifications"
#define SERVER_INTERFACE "org.freedesktop.Notifications"

/* A call that shows n, in place of the notification of that id if it is not 0, to be sent to
 * server, a name on the bus. *ret is new. Returns 0 or -errno. */
int notify_message_new(sd_bus_message **ret,
                sd_bus *bus,
                const char *server,
                const Notice *n,
                uint32_t replaces);
