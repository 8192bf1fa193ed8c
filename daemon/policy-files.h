#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that lie in a folder, found, trusted and compiled. */

#include <sys/types.h>

#include "policy/policy.h"

/* Reads directory/ *.policy, in the order of their names; hidden files are left out. A folder that
 * does not exist has no rules. Folder and files are checked as base/file.h says, against owner (the
 * daemon's uid), and so are the programs that rules run; links are not followed. system: rules must
 * not run any. Faults go to errors, all of them; one is enough for *ret to stay as it is. Returns 0
 * when there was no fault, -EINVAL when there was, -ENOMEM. */
int policy_files_load(
                Policy **ret, const char *directory, uid_t owner, bool system, ErrorList *errors);
