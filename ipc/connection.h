#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* One client of the Varlink server: its bytes, and one call at a time. */

#include "ipc/server.h"

typedef struct VarlinkConnection VarlinkConnection;

/* Serves fd, which is taken on success. closed is called once, from the event loop and never from
 * within another function of the connection, when nothing is left to do; it frees the connection.
 * Returns 0 or -errno. */
int varlink_connection_new(VarlinkConnection **ret,
                sd_event *event,
                int fd,
                const CallPeer *peer,
                const VarlinkServerOptions *options,
                void (*closed)(VarlinkConnection *c, void *userdata),
                void *userdata);
/* Writes what can be written at once and closes; a call under way finds its caller gone. Takes
 * NULL, returns NULL. */
VarlinkConnection *varlink_connection_free(VarlinkConnection *c);
DEFINE_CLEANUP(VarlinkConnection *, varlink_connection_free);

const CallPeer *varlink_connection_peer(const VarlinkConnection *c);
