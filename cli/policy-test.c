/* SPDX-License-Identifier: Apache-2.0 */
/* factorctl policy test: cases that people keep beside their rules. Works without a daemon. */

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/policy-source.h"
#include "policy/case.h"

typedef struct Run {
        Session *session;
        Table *table;
        json_object *results; /* an array */
        size_t n, n_failed;
} Run;

static void run_done(Run *run) {
        table_free(run->table);
        json_object_put(run->results);
}

static int out_of_memory(void) {
        return complain(EXIT_FAILURE, "out of memory");
}

/* A path of a document is relative to the document. */
static int add_relative(PolicySource *source, const char *document, const char *path) {
        const char *slash = strrchr(document, '/');
        _cleanup_free_ char *full = NULL;

        if (path[0] == '/' || !slash)
                return policy_source_add(source, path);
        if (asprintf(&full, "%.*s/%s", (int) (slash - document), document, path) < 0) {
                full = NULL;
                return out_of_memory();
        }
        return policy_source_add(source, full);
}

/* The rules that a document names, unless an option does; else the configured ones. */
static int load_rules(
                const Arguments *a, const char *document, const PolicyCases *cases, Policy **ret) {
        _cleanup_(policy_source_done) PolicySource source = {0};
        int r = 0;

        if (argument_given(a, OPTION_POLICY) || !cases->policies)
                r = policy_source_add_chosen(&source, a);
        else
                for (size_t i = 0; r == 0 && i < cases->n_policies; i++)
                        r = add_relative(&source, document, cases->policies[i]);
        if (argument_given(a, OPTION_SYSTEM))
                source.flags |= POLICY_NO_EXEC;
        return r == 0 ? policy_source_load_or_say(&source, ret) : r;
}

/* A row, and below it what was expected when that did not come. */
static void add_row(Run *run,
                const PolicyCase *c,
                const char *name,
                const char *decision,
                const PolicyVerdict *v,
                bool good) {
        const char *by = c->expected_rule;
        _cleanup_free_ char *wanted = NULL;

        table_add(run->table, good ? "ok" : "FAILED");
        table_add(run->table, decision);
        table_add(run->table, v->rule);
        table_add(run->table, name);
        if (good)
                return;
        if (asprintf(&wanted, "-> expected %s%s%s: %s", c->expected, by ? " by " : "", by ? by : "",
                            v->reason) < 0) {
                wanted = NULL;
                run->session->out_of_memory = true;
        }
        for (size_t i = 0; i < 3; i++)
                table_add(run->table, "");
        table_add_escaped(run->table, wanted);
}

static void add_result(Run *run,
                const PolicyCase *c,
                const char *document,
                const char *name,
                const char *decision,
                const PolicyVerdict *v,
                bool good) {
        Session *s = run->session;
        json_object *o = parameters_new(s);

        parameters_add_string(s, o, "file", document);
        parameters_add_string(s, o, "name", name);
        parameters_add(s, o, "ok", json_object_new_boolean(good));
        parameters_add_string(s, o, "decision", decision);
        parameters_add_string(s, o, "rule", v->rule);
        parameters_add_string(s, o, "reason", v->reason);
        parameters_add_string(s, o, "expected", c->expected);
        parameters_add_string(s, o, "expected_rule", c->expected_rule);
        if (!o || json_object_array_add(run->results, o) < 0) {
                json_object_put(o);
                s->out_of_memory = true;
        }
}

static int
run_case(Run *run, const Policy *p, const PolicyCase *c, const char *document, size_t number) {
        _cleanup_(policy_verdict_done) PolicyVerdict v = {0};
        _cleanup_free_ char *decision = NULL;
        PolicyInput input = policy_case_input(c);
        char name[32];

        if (policy_evaluate(p, &input, &v) < 0 || policy_verdict_decision(&v, &decision) < 0)
                return out_of_memory();
        int good = policy_case_agrees(c, &v);
        if (good < 0)
                return out_of_memory();

        snprintf(name, sizeof(name), "case %zu", number);
        run->n++;
        run->n_failed += !good;
        add_row(run, c, c->name ? c->name : name, decision, &v, good);
        add_result(run, c, document, c->name ? c->name : name, decision, &v, good);
        return 0;
}

static int run_document(Run *run, const Arguments *a, const char *path) {
        _cleanup_(policy_cases_done) PolicyCases cases = {0};
        _cleanup_(policy_freep) Policy *p = NULL;
        _cleanup_(secret_done) Secret text = {0};
        _cleanup_free_ char *msg = NULL;

        int r = file_read_named(&text, path, POLICY_CASES_MAX, &msg);
        if (r < 0)
                return complain(EXIT_USAGE, "%s", error_text(msg, r));
        r = policy_cases_read(&cases, secret_string(&text), text.len, &msg);
        if (r < 0)
                return complain(r == -ENOMEM ? EXIT_FAILURE : EXIT_USAGE, "%s: %s", path,
                                error_text(msg, r));
        for (size_t i = 0; i < cases.notes.n; i++)
                remark("%s: %s", path, cases.notes.messages[i]);
        r = load_rules(a, path, &cases, &p);
        for (size_t i = 0; r == 0 && i < cases.n_cases; i++)
                r = run_case(run, p, &cases.cases[i], path, i + 1);
        return r;
}

static int print_run(Run *run) {
        Session *s = run->session;

        if (s->out_of_memory)
                return out_of_memory();
        if (!s->json) {
                int r = table_print(stdout, run->table);

                printf("\n%zu case%s, %zu failed\n", run->n, run->n == 1 ? "" : "s", run->n_failed);
                return r;
        }
        json_object *o = parameters_new(s);

        parameters_add(s, o, "cases", json_object_get(run->results));
        parameters_add_int(s, o, "failed", (int64_t) run->n_failed);
        int r = s->out_of_memory ? out_of_memory() : print_json(o);
        json_object_put(o);
        return r;
}

int run_policy_test(Session *s, const Arguments *a) {
        static const char *const headers[] = {"RESULT", "DECISION", "RULE", "CASE"};
        _cleanup_(run_done) Run run = {.session = s, .results = json_object_new_array()};

        int r = table_new(&run.table, headers, ELEMENTSOF(headers));
        if (r == 0 && !run.results)
                r = out_of_memory();
        for (size_t i = 0; r == 0 && i < a->n_words; i++)
                r = run_document(&run, a, a->words[i]);
        if (r == 0)
                r = print_run(&run);
        return r == 0 && run.n_failed > 0 ? EXIT_FAILURE : r;
}
