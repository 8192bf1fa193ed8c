#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The challenges that a prompter knows of, and which of them is next. Pure. */

#include <json-c/json_types.h>

#include "base/text.h"
#include "base/time.h"

typedef struct Waiting {
        char sid[SID_SIZE];
        json_object *view; /* our own copy */
        usec_t created;
        uint64_t arrived; /* among those of one second */
        usec_t expires;   /* by the provider's clock; USEC_INFINITY: not known */
        uint64_t skipped; /* 0: never; else the larger, the later */
        bool followed;    /* not to be asked about as it is known; its end is told */
        bool listed;      /* by the list that is being taken */
} Waiting;

/* A zero-initialised list is empty. Items stay where they are in memory. */
typedef struct WaitingList {
        Waiting **items;
        size_t n;
        uint64_t n_arrivals;
        uint64_t n_skips;
} WaitingList;

void waiting_list_done(WaitingList *l);

/* The one of that SID, or NULL. */
Waiting *waiting_find(const WaitingList *l, const char *sid);
/* Adds a challenge or replaces what is known of it, by a copy. Returns 0, -ENOMEM, or -EBADMSG when
 * it has no SID. */
int waiting_put(WaitingList *l, json_object *view, Waiting **ret);
void waiting_remove(WaitingList *l, Waiting *w);
/* Puts it behind all others. */
void waiting_skip(WaitingList *l, Waiting *w);

/* Whether a challenge, by its view alone, can be asked about: one that is asked for again stands
 * for its repeats. */
bool challenge_is_open(json_object *view);
/* Whether it is over for good. */
bool challenge_is_final(json_object *view);
/* Whether both ask the same, and take the same to be approved. */
bool challenge_is_same(json_object *a, json_object *b);

/* Whether it can be asked about at that time of the provider's clock. */
bool waiting_is_open(const Waiting *w, usec_t now);
/* The next to be asked about: the oldest, but those that are not to be popped up after all others,
 * and those that were skipped last. NULL: none. */
Waiting *waiting_first(const WaitingList *l, usec_t now);
size_t waiting_count_open(const WaitingList *l, usec_t now);
