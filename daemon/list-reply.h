#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* ListReply: an answer that is a list, an item a reply to a caller who wants "more", else all in
 * one. */

#include <json-c/json_types.h>

#include "ipc/call.h"

typedef struct ListReply {
        Call *call;
        const char *key;
        json_object *all;
} ListReply;

/* The list is the reply's member key. */
void list_begin(ListReply *l, Call *call, const char *key);
/* Takes the item. Returns false when the caller has gone; list_end() follows all the same. */
bool list_item(ListReply *l, json_object *item);
void list_end(ListReply *l);
