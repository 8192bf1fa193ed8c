#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Globs over whole texts: byte-exact, no locale, no case folding, no normalisation.
 *
 * '*' stands for any characters or none, '?' for one character, [abc], [a-z] and [!a-z] (or [^a-z])
 * for one of or none of a set; a backslash takes the meaning from the character after it. A
 * character is a code point of UTF-8; in a set ']' may stand first, and a range goes by code
 * points. No character is special beside these: '/' and a leading '.' match like others. */

#include "base/macros.h"

/* Why the pattern can't be one, and what to write; NULL when it can. Static text. */
const char *glob_fault(const char *pattern);
/* Whether the whole text matches. A pattern with a fault matches nothing. Takes at most the product
 * of both lengths. */
bool glob_match(const char *pattern, const char *text);
