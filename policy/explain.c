/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/explain.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "policy/evaluation.h"

static int printed(int length) {
        return length < 0 ? -ENOMEM : 0;
}

/* "it is Tue 07:59 there" */
static int hours_text(const Evaluation *e, const Condition *c, char **ret) {
        static const char days[] = "MonTueWedThuFriSatSun";
        unsigned day, minute;

        zone_local(c->zone, e->input->now, &day, &minute);
        return printed(asprintf(ret, "it is %.3s %02u:%02u there", days + 3 * day, minute / 60,
                        minute % 60));
}

static int age_text(const Evaluation *e, char **ret) {
        usec_t created = e->input->challenge->created, now = e->input->now;
        usec_t age = created > now ? created - now : now - created;
        _cleanup_free_ char *span = NULL;

        int r = timespan_format(age - age % USEC_PER_MSEC, &span);
        if (r < 0)
                return r;
        return printed(asprintf(
                        ret, created > now ? "it was made %s from now" : "it is %s old", span));
}

static int ticket_text(const Evaluation *e, ConditionOutcome outcome, char **ret) {
        if (outcome == CONDITION_AMBIGUOUS)
                return printed(asprintf(ret,
                                "ticket %" PRId64 " fits another pending challenge as well",
                                e->ticket));
        return printed(asprintf(ret, "no ticket fits"));
}

/* "'x' does not match"; value is escaped. */
static int value_text(ConditionOutcome outcome, const char *value, char **ret) {
        static const char *const words[] = {
                        [CONDITION_HOLDS] = "matches",
                        [CONDITION_FAILS] = "does not match",
                        [CONDITION_ABSENT] = "is not there",
                        [CONDITION_NO_ADDRESS] = "is no address, and so not surely outside",
                        [CONDITION_UNSAFE] = "has characters that hide or disguise text",
                        [CONDITION_GIVEN_UP] = "reached a limit of the regular expression",
                        [CONDITION_AMBIGUOUS] = "is ambiguous",
        };

        if (!value)
                return printed(asprintf(ret, "there is no such text"));
        return printed(asprintf(ret, "'%s' %s", value, words[outcome]));
}

static int condition_text(const Evaluation *e, const RuleResult *result, char **ret) {
        const char *value = result->why.value;
        _cleanup_free_ char *shown = NULL;

        switch (result->condition->kind) {
        case CONDITION_HOURS:
                return hours_text(e, result->condition, ret);
        case CONDITION_MAX_AGE:
                return age_text(e, ret);
        case CONDITION_TICKET:
                return ticket_text(e, result->why.outcome, ret);
        case CONDITION_FACTOR:
        case CONDITION_TYPE:
        case CONDITION_MESSAGE:
        case CONDITION_FIELD:
        case CONDITION_HIDDEN:
        case CONDITION_HIDDEN_DETAILS:
                break;
        }
        int r = value ? text_escape(value, &shown) : 0;
        return r < 0 ? r : value_text(result->why.outcome, shown, ret);
}

int rule_result_text(const Evaluation *e, const Rule *r, const RuleResult *result, char **ret) {
        _cleanup_free_ char *key = NULL, *value = NULL, *text = NULL;

        if (result->outcome == RULE_DOUBTS)
                return printed(asprintf(ret, "nothing approves this challenge: %s", e->doubt));
        if (!result->condition)
                return printed(asprintf(ret, "all its conditions hold"));

        int error = text_escape(result->condition->key, &key);
        /* A pattern stands here as it does in the file, with its backslashes. */
        if (error == 0)
                error = text_is_unsafe(result->condition->value)
                                        ? text_escape(result->condition->value, &value)
                                        : text_set(&value, result->condition->value);
        if (error == 0)
                error = condition_text(e, result, &text);
        return error < 0 ? error : printed(asprintf(ret, "%s=%s: %s", key, value, text));
}

static int report_rule(Evaluation *e, const Rule *r, PolicyExplanation *x) {
        bool decided = x->verdict.rule != NULL;
        RuleResult result = rule_test(e, r);
        bool matches = result.outcome == RULE_MATCHES || result.outcome == RULE_ASKS;
        PolicyRuleReport *report = &x->rules[x->n_rules++];
        int error = 0;

        *report = (PolicyRuleReport){
                        .rule = r->name,
                        .path = r->path,
                        .line = r->line,
                        .matches = result.outcome == RULE_MATCHES,
                        .decides = matches && !decided,
        };
        if (report->decides)
                error = verdict_make(e, r, &result, &x->verdict);
        if (error < 0)
                return error;
        return rule_result_text(e, r, &result, &report->why);
}

int policy_explain(const Policy *p, const PolicyInput *input, PolicyExplanation *ret) {
        _cleanup_(policy_explanation_done) PolicyExplanation x = {0};
        _cleanup_(evaluation_done) Evaluation e = {0};

        x.rules = calloc(p->n_rules + 1, sizeof(PolicyRuleReport));
        int r = x.rules ? evaluation_init(&e, input) : -ENOMEM;
        for (size_t i = 0; r == 0 && i < p->n_rules; i++)
                r = report_rule(&e, &p->rules[i], &x);
        if (r == 0 && !x.verdict.rule)
                r = verdict_make(&e, NULL, NULL, &x.verdict);
        if (r < 0)
                return r;

        *ret = x;
        x = (PolicyExplanation){0};
        return 0;
}

void policy_explanation_done(PolicyExplanation *x) {
        for (size_t i = 0; i < x->n_rules; i++)
                free(x->rules[i].why);
        free(x->rules);
        policy_verdict_done(&x->verdict);
        *x = (PolicyExplanation){0};
}
