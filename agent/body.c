/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/body.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define WITHHELD "(withheld: it has to be typed)"
#define ELLIPSIS "\xE2\x80\xA6"
#define QUOTE_OPEN "\xE2\x80\x9C"
#define QUOTE_CLOSE "\xE2\x80\x9D"

void body_done(Body *b) {
        secret_done(&b->text);
}

int body_copy(const Body *b, char **ret) {
        if (b->error < 0)
                return b->error;
        *ret = strndup(b->text.len > 0 ? (const char *) b->text.data : "",
                        b->text.len > 0 ? b->text.len - 1 : 0);
        return *ret ? 0 : -ENOMEM;
}

static void put_raw(Body *b, const char *text) {
        if (b->error >= 0)
                b->error = secret_append_string(&b->text, text);
}

/* Text without markup of its own. */
static void put(Body *b, const char *text) {
        static const char special[] = "&<>";
        static const char *const entities[] = {"&amp;", "&lt;", "&gt;"};

        while (*text && b->error >= 0) {
                size_t n = b->markup ? strcspn(text, special) : strlen(text);

                b->error = secret_append(&b->text, text, n);
                text += n;
                if (*text) {
                        put_raw(b, entities[strchr(special, *text) - special]);
                        text++;
                }
        }
}

/* Safe on one line; cut after max characters. */
static void put_foreign(Body *b, const char *text, size_t max) {
        _cleanup_free_ char *escaped = NULL;
        size_t n = 0;
        char *end;

        if (text_escape(text, &escaped) < 0) {
                b->error = -ENOMEM;
                return;
        }
        for (end = escaped; *end; end++)
                if (((uint8_t) *end & 0xc0) != 0x80 && n++ == max && max > 0)
                        break;
        if (!*end) {
                put(b, escaped);
                return;
        }
        *end = '\0';
        put(b, escaped);
        put_raw(b, ELLIPSIS);
}

void body_say(Body *b, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0) {
                text = NULL;
                b->error = -ENOMEM;
        }
        va_end(ap);
        if (!text)
                return;
        put(b, text);
        put_raw(b, "\n");
}

void body_pair(Body *b, const char *key, const char *value) {
        put(b, key);
        put_raw(b, ": ");
        put_foreign(b, value, 0);
        put_raw(b, "\n");
}

void body_message(Body *b, const char *message, size_t max) {
        if (!message)
                return;
        put_raw(b, b->markup ? "<i>" QUOTE_OPEN : QUOTE_OPEN);
        put_foreign(b, message, max);
        put_raw(b, b->markup ? QUOTE_CLOSE "</i>\n" : QUOTE_CLOSE "\n");
}

void body_field(Body *b, const char *label, const char *value, size_t max) {
        put_raw(b, b->markup ? "<i>| " : "| ");
        put_foreign(b, label, max);
        put_raw(b, ": ");
        if (value)
                put_foreign(b, value, max);
        else
                put_raw(b, WITHHELD);
        put_raw(b, b->markup ? "</i>\n" : "\n");
}
