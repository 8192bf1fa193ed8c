#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean …": the known word that a mistyped one is closest to. */

#include "base/macros.h"

#define NEAREST_WORD_MAX 64 /* bytes; a longer word is close to nothing */

/* The word of the list that differs from `word` by a slip of the keyboard (a third of its letters
 * at most, in any case of letters) or that one of the two begins with; NULL when none is close.
 * Borrowed from the list. Pure. */
const char *nearest_word(const char *word, const char *const *words, size_t n);
