/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <json-c/json.h>
#include <json-c/printbuf.h>
#include <limits.h>
#include <string.h>

#include "base/json-scan.h"
#include "base/secret.h"
#include "base/text.h"

struct JsonDoc {
        Secret text;
        JsonItem *items;    /* slices of text */
        const char **names; /* decoded, borrowed from object */
        size_t n_items;
        json_object *object;
};

/* Memory of json-c's that we own but are given as const. */
static void wipe_borrowed(const char *text, size_t len) {
        secret_wipe((void *) (uintptr_t) text, len);
}

static void json_object_wipe(json_object *o) {
        switch (json_object_get_type(o)) {
        case json_type_string:
                wipe_borrowed(json_object_get_string(o), (size_t) json_object_get_string_len(o));
                break;
        case json_type_array:
                for (size_t i = 0; i < json_object_array_length(o); i++)
                        json_object_wipe(json_object_array_get_idx(o, i));
                break;
        case json_type_object: {
                json_object_object_foreach(o, key, value) {
                        (void) key;
                        json_object_wipe(value);
                }
                break;
        }
        case json_type_null:
        case json_type_boolean:
        case json_type_double:
        case json_type_int:
                break;
        }
}

void json_object_wipe_put(json_object *o) {
        json_object_wipe(o);
        json_object_put(o);
}

JsonDoc *json_doc_free(JsonDoc *d) {
        if (!d)
                return NULL;

        json_object_wipe_put(d->object);
        free(d->names);
        free(d->items);
        secret_done(&d->text);
        free(d);
        return NULL;
}

JsonSlice json_doc_text(const JsonDoc *d) {
        /* The scanner has seen to it that only white space stands outside the braces. */
        const char *start = memchr(d->text.data, '{', d->text.len);
        const char *end = memrchr(d->text.data, '}', d->text.len);

        return (JsonSlice){start, (size_t) (end - start) + 1};
}

/* json-c's parser, with the buffer in which it collects strings wiped at the end. */
static void tokener_free(json_tokener *t) {
        if (t->pb)
                secret_wipe(t->pb->buf, (size_t) t->pb->size);
        json_tokener_free(t);
}
DEFINE_CLEANUP(json_tokener *, tokener_free);

/* Room for the longest string: a buffer that grows would leave pieces of it behind. */
static json_tokener *tokener_new(size_t room) {
        _cleanup_(tokener_freep) json_tokener *t = json_tokener_new_ex(JSON_DEPTH_MAX + 1);
        if (!t)
                return NULL;

        json_tokener_set_flags(t, JSON_TOKENER_STRICT);
        if (printbuf_memset(t->pb, 0, 0, (int) room) < 0)
                return NULL;
        return TAKE_PTR(t);
}

/* Parses a slice that the scanner has checked. *ret is NULL for JSON null. */
static int parse_slice(json_tokener *t, JsonSlice s, json_object **ret, char **reterr_msg) {
        json_tokener_reset(t);
        json_object *o = json_tokener_parse_ex(t, s.data, (int) s.len);
        /* Short of memory, json-c stops where it is and calls that a success. */
        bool cut = json_tokener_get_parse_end(t) != s.len;
        /* A number has no end of its own; a NUL is one. */
        if (!o && json_tokener_get_error(t) == json_tokener_continue)
                o = json_tokener_parse_ex(t, "", -1);

        enum json_tokener_error e = json_tokener_get_error(t);
        if (e != json_tokener_success) {
                json_object_wipe_put(o);
                return error_set(reterr_msg, -EBADMSG, "JSON: %s", json_tokener_error_desc(e));
        }
        if (cut) {
                json_object_wipe_put(o);
                return -ENOMEM;
        }
        *ret = o;
        return 0;
}

/* The members that json-c kept, at any depth: of doubled names it keeps one. */
static size_t count_members(json_object *o) {
        size_t n = 0;

        if (json_object_is_type(o, json_type_array))
                for (size_t i = 0; i < json_object_array_length(o); i++)
                        n += count_members(json_object_array_get_idx(o, i));
        if (json_object_is_type(o, json_type_object)) {
                json_object_object_foreach(o, key, value) {
                        (void) key;
                        n += 1 + count_members(value);
                }
        }
        return n;
}

static int fail_double(const JsonDoc *d, JsonSlice where, char **reterr_msg) {
        return error_set(reterr_msg, -EBADMSG,
                        "JSON, byte %zu: a member's name stands twice in one object",
                        (size_t) (where.data - (const char *) d->text.data));
}

static int add_member(JsonDoc *d, json_tokener *t, const JsonItem *item, char **reterr_msg) {
        json_object *name, *value;

        int r = parse_slice(t, item->name, &name, reterr_msg);
        if (r < 0)
                return r;
        r = parse_slice(t, item->value, &value, reterr_msg);
        if (r < 0) {
                json_object_put(name);
                return r;
        }

        if (count_members(value) != item->n_members)
                r = fail_double(d, item->value, reterr_msg);
        else if (json_object_object_get_ex(d->object, json_object_get_string(name), NULL))
                r = fail_double(d, item->name, reterr_msg);
        else if (json_object_object_add(d->object, json_object_get_string(name), value) < 0)
                r = -ENOMEM;
        if (r < 0)
                json_object_wipe_put(value);
        json_object_put(name);
        return r;
}

/* Turns the items into the object and the list of names. */
static int build(JsonDoc *d, char **reterr_msg) {
        size_t room = 1, n = 0;

        for (size_t i = 0; i < d->n_items; i++) {
                room = d->items[i].name.len > room ? d->items[i].name.len : room;
                room = d->items[i].value.len > room ? d->items[i].value.len : room;
        }
        _cleanup_(tokener_freep) json_tokener *t = tokener_new(room);
        d->object = json_object_new_object();
        d->names = calloc(d->n_items + 1, sizeof(char *));
        if (!t || !d->object || !d->names)
                return -ENOMEM;

        for (size_t i = 0; i < d->n_items; i++) {
                int r = add_member(d, t, &d->items[i], reterr_msg);
                if (r < 0)
                        return r;
        }

        /* json-c keeps the order in which members were added. */
        json_object_object_foreach(d->object, key, value) {
                (void) value;
                d->names[n++] = key;
        }
        return 0;
}

int json_doc_parse(JsonDoc **ret, const char *text, size_t len, char **reterr_msg) {
        if (len > INT_MAX - 1)
                return error_set(reterr_msg, -EBADMSG, "JSON: over %d bytes", INT_MAX - 1);

        _cleanup_(json_doc_freep) JsonDoc *d = calloc(1, sizeof(JsonDoc));
        if (!d)
                return -ENOMEM;

        int r = secret_append(&d->text, text, len);
        if (r < 0)
                return r;
        r = json_scan((JsonSlice){secret_string(&d->text), len}, '{', &d->items, &d->n_items,
                        reterr_msg);
        if (r < 0)
                return r;
        r = build(d, reterr_msg);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(d);
        return 0;
}

bool json_doc_raw(const JsonDoc *d, const char *key, JsonSlice *ret) {
        for (size_t i = 0; i < d->n_items; i++)
                if (streq(d->names[i], key)) {
                        *ret = d->items[i].value;
                        return true;
                }
        return false;
}

json_object *json_doc_value(const JsonDoc *d, const char *key) {
        json_object *value = NULL;

        (void) json_object_object_get_ex(d->object, key, &value);
        return value;
}

json_object *json_doc_object(const JsonDoc *d) {
        return d->object;
}

size_t json_doc_n_members(const JsonDoc *d) {
        return d->n_items;
}

const char *json_doc_member_name(const JsonDoc *d, size_t i) {
        return i < d->n_items ? d->names[i] : NULL;
}

int json_array_split(JsonSlice array, JsonSlice **ret, size_t *ret_n) {
        _cleanup_free_ JsonItem *items = NULL;
        size_t n;

        int r = json_scan(array, '[', &items, &n, NULL);
        if (r < 0)
                return r;

        JsonSlice *slices = calloc(n + 1, sizeof(JsonSlice));
        if (!slices)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++)
                slices[i] = items[i].value;

        *ret = slices;
        *ret_n = n;
        return 0;
}

int json_minify(JsonSlice raw, char **ret, size_t *ret_len) {
        bool in_string = false;

        char *text = malloc(raw.len + 1);
        if (!text)
                return -ENOMEM;

        char *out = text;
        for (size_t i = 0; i < raw.len; i++) {
                char c = raw.data[i];

                if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))
                        continue;
                *out++ = c;
                if (c == '"')
                        in_string = !in_string;
                else if (in_string && c == '\\' && i + 1 < raw.len)
                        *out++ = raw.data[++i];
        }
        *out = '\0';

        *ret = text;
        *ret_len = (size_t) (out - text);
        return 0;
}
