#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Why a policy says what it says: each rule, and the first condition that failed. */

#include "policy/evaluate.h"

typedef struct PolicyRuleReport {
        const char *rule, *path; /* borrowed from the policy */
        unsigned line;
        bool matches; /* all that it asks for is so */
        bool decides; /* it is the one that made the verdict */
        char *why;    /* one line, safe for a terminal */
} PolicyRuleReport;

typedef struct PolicyExplanation {
        PolicyRuleReport *rules; /* all, in their order; those after the deciding one too */
        size_t n_rules;
        PolicyVerdict verdict;
} PolicyExplanation;

/* Decides as policy_evaluate() does, and tells of each rule. *ret is filled, and freed with
 * policy_explanation_done(). Returns 0 or -ENOMEM. */
int policy_explain(const Policy *p, const PolicyInput *input, PolicyExplanation *ret);
/* Frees and zeroes. */
void policy_explanation_done(PolicyExplanation *x);
