/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/paging.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/percent.h"
#include "sandbox/check.h"
#include "sandbox/json-build.h"

#define PAGE_SIZE_MAX 1000
#define PAGE_SIZE_DEFAULT 50
#define PAGE_MAX 1000000

/* A token is one of these and the SID of the item next to the page. */
#define TOKEN_AFTER "DN"
#define TOKEN_BEFORE "UP"

typedef struct Page {
        int64_t size;
        int64_t number;
        const char *token; /* NULL for none */
        const Record **items;
        size_t n;
        bool more_before;
        bool more_after;
} Page;

/* The list seen in its direction: 0 is the first item shown. */
static const Record *item_at(const PageSource *s, size_t i) {
        return s->list->items[s->descending ? s->list->n - 1 - i : i];
}

static bool item_matches(Call *c, const PageSource *s, size_t i) {
        return !s->matches || s->matches(c, item_at(s, i));
}

static size_t list_length(const PageSource *s) {
        return s->list ? s->list->n : 0;
}

static bool read_parameters(Call *c, Page *p) {
        if (!check_integer(c, 60306, "PageSize", params_get(&c->query, "PageSize"), 1,
                            PAGE_SIZE_MAX, &p->size) ||
                        !check_integer(c, 60306, "Page", params_get(&c->query, "Page"), 0, PAGE_MAX,
                                        &p->number))
                return false;
        p->token = params_get(&c->query, "PageToken");
        if (!p->token) {
                p->token = params_get(&c->query, "pageToken");
                c->state->n_odd_page_tokens += p->token ? 1 : 0;
        }
        return true;
}

/* Where the item that the token names stands, or the list's length. */
static size_t token_position(const PageSource *s, const char *token) {
        for (size_t i = 0; i < list_length(s); i++)
                if (streq(item_at(s, i)->sid, token + 2))
                        return i;
        return list_length(s);
}

static void reverse(const Record **items, size_t n) {
        for (size_t i = 0; i < n / 2; i++) {
                const Record *swap = items[i];

                items[i] = items[n - 1 - i];
                items[n - 1 - i] = swap;
        }
}

static void fill_forward(Call *c, const PageSource *s, Page *p, size_t start, size_t skip) {
        for (size_t i = start; i < list_length(s); i++) {
                if (!item_matches(c, s, i))
                        continue;
                if (skip > 0) {
                        skip--;
                        p->more_before = true;
                } else if (p->n == (size_t) p->size) {
                        p->more_after = true;
                        break;
                } else
                        p->items[p->n++] = item_at(s, i);
        }
}

static void fill_backward(Call *c, const PageSource *s, Page *p, size_t end) {
        p->more_after = true;
        for (size_t i = end; i > 0; i--) {
                if (!item_matches(c, s, i - 1))
                        continue;
                if (p->n == (size_t) p->size) {
                        p->more_before = true;
                        break;
                }
                p->items[p->n++] = item_at(s, i - 1);
        }
        reverse(p->items, p->n);
}

static bool fill(Call *c, const PageSource *s, Page *p) {
        size_t at;

        if (!p->token) {
                fill_forward(c, s, p, 0, (size_t) p->number * (size_t) p->size);
                return true;
        }
        if (strncmp(p->token, TOKEN_AFTER, 2) == 0 || strncmp(p->token, TOKEN_BEFORE, 2) == 0) {
                at = token_position(s, p->token);
                if (at < list_length(s) && p->token[0] == TOKEN_AFTER[0]) {
                        p->more_before = true;
                        fill_forward(c, s, p, at + 1, 0);
                        return true;
                }
                if (at < list_length(s)) {
                        fill_backward(c, s, p, at);
                        return true;
                }
        }
        reply_error(&c->reply, 60306, "PageToken is not one that a list gave");
        return false;
}

static int print_filters(Call *c, const PageSource *s, FILE *f) {
        for (size_t i = 0; s->filters && s->filters[i]; i++) {
                const char *value = params_get(&c->query, s->filters[i]);
                _cleanup_(secret_done) Secret encoded = {0};

                if (!value)
                        continue;
                if (percent_encode(&encoded, value, strlen(value)) < 0)
                        return -1;
                fprintf(f, "%s=%s&", s->filters[i], secret_string(&encoded));
        }
        return 0;
}

/* The URL of a page. The token is given by its kind and the item's SID, or as a whole with a kind
 * of "", or is NULL. */
static void add_page_url(JsonBuilder *b,
                const char *key,
                Call *c,
                const PageSource *s,
                const Page *p,
                int64_t number,
                const char *kind,
                const char *token) {
        _cleanup_(secret_done) Secret encoded = {0};
        _cleanup_free_ char *text = NULL;
        size_t len;
        FILE *f;
        int r;

        f = open_memstream(&text, &len);
        if (!f) {
                b->failed = true;
                return;
        }
        fprintf(f, "%s%s?", c->base_url, c->path);
        r = print_filters(c, s, f);
        fprintf(f, "PageSize=%" PRId64 "&Page=%" PRId64, p->size, number);
        if (token && percent_encode(&encoded, token, strlen(token)) < 0)
                r = -1;
        else if (token)
                fprintf(f, "&PageToken=%s%s", kind, secret_string(&encoded));
        if (fclose(f) != 0 || r < 0)
                b->failed = true;
        else
                json_build_string(b, key, text);
}

static json_object *build_meta(Call *c, const PageSource *s, const Page *p) {
        JsonBuilder b = {0};

        json_build_int(&b, "page", p->number);
        json_build_int(&b, "page_size", p->size);
        add_page_url(&b, "first_page_url", c, s, p, 0, "", NULL);
        if (p->more_before && p->n > 0)
                add_page_url(&b, "previous_page_url", c, s, p, p->number > 0 ? p->number - 1 : 0,
                                TOKEN_BEFORE, p->items[0]->sid);
        else
                json_build_null(&b, "previous_page_url");
        add_page_url(&b, "url", c, s, p, p->number, "", p->token);
        if (p->more_after && p->n > 0)
                add_page_url(&b, "next_page_url", c, s, p, p->number + 1, TOKEN_AFTER,
                                p->items[p->n - 1]->sid);
        else
                json_build_null(&b, "next_page_url");
        json_build_string(&b, "key", s->key);
        return json_build_end(&b);
}

void page_reply(Call *c, const PageSource *s) {
        const Record *items[PAGE_SIZE_MAX];
        Page p = {.size = PAGE_SIZE_DEFAULT, .items = items};
        JsonBuilder b = {0};
        json_object *array;

        if (!read_parameters(c, &p) || !fill(c, s, &p))
                return;
        array = json_object_new_array();
        for (size_t i = 0; array && i < p.n; i++)
                if (json_array_take(array, s->render(c, p.items[i])) < 0) {
                        json_object_put(array);
                        array = NULL;
                }
        json_build_take(&b, s->key, array);
        json_build_take(&b, "meta", build_meta(c, s, &p));
        reply_json(&c->reply, 200, json_build_end(&b));
}
