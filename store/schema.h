#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of the database, version by version. */

#include "store/database.h"

/* The version that brought the audit trail's checkpoints. */
#define SCHEMA_WITH_CHECKPOINTS 3

/* The version that the database is of; 0 for an empty one. -ENOTSUP when it is newer than
 * STORE_SCHEMA_VERSION, -EINVAL when the file is somebody else's. Writes nothing. */
int schema_version(Store *s, int *ret, char **reterr_msg);
/* Brings the database from a version to STORE_SCHEMA_VERSION, inside the open transaction. */
int schema_migrate(Store *s, int from, char **reterr_msg);
