#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Form and query parameters, in the order they came, repetitions kept. */

#include "base/macros.h"

typedef struct Param {
        char *name;
        char *value;
} Param;

typedef struct Params {
        Param *items;
        size_t n;
} Params;

/* Reads application/x-www-form-urlencoded text. *ret must be zero. Returns 0, -ENOMEM, or -EBADMSG
 * for a bad percent escape, a NUL or malformed UTF-8. */
int params_parse(const char *text, size_t len, Params *ret);
/* Frees and zeroes. */
void params_done(Params *p);
/* The first value of that name, or NULL. Borrowed. Names are case-sensitive. */
const char *params_get(const Params *p, const char *name);
