#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What is in a folder. */

#include "base/macros.h"

/* The paths of what ends in suffix in a folder, in the order of their names; hidden ones are left
 * out. *ret is new, NULL-ended, and freed with paths_freep(); ret_n, their number, may be NULL.
 * Returns 0, or -errno: -ENOENT when there is no such folder. */
int directory_list(const char *path, const char *suffix, char ***ret, size_t *ret_n);
/* For _cleanup_() of what directory_list() gave; NULL is fine. */
void paths_freep(char ***paths);
