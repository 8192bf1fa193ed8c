/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/list-reply.h"

#include "daemon/view.h"

void list_begin(ListReply *l, Call *call, const char *key) {
        *l = (ListReply){.call = call, .key = key, .all = json_object_new_array()};
}

bool list_item(ListReply *l, json_object *item) {
        json_object_array_add(l->all, item);
        if (!call_wants_more(l->call))
                return true;
        if (call_reply_more(l->call, view_reply(l->key, TAKE_PTR(l->all))) < 0)
                return false;
        l->all = json_object_new_array();
        return true;
}

void list_end(ListReply *l) {
        (void) call_reply(l->call, view_reply(l->key, l->all));
}
