/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/bus-json.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "ipc/message.h"

static int read_value(sd_bus_message *m, unsigned depth, json_object **ret, char **reterr_msg);

static int finish(json_object *o, json_object **ret) {
        if (!o)
                return -ENOMEM;
        *ret = o;
        return 0;
}

/* Takes the value. */
static int add_member(json_object *o, const char *key, json_object *value, char **reterr_msg) {
        int r = 0;

        if (json_object_object_get_ex(o, key, NULL))
                r = error_set(reterr_msg, -EBADMSG, "%s is given twice", key);
        else if (json_object_object_add(o, key, value) < 0)
                r = -ENOMEM;
        if (r < 0)
                json_object_wipe_put(value);
        return r;
}

/* The entries of an a{sv}, or of another dictionary with strings for keys, are added to o. */
static int read_entries(sd_bus_message *m,
                const char *contents,
                unsigned depth,
                json_object *o,
                char **reterr_msg) {
        const char *key;
        json_object *value;
        size_t len = strlen(contents);
        char entry[256];
        int r;

        if (len < 2 || len - 1 > sizeof(entry))
                return error_set(reterr_msg, -EBADMSG, "a type of %zu characters", len);
        memcpy(entry, contents + 1, len - 2);
        entry[len - 2] = '\0';
        r = sd_bus_message_enter_container(m, 'a', contents);
        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', entry)) > 0) {
                r = sd_bus_message_read_basic(m, 's', &key);
                if (r >= 0)
                        r = read_value(m, depth, &value, reterr_msg);
                if (r >= 0)
                        r = add_member(o, key, value, reterr_msg);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_list(sd_bus_message *m,
                const char *contents,
                unsigned depth,
                json_object *list,
                char **reterr_msg) {
        json_object *value;
        int r;

        r = sd_bus_message_enter_container(m, 'a', contents);
        while (r >= 0 && (r = sd_bus_message_at_end(m, false)) == 0) {
                r = read_value(m, depth, &value, reterr_msg);
                if (r >= 0 && json_object_array_add(list, value) < 0) {
                        json_object_wipe_put(value);
                        r = -ENOMEM;
                }
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_array(sd_bus_message *m,
                const char *contents,
                unsigned depth,
                json_object **ret,
                char **reterr_msg) {
        bool dict = strncmp(contents, "{s", 2) == 0;
        json_object *o = dict ? json_object_new_object() : json_object_new_array();
        int r;

        if (!o)
                return -ENOMEM;
        r = (dict ? read_entries : read_list)(m, contents, depth, o, reterr_msg);
        if (r < 0) {
                json_object_wipe_put(o);
                return r;
        }
        *ret = o;
        return 0;
}

static int read_variant(sd_bus_message *m,
                const char *contents,
                unsigned depth,
                json_object **ret,
                char **reterr_msg) {
        int r;

        r = sd_bus_message_enter_container(m, 'v', contents);
        if (r >= 0)
                r = read_value(m, depth, ret, reterr_msg);
        if (r < 0)
                return r;
        r = sd_bus_message_exit_container(m);
        if (r < 0)
                json_object_wipe_put(*ret);
        return r;
}

static int read_number(sd_bus_message *m, char type, json_object **ret, char **reterr_msg) {
        union {
                uint8_t y;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                int b;
        } v;
        int r;

        r = sd_bus_message_read_basic(m, type, &v);
        if (r < 0)
                return r;
        switch (type) {
        case 'b':
                return finish(json_object_new_boolean(v.b), ret);
        case 'y':
                return finish(json_object_new_int64(v.y), ret);
        case 'n':
                return finish(json_object_new_int64(v.n), ret);
        case 'q':
                return finish(json_object_new_int64(v.q), ret);
        case 'i':
                return finish(json_object_new_int64(v.i), ret);
        case 'u':
                return finish(json_object_new_int64(v.u), ret);
        case 'x':
                return finish(json_object_new_int64(v.x), ret);
        }
        if (v.t > INT64_MAX)
                return error_set(reterr_msg, -EBADMSG, "a number is out of range");
        return finish(json_object_new_int64((int64_t) v.t), ret);
}

static int read_string(sd_bus_message *m, char type, json_object **ret) {
        const char *text;
        int r = sd_bus_message_read_basic(m, type, &text);

        return r < 0 ? r : finish(json_object_new_string(text), ret);
}

/* depth: of the containers around it, which json_doc_parse() would refuse past its own limit. */
static int read_value(sd_bus_message *m, unsigned depth, json_object **ret, char **reterr_msg) {
        const char *contents;
        char type;
        int r;

        if (depth > JSON_DEPTH_MAX)
                return error_set(reterr_msg, -EBADMSG, "values are nested too deep");
        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r <= 0)
                return r < 0 ? r : -EBADMSG;
        switch (type) {
        case 's':
        case 'o':
        case 'g':
                return read_string(m, type, ret);
        case 'y':
        case 'n':
        case 'q':
        case 'i':
        case 'u':
        case 'x':
        case 't':
        case 'b':
                return read_number(m, type, ret, reterr_msg);
        case 'v':
                return read_variant(m, contents, depth + 1, ret, reterr_msg);
        case 'a':
                return read_array(m, contents, depth + 1, ret, reterr_msg);
        }
        return error_set(reterr_msg, -EBADMSG, "a value of type %c has no place here", type);
}

static int read_arguments(
                sd_bus_message *m, const BusMethod *method, json_object *o, char **reterr_msg) {
        const char *name = method->names, *contents;
        json_object *value;
        char type;
        int r;

        while ((r = sd_bus_message_peek_type(m, &type, &contents)) > 0) {
                if (streq(name, "options"))
                        r = read_entries(m, contents, 1, o, reterr_msg);
                else
                        r = read_value(m, 1, &value, reterr_msg);
                if (r >= 0 && !streq(name, "options"))
                        r = add_member(o, name, value, reterr_msg);
                if (r < 0)
                        return r;
                name += strlen(name) + 1;
        }
        return r;
}

int bus_json_read(JsonDoc **ret,
                sd_bus_message *m,
                const BusMethod *method,
                const char *sid,
                char **reterr_msg) {
        json_object *o = json_object_new_object();
        _cleanup_(secret_done) Secret text = {0};
        int r = o ? 0 : -ENOMEM;

        if (r >= 0 && sid)
                r = add_member(o, "sid", json_object_new_string(sid), reterr_msg);
        if (r >= 0)
                r = read_arguments(m, method, o, reterr_msg);
        if (r >= 0)
                r = varlink_json_append(&text, o);
        json_object_wipe_put(o);
        if (r < 0)
                return r;
        if (text.len > IPC_MESSAGE_MAX)
                return error_set(reterr_msg, -EBADMSG, "the arguments are too long");
        return json_doc_parse(ret, secret_string(&text), text.len, reterr_msg);
}
