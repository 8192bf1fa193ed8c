/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/evaluate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "policy/evaluation.h"

/* Rules. */

/* A condition that does not hold settles the rule; one that can't be told leaves it open, and the
 * rest is still looked at. */
RuleResult rule_test(Evaluation *e, const Rule *r) {
        RuleResult open = {.outcome = RULE_MATCHES};
        bool approves = r->decider.kind == POLICY_DECIDER_NONE && r->verb == VERB_APPROVE;

        for (size_t i = 0; i < r->n_conditions; i++) {
                const Condition *c = &r->conditions[i];
                ConditionResult one = condition_test(e, r, c);
                RuleOutcome outcome = RULE_FAILS;

                if (one.outcome == CONDITION_HOLDS)
                        continue;
                /* What would deny, ignore or ask a decider must not let a later rule approve. */
                if (one.outcome == CONDITION_GIVEN_UP)
                        outcome = approves ? RULE_GIVEN_UP : RULE_ASKS;
                else if (one.outcome == CONDITION_AMBIGUOUS)
                        outcome = RULE_ASKS;

                RuleResult result = {outcome, c, one};
                if (outcome == RULE_FAILS)
                        return result;
                if (open.outcome == RULE_MATCHES || outcome == RULE_ASKS)
                        open = result;
        }
        if (r->may_approve && e->doubt)
                return (RuleResult){.outcome = RULE_DOUBTS};
        return open;
}

/* Verdicts. */

static int set_reason(PolicyVerdict *v, const char *rule, const char *what) {
        return asprintf(&v->reason, "rule '%s' %s", rule, what) < 0 ? -ENOMEM : 0;
}

/* Past its limit a rule asks. */
static int apply_limit(Evaluation *e, const Rule *r, PolicyVerdict *v, bool *ret_past) {
        const PolicyInput *in = e->input;
        _cleanup_free_ char *span = NULL;
        unsigned n = 0;

        *ret_past = false;
        if (r->limit_span == 0)
                return 0;
        if (!in->count || in->count(r->name, usec_sub(in->now, r->limit_span), &n, in->userdata) <
                                          0) {
                *ret_past = true;
                return set_reason(v, r->name, "has a limit, and nobody knows what it decided");
        }
        if (n < r->limit)
                return 0;
        *ret_past = true;
        if (timespan_format(r->limit_span, &span) < 0)
                return -ENOMEM;
        return asprintf(&v->reason, "rule '%s' has made %u decisions in %s; its limit is %u",
                               r->name, n, span, r->limit) < 0
                               ? -ENOMEM
                               : 0;
}

/* All conditions hold. */
static int verdict_of_match(Evaluation *e, const Rule *r, PolicyVerdict *v) {
        bool past;

        int error = apply_limit(e, r, v, &past);
        if (error < 0 || past)
                return error;

        v->verb = r->verb;
        v->decider = r->decider;
        v->may_override = r->may_override;
        if (r->may_approve && rule_condition(r, CONDITION_TICKET))
                v->ticket = e->ticket;
        if (v->decider.kind == POLICY_DECIDER_NONE && v->verb == VERB_DENY &&
                        e->input->challenge->factor_type != FACTOR_PUSH) {
                v->verb = VERB_IGNORE;
                return set_reason(
                                v, r->name, "denies; a TOTP challenge can only be left to expire");
        }
        return set_reason(v, r->name, "matches");
}

int verdict_make(Evaluation *e, const Rule *r, const RuleResult *result, PolicyVerdict *ret) {
        _cleanup_free_ char *text = NULL;
        int error;

        if (!r) {
                ret->rule = POLICY_RULE_DEFAULT;
                ret->verb = e->input->otherwise == VERB_IGNORE ? VERB_IGNORE : VERB_ASK;
                ret->reason = strdup("no rule matches");
                return ret->reason ? 0 : -ENOMEM;
        }

        ret->rule = r->name;
        ret->verb = VERB_ASK;
        if (result->outcome == RULE_MATCHES)
                return verdict_of_match(e, r, ret);
        ret->untold = true;
        error = rule_result_text(e, r, result, &text);
        if (error < 0)
                return error;
        return asprintf(&ret->reason, "rule '%s' can't be told: %s", r->name, text) < 0 ? -ENOMEM
                                                                                        : 0;
}

/* A rule that can't be told, and does not match for it, is worth a note. */
static int add_note(Evaluation *e, const Rule *r, const RuleResult *result, PolicyVerdict *v) {
        _cleanup_free_ char *text = NULL;

        int error = rule_result_text(e, r, result, &text);
        if (error < 0)
                return error;
        return error_list_add(&v->notes, "rule '%s' does not match: %s", r->name, text);
}

/* Likewise, for whoever may not see the challenge's text. */
static void note_rule(const Rule *r, const RuleResult *result, PolicyVerdict *v) {
        bool given_up = result->outcome == RULE_GIVEN_UP ||
                        (result->outcome == RULE_ASKS && result->why.outcome == CONDITION_GIVEN_UP);

        if (given_up && !v->given_up)
                v->given_up = r->name;
        if (result->outcome == RULE_DOUBTS && !v->doubted)
                v->doubted = r->name;
}

static int decide(const Policy *p, Evaluation *e, PolicyVerdict *v) {
        for (size_t i = 0; i < p->n_rules; i++) {
                const Rule *r = &p->rules[i];
                RuleResult result = rule_test(e, r);
                int error = 0;

                switch (result.outcome) {
                case RULE_FAILS:
                        break;
                case RULE_DOUBTS:
                case RULE_GIVEN_UP:
                        note_rule(r, &result, v);
                        error = add_note(e, r, &result, v);
                        break;
                case RULE_MATCHES:
                case RULE_ASKS:
                        note_rule(r, &result, v);
                        return verdict_make(e, r, &result, v);
                }
                if (error < 0)
                        return error;
        }
        return verdict_make(e, NULL, NULL, v);
}

int policy_evaluate(const Policy *p, const PolicyInput *input, PolicyVerdict *ret) {
        _cleanup_(policy_verdict_done) PolicyVerdict v = {0};
        _cleanup_(evaluation_done) Evaluation e = {0};

        int r = evaluation_init(&e, input);
        if (r == 0)
                r = decide(p, &e, &v);
        if (r < 0)
                return r;

        *ret = v;
        v = (PolicyVerdict){0};
        return 0;
}

void policy_verdict_done(PolicyVerdict *v) {
        free(v->reason);
        error_list_done(&v->notes);
        *v = (PolicyVerdict){0};
}

int policy_verdict_decision(const PolicyVerdict *v, char **ret) {
        static const char *const kinds[] = {
                        [POLICY_DECIDER_NONE] = "",
                        [POLICY_DECIDER_UNIX] = "unix:",
                        [POLICY_DECIDER_EXEC] = "exec:",
        };
        bool own = v->decider.kind == POLICY_DECIDER_NONE;

        return asprintf(ret, "%s%s", kinds[v->decider.kind],
                               own ? verb_to_string(v->verb) : v->decider.path) < 0
                               ? -ENOMEM
                               : 0;
}
