#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The patterns of conditions: "GLOB", "~REGEX", "ADDRESS/PREFIX", each with '!' before it or not.
 * All match the whole value. */

#include "policy/address.h"
#include "policy/regex.h"

#define PATTERN_MAX 4096 /* bytes as written */

typedef enum PatternKind {
        PATTERN_GLOB,
        PATTERN_REGEX,
        PATTERN_RANGE,
} PatternKind;

typedef struct Pattern {
        PatternKind kind;
        bool negated;
        char *glob;         /* PATTERN_GLOB */
        Regex *regex;       /* PATTERN_REGEX */
        AddressRange range; /* PATTERN_RANGE */
} Pattern;

typedef enum PatternResult {
        PATTERN_NO,
        PATTERN_YES,
        /* A negated range, and the value is no address: it is not in the range, but nobody can say
         * where it is. */
        PATTERN_NO_ADDRESS,
        PATTERN_LIMIT, /* the regular expression was given up */
} PatternResult;

/* Reads a pattern as it is written in a rule. Returns 0, -EINVAL with the reason, -ENOMEM. */
int pattern_parse(Pattern *ret, const char *text, char **reterr_msg);
/* Frees and zeroes. */
void pattern_done(Pattern *p);

PatternResult pattern_match(const Pattern *p, RegexScratch *scratch, const char *value);

/* Whether the pattern can be seen to say nothing of what a value is: it is negated, is the range of
 * all addresses, or matches texts that have nothing in common but their length, or any JSON object.
 */
bool pattern_is_broad(const Pattern *p, RegexScratch *scratch);
