#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A rule as it was read: what is shared within policy/. */

#include "policy/hours.h"
#include "policy/pattern.h"
#include "policy/policy.h"
#include "policy/zone.h"

typedef enum ConditionKind {
        CONDITION_FACTOR,
        CONDITION_TYPE,
        CONDITION_MESSAGE,
        CONDITION_FIELD,
        CONDITION_HIDDEN,
        CONDITION_HIDDEN_DETAILS,
        CONDITION_HOURS,
        CONDITION_MAX_AGE,
        CONDITION_TICKET,
} ConditionKind;

typedef struct Condition {
        ConditionKind kind;
        char *key;        /* as written: "Field.Environment" */
        const char *name; /* what follows the dot, within key; or NULL */
        char *value;      /* as written */
        Pattern pattern;  /* of those whose value is a text */
        FactorType type;
        bool not_type;
        Hours *hours;
        const Zone *zone; /* borrowed from the policy; NULL before the whole rule is read */
        usec_t max_age;
        bool faulty; /* its value can't be: the rule does not load, and nothing else is wrong with
                        it */
} Condition;

/* Settings that are there, as bits. */
typedef enum RuleSetting {
        RULE_DECISION = 1 << 0,
        RULE_TIMEZONE = 1 << 1,
        RULE_TIMEOUT = 1 << 2,
        RULE_ON_ERROR = 1 << 3,
        RULE_OVERRIDE = 1 << 4,
        RULE_DANGEROUS = 1 << 5,
} RuleSetting;

typedef struct Rule {
        char *name;
        const char *path; /* borrowed from the policy */
        unsigned line;
        Condition *conditions; /* in the order of the text */
        size_t n_conditions;
        unsigned settings;
        char *decision; /* as written; NULL: there is none, or none that can be */
        Verb verb;      /* without a decider */
        PolicyDecider decider;
        bool may_approve; /* it approves, or asks a decider */
        bool may_override;
        bool dangerous; /* approves anything, by Dangerous= alone */
        unsigned limit;
        usec_t limit_span;
        char *timezone;
} Rule;

struct Policy {
        char **paths; /* of the files, in order */
        size_t n_paths;
        Rule *rules;
        size_t n_rules;
        char **zone_names; /* NULL: the system's */
        Zone **zones;
        size_t n_zones;
        char hash[SHA256_HEX_SIZE];
};

/* The defaults of its settings. */
void rule_init(Rule *r);
void rule_done(Rule *r);

/* Reads a key of a rule's section into the rule. Returns 0, -EINVAL with the reason, -ENOMEM;
 * -ENOENT: there is no such key. */
int rule_read_key(Rule *r, const char *key, const char *value, char **reterr_msg);
/* What to do about a key that is not known. *ret is new. Returns 0 or -ENOMEM. */
int rule_key_hint(const char *key, char **ret);

/* What holds between the keys of a rule, once all are read: each fault is added to errors. Returns
 * 0 (also with faults) or -ENOMEM. */
int rule_check(Rule *r, unsigned flags, RegexScratch *scratch, ErrorList *errors);

/* The rule's condition of that kind, or NULL. */
Condition *rule_condition(const Rule *r, ConditionKind kind);
