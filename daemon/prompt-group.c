/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/prompt-group.h"

#include <assert.h>
#include <errno.h>
#include <search.h>
#include <string.h>

/* The key is the first member: it stands for its group in the tree. */
static int group_compare(const void *a, const void *b) {
        return memcmp(a, b, SHA256_SIZE);
}

static int add_text(Digest *d, const char *text) {
        uint8_t present = text != NULL;
        int r = digest_add_part(d, &present, 1);

        return r < 0 ? r : digest_add_part(d, text, text ? strlen(text) : 0);
}

/* What makes two challenges ask for the same. */
static int request_key(const Challenge *c, uint8_t ret[static SHA256_SIZE]) {
        const ChallengeView *v = &c->view;
        _cleanup_(digest_freep) Digest *d = NULL;
        int r;

        r = digest_new(&d);
        if (r >= 0)
                r = digest_add_part(d, &c->factor->record.id, sizeof(c->factor->record.id));
        if (r >= 0)
                r = add_text(d, v->message);
        for (size_t i = 0; r >= 0 && i < v->n_fields; i++) {
                r = add_text(d, v->fields[i].label);
                if (r >= 0)
                        r = add_text(d, v->fields[i].value);
        }
        return r < 0 ? r : digest_finish(d, ret);
}

static int group_make_room(PromptGroup *g) {
        size_t allocated = g->allocated > 0 ? 2 * g->allocated : 1;
        Challenge **members;

        if (g->n < g->allocated)
                return 0;
        members = reallocarray(g->members, allocated, sizeof(Challenge *));
        if (!members)
                return -ENOMEM;
        g->members = members;
        g->allocated = allocated;
        return 0;
}

int prompt_group_get(void **groups, const Challenge *c, PromptGroup **ret) {
        PromptGroup *made = calloc(1, sizeof(PromptGroup)), **slot;
        int r;

        if (!made)
                return -ENOMEM;
        r = request_key(c, made->key);
        if (r < 0) {
                free(made);
                return r;
        }
        slot = tsearch(made, groups, group_compare);
        if (!slot || *slot != made)
                free(made);
        if (!slot)
                return -ENOMEM;
        r = group_make_room(*slot);
        if (r < 0)
                prompt_group_drop(groups, *slot);
        else
                *ret = *slot;
        return r;
}

void prompt_group_drop(void **groups, PromptGroup *g) {
        if (g->n > 0)
                return;
        (void) tdelete(g, groups, group_compare);
        free(g->members);
        free(g);
}

/* a, put before a person at that time, beside b. */
static bool is_older(const Challenge *a, usec_t prompted, const Challenge *b) {
        if (a->view.created != b->view.created)
                return a->view.created < b->view.created;
        if (prompted != b->prompted)
                return prompted < b->prompted;
        return strcmp(a->view.sid, b->view.sid) < 0;
}

bool prompt_is_older(const Challenge *a, const Challenge *b) {
        return is_older(a, a->prompted, b);
}

bool prompt_group_would_lead(const PromptGroup *g, const Challenge *c, usec_t prompted) {
        return g->n == 0 || is_older(c, prompted, g->members[0]);
}

static void group_put(PromptGroup *g, size_t at, Challenge *c) {
        g->members[at] = c;
        c->group_at = at;
}

/* Moves a member to where none above it is younger. */
static void group_rise(PromptGroup *g, Challenge *c) {
        size_t at = c->group_at;

        while (at > 0 && prompt_is_older(c, g->members[(at - 1) / 2])) {
                group_put(g, at, g->members[(at - 1) / 2]);
                at = (at - 1) / 2;
        }
        group_put(g, at, c);
}

/* Moves a member to where none below it is older. */
static void group_sink(PromptGroup *g, Challenge *c) {
        size_t at = c->group_at;

        for (;;) {
                size_t below = 2 * at + 1;
                if (below + 1 < g->n && prompt_is_older(g->members[below + 1], g->members[below]))
                        below++;
                if (below >= g->n || !prompt_is_older(g->members[below], c))
                        break;
                group_put(g, at, g->members[below]);
                at = below;
        }
        group_put(g, at, c);
}

void prompt_group_add(PromptGroup *g, Challenge *c) {
        assert(!c->group && g->n < g->allocated);
        c->group = g;
        group_put(g, g->n++, c);
        group_rise(g, c);
}

void prompt_group_remove(PromptGroup *g, Challenge *c) {
        Challenge *last = g->members[--g->n];
        size_t at = c->group_at;

        assert(c->group == g);
        c->group = NULL;
        if (last == c)
                return;
        group_put(g, at, last);
        group_rise(g, last);
        group_sink(g, last);
}
