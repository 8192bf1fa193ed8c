#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a json-c object, read by what answers a peer: with what to take when they are absent
 * or of another type, and no conversions. Values are borrowed. Every function takes NULL and what
 * is no object. */

#include <json-c/json_types.h>

#include "base/macros.h"

/* NULL when absent. */
const char *get_string(json_object *o, const char *key);
json_object *get_object(json_object *o, const char *key);
json_object *get_array(json_object *o, const char *key);
int64_t get_int(json_object *o, const char *key, int64_t otherwise);
bool get_bool(json_object *o, const char *key); /* false when it is not there */
/* How many items an array has; 0 for NULL. */
size_t count_items(json_object *array);
