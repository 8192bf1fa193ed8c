#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The files that a configuration is made of, found and read. */

#include "base/ini.h"
#include "daemon/config.h"

#define CONFIG_DROP_INS_MAX 1000

/* The files in the order in which they are merged. Zero-initialise. */
typedef struct ConfigFiles {
        IniFile **files;
        size_t n;
} ConfigFiles;

/* Reads the one file, or the search path, of source. Faults go to errors. On failure *files holds
 * what was read. Returns 0 (also with faults) or -ENOMEM. */
int config_files_read(ConfigFiles *files, const ConfigSource *source, ErrorList *errors);
void config_files_done(ConfigFiles *files);
