#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration while it is being put together: what config.c and config-check.c share. */

#include "daemon/config-files.h"

/* Where something stands. Borrowed from a file. */
typedef struct ConfigPlace {
        const char *path;
        unsigned line;
} ConfigPlace;

typedef struct ConfigLoader {
        const ConfigSource *source;
        Config *config;
        ConfigFiles files;
        ErrorList *errors, *warnings;
} ConfigLoader;

/* Adds "path:line: what" and goes on. */
#define CONFIG_FAULT(l, at, format, ...)                                                           \
        error_list_add((l)->errors, "%s:%u: " format, (at).path, (at).line, __VA_ARGS__)

/* Fills in what hangs on the whole (default paths, users, the group's id) and checks what holds
 * between keys, once all files are merged. Returns 0 (also with faults) or -ENOMEM. */
int config_check(ConfigLoader *l);
