#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A strict INI reader for configuration and policy files: pure, bytes in, sections out.
 *
 * [Section], Key=Value; comments only on lines that start with '#' or ';'; no continuation, no
 * inline comments. White space round keys and values is dropped. A key may be quoted, whole or from
 * a dot on: Field."Source: address"=… reads as the key 'Field.Source: address' (\" and \\ inside
 * quotes); a bare key ends at the first '=' and may have spaces within. Lines end in "\n" or
 * "\r\n".
 */

#include "base/error.h"

#define INI_FILE_MAX (1024 * 1024)

typedef struct IniEntry {
        char *key;
        char *value; /* "" when there is nothing after '=' */
        unsigned line;
} IniEntry;

typedef struct IniSection {
        char *name; /* as written between the brackets, trimmed */
        unsigned line;
        IniEntry *entries;
        size_t n_entries;
} IniSection;

typedef struct IniFile {
        char *path; /* for messages */
        IniSection *sections;
        size_t n_sections;
} IniFile;

/* Reads text. Every fault (syntax, a key before any section, duplicate section or key, NUL, another
 * control character, invalid UTF-8, over INI_FILE_MAX) is added to errors as "path:line: what, and
 * what to do"; reading goes on. *ret holds what was well-formed. Returns 0 (also with faults: look
 * at errors->n) or -ENOMEM.
 */
int ini_parse(IniFile **ret, const char *path, const char *text, size_t len, ErrorList *errors);
/* Takes NULL, returns NULL. */
IniFile *ini_free(IniFile *f);
DEFINE_CLEANUP(IniFile *, ini_free);
