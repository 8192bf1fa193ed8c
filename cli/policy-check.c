/* SPDX-License-Identifier: Apache-2.0 */
/* factorctl policy check: whether rules would load. Works without a daemon. */

#include <json-c/json.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/policy-source.h"

static json_object *rule_object(Session *s, const PolicyRule *r) {
        json_object *o = parameters_new(s);

        parameters_add_string(s, o, "name", r->name);
        parameters_add_string(s, o, "file", r->path);
        parameters_add_int(s, o, "line", r->line);
        parameters_add_string(s, o, "decision", r->decision);
        parameters_add(s, o, "dangerous", json_object_new_boolean(r->dangerous));
        return o;
}

static void add_item(Session *s, json_object *array, json_object *item) {
        if (array && item && json_object_array_add(array, item) >= 0)
                return;
        json_object_put(item);
        s->out_of_memory = true;
}

static int print_document(Session *s, const Policy *p, const ErrorList *faults) {
        json_object *o = parameters_new(s), *rules = json_object_new_array();
        json_object *problems = json_object_new_array();

        for (size_t i = 0; p && i < policy_n_rules(p); i++) {
                PolicyRule r = policy_rule(p, i);
                add_item(s, rules, rule_object(s, &r));
        }
        for (size_t i = 0; i < faults->n; i++)
                add_item(s, problems, json_object_new_string(faults->messages[i]));
        if (p)
                parameters_add_string(s, o, "policy", policy_hash(p));
        parameters_add(s, o, "rules", rules);
        parameters_add(s, o, "problems", problems);

        int r = s->out_of_memory ? complain(EXIT_FAILURE, "out of memory") : print_json(o);
        json_object_put(o);
        return r;
}

static void print_summary(const PolicySource *source, const Policy *p) {
        size_t n = policy_n_rules(p);

        if (source->n_texts == 0)
                remark("%s has no rules", source->folder ? source->folder : "what was given");
        for (size_t i = 0; i < n; i++) {
                PolicyRule r = policy_rule(p, i);
                if (r.dangerous)
                        remark("%s:%u: rule '%s' approves without naming a factor and a request, "
                               "by Dangerous=",
                                        r.path, r.line, r.name);
        }
        printf("%zu rule%s in %zu file%s, policy %s\n", n, n == 1 ? "" : "s", source->n_texts,
                        source->n_texts == 1 ? "" : "s", policy_hash(p));
}

int run_policy_check(Session *s, const Arguments *a) {
        _cleanup_(policy_source_done) PolicySource source = {0};
        _cleanup_(error_list_done) ErrorList faults = {0};
        _cleanup_(policy_freep) Policy *p = NULL;
        int r = 0;

        for (size_t i = 0; r == 0 && i < a->n_words; i++)
                r = policy_source_add(&source, a->words[i]);
        if (r == 0 && a->n_words == 0)
                r = policy_source_add_configured(&source, a);
        if (argument_given(a, OPTION_SYSTEM))
                source.flags |= POLICY_NO_EXEC;
        if (r == 0)
                r = policy_source_load(&source, &p, &faults);
        if (r != 0)
                return r;
        if (s->json) {
                r = print_document(s, p, &faults);
                return r == 0 && !p ? EXIT_USAGE : r;
        }
        if (p)
                print_summary(&source, p);
        for (size_t i = 0; i < faults.n; i++)
                r = complain(EXIT_USAGE, "%s", faults.messages[i]);
        return r;
}
