#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Lists, a page at a time. */

#include "sandbox/call.h"

typedef struct PageSource {
        const char *key;        /* the member that holds the items */
        const RecordList *list; /* in the order of creation; NULL for an empty list */
        bool descending;
        /* Whether an item belongs to the list. NULL: all do. */
        bool (*matches)(Call *c, const Record *item);
        /* The item as the API shows it. */
        json_object *(*render)(Call *c, const Record *item);
        /* The query's parameters that narrow the list; page URLs repeat them. Ends with NULL. */
        const char *const *filters;
} PageSource;

/* Reads PageSize, Page and PageToken of the query and answers with that page and its meta. */
void page_reply(Call *c, const PageSource *source);
