#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Our structs as the JSON that the interface file describes. Every function returns a new object,
 * or NULL when memory is short; a NULL value becomes JSON null. */

#include <json-c/json.h>

#include "daemon/challenge.h"

/* {key: value}; takes value. */
json_object *view_reply(const char *key, json_object *value);
json_object *view_object_of_string(const char *key, const char *value);
/* Adds members; o may be NULL (nothing happens). */
void view_add(json_object *o, const char *key, json_object *value);
void view_add_string(json_object *o, const char *key, const char *value);
void view_add_int(json_object *o, const char *key, int64_t value);
void view_add_time(json_object *o, const char *key, usec_t t); /* 0: null */

json_object *view_api_error(int http_status, int64_t code);
/* Details, exact. */
json_object *view_fields(const DetailField *fields, size_t n);
json_object *view_challenge(const Challenge *c);
json_object *view_factor(const Factor *f);
