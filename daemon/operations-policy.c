/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/operations-policy.h"

#include <json-c/json.h>
#include <string.h>

#include "daemon/decider.h"
#include "daemon/parameters.h"
#include "daemon/policy-ask.h"
#include "daemon/policy-replay.h"
#include "daemon/reload.h"
#include "daemon/rules.h"
#include "daemon/view.h"

json_object *view_policy(const Manager *m) {
        json_object *o = rules_view(m->rules), *deciders = json_object_new_object();
        DecidersView v = deciders_view(m->deciders);

        view_add_int(deciders, "running", (int64_t) v.n_running);
        view_add_int(deciders, "waiting", (int64_t) v.n_waiting);
        view_add_int(deciders, "asked", (int64_t) v.n_asked);
        view_add_int(deciders, "failed", (int64_t) v.n_failed);
        view_add(o, "deciders", deciders);
        return o;
}

static json_object *view_messages(const ErrorList *list) {
        json_object *array = json_object_new_array();

        for (size_t i = 0; i < list->n; i++)
                json_object_array_add(array, json_object_new_string(list->messages[i]));
        return array;
}

void operation_reload(Manager *m, Call *call) {
        _cleanup_(error_list_done) ErrorList problems = {0}, notes = {0};
        Actor actor = manager_actor(call);
        json_object *o;

        if (!parameters_read(call, NULL, 0, NULL))
                return;
        reload(m, &actor, &problems, &notes);
        o = view_reply("problems", view_messages(&problems));
        view_add(o, "notes", view_messages(&notes));
        (void) call_reply(call, o);
}

static json_object *view_rules(const PolicyExplanation *x) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < x->n_rules; i++) {
                const PolicyRuleReport *report = &x->rules[i];
                json_object *o = view_object_of_string("rule", report->rule);

                view_add_string(o, "file", report->path);
                view_add_int(o, "line", report->line);
                view_add(o, "matches", json_object_new_boolean(report->matches));
                view_add(o, "decides", json_object_new_boolean(report->decides));
                view_add_string(o, "why", report->why);
                json_object_array_add(list, o);
        }
        return list;
}

void operation_explain_policy(Manager *m, Call *call) {
        static const JsonField fields[] = {{"sid", JSON_STRING, 0, JSON_MANDATORY}};
        _cleanup_(policy_explanation_done) PolicyExplanation x = {0};
        _cleanup_free_ char *sid = NULL, *decision = NULL;
        const Challenge *c;
        json_object *o;
        int r;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &sid))
                return;
        c = manager_visible_challenge(m, call, sid);
        if (!c)
                return;
        r = policy_ask_why(m, c, &x);
        if (r >= 0)
                r = policy_verdict_decision(&x.verdict, &decision);
        if (r < 0) {
                (void) call_error(call, IPC_STORE_ERROR, NULL, "%s", strerror(-r));
                return;
        }
        o = view_reply("rules", view_rules(&x));
        view_add_string(o, "decision", decision);
        view_add_string(o, "rule", x.verdict.rule);
        view_add_string(o, "reason", x.verdict.reason);
        view_add_string(o, "policy", policy_hash(rules_policy(m->rules)));
        (void) call_reply(call, o);
}

void operation_replay_policy(Manager *m, Call *call) {
        static const JsonField fields[] = {{"since", JSON_TIME, 0, JSON_NULLABLE}};
        usec_t since = 0;
        int r;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &since))
                return;
        r = policy_replay_new(m, call, since);
        if (r < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "%s", strerror(-r));
}
