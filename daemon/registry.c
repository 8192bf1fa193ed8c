/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/registry.h"

#include <errno.h>
#include <search.h>
#include <string.h>

/* The trees hold pointers to a SID that is part of the object, so that one comparison serves both.
 */
typedef struct SidNode {
        const char *sid;
        void *object;
} SidNode;

static int sid_compare(const void *a, const void *b) {
        const SidNode *x = a, *y = b;

        return strcmp(x->sid, y->sid);
}

static int sid_insert(void **tree, const char *sid, void *object) {
        SidNode *n = malloc(sizeof(SidNode));
        SidNode **slot;

        if (!n)
                return -ENOMEM;
        *n = (SidNode){sid, object};
        slot = tsearch(n, tree, sid_compare);
        if (slot && *slot == n)
                return 0;
        free(n);
        return slot ? -EEXIST : -ENOMEM;
}

static void *sid_find(void *const *tree, const char *sid) {
        SidNode **slot = tfind(&(SidNode){.sid = sid}, tree, sid_compare);

        return slot ? (*slot)->object : NULL;
}

/* Only the object's own entry: another one may have come first with that SID. */
static void sid_remove(void **tree, const char *sid, const void *object) {
        SidNode **slot = tfind(&(SidNode){.sid = sid}, tree, sid_compare);
        SidNode *n = slot ? *slot : NULL;

        if (!n || n->object != object)
                return;
        (void) tdelete(n, tree, sid_compare);
        free(n);
}

void registry_done(Registry *r) {
        for (size_t i = 0; i < r->n_challenges; i++)
                challenge_free(r->challenges[i]);
        for (size_t i = 0; i < r->n_factors; i++)
                factor_unref(r->factors[i]);
        tdestroy(r->challenges_by_sid, free);
        tdestroy(r->factors_by_sid, free);
        free(r->challenges);
        free(r->factors);
        *r = (Registry){0};
}

int registry_index_factor(Registry *r, Factor *f) {
        return f->record.sid ? sid_insert(&r->factors_by_sid, f->record.sid, f) : 0;
}

int registry_add_factor(Registry *r, Factor *f) {
        Factor **grown;
        size_t i;
        int k;

        grown = realloc(r->factors, (r->n_factors + 1) * sizeof(Factor *));
        if (!grown)
                return -ENOMEM;
        r->factors = grown;
        k = registry_index_factor(r, f);
        if (k < 0)
                return k;
        for (i = r->n_factors; i > 0 && strcmp(r->factors[i - 1]->record.name, f->record.name) > 0;
                        i--)
                r->factors[i] = r->factors[i - 1];
        r->factors[i] = f;
        r->n_factors++;
        return 0;
}

static bool is_of_factor(const Challenge *c, void *userdata) {
        return c->factor == userdata;
}

void registry_remove_factor(Registry *r, Factor *f) {
        registry_drop_challenges(r, is_of_factor, f);
        if (f->record.sid)
                sid_remove(&r->factors_by_sid, f->record.sid, f);
        for (size_t i = 0; i < r->n_factors; i++)
                if (r->factors[i] == f) {
                        memmove(r->factors + i, r->factors + i + 1,
                                        (--r->n_factors - i) * sizeof(Factor *));
                        break;
                }
        f->removed = true;
        factor_unref(f);
}

static int name_compare(const void *key, const void *member) {
        const Factor *const *f = member;

        return strcmp(key, (*f)->record.name);
}

Factor *registry_factor(const Registry *r, const char *name_or_sid) {
        Factor *f = sid_find(&r->factors_by_sid, name_or_sid);

        if (f || r->n_factors == 0)
                return f;
        Factor **found = bsearch(
                        name_or_sid, r->factors, r->n_factors, sizeof(Factor *), name_compare);
        return found ? *found : NULL;
}

static int challenge_compare(const Challenge *a, const Challenge *b) {
        if (a->view.created != b->view.created)
                return a->view.created < b->view.created ? -1 : 1;
        return strcmp(a->view.sid, b->view.sid);
}

bool registry_has_place(const Registry *r, const Factor *f) {
        return r->n_challenges + (f->n_held < REGISTRY_SHARE ? 0 : REGISTRY_RESERVE) <
               REGISTRY_CHALLENGES_MAX;
}

int registry_add_challenge(Registry *r, Challenge *c) {
        Challenge **grown;
        int k;

        if (!registry_has_place(r, c->factor))
                return -ENOBUFS;
        grown = realloc(r->challenges, (r->n_challenges + 1) * sizeof(Challenge *));
        if (!grown)
                return -ENOMEM;
        r->challenges = grown;
        k = sid_insert(&r->challenges_by_sid, c->view.sid, c);
        if (k < 0)
                return k;
        /* They come nearly in order: the place is at the end or close to it. */
        size_t i = r->n_challenges++;
        for (; i > 0 && challenge_compare(r->challenges[i - 1], c) > 0; i--)
                r->challenges[i] = r->challenges[i - 1];
        r->challenges[i] = c;
        c->factor->n_held++;
        LIST_INSERT_HEAD(&c->factor->challenges, c, of_factor);
        return 0;
}

Challenge *registry_challenge(const Registry *r, const char *sid) {
        return sid_find(&r->challenges_by_sid, sid);
}

int registry_find_challenge(const Registry *r,
                const char *prefix,
                bool (*visible)(const Challenge *c, const void *userdata),
                const void *userdata,
                Challenge **ret) {
        size_t len = strlen(prefix);
        Challenge *found = NULL;

        if (len < SID_PREFIX_MIN)
                return -EINVAL;
        for (size_t i = 0; i < r->n_challenges; i++) {
                Challenge *c = r->challenges[i];
                if (strncmp(c->view.sid, prefix, len) != 0 || !visible(c, userdata))
                        continue;
                if (found)
                        return -ENOTUNIQ;
                found = c;
        }
        if (!found)
                return -ENOENT;
        *ret = found;
        return 0;
}

void registry_drop_challenges(
                Registry *r, bool (*drop)(const Challenge *c, void *userdata), void *userdata) {
        size_t kept = 0;

        for (size_t i = 0; i < r->n_challenges; i++) {
                Challenge *c = r->challenges[i];
                if (!drop(c, userdata)) {
                        r->challenges[kept++] = c;
                        continue;
                }
                sid_remove(&r->challenges_by_sid, c->view.sid, c);
                LIST_REMOVE(c, of_factor);
                c->factor->n_held--;
                challenge_free(c);
        }
        r->n_challenges = kept;
}
