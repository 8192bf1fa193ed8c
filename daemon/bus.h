#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The door on D-Bus: the daemon's name on the system or the session bus, and what is behind it. */

#include "daemon/config.h"

typedef struct Bus Bus;
typedef struct Manager Manager;

typedef enum BusKind {
        BUS_NONE,
        BUS_SYSTEM,  /* methods on the root object, signals to subscribers alone */
        BUS_SESSION, /* an object for each factor and challenge as well */
} BusKind;

/* Which one the configuration means: auto is the system bus for a system's daemon. */
BusKind bus_kind(const Config *c);

/* The door of a manager that has all but started. It connects at once, or when a bus is there, and
 * again after a bus has gone; a call on it waits for nothing. Returns 0 or -errno. */
int bus_new(Bus **ret, Manager *m, BusKind kind);
/* Leaves the bus; calls that are under way find their caller gone. Takes NULL, returns NULL. */
Bus *bus_free(Bus *b);
DEFINE_CLEANUP(Bus *, bus_free);

/* What keeps it from answering to its name, for status; NULL when nothing does, or when no bus is
 * there and the configuration names none. */
const char *bus_problem(const Bus *b);
