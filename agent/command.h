#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What to add to a factorctl command so that it talks to the same daemon. Pure. */

#include "ipc/socket-path.h"

/* " --socket '/a path'", " --system", …, "" for what factorctl does by itself. Quoted for a shell.
 * *ret is new. Returns 0 or -ENOMEM. */
int command_options(const char *socket, SocketChoice choice, char **ret);
