#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions of PCRE2 over whole texts, interpreted, and bounded in what they may take. */

#include "base/error.h"

/* Past these a match is given up: backtracking steps, nested ones, KiB of memory. */
#define REGEX_MATCH_MAX 200000
#define REGEX_DEPTH_MAX 20000
#define REGEX_HEAP_MAX_KIB 8192

typedef struct Regex Regex; /* opaque: compiled, never written to after that */

/* What matching works in; one at a time may use it. */
typedef struct RegexScratch RegexScratch;

typedef enum RegexResult {
        REGEX_NO,
        REGEX_YES,
        REGEX_LIMIT, /* given up: a limit, no memory, or a text that is not UTF-8 */
} RegexResult;

/* Compiles. *ret is new. Returns 0, -EINVAL with the reason, -ENOMEM. */
int regex_new(Regex **ret, const char *pattern, char **reterr_msg);
/* Takes NULL, returns NULL. */
Regex *regex_free(Regex *r);
DEFINE_CLEANUP(Regex *, regex_free);

/* *ret is new. Returns 0 or -ENOMEM. */
int regex_scratch_new(RegexScratch **ret);
/* Takes NULL, returns NULL. */
RegexScratch *regex_scratch_free(RegexScratch *s);
DEFINE_CLEANUP(RegexScratch *, regex_scratch_free);

/* Whether the whole text matches. '$' is the very end; a trailing newline is a character. */
RegexResult regex_match(const Regex *r, RegexScratch *scratch, const char *text);
