/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/manager-policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/decider.h"
#include "daemon/life.h"
#include "daemon/policy-ask.h"
#include "daemon/rules.h"
#include "log/log.h"

/* A verdict that is the rule's own. What default decides needs no reason. */
static int ruling_of_verdict(Ruling *ret, const PolicyVerdict *v) {
        _cleanup_free_ char *reason = NULL;
        int r = 0;

        if (v->untold &&
                        asprintf(&reason, "rule '%s' can't be told, and so it asks", v->rule) < 0) {
                reason = NULL;
                return -ENOMEM;
        }
        if (!v->untold && !streq(v->rule, POLICY_RULE_DEFAULT))
                r = text_set(&reason, v->reason);
        if (r < 0)
                return r;
        *ret = (Ruling){
                        .verb = v->verb,
                        .rule = v->rule,
                        .may_override = v->may_override,
                        .ticket = v->ticket,
                        .reason = TAKE_PTR(reason),
        };
        return 0;
}

/* A decider's word, or its OnError=, for the verdict that left it to the decider. */
static int ruling_of_answer(
                Ruling *ret, const PolicyVerdict *v, const Challenge *c, const DeciderAnswer *a) {
        bool failed = a->fault != NULL;
        Verb verb = failed ? v->decider.on_error : a->verb;
        char *reason;
        int n;

        if (failed)
                n = asprintf(&reason, "the decider of rule '%s' failed: %s", v->rule, a->fault);
        else
                n = asprintf(&reason, "the decider of rule '%s' says %s", v->rule,
                                verb_to_string(verb));
        if (n < 0)
                return -ENOMEM;
        /* As with a rule's own denial. */
        if (verb == VERB_DENY && c->view.factor_type != FACTOR_PUSH)
                verb = VERB_IGNORE;
        *ret = (Ruling){
                        .verb = verb,
                        .rule = v->rule,
                        .may_override = v->may_override,
                        .ticket = v->ticket,
                        .reason = reason,
        };
        return 0;
}

/* A rule can't decide before its policy is on record. */
static int manager_ask(Manager *m, const Challenge *c, PolicyVerdict *ret) {
        _cleanup_free_ char *why = NULL;
        int r;

        r = rules_record(m->rules, NULL, &why);
        if (r < 0) {
                log_error("Cannot record which policy is in force: %s", error_text(why, r));
                return r;
        }
        r = policy_ask(m, c, ret);
        if (r >= 0)
                rules_note(m->rules, c->view.sid, ret);
        return r;
}

static int manager_policy(Challenge *c, Ruling *ret, void *userdata) {
        _cleanup_(policy_verdict_done) PolicyVerdict v = {0};
        Manager *m = userdata;
        int r;

        r = manager_ask(m, c, &v);
        if (r < 0)
                return r;
        if (v.decider.kind == POLICY_DECIDER_NONE)
                return ruling_of_verdict(ret, &v);
        if (asprintf(&ret->reason, "rule '%s' asks its decider", v.rule) < 0) {
                ret->reason = NULL;
                return -ENOMEM;
        }
        r = decider_ask(m->deciders, &c->decider, c, &v.decider, v.rule);
        return r < 0 ? r : -EINPROGRESS;
}

static void manager_cancel_decider(Challenge *c, void *userdata) {
        c->decider = decider_cancel(c->decider);
}

/* A word that makes no sense for the challenge is none. */
static void check_answer(const Challenge *c, DeciderAnswer *a) {
        if (!a->fault && a->verb == VERB_DENY && c->view.factor_type != FACTOR_PUSH)
                a->fault = "it denied a TOTP challenge, which can only be ignored";
}

/* Time has passed: its rule has to be the one that decides now as well, by its hours, its limit,
 * its ticket; else the challenge is asked about anew. */
static void manager_decider_answered(Challenge *c, const DeciderAnswer *answer, void *userdata) {
        _cleanup_(policy_verdict_done) PolicyVerdict v = {0};
        _cleanup_(ruling_done) Ruling ruling = {0};
        DeciderAnswer a = *answer;
        Manager *m = userdata;
        int r;

        check_answer(c, &a);
        if (a.fault)
                rules_note_decider(m->rules, c->view.sid, a.rule, a.fault);
        r = manager_ask(m, c, &v);
        if (r < 0 || v.decider.kind == POLICY_DECIDER_NONE || !streq(v.rule, a.rule)) {
                challenge_ask_anew(c);
                return;
        }
        r = ruling_of_answer(&ruling, &v, c, &a);
        if (r < 0)
                challenge_ask_anew(c);
        else
                challenge_ruled(c, &ruling);
}

static void manager_ruled(Challenge *c, const Ruling *r, void *userdata) {
        Manager *m = userdata;

        rules_count(m->rules, r->rule, r->verb);
}

static const char *manager_policy_hash(void *userdata) {
        const Manager *m = userdata;

        return policy_hash(rules_policy(m->rules));
}

void manager_host_policy(ChallengeHost *host) {
        host->policy = manager_policy;
        host->cancel = manager_cancel_decider;
        host->ruled = manager_ruled;
        host->policy_hash = manager_policy_hash;
}

static int load(Manager *m, ErrorList *problems) {
        return rules_load(m->rules, m->config->policy_directory, geteuid(), m->config->system,
                        problems);
}

int manager_prepare_policy(Manager *m, char **reterr_msg) {
        _cleanup_(error_list_done) ErrorList problems = {0};
        _cleanup_free_ char *why = NULL;
        int r;

        r = rules_new(&m->rules, m->store);
        if (r >= 0)
                r = deciders_new(&m->deciders, m->event, manager_decider_answered, m);
        if (r >= 0)
                r = load(m, &problems);
        if (r < 0 && r != -EINVAL)
                return r;
        for (size_t i = 0; i < problems.n; i++)
                log_error("%s", problems.messages[i]);
        if (r < 0)
                log_error("The rules have faults, and none is in force: Default= decides");
        if (rules_record(m->rules, NULL, &why) < 0)
                log_error("Cannot record which policy is in force, so it decides nothing yet: %s",
                                strempty(why));
        return 0;
}

/* Those that a decider of the old rules was asked about. What is before a person stays there. */
static void ask_anew(Manager *m) {
        for (size_t i = 0; i < m->registry.n_challenges; i++) {
                Challenge *c = m->registry.challenges[i];

                if (c->decider)
                        challenge_ask_anew(c);
        }
}

int manager_reload_policy(Manager *m, const Actor *actor, ErrorList *problems) {
        _cleanup_free_ char *why = NULL;
        int r;

        r = load(m, problems);
        if (r < 0)
                return r;
        if (rules_record(m->rules, actor, &why) < 0)
                log_error("Cannot record which policy is in force, so it decides nothing yet: %s",
                                strempty(why));
        ask_anew(m);
        return 0;
}
