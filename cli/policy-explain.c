/* SPDX-License-Identifier: Apache-2.0 */
/* factorctl policy explain: each rule, and the first of its conditions that failed. */

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/policy-source.h"
#include "policy/case.h"
#include "policy/explain.h"

/* An explanation as JSON, whoever made it: {"rules":[{"rule","file","line","matches","decides",
 * "why"}],"decision","rule","reason","policy"}. */
static json_object *explanation_object(
                Session *s, const Policy *p, const PolicyExplanation *x, const char *decision) {
        json_object *o = parameters_new(s), *rules = json_object_new_array();

        for (size_t i = 0; i < x->n_rules; i++) {
                const PolicyRuleReport *report = &x->rules[i];
                json_object *rule = parameters_new(s);

                parameters_add_string(s, rule, "rule", report->rule);
                parameters_add_string(s, rule, "file", report->path);
                parameters_add_int(s, rule, "line", report->line);
                parameters_add(s, rule, "matches", json_object_new_boolean(report->matches));
                parameters_add(s, rule, "decides", json_object_new_boolean(report->decides));
                parameters_add_string(s, rule, "why", report->why);
                if (!rules || !rule || json_object_array_add(rules, rule) < 0) {
                        json_object_put(rule);
                        s->out_of_memory = true;
                }
        }
        parameters_add(s, o, "rules", rules);
        parameters_add_string(s, o, "decision", decision);
        parameters_add_string(s, o, "rule", x->verdict.rule);
        parameters_add_string(s, o, "reason", x->verdict.reason);
        parameters_add_string(s, o, "policy", policy_hash(p));
        return o;
}

static bool get_true(json_object *o, const char *key) {
        json_object *value = NULL;

        return json_object_object_get_ex(o, key, &value) && json_object_get_boolean(value);
}

/* "approve by rule 'deploy': …" */
static int print_outcome(json_object *x, bool after_table) {
        const char *reason = get_string(x, "reason");
        _cleanup_free_ char *escaped = NULL;

        /* It is escaped already, or should be. */
        if (text_is_unsafe(reason) && text_escape(reason, &escaped) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        printf("%s%s by %s: %s\n", after_table ? "\n" : "", get_string(x, "decision"),
                        get_string(x, "rule"), escaped ? escaped : reason);
        return 0;
}

/* A table of the rules, and what comes of them. The why of a rule is escaped already. */
static int print_explanation(json_object *x) {
        static const char *const headers[] = {"RULE", "RESULT", "WHY"};
        _cleanup_(table_freep) Table *t = NULL;
        json_object *rules = get_array(x, "rules");

        int r = table_new(&t, headers, ELEMENTSOF(headers));
        if (r != 0)
                return r;
        for (size_t i = 0; i < count_items(rules); i++) {
                json_object *rule = json_object_array_get_idx(rules, i);

                table_add(t, get_string(rule, "rule"));
                table_add(t, get_true(rule, "decides")      ? "decides"
                                : get_true(rule, "matches") ? "would match"
                                                            : "no match");
                table_add_escaped(t, get_string(rule, "why"));
        }
        if (count_items(rules) > 0)
                r = table_print(stdout, t);
        return r == 0 ? print_outcome(x, count_items(rules) > 0) : r;
}

static int read_case(PolicyCase *ret, const Arguments *a) {
        PolicyCaseDefaults defaults = {
                        .factor = a->values[OPTION_FACTOR],
                        .now = now_realtime(),
                        .otherwise = VERB_ASK,
        };
        _cleanup_(error_list_done) ErrorList notes = {0};
        _cleanup_(secret_done) Secret text = {0};
        _cleanup_free_ char *msg = NULL;
        const char *path = a->words[0];

        int r = file_read_named(&text, path, POLICY_CASES_MAX, &msg);
        if (r < 0)
                return complain(EXIT_USAGE, "%s", error_text(msg, r));
        r = policy_case_read(
                        ret, (JsonSlice){secret_string(&text), text.len}, &defaults, &notes, &msg);
        if (r < 0)
                return complain(r == -ENOMEM ? EXIT_FAILURE : EXIT_USAGE, "%s: %s", path,
                                error_text(msg, r));
        for (size_t i = 0; i < notes.n; i++)
                remark("%s: %s", path, notes.messages[i]);
        return 0;
}

static int explain_case(Session *s, const Policy *p, const PolicyCase *c) {
        _cleanup_(policy_explanation_done) PolicyExplanation x = {0};
        _cleanup_free_ char *decision = NULL;
        PolicyInput input = policy_case_input(c);

        if (policy_explain(p, &input, &x) < 0 || policy_verdict_decision(&x.verdict, &decision) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        json_object *o = explanation_object(s, p, &x, decision);
        int r;
        if (s->out_of_memory)
                r = complain(EXIT_FAILURE, "out of memory");
        else
                r = s->json ? print_json(o) : print_explanation(o);
        json_object_put(o);
        return r;
}

/* A challenge's SID, or its beginning, is of the daemon's: its own rules explain it. */
static bool is_sid(const char *word) {
        size_t len = strlen(word);

        return len >= SID_PREFIX_MIN && len <= SID_LEN && strncmp(word, "YC", 2) == 0 &&
               strspn(word + 2, "0123456789abcdef") == len - 2;
}

static int explain_held(Session *s, const char *sid) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *parameters = parameters_new(s);
        int r;

        if (argument_given(s->arguments, OPTION_POLICY) ||
                        argument_given(s->arguments, OPTION_FACTOR))
                return complain(EXIT_USAGE,
                                "--policy and --factor go with a file: a SID is explained by the "
                                "rules that are in force");
        parameters_add_string(s, parameters, "sid", sid);
        r = session_call(s, "ExplainPolicy", parameters, &reply);
        if (r != 0)
                return r;
        return s->json ? print_json(json_doc_object(reply))
                       : print_explanation(json_doc_object(reply));
}

int run_policy_explain(Session *s, const Arguments *a) {
        _cleanup_(policy_source_done) PolicySource source = {0};
        _cleanup_(policy_case_done) PolicyCase c = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        if (is_sid(a->words[0]))
                return explain_held(s, a->words[0]);
        int r = read_case(&c, a);
        if (r == 0)
                r = policy_source_add_chosen(&source, a);
        if (r == 0)
                r = policy_source_load_or_say(&source, &p);
        return r == 0 ? explain_case(s, p, &c) : r;
}
