#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A challenge while rules are tried on it: what is shared within policy/. */

#include "base/json.h"
#include "policy/evaluate.h"
#include "policy/rule.h"

typedef enum TicketResult {
        TICKET_NONE,
        TICKET_FITS,
        TICKET_AMBIGUOUS, /* it fits another pending challenge too */
} TicketResult;

typedef struct Evaluation {
        const PolicyInput *input;
        RegexScratch *scratch;
        unsigned n_given_up;
        JsonDoc *hidden; /* NULL: there are none that can be read */
        char *hidden_text;
        char *doubt; /* why no rule approves this challenge; NULL: nothing is wrong with it */
        TicketResult ticket_result;
        int64_t ticket;
} Evaluation;

/* Why a condition holds or not. */
typedef enum ConditionOutcome {
        CONDITION_HOLDS,
        CONDITION_FAILS,
        CONDITION_ABSENT,     /* there is no such value, or it is no text */
        CONDITION_NO_ADDRESS, /* approving rules: nobody can say that it is outside a range */
        CONDITION_UNSAFE,     /* approving rules: characters that are not what they look like */
        CONDITION_GIVEN_UP,   /* the regular expression reached a limit */
        CONDITION_AMBIGUOUS,  /* the ticket fits two challenges */
} ConditionOutcome;

typedef struct ConditionResult {
        ConditionOutcome outcome;
        const char *value; /* that was looked at; borrowed; NULL: none */
} ConditionResult;

typedef enum RuleOutcome {
        RULE_MATCHES,
        RULE_FAILS,    /* by a condition */
        RULE_DOUBTS,   /* it could approve, and something is wrong with the challenge */
        RULE_GIVEN_UP, /* it would approve, and a condition could not be told */
        RULE_ASKS,     /* a condition could not be told, and what comes later must not approve */
} RuleOutcome;

typedef struct RuleResult {
        RuleOutcome outcome;
        const Condition *condition; /* that made it so; NULL with RULE_MATCHES and RULE_DOUBTS */
        ConditionResult why;
} RuleResult;

/* Reads the challenge. Zero-initialise, and free with evaluation_done() also after a failure.
 * Returns 0 or -ENOMEM. */
int evaluation_init(Evaluation *e, const PolicyInput *input);
void evaluation_done(Evaluation *e);

/* condition.c */
ConditionResult condition_test(Evaluation *e, const Rule *r, const Condition *c);
/* ticket.c: sets ticket_result and ticket. */
void evaluation_find_ticket(Evaluation *e);
/* evaluate.c */
RuleResult rule_test(Evaluation *e, const Rule *r);
/* The verdict of a rule that matches or asks, or of none (NULL). Returns 0 or -ENOMEM. */
int verdict_make(Evaluation *e, const Rule *r, const RuleResult *result, PolicyVerdict *ret);
/* What a rule's outcome is due to, one line, escaped. *ret is new. Returns 0 or -ENOMEM. */
int rule_result_text(const Evaluation *e, const Rule *r, const RuleResult *result, char **ret);
