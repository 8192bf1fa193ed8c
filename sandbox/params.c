/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/params.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

int url_decode(const char *text, size_t len, bool plus, char **ret) {
        _cleanup_free_ char *out = NULL;
        size_t n = 0;

        out = malloc(len + 1);
        if (!out)
                return -ENOMEM;
        for (size_t i = 0; i < len; i++) {
                char c = text[i];

                if (c == '%') {
                        int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
                        int low = len - i > 2 ? hex_digit(text[i + 2]) : -1;

                        if (high < 0 || low < 0)
                                return -EBADMSG;
                        c = (char) (high * 16 + low);
                        i += 2;
                } else if (c == '+' && plus)
                        c = ' ';
                if (c == '\0')
                        return -EBADMSG;
                out[n++] = c;
        }
        out[n] = '\0';
        if (!utf8_valid(out, n))
                return -EBADMSG;
        *ret = TAKE_PTR(out);
        return 0;
}

int url_encode(const char *text, char **ret) {
        static const char digits[] = "0123456789ABCDEF";
        size_t n = 0;
        char *out;

        out = malloc(strlen(text) * 3 + 1);
        if (!out)
                return -ENOMEM;
        for (const char *p = text; *p; p++) {
                unsigned char c = (unsigned char) *p;

                if (isalnum(c) || strchr("-._~", c))
                        out[n++] = *p;
                else {
                        out[n++] = '%';
                        out[n++] = digits[c >> 4];
                        out[n++] = digits[c & 15];
                }
        }
        out[n] = '\0';
        *ret = out;
        return 0;
}

static int params_add(Params *p, const char *text, size_t len) {
        const char *equals = memchr(text, '=', len);
        size_t name_len = equals ? (size_t) (equals - text) : len;
        _cleanup_free_ char *name = NULL, *value = NULL;
        Param *items;
        int r;

        r = url_decode(text, name_len, true, &name);
        if (r < 0)
                return r;
        if (equals)
                r = url_decode(equals + 1, len - name_len - 1, true, &value);
        else
                r = url_decode("", 0, true, &value);
        if (r < 0)
                return r;
        items = reallocarray(p->items, p->n + 1, sizeof(*items));
        if (!items)
                return -ENOMEM;
        p->items = items;
        p->items[p->n++] = (Param){TAKE_PTR(name), TAKE_PTR(value)};
        return 0;
}

int params_parse(const char *text, size_t len, Params *ret) {
        Params p = {0};
        size_t start = 0;
        int r;

        while (start < len) {
                const char *end = memchr(text + start, '&', len - start);
                size_t n = end ? (size_t) (end - text) - start : len - start;

                if (n > 0) {
                        r = params_add(&p, text + start, n);
                        if (r < 0) {
                                params_done(&p);
                                return r;
                        }
                }
                start += n + 1;
        }
        *ret = p;
        return 0;
}

void params_done(Params *p) {
        for (size_t i = 0; i < p->n; i++) {
                free(p->items[i].name);
                free(p->items[i].value);
        }
        free(p->items);
        *p = (Params){0};
}

const char *params_get(const Params *p, const char *name) {
        for (size_t i = 0; i < p->n; i++)
                if (streq(p->items[i].name, name))
                        return p->items[i].value;
        return NULL;
}
