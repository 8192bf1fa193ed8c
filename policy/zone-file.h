#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Time zones by name, from the system's database.
 *
 * The one place in policy/ that touches a file. A rule names a zone, and whether there is one can
 * only the system say; so it is read here, while rules are loaded, and deciding stays a function of
 * its arguments. */

#include "policy/zone.h"

#define ZONE_DIRECTORY "/usr/share/zoneinfo"
#define ZONE_LOCAL "/etc/localtime"
#define ZONE_NAME_MAX 255

/* Reads the zone of that name, "Europe/Berlin"; NULL: the zone that the system is set to. "UTC",
 * and a system that is set to no zone, need no file. *ret is new. Returns 0, -EINVAL with the
 * reason when there is no such zone, -ENOMEM. */
int zone_read(Zone **ret, const char *name, char **reterr_msg);
