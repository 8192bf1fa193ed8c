/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/check.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "base/json.h"

#define STRING_MAP_MAX 1024

const char *require_param(Call *c, const char *name) {
        const char *value = params_get(&c->form, name);

        if (value && *value)
                return value;
        reply_error(&c->reply, 60300, "missing required parameter %s", name);
        return NULL;
}

bool check_length(Call *c, const char *name, const char *value, size_t max) {
        if (utf8_length(value) <= max)
                return true;
        reply_error(&c->reply, 60300, "%s is longer than %zu characters", name, max);
        return false;
}

static bool integer_parse(const char *value, int64_t *ret) {
        size_t digits = strspn(value, "0123456789");

        if (digits == 0 || digits > 18 || value[digits] != '\0')
                return false;
        *ret = strtoll(value, NULL, 10);
        return true;
}

bool check_integer(Call *c,
                int code,
                const char *name,
                const char *value,
                int64_t min,
                int64_t max,
                int64_t *ret) {
        int64_t v;

        if (!value)
                return true;
        if (!integer_parse(value, &v) || v < min || v > max) {
                reply_error(&c->reply, code, "%s must be a number from %" PRId64 " to %" PRId64,
                                name, min, max);
                return false;
        }
        *ret = v;
        return true;
}

bool check_string_map(Call *c, const char *name, const char *value, json_object **ret) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        int r;

        if (!check_length(c, name, value, STRING_MAP_MAX))
                return false;
        r = json_doc_parse(&doc, value, strlen(value), NULL);
        if (r < 0 && r != -EBADMSG) {
                reply_failed(&c->reply);
                return false;
        }
        for (size_t i = 0; r >= 0 && i < json_doc_n_members(doc); i++)
                if (!json_object_is_type(json_doc_value(doc, json_doc_member_name(doc, i)),
                                    json_type_string))
                        r = -EBADMSG;
        if (r < 0) {
                reply_error(&c->reply, 60306, "%s must be a JSON object with string values", name);
                return false;
        }
        if (json_object_deep_copy(json_doc_object(doc), ret, NULL) < 0) {
                *ret = NULL;
                reply_failed(&c->reply);
                return false;
        }
        return true;
}

bool copy_text(Call *c, const char *text, char **ret) {
        char *copy = strdup(text);

        if (!copy) {
                reply_failed(&c->reply);
                return false;
        }
        free(*ret);
        *ret = copy;
        return true;
}
