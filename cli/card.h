#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A challenge, and what else is wrapped, as text for a terminal of some width. Pure. */

#include <json-c/json_types.h>
#include <stdio.h>

#include "base/time.h"

#define COLUMNS_MIN 8 /* a row is never narrower, whatever the terminal says */

/* The bytes of text that fit into a row of so many columns, at least one character unless there is
 * none; *ret_break: those of them up to the end of the last word. */
size_t row_length(const char *text, size_t columns, size_t *ret_break);

/* Writes text (escaped already) after the mark first, wrapped into rows of so many columns; each
 * further row begins with the mark next, so that no text can pass for the beginning of another. */
void wrap_print(FILE *out, const char *first, const char *next, const char *text, size_t columns);

typedef struct CardLook {
        size_t columns; /* of a row; SIZE_MAX: none is too long */
        bool styled;    /* with bold type */
        bool full;      /* with its state and its times, for whom nothing else shows them */
        usec_t now;     /* by the provider's clock, for these */
} CardLook;

/* A challenge as a person should see it before deciding. Returns 0 or -ENOMEM. */
int card_print(FILE *out, json_object *challenge, const CardLook *look);
