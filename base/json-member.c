/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json-member.h"

#include <json-c/json.h>

static json_object *get_typed(json_object *o, const char *key, json_type type) {
        json_object *value = NULL;

        if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &value))
                return NULL;
        return json_object_is_type(value, type) ? value : NULL;
}

const char *get_string(json_object *o, const char *key) {
        json_object *value = get_typed(o, key, json_type_string);

        return value ? json_object_get_string(value) : NULL;
}

json_object *get_object(json_object *o, const char *key) {
        return get_typed(o, key, json_type_object);
}

json_object *get_array(json_object *o, const char *key) {
        return get_typed(o, key, json_type_array);
}

int64_t get_int(json_object *o, const char *key, int64_t otherwise) {
        json_object *value = get_typed(o, key, json_type_int);

        return value ? json_object_get_int64(value) : otherwise;
}

bool get_bool(json_object *o, const char *key) {
        return json_object_get_boolean(get_typed(o, key, json_type_boolean));
}

size_t count_items(json_object *array) {
        return array ? json_object_array_length(array) : 0;
}
