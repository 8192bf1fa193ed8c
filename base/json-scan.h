#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of JSON (RFC 8259, RFC 7493), checked without building anything. */

#include "base/json.h"

/* A member of an object, or an element of an array (then without a name). */
typedef struct JsonItem {
        JsonSlice name;   /* with its quotes and escapes */
        JsonSlice value;  /* without white space round it */
        size_t n_members; /* of all objects within the value, at any depth, doubles counted too */
} JsonItem;

/* Checks a whole text, which must be one object or array ("open" is '{' or '[') with nothing but
 * white space round it, and cuts it into its items. Refuses what json-c lets pass: U+0000, lone
 * surrogates, control characters, malformed UTF-8, NaN, depth over JSON_DEPTH_MAX. Does not look
 * for doubled names. *ret is a new array of borrowed slices, NULL when there are none. Returns 0,
 * -ENOMEM, or -EBADMSG with the reason and the byte's offset in *reterr_msg. */
int json_scan(JsonSlice text, char open, JsonItem **ret, size_t *ret_n, char **reterr_msg);
