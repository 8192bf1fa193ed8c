#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A Varlink client. It blocks where it says so. */

#include "ipc/message.h"
#include "ipc/operation.h"

typedef struct VarlinkClient VarlinkClient;

/* Connects to the socket at path. Refuses a server whose peer uid is neither root, nor the user
 * "factord", nor our own: -EPERM. Nobody there: -ENOENT, -ECONNREFUSED. Always with a message.
 * Waits some seconds for a listener that is busy (-ETIMEDOUT); _now does not. */
int varlink_client_connect(VarlinkClient **ret, const char *path, char **reterr_msg);
int varlink_client_connect_now(VarlinkClient **ret, const char *path, char **reterr_msg);
/* Takes NULL, returns NULL. */
VarlinkClient *varlink_client_free(VarlinkClient *c);
DEFINE_CLEANUP(VarlinkClient *, varlink_client_free);

/* Sends a call of IPC_INTERFACE. parameters is borrowed. Returns 0 or -errno with a message. */
int varlink_client_send(VarlinkClient *c,
                const char *operation,
                json_object *parameters,
                bool more,
                char **reterr_msg);
/* Waits for the next reply until the deadline (boot time; USEC_INFINITY: for ever, 0: only looks,
 * and writes what waits to be written). -ETIMEDOUT,
 * -ECONNRESET when the server left, -EBADMSG; with a message. */
int varlink_client_receive(
                VarlinkClient *c, usec_t deadline, VarlinkMessage *ret, char **reterr_msg);
/* Whether part of a call waits until it can be written. */
bool varlink_client_is_sending(const VarlinkClient *c);
/* The connection, for poll(). */
int varlink_client_fd(const VarlinkClient *c);
