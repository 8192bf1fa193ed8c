#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Cases to test a policy with, and challenges to explain: JSON in, structs out. Pure.
 * docs/policy.md describes the format. */

#include "base/json.h"
#include "policy/evaluate.h"

#define POLICY_CASES_MAX (4 * 1024 * 1024) /* bytes of a document */

typedef struct PolicyCount {
        char *rule;
        int64_t n;
} PolicyCount;

/* The arguments of an evaluation, owned, and what is expected of it. */
typedef struct PolicyCase {
        char *name;
        ChallengeView challenge; /* its factor is the input's */
        usec_t now;
        PolicyTicket *tickets;
        size_t n_tickets;
        ChallengeView *pending;
        const ChallengeView **pending_list;
        size_t n_pending;
        PolicyCount *counts; /* a rule that is not among them has decided nothing */
        size_t n_counts;
        Verb otherwise;
        char *expected;      /* a decision as rules write it; NULL: none is */
        char *expected_rule; /* or NULL: any */
} PolicyCase;

/* What holds for cases that do not say it themselves. */
typedef struct PolicyCaseDefaults {
        const char *factor; /* or NULL */
        usec_t now;         /* 0: when the challenge was created */
        Verb otherwise;
} PolicyCaseDefaults;

typedef struct PolicyCases {
        char **policies; /* files and folders, as written */
        size_t n_policies;
        PolicyCase *cases;
        size_t n_cases;
        ErrorList notes; /* members of challenges that are not known, and were passed over */
} PolicyCases;

/* Reads a document of cases. *ret is filled, and freed with policy_cases_done(). Returns 0,
 * -EBADMSG with the reason, -ENOMEM. */
int policy_cases_read(PolicyCases *ret, const char *text, size_t len, char **reterr_msg);
void policy_cases_done(PolicyCases *c);

/* Reads one case, or (when there is no member "challenge") a challenge alone: as the API describes
 * it, or as factorctl pending --json does. Returns likewise. */
int policy_case_read(PolicyCase *ret,
                JsonSlice text,
                const PolicyCaseDefaults *defaults,
                ErrorList *notes,
                char **reterr_msg);
void policy_case_done(PolicyCase *c);

/* Reads a word for what no rule decides; NULL leaves *ret. Returns likewise. */
int policy_otherwise_read(const char *word, Verb *ret, char **reterr_msg);

/* The case as an evaluation's arguments, borrowed from it. */
PolicyInput policy_case_input(const PolicyCase *c);

/* Whether a verdict is as the case expects, by its decision and its rule. Returns 1, 0, -ENOMEM. */
int policy_case_agrees(const PolicyCase *c, const PolicyVerdict *v);

/* case-challenge.c. Reads a challenge into a zeroed view. Absent dates are left 0. Returns
 * likewise. */
int policy_challenge_read(ChallengeView *ret, JsonSlice text, ErrorList *notes, char **reterr_msg);

/* Reads [{"label", "value"}, …]. *ret is new. Returns likewise. */
int policy_fields_read(DetailField **ret, size_t *ret_n, JsonSlice text, char **reterr_msg);
