/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a rule: one table with what each is read by. */

#include "policy/rule.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "base/text.h"

typedef int (*read_t)(Rule *r, Condition *c, const char *value, char **reterr_msg);

typedef struct Key {
        const char *name; /* "Field." takes what follows the dot */
        read_t read;
        int condition;    /* a ConditionKind, or -1 for a setting */
        unsigned setting; /* a RuleSetting, or 0 */
} Key;

/* Values. */

static int read_pattern(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        return pattern_parse(&c->pattern, value, reterr_msg);
}

static int read_type(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        c->not_type = *value == '!';
        value += c->not_type;
        if (!streq(value, "push") && !streq(value, "totp"))
                return error_set(reterr_msg, -EINVAL,
                                "a type is push or totp; write one of them, with '!' before it for "
                                "the other");
        c->type = streq(value, "push") ? FACTOR_PUSH : FACTOR_TOTP;
        return 0;
}

static int read_hours(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        c->hours = calloc(1, sizeof(Hours));
        if (!c->hours)
                return -ENOMEM;
        return hours_parse(c->hours, value, reterr_msg);
}

static int read_span(const char *value, usec_t max, usec_t *ret, char **reterr_msg) {
        usec_t span;

        int r = timespan_parse(value, &span);
        if (r == -ERANGE || (r == 0 && (span < POLICY_SPAN_MIN || span > max))) {
                _cleanup_free_ char *longest = NULL;

                if (timespan_format(max, &longest) < 0)
                        return -ENOMEM;
                return error_set(reterr_msg, -EINVAL, "write a span from 100ms to %s", longest);
        }
        if (r < 0)
                return error_set(reterr_msg, -EINVAL,
                                "this is not a span of time; write a number with its unit, as in "
                                "500ms, 60s or 10min");
        *ret = span;
        return 0;
}

static int read_max_age(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        return read_span(value, POLICY_SPAN_MAX, &c->max_age, reterr_msg);
}

static int read_ticket(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        if (!streq(value, "required"))
                return error_set(reterr_msg, -EINVAL,
                                "the only value is required; leave the key out where none is");
        return 0;
}

static int read_timezone(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        if (*value == '\0')
                return error_set(reterr_msg, -EINVAL,
                                "write a zone's name, as in Europe/Berlin, or UTC");
        return text_set(&r->timezone, value);
}

/* "10/h" or "10/15min" */
static int read_limit(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        size_t digits = strspn(value, "0123456789");
        const char *span = value + digits + 1;
        _cleanup_free_ char *one = NULL;
        unsigned n = 0;

        for (size_t i = 0; i < digits && n <= POLICY_LIMIT_MAX; i++)
                n = 10 * n + (unsigned) (value[i] - '0');
        if (value[digits] != '/' || n < 1 || n > POLICY_LIMIT_MAX)
                return error_set(reterr_msg, -EINVAL,
                                "this is not a limit; write NUMBER/SPAN, as in 10/h or 3/15min, "
                                "with a number from 1 to %d",
                                POLICY_LIMIT_MAX);
        if (asprintf(&one, "%s%s", isdigit((unsigned char) *span) ? "" : "1", span) < 0)
                return -ENOMEM;
        r->limit = n;
        return read_span(one, POLICY_SPAN_MAX, &r->limit_span, reterr_msg);
}

static const char *path_fault(const char *path, size_t max) {
        if (path[0] != '/')
                return "the path is not absolute; write it from the root on";
        if (strlen(path) > max)
                return "the path is too long; use a shorter one";
        if (path[strlen(path) - 1] == '/')
                return "this names a folder; write the path of a file";
        for (const char *p = path; *p;) {
                size_t len = strcspn(++p, "/");

                if ((len == 1 && p[0] == '.') || (len == 2 && p[0] == '.' && p[1] == '.'))
                        return "the path goes over '.' or '..'; write it without";
                p += len;
        }
        return NULL;
}

static int read_decision(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        bool socket = strncmp(value, "unix:", 5) == 0, program = strncmp(value, "exec:", 5) == 0;
        int verb = verb_from_string(value);

        if (verb >= 0) {
                r->verb = (Verb) verb;
                r->may_approve = r->verb == VERB_APPROVE;
                return text_set(&r->decision, value);
        }
        if (!socket && !program)
                return error_set(reterr_msg, -EINVAL,
                                "this is not a decision; write approve, deny, ask, ignore, "
                                "unix:/path or exec:/path");
        const char *fault = path_fault(value + 5, socket ? POLICY_SOCKET_MAX : PATH_MAX - 1);
        if (fault)
                return error_set(reterr_msg, -EINVAL, "%s", fault);
        int error = text_set(&r->decision, value);
        if (error < 0)
                return error;
        r->decider.kind = socket ? POLICY_DECIDER_UNIX : POLICY_DECIDER_EXEC;
        r->decider.path = r->decision + 5;
        r->may_approve = true;
        return 0;
}

static int read_timeout(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        return read_span(value, POLICY_TIMEOUT_MAX, &r->decider.timeout, reterr_msg);
}

static int read_on_error(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        int verb = verb_from_string(value);

        if (verb < 0 || verb == VERB_APPROVE)
                return error_set(reterr_msg, -EINVAL,
                                "a decider that fails approves nothing; write ignore, ask or deny");
        r->decider.on_error = (Verb) verb;
        return 0;
}

static int read_override(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        if (!streq(value, "yes") && !streq(value, "no"))
                return error_set(reterr_msg, -EINVAL, "write yes or no");
        r->may_override = streq(value, "yes");
        return 0;
}

static int read_dangerous(Rule *r, Condition *c, const char *value, char **reterr_msg) {
        if (!streq(value, "approve-anything"))
                return error_set(reterr_msg, -EINVAL,
                                "the only value is approve-anything; leave the key out otherwise");
        return 0;
}

/* The table. */

#define SETTING (-1)

static const Key keys[] = {
                {"Factor", read_pattern, CONDITION_FACTOR, 0},
                {"Type", read_type, CONDITION_TYPE, 0},
                {"Message", read_pattern, CONDITION_MESSAGE, 0},
                {"Field.", read_pattern, CONDITION_FIELD, 0},
                {"Hidden.", read_pattern, CONDITION_HIDDEN, 0},
                {"HiddenDetails", read_pattern, CONDITION_HIDDEN_DETAILS, 0},
                {"Hours", read_hours, CONDITION_HOURS, 0},
                {"Timezone", read_timezone, SETTING, RULE_TIMEZONE},
                {"MaxAge", read_max_age, CONDITION_MAX_AGE, 0},
                {"Ticket", read_ticket, CONDITION_TICKET, 0},
                {"Limit", read_limit, SETTING, 0},
                {"Decision", read_decision, SETTING, RULE_DECISION},
                {"Timeout", read_timeout, SETTING, RULE_TIMEOUT},
                {"OnError", read_on_error, SETTING, RULE_ON_ERROR},
                {"Override", read_override, SETTING, RULE_OVERRIDE},
                {"Dangerous", read_dangerous, SETTING, RULE_DANGEROUS},
};

/* Whether the key takes a name after its dot. */
static bool is_prefix(const Key *k) {
        return k->name[strlen(k->name) - 1] == '.';
}

static const Key *find_key(const char *key) {
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                if (is_prefix(&keys[i]) ? strncmp(key, keys[i].name, strlen(keys[i].name)) == 0
                                        : streq(key, keys[i].name))
                        return &keys[i];
        return NULL;
}

static int add_condition(Rule *r, const Key *k, const char *key, Condition **ret) {
        Condition *conditions = array_grow(r->conditions, r->n_conditions, sizeof(Condition));
        if (!conditions)
                return -ENOMEM;
        r->conditions = conditions;

        Condition *c = &r->conditions[r->n_conditions];
        *c = (Condition){.kind = (ConditionKind) k->condition, .key = strdup(key)};
        if (!c->key)
                return -ENOMEM;
        if (is_prefix(k))
                c->name = c->key + strlen(k->name);
        r->n_conditions++;
        *ret = c;
        return 0;
}

static int read_condition(Rule *r, const Key *k, const char *key, const char *value, char **msg) {
        Condition *c;

        if (r->n_conditions == POLICY_CONDITIONS_MAX)
                return error_set(msg, -EINVAL, "the rule has over %d conditions; split it",
                                POLICY_CONDITIONS_MAX);
        int error = add_condition(r, k, key, &c);
        if (error == 0)
                error = text_set(&c->value, value);
        if (error < 0)
                return error;
        if (c->name && *c->name == '\0')
                error = error_set(msg, -EINVAL,
                                "there is no name after the dot; write %sNAME=PATTERN", k->name);
        else
                error = k->read(r, c, value, msg);
        c->faulty = error < 0;
        return error;
}

int rule_read_key(Rule *r, const char *key, const char *value, char **reterr_msg) {
        const Key *k = find_key(key);

        if (!k)
                return -ENOENT;
        if (k->condition != SETTING)
                return read_condition(r, k, key, value, reterr_msg);
        r->settings |= k->setting;
        return k->read(r, NULL, value, reterr_msg);
}

int rule_key_hint(const char *key, char **ret) {
        const char *names[ELEMENTSOF(keys)];

        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                names[i] = keys[i].name;
        const char *nearest = nearest_word(key, names, ELEMENTSOF(names));
        const char *dot = nearest && nearest[strlen(nearest) - 1] == '.' ? "NAME" : "";

        int n = nearest ? asprintf(ret, "did you mean %s%s?", nearest, dot)
                        : asprintf(ret, "the keys of a rule are Factor, Type, Message, Field.NAME, "
                                        "Hidden.NAME, HiddenDetails, Hours, Timezone, MaxAge, "
                                        "Ticket, Limit, Decision, Timeout, OnError, Override and "
                                        "Dangerous");
        return n < 0 ? -ENOMEM : 0;
}
