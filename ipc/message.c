/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/message.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ipc/operation.h"

/* Reading. */

static const JsonField message_fields[] = {
                {"method", JSON_STRING, offsetof(VarlinkMessage, method), 0},
                {"error", JSON_STRING, offsetof(VarlinkMessage, error), JSON_NULLABLE},
                {"more", JSON_BOOL, offsetof(VarlinkMessage, more), JSON_NULLABLE},
                {"oneway", JSON_BOOL, offsetof(VarlinkMessage, oneway), JSON_NULLABLE},
                {"upgrade", JSON_BOOL, offsetof(VarlinkMessage, upgrade), JSON_NULLABLE},
                {"continues", JSON_BOOL, offsetof(VarlinkMessage, continues), JSON_NULLABLE},
};

void varlink_message_done(VarlinkMessage *m) {
        if (!m)
                return;
        json_fields_done(message_fields, ELEMENTSOF(message_fields), m);
        json_doc_free(m->parameters);
        *m = (VarlinkMessage){0};
}

static int parameters_read(JsonDoc **ret, const JsonDoc *message, char **reterr_msg) {
        JsonSlice raw = {"{}", 2};
        int r;

        if (json_doc_value(message, "parameters"))
                (void) json_doc_raw(message, "parameters", &raw);
        r = json_doc_parse(ret, raw.data, raw.len, reterr_msg);
        if (r == -EBADMSG)
                return error_wrap(reterr_msg, r, "parameters");
        return r;
}

int varlink_message_read(VarlinkMessage *ret, const char *text, size_t len, char **reterr_msg) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(varlink_message_done) VarlinkMessage m = {0};
        int r;

        if (len > IPC_MESSAGE_MAX)
                return error_set(reterr_msg, -EBADMSG, "the message is over 1 MiB");

        r = json_doc_parse(&doc, text, len, reterr_msg);
        if (r < 0)
                return r;
        r = json_doc_read(doc, message_fields, ELEMENTSOF(message_fields), false, &m, reterr_msg);
        if (r < 0)
                return r;
        if (m.method && m.error)
                return error_set(reterr_msg, -EBADMSG, "both \"method\" and \"error\" are given");
        r = parameters_read(&m.parameters, doc, reterr_msg);
        if (r < 0)
                return r;

        *ret = m;
        m = (VarlinkMessage){0};
        return 0;
}

/* Writing. json-c's own writer leaves copies of what it wrote in memory that it frees unwiped. */

static bool is_plain(char c) {
        uint8_t byte = (uint8_t) c;

        return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static int append_codepoint(Secret *out, const char *text, size_t n, uint8_t byte) {
        char escape[8];

        /* A malformed byte must not cost the whole answer. */
        if (n == 0)
                return secret_append_string(out, "\xEF\xBF\xBD");
        if (byte >= 0x20 && byte != '"' && byte != '\\')
                return secret_append(out, text, n);
        if (byte >= 0x20)
                snprintf(escape, sizeof(escape), "\\%c", byte);
        else
                snprintf(escape, sizeof(escape), "\\u%04x", byte);
        return secret_append_string(out, escape);
}

static int append_string(Secret *out, const char *text, size_t len) {
        int r = secret_append(out, "\"", 1);

        for (size_t i = 0; i < len && r >= 0;) {
                size_t plain = i, n;
                uint32_t c;

                while (plain < len && is_plain(text[plain]))
                        plain++;
                if (plain > i) {
                        r = secret_append(out, text + i, plain - i);
                        i = plain;
                        continue;
                }
                n = utf8_decode(text + i, len - i, &c);
                r = append_codepoint(out, text + i, n, (uint8_t) text[i]);
                i += n > 0 ? n : 1;
        }
        return r < 0 ? r : secret_append(out, "\"", 1);
}

static int append_object(Secret *out, json_object *o) {
        const char *separator = "{";
        int r;

        json_object_object_foreach(o, key, value) {
                r = secret_append(out, separator, 1);
                if (r >= 0)
                        r = append_string(out, key, strlen(key));
                if (r >= 0)
                        r = secret_append(out, ":", 1);
                if (r >= 0)
                        r = varlink_json_append(out, value);
                if (r < 0)
                        return r;
                separator = ",";
        }
        return secret_append_string(out, *separator == '{' ? "{}" : "}");
}

static int append_array(Secret *out, json_object *o) {
        size_t n = json_object_array_length(o);
        int r = secret_append(out, "[", 1);

        for (size_t i = 0; i < n && r >= 0; i++) {
                if (i > 0)
                        r = secret_append(out, ",", 1);
                if (r >= 0)
                        r = varlink_json_append(out, json_object_array_get_idx(o, i));
        }
        return r < 0 ? r : secret_append(out, "]", 1);
}

int varlink_json_append(Secret *out, json_object *value) {
        switch (json_object_get_type(value)) {
        case json_type_object:
                return append_object(out, value);
        case json_type_array:
                return append_array(out, value);
        case json_type_string:
                return append_string(out, json_object_get_string(value),
                                (size_t) json_object_get_string_len(value));
        case json_type_null:
        case json_type_boolean:
        case json_type_int:
        case json_type_double:
        default: {
                const char *text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);

                return text ? secret_append_string(out, text) : -ENOMEM;
        }
        }
}

/* Undoes an append: the bytes from len on are wiped. */
static int secret_cut(Secret *s, size_t len, int r) {
        if (s->len > len) {
                secret_wipe(s->data + len, s->len - len);
                s->len = len;
        }
        return r;
}

static int append_member(Secret *out, const char *prefix, json_object *value) {
        int r = secret_append_string(out, prefix);

        if (r < 0)
                return r;
        return value ? varlink_json_append(out, value) : secret_append_string(out, "{}");
}

/* {"KEY":"name","parameters":{…},FLAG}, key and flag only if they are given. */
static int write_message(Secret *out,
                const char *key,
                const char *name,
                json_object *parameters,
                const char *flag) {
        size_t before = out->len;
        int r = secret_append_string(out, "{");

        if (key && r >= 0)
                r = append_string(out, key, strlen(key));
        if (key && r >= 0)
                r = secret_append_string(out, ":");
        if (key && r >= 0)
                r = append_string(out, name, strlen(name));
        if (r >= 0)
                r = append_member(out, key ? ",\"parameters\":" : "\"parameters\":", parameters);
        if (flag && r >= 0)
                r = secret_append_string(out, flag);
        if (r >= 0)
                r = secret_append(out, "}", sizeof("}"));
        if (r >= 0 && out->len - before - 1 > IPC_MESSAGE_MAX)
                r = -E2BIG;
        return r < 0 ? secret_cut(out, before, r) : 0;
}

int varlink_message_write_call(
                Secret *out, const char *method, json_object *parameters, bool more) {
        return write_message(out, "method", method, parameters, more ? ",\"more\":true" : NULL);
}

int varlink_message_write_reply(
                Secret *out, const char *error, json_object *parameters, bool continues) {
        return write_message(out, error ? "error" : NULL, error, parameters,
                        continues ? ",\"continues\":true" : NULL);
}
