/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/bus-json.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "ipc/message.h"

/* A bus refuses what is nested 64 deep, of which an object takes three; what lies deeper goes as
 * its JSON text. */
#define DEPTH_MAX 16

typedef struct Writer {
        sd_bus_message *m;
        size_t left; /* bytes that may still be appended */
        unsigned depth;
} Writer;

/* Lists of strings by name: an empty one could as well be one of objects. */
static const char *const string_lists[] = {"problems"};

static int append_dict_value(Writer *w, json_object *o, json_object *more);

static int writer_take(Writer *w, size_t n) {
        if (n > w->left)
                return -E2BIG;
        w->left -= n;
        return 0;
}

/* A bus ends a connection over malformed UTF-8; a NUL would end the string. */
static int append_text(Writer *w, const char *text, size_t len) {
        static const char replacement[] = "\xEF\xBF\xBD";
        _cleanup_(secret_done) Secret clean = {0};
        int r;

        r = writer_take(w, len + 16);
        if (r < 0)
                return r;
        if (utf8_valid(text, len) && !memchr(text, 0, len))
                return sd_bus_message_append_basic(w->m, 's', text);
        for (size_t i = 0; i < len && r >= 0;) {
                uint32_t c = 0;
                size_t n = utf8_decode(text + i, len - i, &c);

                r = n > 0 && c != 0 ? secret_append(&clean, text + i, n)
                                    : secret_append_string(&clean, replacement);
                i += n > 0 ? n : 1;
        }
        return r < 0 ? r : sd_bus_message_append_basic(w->m, 's', secret_string(&clean));
}

static int append_string(Writer *w, json_object *value) {
        return append_text(w, json_object_get_string(value),
                        (size_t) json_object_get_string_len(value));
}

static bool all_of_type(json_object *list, enum json_type type) {
        for (size_t i = 0; i < json_object_array_length(list); i++)
                if (!json_object_is_type(json_object_array_get_idx(list, i), type))
                        return false;
        return true;
}

static const char *list_type(const char *key, json_object *list) {
        bool empty = json_object_array_length(list) == 0;

        if (empty)
                for (size_t i = 0; key && i < ELEMENTSOF(string_lists); i++)
                        if (streq(key, string_lists[i]))
                                return "as";
        if (all_of_type(list, json_type_object))
                return "aa{sv}";
        return all_of_type(list, json_type_string) ? "as" : "av";
}

static const char *value_type(const char *key, json_object *value) {
        switch (json_object_get_type(value)) {
        case json_type_string:
                return "s";
        case json_type_int:
                return "x";
        case json_type_boolean:
                return "b";
        case json_type_double:
                return "d";
        case json_type_object:
                return "a{sv}";
        case json_type_array:
                return list_type(key, value);
        case json_type_null:
                break;
        }
        return NULL;
}

static int append_value(Writer *w, const char *type, json_object *value);

static int append_json(Writer *w, json_object *value) {
        _cleanup_(secret_done) Secret text = {0};
        int r = varlink_json_append(&text, value);

        return r < 0 ? r : append_text(w, secret_string(&text), text.len);
}

/* A variant, nothing for null. */
static int append_variant(Writer *w, const char *key, json_object *value) {
        const char *type = value_type(key, value);
        bool deep = type && *type == 'a' && w->depth >= DEPTH_MAX;
        int r;

        if (!type)
                return 0;
        r = sd_bus_message_open_container(w->m, 'v', deep ? "s" : type);
        w->depth++;
        if (r >= 0)
                r = deep ? append_json(w, value) : append_value(w, type, value);
        w->depth--;
        return r < 0 ? r : sd_bus_message_close_container(w->m);
}

static int append_list(Writer *w, const char *type, json_object *list) {
        int r;

        r = sd_bus_message_open_container(w->m, 'a', type);
        for (size_t i = 0; list && i < json_object_array_length(list) && r >= 0; i++) {
                json_object *value = json_object_array_get_idx(list, i);

                r = *type == 'v' ? append_variant(w, NULL, value) : append_value(w, type, value);
        }
        return r < 0 ? r : sd_bus_message_close_container(w->m);
}

/* One complete value of that type, which it has. */
static int append_value(Writer *w, const char *type, json_object *value) {
        int r = writer_take(w, 16);

        if (r < 0)
                return r;
        switch (*type) {
        case 's':
                return append_string(w, value);
        case 'x':
                return sd_bus_message_append(w->m, "x", json_object_get_int64(value));
        case 'b':
                return sd_bus_message_append(w->m, "b", json_object_get_boolean(value));
        case 'd':
                return sd_bus_message_append(w->m, "d", json_object_get_double(value));
        }
        if (streq(type, "a{sv}"))
                return append_dict_value(w, value, NULL);
        return append_list(w, type + 1, value);
}

static int append_entry(Writer *w, const char *key, json_object *value) {
        int r;

        if (!value)
                return 0;
        r = sd_bus_message_open_container(w->m, 'e', "sv");
        if (r >= 0)
                r = append_text(w, key, strlen(key));
        if (r >= 0)
                r = append_variant(w, key, value);
        return r < 0 ? r : sd_bus_message_close_container(w->m);
}

static int append_dict_value(Writer *w, json_object *o, json_object *more) {
        int r;

        r = sd_bus_message_open_container(w->m, 'a', "{sv}");
        if (r >= 0 && o) {
                json_object_object_foreach(o, key, value) {
                        r = append_entry(w, key, value);
                        if (r < 0)
                                return r;
                }
        }
        if (r >= 0 && more) {
                json_object_object_foreach(more, key, value) {
                        if (!o || !json_object_object_get_ex(o, key, NULL))
                                r = append_entry(w, key, value);
                        if (r < 0)
                                return r;
                }
        }
        return r < 0 ? r : sd_bus_message_close_container(w->m);
}

int bus_json_append_dict(sd_bus_message *m, json_object *o, json_object *more) {
        Writer w = {m, BUS_MESSAGE_MAX, 0};
        int r = append_dict_value(&w, o, more);

        return r < 0 ? r : 0;
}

/* The name of the result comes after those of the arguments. */
static const char *result_name(const BusMethod *method) {
        const char *name = method->names;

        while (name[strlen(name) + 1] != '\0')
                name += strlen(name) + 1;
        return name;
}

int bus_json_append_result(sd_bus_message *m, const BusMethod *method, json_object *parameters) {
        Writer w = {m, BUS_MESSAGE_MAX, 0};
        const char *name;
        json_object *value = parameters;
        int r;

        if (streq(method->result, ""))
                return 0;
        name = result_name(method);
        if (!streq(name, "reply"))
                value = json_object_object_get(parameters, name);
        r = streq(method->result, "a{sv}") ? append_dict_value(&w, value, NULL)
                                           : append_list(&w, method->result + 1, value);
        return r < 0 ? r : 0;
}

static int append_nothing(Writer *w, const char *type) {
        switch (*type) {
        case 's':
                return sd_bus_message_append(w->m, "s", "");
        case 'x':
                return sd_bus_message_append(w->m, "x", (int64_t) 0);
        case 'b':
                return sd_bus_message_append(w->m, "b", 0);
        }
        return append_list(w, type + 1, NULL);
}

int bus_json_append_property(sd_bus_message *m, const BusProperty *p, json_object *value) {
        const char *type = value ? value_type(NULL, value) : NULL;
        Writer w = {m, BUS_MESSAGE_MAX, 0};
        int r;

        r = type && streq(type, p->type) ? append_value(&w, type, value)
                                         : append_nothing(&w, p->type);
        return r < 0 ? r : 0;
}
