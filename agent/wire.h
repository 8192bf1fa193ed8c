#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Wire: a connection to the daemon in the event loop. One call at a time. */

#include <json-c/json_types.h>
#include <systemd/sd-event.h>

#include "ipc/message.h"

typedef struct Wire Wire;

/* m: a reply, a good one or an error; borrowed. NULL: the connection has ended, msg says why (NULL
 * when m is given), and nothing comes any more. The wire may be freed in it. */
typedef void (*WireHandler)(Wire *w, const VarlinkMessage *m, const char *msg, void *userdata);

/* Connects to the socket at path, without waiting; refuses a server of a foreign uid. handler is
 * called from the event loop alone. Returns 0 or -errno with a message. */
int wire_new(Wire **ret,
                sd_event *event,
                const char *path,
                WireHandler handler,
                void *userdata,
                char **reterr_msg);
/* Takes NULL, returns NULL. */
Wire *wire_free(Wire *w);
DEFINE_CLEANUP(Wire *, wire_free);

/* Sends a call. parameters is taken. With a timeout (0: none) the connection ends when the last
 * reply has not come by then. Failures come to the handler. */
void wire_call(Wire *w, const char *operation, json_object *parameters, bool more, usec_t timeout);
