/* SPDX-License-Identifier: Apache-2.0 */
/* What holds between the keys of a rule. */

#include "policy/rule.h"

#include <errno.h>

#include "base/text.h"

#define FAULT(r, errors, format, ...)                                                              \
        error_list_add(errors, "%s:%u: rule '%s' " format, (r)->path, (r)->line,                   \
                        (r)->name __VA_OPT__(, ) __VA_ARGS__)

Condition *rule_condition(const Rule *r, ConditionKind kind) {
        for (size_t i = 0; i < r->n_conditions; i++)
                if (r->conditions[i].kind == kind)
                        return &r->conditions[i];
        return NULL;
}

/* Whether the rule can only concern TOTP challenges. */
static bool is_totp_only(const Rule *r) {
        const Condition *c = rule_condition(r, CONDITION_TYPE);

        return c && !c->faulty && (c->type == FACTOR_TOTP) != c->not_type;
}

static int check_decision(const Rule *r, unsigned flags, ErrorList *errors) {
        static const char instead[] =
                        "a TOTP challenge can't be denied, only left to expire; "
                        "write ignore";

        if (!(r->settings & RULE_DECISION))
                return FAULT(r, errors,
                                "has no decision; write Decision=approve, deny, ask, ignore, "
                                "unix:/path or exec:/path");
        if (r->decider.kind == POLICY_DECIDER_EXEC && flags & POLICY_NO_EXEC)
                return FAULT(r, errors,
                                "has a decider that would run as the service itself; exec: is for "
                                "a user's service, write unix:/path");
        if (!is_totp_only(r))
                return 0;
        if (r->decider.kind == POLICY_DECIDER_NONE && r->verb == VERB_DENY)
                return FAULT(r, errors, "has Type=totp and Decision=deny; %s", instead);
        if (r->decider.kind != POLICY_DECIDER_NONE && r->decider.on_error == VERB_DENY)
                return FAULT(r, errors, "has Type=totp and OnError=deny; %s", instead);
        return 0;
}

/* A setting that does nothing must not look as if it did. */
static int check_idle_settings(const Rule *r, ErrorList *errors) {
        bool decider = r->decider.kind != POLICY_DECIDER_NONE;
        const struct {
                unsigned setting;
                bool of_use;
                const char *key, *goes_with;
        } settings[] = {
                        {RULE_TIMEZONE, rule_condition(r, CONDITION_HOURS) != NULL, "Timezone",
                                        "Hours="},
                        {RULE_TIMEOUT, decider, "Timeout", "Decision=unix: or exec:"},
                        {RULE_ON_ERROR, decider, "OnError", "Decision=unix: or exec:"},
                        {RULE_OVERRIDE, decider || r->verb == VERB_DENY || r->verb == VERB_IGNORE,
                                        "Override", "Decision=deny, ignore, unix: or exec:"},
                        {RULE_DANGEROUS, r->may_approve, "Dangerous",
                                        "Decision=approve, unix: or exec:"},
        };

        if (!r->decision)
                return 0;
        for (size_t i = 0; i < ELEMENTSOF(settings); i++) {
                if (!(r->settings & settings[i].setting) || settings[i].of_use)
                        continue;
                int error = FAULT(r, errors,
                                "has %s=, which goes with %s and says nothing without; remove it",
                                settings[i].key, settings[i].goes_with);
                if (error < 0)
                        return error;
        }
        return 0;
}

/* Whether a condition says what a challenge is about. */
static bool names_request(const Condition *c, RegexScratch *scratch) {
        switch (c->kind) {
        case CONDITION_MESSAGE:
        case CONDITION_FIELD:
        case CONDITION_HIDDEN:
        case CONDITION_HIDDEN_DETAILS:
                return c->faulty || !pattern_is_broad(&c->pattern, scratch);
        case CONDITION_TICKET:
                return true;
        case CONDITION_FACTOR:
        case CONDITION_TYPE:
        case CONDITION_HOURS:
        case CONDITION_MAX_AGE:
                return false;
        }
        return false;
}

/* No blank cheque: what approves says for which factor, and what. */
static int check_narrow(Rule *r, RegexScratch *scratch, ErrorList *errors) {
        static const char otherwise[] =
                        "(a pattern with '!', or one that matches anything, names nothing; "
                        "Dangerous=approve-anything lifts this)";
        const Condition *factor = rule_condition(r, CONDITION_FACTOR);
        bool named = false, request = false;
        int error = 0;

        if (factor)
                named = factor->faulty || !pattern_is_broad(&factor->pattern, scratch);
        for (size_t i = 0; i < r->n_conditions && !request; i++)
                request = names_request(&r->conditions[i], scratch);
        if (r->settings & RULE_DANGEROUS) {
                r->dangerous = !named || !request;
                return 0;
        }
        if (!named)
                error = FAULT(r, errors, "can approve and names no factor; write Factor=NAME %s",
                                otherwise);
        if (error == 0 && !request)
                error = FAULT(r, errors,
                                "can approve and names no request; write Message=, Field.NAME=, "
                                "Hidden.NAME=, HiddenDetails= or Ticket=required %s",
                                otherwise);
        return error;
}

int rule_check(Rule *r, unsigned flags, RegexScratch *scratch, ErrorList *errors) {
        int error = check_decision(r, flags, errors);

        if (error == 0)
                error = check_idle_settings(r, errors);
        if (error == 0 && r->may_approve)
                error = check_narrow(r, scratch, errors);
        return error;
}
