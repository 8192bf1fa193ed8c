/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/page.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/percent.h"
#include "verify/reply.h"

void page_done(Page *p) {
        free(p->items);
        free(p->token);
        json_doc_free(p->doc);
        *p = (Page){0};
}

/* Finds the one parameter of that name, in any case. Returns false when there is none or two. */
static bool query_find(const char *query, const char *name, const char **ret, size_t *ret_len) {
        const size_t name_len = strlen(name);
        bool found = false;

        for (const char *p = query; *p;) {
                size_t len = strcspn(p, "&#");
                if (len > name_len && strncasecmp(p, name, name_len) == 0 && p[name_len] == '=') {
                        if (found)
                                return false;
                        *ret = p + name_len + 1;
                        *ret_len = len - name_len - 1;
                        found = true;
                }
                p += len;
                if (*p == '#')
                        break;
                if (*p == '&')
                        p++;
        }
        return found;
}

static int number_read(const char *digits, size_t len, int64_t *ret) {
        int64_t n = 0;

        if (len == 0 || len > 18)
                return -EBADMSG;
        for (size_t i = 0; i < len; i++) {
                if (digits[i] < '0' || digits[i] > '9')
                        return -EBADMSG;
                n = n * 10 + (digits[i] - '0');
        }
        *ret = n;
        return 0;
}

int page_url_read(const char *url, char **ret_token, int64_t *ret_page, char **reterr_msg) {
        _cleanup_free_ char *token = NULL;
        const char *query = strchr(url, '?'), *value = NULL;
        int64_t page = -1;
        size_t len = 0;
        int r;

        if (!query || !query_find(query + 1, "PageToken", &value, &len) || len == 0)
                return error_set(reterr_msg, -EBADMSG, "next_page_url has no single PageToken");
        if (len > (size_t) 3 * VERIFY_PAGE_TOKEN_MAX)
                return error_set(reterr_msg, -EBADMSG, "next_page_url has a PageToken too long");
        r = percent_decode_string(value, len, false, &token);
        if (r == -EBADMSG)
                return error_set(reterr_msg, r, "next_page_url has a malformed PageToken");
        if (r < 0)
                return r;
        if (strlen(token) > VERIFY_PAGE_TOKEN_MAX)
                return error_set(reterr_msg, -EBADMSG, "next_page_url has a PageToken too long");
        if (query_find(query + 1, "Page", &value, &len) && number_read(value, len, &page) < 0)
                return error_set(reterr_msg, -EBADMSG, "next_page_url has a malformed Page");
        *ret_token = TAKE_PTR(token);
        *ret_page = page;
        return 0;
}

static int meta_read(Page *page, char **reterr_msg) {
        static const JsonField fields[] = {
                        {"next_page_url", JSON_STRING, 0, JSON_NULLABLE},
        };
        _cleanup_(json_doc_freep) JsonDoc *meta = NULL;
        _cleanup_free_ char *url = NULL;
        JsonSlice raw;
        int r;

        if (!json_doc_raw(page->doc, "meta", &raw))
                return error_set(reterr_msg, -EBADMSG, "the list has no meta");
        r = json_doc_parse(&meta, raw.data, raw.len, reterr_msg);
        if (r == 0)
                r = json_doc_read(meta, fields, ELEMENTSOF(fields), false, &url, reterr_msg);
        if (r == 0 && url)
                r = page_url_read(url, &page->token, &page->next, reterr_msg);
        return r == -EBADMSG ? error_wrap(reterr_msg, r, "meta") : r;
}

int page_read(Page *ret, const char *key, const char *body, size_t len, char **reterr_msg) {
        _cleanup_(page_done) Page page = {.next = -1};
        JsonSlice raw;
        int r;

        r = json_doc_parse(&page.doc, body, len, reterr_msg);
        if (r < 0)
                return r;
        if (!json_doc_raw(page.doc, key, &raw))
                return error_set(reterr_msg, -EBADMSG, "the list has no %s", key);
        r = json_array_split(raw, &page.items, &page.n_items);
        if (r == -EBADMSG)
                return error_set(reterr_msg, r, "%s is not an array", key);
        if (r < 0)
                return r;
        if (page.n_items > VERIFY_LIST_MAX)
                return error_set(reterr_msg, -EBADMSG, "the list has %zu items; the limit is %d",
                                page.n_items, VERIFY_LIST_MAX);
        r = meta_read(&page, reterr_msg);
        if (r < 0)
                return r;
        *ret = page;
        page = (Page){0};
        return 0;
}
