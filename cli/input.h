#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are named on the command line: read here, sent as contents. */

#include "cli/connection.h"

/* Adds a file's text as a parameter; chomp drops one trailing newline. Text that JSON can't carry
 * is refused. Returns 0 or an exit status. */
int input_add_file(
                Session *s, json_object *parameters, const char *key, const char *path, bool chomp);
