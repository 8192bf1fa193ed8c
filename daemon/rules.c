/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/rules.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/policy-files.h"
#include "daemon/view.h"
#include "log/log.h"

/* Notes of what went wrong in evaluations: so many in a while, the rest is counted. */
#define NOTES_MAX 10
#define NOTES_INTERVAL USEC_PER_MINUTE

typedef struct RuleCount {
        char *rule;
        uint64_t n[_VERB_MAX];
} RuleCount;

struct Rules {
        Store *store;
        Policy *policy; /* in force */
        bool recorded;
        Actor by; /* who had it loaded; without a door: nobody */
        char *directory;
        usec_t loaded;    /* 0: it never was */
        ErrorList faults; /* of the last load */
        RuleCount *counts;
        size_t n_counts;
        uint64_t n_given_up; /* evaluations in which a regular expression was, since the load */
        char *given_up;      /* the rule of the last one */
        usec_t notes_since;
        unsigned n_notes, n_left_out;
};

int rules_new(Rules **ret, Store *store) {
        _cleanup_(rules_freep) Rules *r = calloc(1, sizeof(Rules));
        ErrorList none = {0};

        if (!r)
                return -ENOMEM;
        r->store = store;
        int k = policy_load(&r->policy, NULL, 0, 0, &none);
        if (k < 0)
                return k;
        *ret = TAKE_PTR(r);
        return 0;
}

Rules *rules_free(Rules *r) {
        if (!r)
                return NULL;
        for (size_t i = 0; i < r->n_counts; i++)
                free(r->counts[i].rule);
        free(r->counts);
        error_list_done(&r->faults);
        policy_free(r->policy);
        free(r->directory);
        free(r->given_up);
        free(r);
        return NULL;
}

const Policy *rules_policy(const Rules *r) {
        return r->policy;
}

/* Loading. */

static int keep_faults(Rules *r, ErrorList *faults, ErrorList *problems) {
        for (size_t i = 0; i < faults->n; i++)
                if (error_list_add(problems, "%s", faults->messages[i]) < 0)
                        return -ENOMEM;
        error_list_done(&r->faults);
        r->faults = *faults;
        *faults = (ErrorList){0};
        return -EINVAL;
}

static void take_policy(Rules *r, Policy *p) {
        r->recorded = r->recorded && streq(policy_hash(p), policy_hash(r->policy));
        policy_free(r->policy);
        r->policy = p;
        r->by = (Actor){0};
        r->loaded = now_realtime();
        r->n_given_up = 0;
        (void) text_set(&r->given_up, NULL);
        error_list_done(&r->faults);
}

int rules_load(Rules *r, const char *directory, uid_t owner, bool system, ErrorList *problems) {
        _cleanup_(error_list_done) ErrorList faults = {0};
        Policy *p = NULL;
        int k;

        k = text_set(&r->directory, directory);
        if (k >= 0)
                k = policy_files_load(&p, directory, owner, system, &faults);
        if (k == -EINVAL)
                return keep_faults(r, &faults, problems);
        if (k >= 0)
                take_policy(r, p);
        return k;
}

static int record(Rules *r, char **reterr_msg) {
        AuditRecord a = {
                        .time = now_realtime(),
                        .event = "policy",
                        .policy = policy_hash(r->policy),
                        .reason = r->loaded > 0 ? NULL : "no rule is in force",
                        .door = r->by.door,
                        .uid = r->by.door ? (int64_t) r->by.uid : -1,
        };
        int k;

        k = store_begin(r->store, reterr_msg);
        if (k < 0)
                return k;
        k = store_policy_set(r->store, policy_hash(r->policy), reterr_msg);
        if (k >= 0)
                k = store_audit_append(r->store, &a, reterr_msg);
        return store_end(r->store, k, reterr_msg);
}

/* The hash of no rules at all; a store that has had none yet needs no record of that. */
static bool is_nothing_new(const Rules *r, const char *before) {
        return streq(before, policy_hash(r->policy)) ||
               (before[0] == '\0' && policy_n_rules(r->policy) == 0);
}

int rules_record(Rules *r, const Actor *actor, char **reterr_msg) {
        char before[SHA256_HEX_SIZE];
        int k;

        if (r->recorded)
                return 0;
        if (actor)
                r->by = *actor;
        k = store_policy_get(r->store, before, reterr_msg);
        if (k >= 0 && !is_nothing_new(r, before))
                k = record(r, reterr_msg);
        r->recorded = k >= 0;
        return k;
}

/* Notes. */

/* Whether one more may be said. */
static bool may_note(Rules *r) {
        usec_t now = now_boottime();

        if (usec_sub(now, r->notes_since) >= NOTES_INTERVAL) {
                if (r->n_left_out > 0)
                        log_warning("%u remarks on rules were left out", r->n_left_out);
                r->notes_since = now;
                r->n_notes = r->n_left_out = 0;
        }
        if (r->n_notes < NOTES_MAX) {
                r->n_notes++;
                return true;
        }
        r->n_left_out++;
        return false;
}

void rules_note(Rules *r, const char *sid, const PolicyVerdict *v) {
        if (v->given_up) {
                r->n_given_up++;
                (void) text_set(&r->given_up, v->given_up);
                if (may_note(r))
                        log_warning("A regular expression of rule %s reached its limits on %s: the "
                                    "rule does not approve it; factorctl policy explain says more",
                                        v->given_up, sid);
        }
        if (v->doubted && may_note(r))
                log_notice("Rule %s does not approve %s, nor does any other: it is not what it "
                           "looks like; factorctl policy explain says more",
                                v->doubted, sid);
}

void rules_note_decider(Rules *r, const char *sid, const char *rule, const char *fault) {
        if (may_note(r))
                log_warning("The decider of rule %s failed on %s: %s; OnError= decides", rule, sid,
                                fault);
}

static RuleCount *find_count(Rules *r, const char *rule) {
        for (size_t i = 0; i < r->n_counts; i++)
                if (streq(r->counts[i].rule, rule))
                        return &r->counts[i];
        RuleCount *counts = array_grow(r->counts, r->n_counts, sizeof(RuleCount));
        char *copy = counts ? strdup(rule) : NULL;
        if (counts)
                r->counts = counts;
        if (!copy)
                return NULL;
        r->counts[r->n_counts] = (RuleCount){.rule = copy};
        return &r->counts[r->n_counts++];
}

void rules_count(Rules *r, const char *rule, Verb verb) {
        RuleCount *c = find_count(r, rule);

        if (c)
                c->n[verb]++;
}

/* Status. */

static json_object *view_counts(const Rules *r) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < r->n_counts; i++) {
                const RuleCount *c = &r->counts[i];
                json_object *o = view_object_of_string("rule", c->rule);

                view_add_int(o, "approved", (int64_t) c->n[VERB_APPROVE]);
                view_add_int(o, "denied", (int64_t) c->n[VERB_DENY]);
                view_add_int(o, "ignored", (int64_t) c->n[VERB_IGNORE]);
                view_add_int(o, "asked", (int64_t) c->n[VERB_ASK]);
                json_object_array_add(list, o);
        }
        return list;
}

static json_object *view_dangerous(const Rules *r) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < policy_n_rules(r->policy); i++) {
                PolicyRule rule = policy_rule(r->policy, i);

                if (rule.dangerous)
                        json_object_array_add(list, json_object_new_string(rule.name));
        }
        return list;
}

/* One line: the first fault, and how many more there are. *ret is new. */
static int faults_text(const Rules *r, char **ret) {
        static const char old[] = "The rules have faults, and the old ones stay in force";
        static const char none[] = "The rules have faults, and none is in force";
        const char *what = r->loaded > 0 ? old : none;
        int n;

        if (r->faults.n == 1)
                n = asprintf(ret, "%s: %s", what, r->faults.messages[0]);
        else
                n = asprintf(ret, "%s: %s (and %zu more)", what, r->faults.messages[0],
                                r->faults.n - 1);
        return n < 0 ? -ENOMEM : 0;
}

json_object *rules_view(const Rules *r) {
        json_object *o = view_object_of_string("hash", policy_hash(r->policy));
        _cleanup_free_ char *problem = NULL;

        if (r->faults.n > 0)
                (void) faults_text(r, &problem);
        view_add_string(o, "directory", r->directory);
        view_add_int(o, "rules", (int64_t) policy_n_rules(r->policy));
        view_add_time(o, "loaded", r->loaded);
        view_add_string(o, "problem", problem);
        view_add(o, "dangerous", view_dangerous(r));
        view_add(o, "decisions", view_counts(r));
        view_add_int(o, "given_up", (int64_t) r->n_given_up);
        return o;
}

void rules_problems(const Rules *r, json_object *list) {
        _cleanup_free_ char *faults = NULL, *given_up = NULL;

        if (r->faults.n > 0 && faults_text(r, &faults) >= 0)
                json_object_array_add(list, json_object_new_string(faults));
        if (r->given_up &&
                        asprintf(&given_up,
                                        "A regular expression of rule %s reached its limits, last "
                                        "of %llu times: write it simpler",
                                        r->given_up, (unsigned long long) r->n_given_up) >= 0)
                json_object_array_add(list, json_object_new_string(given_up));
}
