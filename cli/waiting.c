/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/waiting.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/json.h"
#include "cli/output.h"

static Waiting *waiting_free(Waiting *w) {
        json_object_wipe_put(w->view);
        free(w);
        return NULL;
}

void waiting_list_done(WaitingList *l) {
        for (size_t i = 0; i < l->n; i++)
                waiting_free(l->items[i]);
        free(l->items);
        *l = (WaitingList){0};
}

Waiting *waiting_find(const WaitingList *l, const char *sid) {
        for (size_t i = 0; i < l->n; i++)
                if (streq(l->items[i]->sid, sid))
                        return l->items[i];
        return NULL;
}

static int waiting_new(WaitingList *l, const char *sid, Waiting **ret) {
        Waiting **items = array_grow(l->items, l->n, sizeof(*items)), *w;

        if (!items)
                return -ENOMEM;
        l->items = items;
        w = calloc(1, sizeof(*w));
        if (!w)
                return -ENOMEM;
        strcpy(w->sid, sid);
        w->arrived = l->n_arrivals++;
        *ret = l->items[l->n++] = w;
        return 0;
}

int waiting_put(WaitingList *l, json_object *view, Waiting **ret) {
        const char *sid = get_string(view, "sid"), *created = get_string(view, "created");
        const char *expires = get_string(view, "expires");
        json_object *copy = NULL;
        Waiting *w;
        int r = 0;

        if (!sid || !sid_valid(sid, "YC"))
                return -EBADMSG;
        if (json_object_deep_copy(view, &copy, NULL) < 0)
                return -ENOMEM;
        w = waiting_find(l, sid);
        if (!w)
                r = waiting_new(l, sid, &w);
        if (r < 0) {
                json_object_wipe_put(copy);
                return r;
        }

        json_object_wipe_put(w->view);
        w->view = copy;
        if (!created || rfc3339_parse(created, &w->created) < 0)
                w->created = 0;
        if (!expires || rfc3339_parse(expires, &w->expires) < 0)
                w->expires = USEC_INFINITY;
        *ret = w;
        return 0;
}

void waiting_remove(WaitingList *l, Waiting *w) {
        for (size_t i = 0; i < l->n; i++) {
                if (l->items[i] != w)
                        continue;
                waiting_free(w);
                l->items[i] = l->items[--l->n];
                return;
        }
}

void waiting_skip(WaitingList *l, Waiting *w) {
        w->skipped = ++l->n_skips;
}

bool challenge_is_open(json_object *view) {
        return streq_ptr(get_string(view, "state"), "asking") && !get_string(view, "repeat_of");
}

bool challenge_is_final(json_object *view) {
        static const char *const states[] = {
                        "approved", "denied", "expired", "ignored", "superseded", "failed"};

        for (size_t i = 0; i < ELEMENTSOF(states); i++)
                if (streq_ptr(get_string(view, "state"), states[i]))
                        return true;
        return false;
}

bool challenge_is_same(json_object *a, json_object *b) {
        static const char *const keys[] = {"digest", "confirm", "confirm_field"};

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (!streq_ptr(get_string(a, keys[i]), get_string(b, keys[i])))
                        return false;
        return get_bool(a, "quiet") == get_bool(b, "quiet");
}

bool waiting_is_open(const Waiting *w, usec_t now) {
        return challenge_is_open(w->view) && !w->followed && w->expires > now;
}

static int compare(const Waiting *a, const Waiting *b) {
        int c = CMP(a->skipped, b->skipped);

        if (c == 0)
                c = CMP(get_bool(a->view, "quiet"), get_bool(b->view, "quiet"));
        if (c == 0)
                c = CMP(a->created, b->created);
        return c != 0 ? c : CMP(a->arrived, b->arrived);
}

Waiting *waiting_first(const WaitingList *l, usec_t now) {
        Waiting *first = NULL;

        for (size_t i = 0; i < l->n; i++)
                if (waiting_is_open(l->items[i], now) &&
                                (!first || compare(l->items[i], first) < 0))
                        first = l->items[i];
        return first;
}

size_t waiting_count_open(const WaitingList *l, usec_t now) {
        size_t n = 0;

        for (size_t i = 0; i < l->n; i++)
                n += waiting_is_open(l->items[i], now);
        return n;
}
