#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a list: the items' raw bytes and where the next page starts. Pure. */

#include "base/json.h"

typedef struct Page {
        JsonDoc *doc; /* what the items borrow from */
        JsonSlice *items;
        size_t n_items;
        char *token;  /* NULL on the last page */
        int64_t next; /* -1 when there is none */
} Page;

/* Frees and zeroes. */
void page_done(Page *p);

/* Reads {"KEY":[…],"meta":{…}}. Without meta it is malformed: a page that does not say whether it
 * is the last proves nothing. Returns 0, -EBADMSG with a message, or -ENOMEM. */
int page_read(Page *ret, const char *key, const char *body, size_t len, char **reterr_msg);

/* Takes PageToken (or pageToken) and Page out of a URL's query. Returns 0, -EBADMSG with a message,
 * or -ENOMEM. */
int page_url_read(const char *url, char **ret_token, int64_t *ret_page, char **reterr_msg);
