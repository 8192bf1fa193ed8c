/* SPDX-License-Identifier: Apache-2.0 */
/* Members of a document into a struct, by a table. */

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

static const char *const expected[] = {
                [JSON_STRING] = "a string",
                [JSON_SECRET] = "a string",
                [JSON_TIME] = "a date and time as in RFC 3339",
                [JSON_INT] = "an integer of 64 bits",
                [JSON_BOOL] = "true or false",
                [JSON_RAW] = "a value",
};

static void *field_target(const JsonField *f, void *target) {
        return (uint8_t *) target + f->offset;
}

static int copy_text(JsonSlice s, void *field) {
        char *copy = strndup(s.data, s.len);
        if (!copy)
                return -ENOMEM;
        *(char **) field = copy;
        return 0;
}

/* From the text, not from json-c: that one ends silently at the edges of the range. */
static int read_int(JsonSlice s, void *field) {
        bool negative = s.data[0] == '-';
        int64_t value = 0;

        for (size_t i = negative; i < s.len; i++) {
                if (s.data[i] < '0' || s.data[i] > '9')
                        return -EBADMSG;
                int digit = s.data[i] - '0';
                if (__builtin_mul_overflow(value, 10, &value) ||
                                __builtin_add_overflow(value, negative ? -digit : digit, &value))
                        return -EBADMSG;
        }
        *(int64_t *) field = value;
        return s.len > negative ? 0 : -EBADMSG;
}

static int read_string(JsonType type, json_object *value, void *field) {
        if (!json_object_is_type(value, json_type_string))
                return -EBADMSG;

        JsonSlice s = {json_object_get_string(value), (size_t) json_object_get_string_len(value)};
        if (type == JSON_SECRET)
                return secret_append(field, s.data, s.len);
        if (type == JSON_TIME)
                return rfc3339_parse(s.data, field) < 0 ? -EBADMSG : 0;
        return copy_text(s, field);
}

static int read_value(JsonType type, json_object *value, JsonSlice raw, void *field) {
        switch (type) {
        case JSON_STRING:
        case JSON_SECRET:
        case JSON_TIME:
                return read_string(type, value, field);
        case JSON_INT:
                return read_int(raw, field);
        case JSON_BOOL:
                if (!json_object_is_type(value, json_type_boolean))
                        return -EBADMSG;
                *(bool *) field = json_object_get_boolean(value);
                return 0;
        case JSON_RAW:
                return copy_text(raw, field);
        }
        return -EBADMSG;
}

static int read_field(const JsonDoc *d, const JsonField *f, void *target, char **reterr_msg) {
        json_object *value = json_doc_value(d, f->key);
        JsonSlice raw;

        bool present = json_doc_raw(d, f->key, &raw) && (value || !(f->flags & JSON_NULLABLE));
        if (!present && f->flags & JSON_MANDATORY)
                return error_set(reterr_msg, -EBADMSG, "JSON: '%s' is missing", f->key);
        if (!present)
                return 0;

        int r = read_value(f->type, value, raw, field_target(f, target));
        if (r == -EBADMSG)
                return error_set(reterr_msg, r, "JSON: '%s' must be %s", f->key, expected[f->type]);
        return r;
}

/* Refuses a member that the table lacks. */
static int check_known(
                const JsonDoc *d, const JsonField *fields, size_t n_fields, char **reterr_msg) {
        for (size_t i = 0; i < json_doc_n_members(d); i++) {
                _cleanup_free_ char *escaped = NULL;
                const char *name = json_doc_member_name(d, i);
                bool known = false;

                for (size_t j = 0; !known && j < n_fields; j++)
                        known = streq(name, fields[j].key);
                if (known)
                        continue;

                int r = text_escape(name, &escaped);
                if (r < 0)
                        return r;
                return error_set(reterr_msg, -EBADMSG, "JSON: '%s' is not known here", escaped);
        }
        return 0;
}

int json_doc_read(const JsonDoc *d,
                const JsonField *fields,
                size_t n_fields,
                bool strict,
                void *target,
                char **reterr_msg) {
        int r = strict ? check_known(d, fields, n_fields, reterr_msg) : 0;

        for (size_t i = 0; r == 0 && i < n_fields; i++)
                r = read_field(d, &fields[i], target, reterr_msg);
        if (r < 0)
                json_fields_done(fields, n_fields, target);
        return r;
}

void json_fields_done(const JsonField *fields, size_t n_fields, void *target) {
        for (size_t i = 0; i < n_fields; i++) {
                void *field = field_target(&fields[i], target);

                switch (fields[i].type) {
                case JSON_STRING:
                case JSON_RAW:
                        free(*(char **) field);
                        *(char **) field = NULL;
                        break;
                case JSON_SECRET:
                        secret_done(field);
                        break;
                case JSON_TIME:
                        *(usec_t *) field = 0;
                        break;
                case JSON_INT:
                        *(int64_t *) field = 0;
                        break;
                case JSON_BOOL:
                        *(bool *) field = false;
                        break;
                }
        }
}
