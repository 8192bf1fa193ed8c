/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/params.h"

#include <errno.h>
#include <string.h>

#include "base/percent.h"
#include "base/text.h"

static int params_add(Params *p, const char *text, size_t len) {
        const char *equals = memchr(text, '=', len);
        size_t name_len = equals ? (size_t) (equals - text) : len;
        _cleanup_free_ char *name = NULL, *value = NULL;
        Param *items;
        int r;

        r = percent_decode_string(text, name_len, true, &name);
        if (r < 0)
                return r;
        if (equals)
                r = percent_decode_string(equals + 1, len - name_len - 1, true, &value);
        else
                r = percent_decode_string("", 0, true, &value);
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
