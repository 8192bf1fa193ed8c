#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that came over D-Bus. */

#include "ipc/call.h"

/* The caller's unique name, borrowed, and whether polkit may ask somebody for a password; NULL for
 * a call of another door, or whose caller has gone. */
const char *bus_call_sender(const Call *call, bool *ret_interactive);
