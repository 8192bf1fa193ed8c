#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Building JSON objects: errors stick, so that only the end needs a check. */

#include <json-c/json.h>

#include "base/json.h"

/* Zero-initialise; the object is made with the first member. */
typedef struct JsonBuilder {
        json_object *object;
        bool failed;
} JsonBuilder;

/* Each adds a member. A string of NULL and a time of 0 are written as null. */
void json_build_string(JsonBuilder *b, const char *key, const char *value);
void json_build_format(JsonBuilder *b, const char *key, const char *format, ...) _printf_(3, 4);
void json_build_int(JsonBuilder *b, const char *key, int64_t value);
void json_build_bool(JsonBuilder *b, const char *key, bool value);
void json_build_time(JsonBuilder *b, const char *key, usec_t value);
void json_build_null(JsonBuilder *b, const char *key);
/* Adds a value that stays the caller's too (NULL is written as null). */
void json_build_borrow(JsonBuilder *b, const char *key, json_object *value);
/* Adds a value and takes it over; NULL means that memory was short when it was made. */
void json_build_take(JsonBuilder *b, const char *key, json_object *value);
/* Hands the object over, or NULL when memory was short; *b is empty afterwards. */
json_object *json_build_end(JsonBuilder *b);

/* Appends value, which is taken over, to array. Returns 0 or -ENOMEM (also when value is NULL). */
int json_array_take(json_object *array, json_object *value);

static inline void json_object_putp(json_object **o) {
        json_object_put(*o);
}
#define _cleanup_json_ _cleanup_(json_object_putp)
