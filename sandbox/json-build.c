/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/json-build.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void build_add(JsonBuilder *b, const char *key, json_object *value, bool is_null) {
        if (!b->failed && !b->object)
                b->object = json_object_new_object();
        if (b->failed || !b->object || (!value && !is_null) ||
                        json_object_object_add(b->object, key, value) < 0) {
                json_object_put(value);
                b->failed = true;
        }
}

void json_build_string(JsonBuilder *b, const char *key, const char *value) {
        build_add(b, key, value ? json_object_new_string(value) : NULL, !value);
}

void json_build_format(JsonBuilder *b, const char *key, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                b->failed = true;
                return;
        }
        json_build_string(b, key, text);
}

void json_build_int(JsonBuilder *b, const char *key, int64_t value) {
        build_add(b, key, json_object_new_int64(value), false);
}

void json_build_bool(JsonBuilder *b, const char *key, bool value) {
        build_add(b, key, json_object_new_boolean(value), false);
}

void json_build_time(JsonBuilder *b, const char *key, usec_t value) {
        char text[RFC3339_SIZE];

        json_build_string(b, key, value == 0 ? NULL : rfc3339_format(value, text));
}

void json_build_null(JsonBuilder *b, const char *key) {
        build_add(b, key, NULL, true);
}

void json_build_borrow(JsonBuilder *b, const char *key, json_object *value) {
        build_add(b, key, json_object_get(value), !value);
}

void json_build_take(JsonBuilder *b, const char *key, json_object *value) {
        build_add(b, key, value, false);
}

json_object *json_build_end(JsonBuilder *b) {
        json_object *o;

        if (!b->failed && !b->object)
                b->object = json_object_new_object();
        if (b->failed) {
                json_object_put(b->object);
                b->object = NULL;
        }
        o = TAKE_PTR(b->object);
        b->failed = false;
        return o;
}

int json_array_take(json_object *array, json_object *value) {
        if (!value)
                return -ENOMEM;
        if (json_object_array_add(array, value) < 0) {
                json_object_put(value);
                return -ENOMEM;
        }
        return 0;
}
