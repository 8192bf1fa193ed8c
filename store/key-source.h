#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Where the store key comes from: one small interface, a source a file. */

#include "base/error.h"
#include "base/secret.h"

#define STORE_KEY_SIZE 32

/* A source of the 32-byte store key. Its name is recorded in the store when the store is made;
 * another source, or another key, is refused ever after. */
typedef struct KeySource {
        const char *name; /* "file" */
        /* Makes a new key and keeps it where load() finds it; refuses to replace one that is there.
         * load() reads it. Both: 0, or -errno with a message that names the source. */
        int (*make)(const struct KeySource *s, Secret *ret, char **reterr_msg);
        int (*load)(const struct KeySource *s, Secret *ret, char **reterr_msg);
        const char *argument; /* the file's path */
} KeySource;

/* A file of mode 0600, STORE_KEY_SIZE random bytes. path is borrowed for the source's life. */
KeySource key_source_file(const char *path);
