/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "ipc/message.h"

_printf_(1, 0) static void say(const char *format, va_list ap) {
        _cleanup_(secret_string_freep) char *text = NULL, *escaped = NULL;

        if (vasprintf(&text, format, ap) < 0) {
                text = NULL;
                return;
        }
        if (text_escape(text, &escaped) >= 0)
                fprintf(stderr, "factorctl: %s\n", escaped);
}

int complain(int exit_status, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        say(format, ap);
        va_end(ap);
        return exit_status;
}

void remark(const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        say(format, ap);
        va_end(ap);
}

int print_bytes(const Secret *s) {
        const uint8_t *p = s->data;
        size_t left = s->len;

        if (fflush(stdout) != 0)
                return complain(EXIT_FAILURE, "cannot write: %s", strerror(errno));
        while (left > 0) {
                ssize_t n = write(STDOUT_FILENO, p, left);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return complain(EXIT_FAILURE, "cannot write: %s", strerror(errno));
                p += n;
                left -= (size_t) n;
        }
        return 0;
}

int print_pair(FILE *out, const char *key, const char *value) {
        _cleanup_(secret_string_freep) char *escaped = NULL;

        if (!value)
                return 0;
        if (text_escape(value, &escaped) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        fprintf(out, "%14s: %s\n", key, escaped);
        return 0;
}

/* JSON text in which what a terminal might obey stands as \u escapes: outside strings there is no
 * such character, inside them the escape means the same. */
static int append_visible(Secret *out, const char *text, size_t len) {
        char escape[16];
        int r = 0;

        for (size_t i = 0, n; i < len && r >= 0; i += n) {
                uint32_t c = 0;

                n = utf8_decode(text + i, len - i, &c);
                if (n == 0)
                        return -EBADMSG;
                if (!codepoint_is_unsafe(c)) {
                        r = secret_append(out, text + i, n);
                        continue;
                }
                if (c < 0x10000)
                        snprintf(escape, sizeof(escape), "\\u%04x", (unsigned) c);
                else
                        snprintf(escape, sizeof(escape), "\\u%04x\\u%04x",
                                        (unsigned) (0xd800 + ((c - 0x10000) >> 10)),
                                        (unsigned) (0xdc00 + ((c - 0x10000) & 0x3ff)));
                r = secret_append_string(out, escape);
        }
        return r;
}

static int append_members(Secret *out, json_object *o) {
        int r = 0;

        if (!o)
                return 0;
        json_object_object_foreach(o, key, value) {
                json_object *name = json_object_new_string(key);

                r = secret_append_string(out, ",");
                if (r >= 0)
                        r = name ? varlink_json_append(out, name) : -ENOMEM;
                json_object_put(name);
                if (r >= 0)
                        r = secret_append_string(out, ":");
                if (r >= 0)
                        r = varlink_json_append(out, value);
                if (r < 0)
                        return r;
        }
        return 0;
}

int print_json(json_object *o) {
        _cleanup_(secret_done) Secret text = {0}, visible = {0};
        int r;

        r = secret_append_string(&text, "{\"schema\":1");
        if (r >= 0)
                r = append_members(&text, o);
        if (r >= 0)
                r = secret_append_string(&text, "}");
        if (r >= 0)
                r = append_visible(&visible, secret_string(&text), text.len);
        if (r >= 0)
                r = secret_append_string(&visible, "\n");
        if (r < 0)
                return complain(EXIT_FAILURE, "cannot write JSON: %s", strerror(-r));
        return print_bytes(&visible);
}

int print_json_member(const char *key, json_object *value) {
        json_object *o = json_object_new_object();
        int r;

        if (!o || json_object_object_add(o, key, json_object_get(value)) < 0)
                r = complain(EXIT_FAILURE, "out of memory");
        else
                r = print_json(o);
        json_object_put(o);
        return r;
}

static int print_nested(const char *key, json_object *value) {
        _cleanup_(secret_done) Secret text = {0};

        if (varlink_json_append(&text, value) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        return print_pair(stdout, key, secret_string(&text));
}

int print_members(json_object *o) {
        if (!o)
                return 0;
        json_object_object_foreach(o, key, value) {
                _cleanup_free_ char *escaped = NULL;
                int r;

                if (json_object_is_type(value, json_type_null))
                        continue;
                if (text_escape(key, &escaped) < 0)
                        return complain(EXIT_FAILURE, "out of memory");
                if (json_object_is_type(value, json_type_string))
                        r = print_pair(stdout, escaped, json_object_get_string(value));
                else
                        r = print_nested(escaped, value);
                if (r != 0)
                        return r;
        }
        return 0;
}

const char *time_left(const char *date, usec_t now, char ret[static 64]) {
        _cleanup_free_ char *text = NULL;
        usec_t expires, left;

        if (!date || rfc3339_parse(date, &expires) < 0)
                return strcpy(ret, "?");
        left = usec_sub(expires, now);
        if (left == 0)
                return strcpy(ret, "over");
        left -= left % (left >= USEC_PER_HOUR ? USEC_PER_MINUTE : USEC_PER_SEC);
        if (left == 0 || timespan_format(left, &text) < 0)
                return strcpy(ret, "<1s");
        snprintf(ret, 64, "%s", text);
        return ret;
}

const char *user_name(int64_t uid, char ret[static 64]) {
        /* Most rows of a table have the same owner, and each look-up reads the whole file. */
        static int64_t last = INT64_MIN;
        static char name[64];
        struct passwd entry, *found = NULL;
        char buffer[4096];

        if (uid == last) {
                memcpy(ret, name, sizeof(name));
                return ret;
        }
        if (uid >= 0 && uid <= UINT32_MAX &&
                        getpwuid_r((uid_t) uid, &entry, buffer, sizeof(buffer), &found) == 0 &&
                        found)
                snprintf(ret, 64, "%s", found->pw_name);
        else
                snprintf(ret, 64, "%" PRId64, uid);
        memcpy(name, ret, sizeof(name));
        last = uid;
        return ret;
}
