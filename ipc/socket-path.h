#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Where a daemon's socket is, for its clients. */

#include "base/macros.h"

typedef enum SocketChoice {
        SOCKET_NEAREST, /* the user's own daemon if its socket is there, else the system's */
        SOCKET_USER,
        SOCKET_SYSTEM,
} SocketChoice;

/* The path of the daemon's socket, whether it is there or not. *ret is new. Returns 0 or -ENOMEM.
 */
int socket_path(SocketChoice choice, char **ret);
