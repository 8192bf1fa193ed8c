#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* org.varlink.service, which every Varlink server has: what is here, and the protocol's errors. */

#include <json-c/json_types.h>

#include "ipc/message.h"

typedef struct ServiceReply {
        const char *error;       /* "org.varlink.service.…", or NULL */
        json_object *parameters; /* owned by whoever called */
} ServiceReply;

/* Splits "interface.Method" and says what is to be done: *ret_method is the method when it is one
 * of IPC_INTERFACE, to be looked up by the caller; else it is NULL and *ret is the reply.
 * Returns 0 or -ENOMEM. */
int service_route(ServiceReply *ret,
                const char **ret_method,
                const VarlinkMessage *m,
                const char *version);

/* An error of org.varlink.service with one parameter (or none: key is NULL).
 * Returns 0 or -ENOMEM. */
int service_error(ServiceReply *ret, const char *error, const char *key, const char *value);
