#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts: which challenges ask for the same, whose factor cools down, and what whoever asks a
 * person about a challenge has to know of it.
 *
 * A challenge that is asked about is in the group of those that ask for the same: of the same
 * factor, with the same message and fields. The oldest one leads, and stands for the others.
 *
 * What changes of one challenge's state mean for others is worked out before they are made durable
 * (plan), numbered in the same transaction (write), made real after it (apply), and told (tell). */

#include "daemon/challenge.h"
#include "daemon/confirm.h"

/* Repeats that are told when another comes to lead them: for a flood of them that would be all of
 * them at the end of each. */
#define PROMPT_REPEATS_TOLD 100

typedef struct PromptsOptions {
        Store *store;   /* where changes are kept; borrowed */
        const Api *api; /* whose clock counts; borrowed */
        BudgetLimit limit;
        /* A challenge is shown differently now, for a reason that is not its own. */
        void (*shown)(Challenge *c, void *userdata);
        /* A factor's cool-down begins (with the challenge cause), or ends (NULL). */
        void (*cooling)(Factor *f, const Challenge *cause, void *userdata);
        void *userdata;
} PromptsOptions;

/* What a change of a challenge means for others. Zeroed it is empty. */
typedef struct PromptEffect {
        PromptGroup *joins; /* the group that the challenge comes into */
        bool leaves;        /* its group */
        bool begins;        /* its factor's cool-down */
        usec_t prompted;    /* server time when it was put before a person last */
        usec_t clock;       /* of the budgets, then */
        Challenge **others; /* that are shown differently */
        size_t n_others;
        uint64_t first; /* the number of the first of them; the factor's follows */
} PromptEffect;

/* Returns 0 or -errno. */
int prompts_new(Prompts **ret, sd_event *event, const PromptsOptions *options);
/* Another limit from now on. */
void prompts_set_limit(Prompts *p, unsigned n, usec_t span);
/* When no challenge is left. Takes NULL, returns NULL. */
Prompts *prompts_free(Prompts *p);
DEFINE_CLEANUP(Prompts *, prompts_free);

/* What it means that the challenge goes to a state. Returns 0 or -errno: then *ret is empty. */
int prompts_plan(Prompts *p, Challenge *c, ChallengeState to, PromptEffect *ret);
/* All of the factor's challenges are shown differently. Returns 0 or -ENOMEM; either way *ret is
 * dropped with prompts_drop(). */
int prompts_plan_factor(Factor *f, PromptEffect *ret);
/* In the open transaction. */
int prompts_write(Prompts *p, const Challenge *c, PromptEffect *e, usec_t now, char **reterr_msg);
/* After it. Cannot fail. */
void prompts_apply(Prompts *p, Challenge *c, const PromptEffect *e, usec_t now);
void prompts_tell(Prompts *p, Challenge *c, const PromptEffect *e);
/* Drops a plan, carried out or not. */
void prompts_drop(Prompts *p, PromptEffect *e);

/* After a restart: a challenge that was asked about still is. Nobody is told. Returns 0 or -errno.
 */
int prompts_resume(Prompts *p, Challenge *c);
/* After a restart: when a person was asked about challenges of the factor, oldest first. It cools
 * down if it still does. Nobody is told. */
void prompts_resume_budget(Prompts *p, Factor *f, const StoreAsked *asked, size_t n);
/* The challenge is freed. */
void prompts_forget(Prompts *p, Challenge *c);
/* Forgets what is long over. */
void prompts_tidy(Prompts *p, Factor *f);

/* The challenge that stands for this one; NULL when it stands for itself. */
const Challenge *prompt_leader(const Challenge *c);
/* How many it stands for, beside itself. */
size_t prompt_repeats(const Challenge *c);
/* Whether it is not to be popped up. */
bool prompt_is_quiet(const Challenge *c);
/* What Approve wants typed; CONFIRM_NONE once it is decided or has ended. */
Confirm prompt_confirm(const Challenge *c);
/* Whether the value of a detail with that label may not be shown. */
bool prompt_withholds(const Challenge *c, const char *label);
