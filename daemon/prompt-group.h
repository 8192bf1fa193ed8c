#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* PromptGroup: the challenges that ask for the same, the oldest at hand. */

#include "base/digest.h"
#include "daemon/challenge.h"

struct PromptGroup {
        uint8_t key[SHA256_SIZE]; /* of what they ask for */
        Challenge **members;      /* a heap: none is older than the first */
        size_t n, allocated;
};

/* The group of those that ask for the same as c, with room for it; made when there is none. groups
 * is a tsearch() tree. Returns 0 or -errno. */
int prompt_group_get(void **groups, const Challenge *c, PromptGroup **ret);
/* Frees a group without members. */
void prompt_group_drop(void **groups, PromptGroup *g);
/* Whether a is older than b: created earlier, or put before a person earlier, so that of those that
 * were created in the same second the one that leads goes on leading; or the first by its SID. */
bool prompt_is_older(const Challenge *a, const Challenge *b);
/* Whether c, which is no member, leads when it comes in, put before a person at that time. */
bool prompt_group_would_lead(const PromptGroup *g, const Challenge *c, usec_t prompted);
/* Takes a member in, for which there is room; c->group and c->group_at are set. c->prompted stays
 * what it is as long as it is one. */
void prompt_group_add(PromptGroup *g, Challenge *c);
void prompt_group_remove(PromptGroup *g, Challenge *c);
