#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Registry: the factors and challenges held, found by name, SID or a SID's beginning. */

#include "daemon/challenge.h"

#define REGISTRY_CHALLENGES_MAX 10000
/* A factor that holds REGISTRY_SHARE challenges leaves the last REGISTRY_RESERVE places to others:
 * one that is flooded does not keep the rest from being answered. */
#define REGISTRY_RESERVE 1000
#define REGISTRY_SHARE 100

typedef struct Registry {
        Factor **factors; /* in the order of their names */
        size_t n_factors;
        void *factors_by_sid;   /* tsearch() trees */
        Challenge **challenges; /* in the order of their creation at the provider */
        size_t n_challenges;
        void *challenges_by_sid;
} Registry;

/* Frees challenges, then factors. */
void registry_done(Registry *r);

/* Takes the factor's reference. Returns 0 or -ENOMEM. */
int registry_add_factor(Registry *r, Factor *f);
/* Drops a factor and frees its challenges. */
void registry_remove_factor(Registry *r, Factor *f);
/* By name or SID; NULL when there is none. */
Factor *registry_factor(const Registry *r, const char *name_or_sid);
/* Notes a SID that the factor did not have when it was added. Returns 0, -ENOMEM, or -EEXIST when
 * another has it. */
int registry_index_factor(Registry *r, Factor *f);

/* Takes the challenge, which is then on its factor's list. Returns 0, -ENOMEM, or -ENOBUFS when
 * there is no place for it. */
int registry_add_challenge(Registry *r, Challenge *c);
/* Whether there is a place for another challenge of the factor. */
bool registry_has_place(const Registry *r, const Factor *f);
Challenge *registry_challenge(const Registry *r, const char *sid);
/* By a whole SID or the beginning of at least SID_PREFIX_MIN characters of exactly one that
 * visible() accepts. Returns 0, -ENOENT, -ENOTUNIQ, or -EINVAL when it is too short. */
int registry_find_challenge(const Registry *r,
                const char *prefix,
                bool (*visible)(const Challenge *c, const void *userdata),
                const void *userdata,
                Challenge **ret);
/* Frees the challenges that drop() names. */
void registry_drop_challenges(
                Registry *r, bool (*drop)(const Challenge *c, void *userdata), void *userdata);
