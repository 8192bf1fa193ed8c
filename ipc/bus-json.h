#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* JSON to D-Bus values and back, by the tables of bus-table.h. Pure: it looks at nothing but the
 * messages.
 *
 * A string is s, an integer x, a truth value b, an object a{sv}, a list of objects aa{sv} (an empty
 * list too), one of strings as, a mixed one av. null is left out. */

#include <json-c/json_types.h>
#include <systemd/sd-bus.h>

#include "base/json.h"
#include "ipc/bus-table.h"

#define BUS_MESSAGE_MAX (16 * 1024 * 1024) /* of an answer, about: a bus takes 32 MiB at most */

/* Reads a call's arguments as the operation's parameters. sid: the challenge that the object stands
 * for, added as "sid"; or NULL. All that was read is wiped when *ret is freed. Returns 0, -EBADMSG
 * with a reason (a value that JSON has not, a name that stands twice, over IPC_MESSAGE_MAX as
 * JSON), or -ENOMEM. */
int bus_json_read(JsonDoc **ret,
                sd_bus_message *m,
                const BusMethod *method,
                const char *sid,
                char **reterr_msg);

/* Appends a reply's parameters (borrowed, NULL is {}) as the method's result. Returns 0, -E2BIG
 * past BUS_MESSAGE_MAX, or the errno of sd-bus: the message is then good for nothing. */
int bus_json_append_result(sd_bus_message *m, const BusMethod *method, json_object *parameters);

/* Appends members of objects as one a{sv}; of two with one name the first. Each may be NULL. */
int bus_json_append_dict(sd_bus_message *m, json_object *o, json_object *more);

/* Appends the property's value as the type that it has: nothing (NULL) is "", 0, false or an empty
 * list. Returns 0 or -errno. */
int bus_json_append_property(sd_bus_message *m, const BusProperty *p, json_object *value);
