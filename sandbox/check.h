#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of parameters. Each returns false with the call's reply set to the API's error. */

#include "sandbox/call.h"

/* A form parameter that has to be there and not be empty; NULL with the reply set. */
const char *require_param(Call *c, const char *name);
/* At most max characters. */
bool check_length(Call *c, const char *name, const char *value, size_t max);
/* An integer in a range; absent (value NULL) leaves *ret as it is. code is the error's. */
bool check_integer(Call *c,
                int code,
                const char *name,
                const char *value,
                int64_t min,
                int64_t max,
                int64_t *ret);
/* A JSON object with string values only, as text of at most 1024 characters. */
bool check_string_map(Call *c, const char *name, const char *value, json_object **ret);
/* A copy of text, or the reply is a failure. */
bool copy_text(Call *c, const char *text, char **ret);
