#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on D-Bus, as tables: methods are operations, properties are members of the JSON that
 * the operations answer with. */

#include "ipc/bus-names.h"
#include "ipc/operation.h"

/* A method. Its arguments are parameters of the operation; one that is called "options" holds the
 * optional ones. Its result is the member of the operation's reply that has the result's name, or
 * for "reply" the whole of it. */
typedef struct BusMethod {
        const char *name;
        OperationId operation;
        const char *arguments; /* signature */
        const char *result;    /* "", "a{sv}" or "aa{sv}" */
        const char *names;     /* of the arguments and of the result, each ended by a NUL */
        bool sensitive;        /* carries secrets: its messages are wiped */
} BusMethod;

typedef enum BusChange {
        BUS_CHANGE_TOLD,   /* by PropertiesChanged */
        BUS_CHANGE_UNTOLD, /* changes without a signal */
        BUS_CHANGE_NEVER,
} BusChange;

/* A property. One whose member is null or missing is "", 0, false or an empty list. */
typedef struct BusProperty {
        const char *name;
        const char *member;
        const char *type; /* "s", "x", "b" or "aa{sv}" */
        BusChange change;
} BusProperty;

typedef struct BusInterface {
        const char *name;
        const BusMethod *methods;
        size_t n_methods;
        const BusProperty *properties;
        size_t n_properties;
        const char *const *signals; /* NULL, or names that end with a NULL: each carries an a{sv} */
} BusInterface;

extern const BusInterface bus_manager, bus_factor, bus_challenge;

/* Borrowed; NULL when there is none. */
const BusMethod *bus_interface_method(const BusInterface *i, const char *name);
const BusProperty *bus_interface_property(const BusInterface *i, const char *name);
