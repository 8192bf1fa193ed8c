#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The state as JSON: for people who look at it, and for the file that it is kept in. */

#include "sandbox/state.h"

#define STATE_FILE_MAX ((size_t) 1024 * 1024 * 1024)

/* All that the state holds, secrets too. NULL when memory is short. */
json_object *state_to_json(const State *s, const char *base_url);

/* Writes the state to path, atomically, readable by the owner alone; the state is clean then.
 * Returns 0 or -errno with a message. */
int state_save(State *s, const char *path, char **reterr_msg);
/* Reads a state file into an empty state. Returns 0, -ENOENT when there is none, -EBADMSG or
 * another errno with a message. */
int state_load(State *s, const char *path, char **reterr_msg);
