/* SPDX-License-Identifier: Apache-2.0 */
/* What rules decide: the table of tests/data/policy-cases.json, and the reader of cases. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/text.h"
#include "policy/case.h"
#include "policy/explain.h"

#define TABLE "tests/data/policy-cases.json"
#define MONDAY_NOON INT64_C(1767614400) /* 2026-01-05T12:00:00Z */

static const PolicyCaseDefaults defaults = {
                .factor = "ci-1",
                .now = MONDAY_NOON * USEC_PER_SEC,
                .otherwise = VERB_IGNORE,
};

static unsigned n_cases, n_failed;

static Policy *load(const char *text) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        PolicyFile file = {"test.policy", text, strlen(text)};
        Policy *p = NULL;

        if (policy_load(&p, &file, 1, 0, &errors) < 0)
                fail_msg("%s in:\n%s", errors.messages[0], text);
        return p;
}

/* A group's rules as one text. */
static Policy *load_lines(json_object *lines) {
        _cleanup_free_ char *text = strdup("");

        assert_true(json_object_is_type(lines, json_type_array));
        for (size_t i = 0; i < json_object_array_length(lines); i++) {
                const char *line = json_object_get_string(json_object_array_get_idx(lines, i));
                char *longer = NULL;

                assert_true(asprintf(&longer, "%s%s%s\n", text,
                                            i == 0 && *line != '[' ? "[Rule r]\n" : "", line) >= 0);
                free(text);
                text = longer;
        }
        return load(text);
}

/* Explaining says the same, of each rule, and of one at most that it decides. */
static void check_explanation(const Policy *p, const PolicyInput *input, const PolicyVerdict *v) {
        _cleanup_(policy_explanation_done) PolicyExplanation x = {0};
        const char *decides = POLICY_RULE_DEFAULT;

        assert_int_equal(policy_explain(p, input, &x), 0);
        assert_int_equal(x.n_rules, policy_n_rules(p));
        assert_int_equal(x.verdict.verb, v->verb);
        assert_int_equal(x.verdict.ticket, v->ticket);
        assert_string_equal(x.verdict.rule, v->rule);
        assert_string_equal(x.verdict.reason, v->reason);
        for (size_t i = 0; i < x.n_rules; i++) {
                assert_string_equal(x.rules[i].rule, policy_rule(p, i).name);
                assert_true(*x.rules[i].why);
                if (x.rules[i].decides)
                        decides = x.rules[i].rule;
                for (const char *c = x.rules[i].why; *c; c++)
                        assert_true((uint8_t) *c >= 0x20);
        }
        assert_string_equal(decides, v->rule);
}

static void run_case(const Policy *p, const PolicyCase *c) {
        _cleanup_(policy_verdict_done) PolicyVerdict v = {0};
        _cleanup_free_ char *decision = NULL;
        PolicyInput input = policy_case_input(c);

        assert_int_equal(policy_evaluate(p, &input, &v), 0);
        assert_int_equal(policy_verdict_decision(&v, &decision), 0);
        check_explanation(p, &input, &v);
        n_cases++;
        if (policy_case_agrees(c, &v) == 1)
                return;
        n_failed++;
        print_error("%s: %s by %s (%s), expected %s by %s\n", c->name, decision, v.rule, v.reason,
                        c->expected, c->expected_rule ? c->expected_rule : "any");
}

static void run_group(JsonSlice text) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ JsonSlice *cases = NULL;
        _cleanup_(policy_freep) Policy *p = NULL;
        JsonSlice list;
        size_t n;

        assert_int_equal(json_doc_parse(&doc, text.data, text.len, NULL), 0);
        p = load_lines(json_doc_value(doc, "rules"));
        assert_true(json_doc_raw(doc, "cases", &list));
        assert_int_equal(json_array_split(list, &cases, &n), 0);
        for (size_t i = 0; i < n; i++) {
                _cleanup_(policy_case_done) PolicyCase c = {0};
                _cleanup_(error_list_done) ErrorList notes = {0};
                _cleanup_free_ char *msg = NULL;

                if (policy_case_read(&c, cases[i], &defaults, &notes, &msg) < 0)
                        fail_msg("%s: %.*s", msg, (int) cases[i].len, cases[i].data);
                assert_int_equal(notes.n, 0);
                assert_non_null(c.name);
                assert_non_null(c.expected);
                run_case(p, &c);
        }
}

static void test_table(void **state) {
        _cleanup_free_ char *path = NULL, *msg = NULL;
        _cleanup_(secret_done) Secret text = {0};
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ JsonSlice *groups = NULL;
        JsonSlice list;
        size_t n;

        assert_true(asprintf(&path, "%s/" TABLE, getenv("FACTORD_SOURCE_ROOT")) >= 0);
        assert_int_equal(file_read_named(&text, path, POLICY_CASES_MAX, NULL), 0);
        if (json_doc_parse(&doc, secret_string(&text), text.len, &msg) < 0)
                fail_msg("%s", msg);
        assert_true(json_doc_raw(doc, "groups", &list));
        assert_int_equal(json_array_split(list, &groups, &n), 0);
        for (size_t i = 0; i < n; i++)
                run_group(groups[i]);
        print_message("%u cases\n", n_cases);
        assert_true(n_cases >= 150);
        assert_int_equal(n_failed, 0);
}

/* Verdicts beyond the decision. */

static void evaluate(const Policy *p, const char *json, PolicyVerdict *ret) {
        _cleanup_(policy_case_done) PolicyCase c = {0};
        _cleanup_(error_list_done) ErrorList notes = {0};
        _cleanup_free_ char *msg = NULL;
        JsonSlice text = {json, strlen(json)};

        if (policy_case_read(&c, text, &defaults, &notes, &msg) < 0)
                fail_msg("%s: %s", msg, json);
        PolicyInput input = policy_case_input(&c);
        assert_int_equal(policy_evaluate(p, &input, ret), 0);
}

static void test_verdict(void **state) {
        _cleanup_(policy_freep) Policy *p =
                        load("[Rule a]\nFactor=ci-1\nTicket=required\n"
                             "Decision=approve\n"
                             "[Rule b]\nMessage=no*\nDecision=deny\n"
                             "Override=yes\n"
                             "[Rule c]\nMessage=c\nDecision=ignore\n"
                             "[Rule d]\nFactor=ci-1\nMessage=d\n"
                             "Decision=unix:/run/d\nTimeout=1s\nOnError=ask\n"
                             "[Rule e]\nFactor=ci-1\nMessage=e\n"
                             "Decision=exec:/bin/e\n");
        _cleanup_(policy_verdict_done) PolicyVerdict a = {0}, b = {0}, c = {0}, d = {0}, e = {0};

        evaluate(p,
                        "{\"challenge\": {\"message\": \"x\"}, \"tickets\": [{\"id\": 9, "
                        "\"message\": \"x\", "
                        "\"created\": \"2026-01-05T12:00:01Z\"}, {\"id\": 7, \"message\": \"*\"}]}",
                        &a);
        assert_string_equal(a.rule, "a");
        assert_int_equal(a.ticket, 7); /* the older */
        assert_string_equal(a.reason, "rule 'a' matches");

        evaluate(p, "{\"message\": \"no\"}", &b);
        assert_int_equal(b.verb, VERB_DENY);
        assert_true(b.may_override);
        assert_int_equal(b.ticket, 0);

        evaluate(p, "{\"message\": \"c\"}", &c);
        assert_int_equal(c.verb, VERB_IGNORE);
        assert_false(c.may_override);

        evaluate(p, "{\"message\": \"d\"}", &d);
        assert_int_equal(d.decider.kind, POLICY_DECIDER_UNIX);
        assert_string_equal(d.decider.path, "/run/d");
        assert_int_equal(d.decider.timeout, USEC_PER_SEC);
        assert_int_equal(d.decider.on_error, VERB_ASK);

        evaluate(p, "{\"message\": \"e\"}", &e);
        assert_int_equal(e.decider.kind, POLICY_DECIDER_EXEC);
        assert_int_equal(e.decider.timeout, 5 * USEC_PER_SEC);
        assert_int_equal(e.decider.on_error, VERB_IGNORE);
}

/* A ticket is used up by a rule that asks for one, not by another that happens to match. */
static void test_ticket_is_kept(void **state) {
        static const char json[] =
                        "{\"challenge\": {\"message\": \"x\"}, \"tickets\": "
                        "[{\"message\": \"x\"}]}";
        _cleanup_(policy_freep) Policy *plain =
                        load("[Rule a]\nFactor=ci-1\nMessage=x\n"
                             "Decision=approve\n");
        _cleanup_(policy_freep) Policy *deny =
                        load("[Rule a]\nTicket=required\n"
                             "Decision=deny\n");
        _cleanup_(policy_verdict_done) PolicyVerdict v = {0}, w = {0};

        evaluate(plain, json, &v);
        assert_int_equal(v.verb, VERB_APPROVE);
        assert_int_equal(v.ticket, 0);
        evaluate(deny, json, &w);
        assert_int_equal(w.verb, VERB_DENY);
        assert_int_equal(w.ticket, 0);
}

#define AAAA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* What did not match by a limit or by disguise is said, the pattern's end is not waited for. */
static void test_notes(void **state) {
        _cleanup_(policy_freep) Policy *p =
                        load("[Rule a]\nFactor=ci-1\nMessage=~(a|aa)+[bc]\n"
                             "Decision=approve\n"
                             "[Rule b]\nFactor=ci-1\nField.x=1\n"
                             "Decision=approve\n");
        _cleanup_(policy_verdict_done) PolicyVerdict v = {0}, w = {0};

        evaluate(p, "{\"message\": \"" AAAA "\"}", &v);
        assert_string_equal(v.rule, POLICY_RULE_DEFAULT);
        assert_int_equal(v.notes.n, 1);
        assert_string_equal(v.notes.messages[0],
                        "rule 'a' does not match: Message=~(a|aa)+[bc]: '" AAAA
                        "' reached a limit of the regular expression");
        assert_string_equal(v.given_up, "a");
        assert_null(v.doubted);
        assert_false(v.untold);

        evaluate(p,
                        "{\"message\": \"b\", \"fields\": [{\"label\": \"x\", \"value\": \"1\"}, "
                        "{\"label\": \"y\\u202e\", \"value\": \"1\"}]}",
                        &w);
        assert_int_equal(w.notes.n, 1);
        assert_string_equal(w.notes.messages[0],
                        "rule 'b' does not match: nothing approves this challenge: the label "
                        "'y\\u{202e}' has characters that hide or disguise text");
        assert_string_equal(w.doubted, "b");
        assert_null(w.given_up);
}

/* One that asks because it can't be told says so, apart from its reason. */
static void test_untold(void **state) {
        _cleanup_(policy_freep) Policy *p = load("[Rule a]\nMessage=~(a|aa)+[bc]\nDecision=deny\n");
        _cleanup_(policy_verdict_done) PolicyVerdict v = {0}, w = {0};

        evaluate(p, "{\"message\": \"" AAAA "\"}", &v);
        assert_string_equal(v.rule, "a");
        assert_int_equal(v.verb, VERB_ASK);
        assert_true(v.untold);
        assert_string_equal(v.given_up, "a");
        evaluate(p, "{\"message\": \"aab\"}", &w);
        assert_int_equal(w.verb, VERB_DENY);
        assert_false(w.untold);
        assert_null(w.given_up);
}

/* However many rules run away, the whole stays bounded. */
static void test_many_runaways(void **state) {
        _cleanup_free_ char *text = strdup("");
        size_t len = 0;

        text = realloc(text, 1000 * 80);
        assert_non_null(text);
        for (unsigned i = 0; i < 1000; i++)
                len += (size_t) sprintf(text + len,
                                "[Rule r%u]\nFactor=ci-1\nMessage=~(a|aa)+[bc]\nDecision=approve\n",
                                i);
        _cleanup_(policy_freep) Policy *p = load(text);
        _cleanup_(policy_verdict_done) PolicyVerdict v = {0};
        clock_t start = clock(); /* of this process alone */

        evaluate(p, "{\"message\": \"" AAAA "\"}", &v);
        assert_string_equal(v.rule, POLICY_RULE_DEFAULT);
        assert_int_equal(v.notes.n, 1000);
        /* Each takes two milliseconds. */
        assert_true(clock() - start < CLOCKS_PER_SEC);
}

static int count_fails(const char *rule, usec_t since, unsigned *ret, void *userdata) {
        return -EIO;
}

static int count_asked(const char *rule, usec_t since, unsigned *ret, void *userdata) {
        usec_t *seen = userdata;

        assert_int_equal(*seen, 0); /* once */
        assert_string_equal(rule, "b");
        *seen = since;
        *ret = 4;
        return 0;
}

static void test_limit(void **state) {
        _cleanup_(policy_freep) Policy *p =
                        load("[Rule a]\nMessage=a\nLimit=1/d\nDecision=deny\n"
                             "[Rule b]\nLimit=5/10min\nDecision=deny\n");
        ChallengeView challenge = {.message = (char *) "b"};
        usec_t seen = 0;
        PolicyInput input = {
                        .challenge = &challenge,
                        .factor = "f",
                        .now = MONDAY_NOON * USEC_PER_SEC,
                        .count = count_asked,
                        .userdata = &seen,
                        .otherwise = VERB_IGNORE,
        };
        _cleanup_(policy_verdict_done) PolicyVerdict known = {0}, failed = {0}, none = {0};

        assert_int_equal(policy_evaluate(p, &input, &known), 0);
        assert_int_equal(known.verb, VERB_DENY);
        assert_int_equal(seen, (MONDAY_NOON - 600) * USEC_PER_SEC);

        /* Nobody knows: fewer decisions, not more. */
        input.count = count_fails;
        assert_int_equal(policy_evaluate(p, &input, &failed), 0);
        assert_int_equal(failed.verb, VERB_ASK);
        input.count = NULL;
        assert_int_equal(policy_evaluate(p, &input, &none), 0);
        assert_int_equal(none.verb, VERB_ASK);
        assert_string_equal(none.rule, "b");
}

/* Cases. */

static void test_documents(void **state) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                        {"[]", NULL},
                        {"{}", "JSON: 'cases' is missing"},
                        {"{\"cases\": {}}", "'cases' must be an array of cases"},
                        {"{\"cases\": [], \"x\": 1}", "JSON: 'x' is not known here"},
                        {"{\"cases\": [], \"policy\": \"x\"}",
                                        "'policy' must be an array of paths"},
                        {"{\"cases\": [], \"policy\": [1]}", "'policy' must be an array of paths"},
                        {"{\"cases\": [], \"default\": \"deny\"}",
                                        "'default' must be ask or ignore"},
                        {"{\"cases\": [], \"default\": \"approve\"}",
                                        "'default' must be ask or ignore"},
                        {"{\"now\": \"2026-01-05T12:00:00Z\", \"cases\": [{\"challenge\": {}, "
                         "\"expect\": \"ask\"}]}",
                                        "case 1: it does not say the factor's name; write "
                                        "\"factor\": \"NAME\""},
                        {"{\"factor\": \"a\", \"cases\": [{\"challenge\": {}, \"expect\": "
                         "\"ask\"}]}",
                                        "case 1: it does not say when; write \"now\": "
                                        "\"2026-01-05T12:00:00Z\""},
        };
        static const struct {
                const char *text, *message;
        } bad_cases[] = {
                        {"{\"challenge\": {}}",
                                        "case 1: it expects nothing; write \"challenge\": "
                                        "{…} and \"expect\": \"DECISION\""},
                        {"{\"challenge\": 1, \"expect\": \"ask\"}", NULL},
                        {"{\"challenge\": {}, \"expect\": \"ask\", \"tickets\": {}}",
                                        "case 1: 'tickets' must be an array of tickets"},
                        {"{\"challenge\": {}, \"expect\": \"ask\", \"tickets\": [{\"msg\": \"\"}]}",
                                        "case 1: tickets[0]: JSON: 'msg' is not known here"},
                        {"{\"challenge\": {}, \"expect\": \"ask\", \"counts\": {\"a\": -1}}",
                                        "case 1: counts: a count is from 0 to 1000000"},
                        {"{\"challenge\": {}, \"expect\": \"ask\", \"counts\": {\"a\": \"1\"}}",
                                        "case 1: counts: JSON: 'a' must be an integer of 64 bits"},
                        {"{\"challenge\": {}, \"expect\": \"ask\", \"pending\": [{\"sid\": "
                         "\"x\"}]}",
                                        "case 1: pending[0]: a SID here is YC and 32 hexadecimal "
                                        "digits"},
                        {"{\"challenge\": {\"fields\": [{\"label\": \"a\"}]}, \"expect\": \"ask\"}",
                                        "case 1: challenge: fields[0]: JSON: 'value' is missing"},
                        {"{\"challenge\": {\"fields\": [{\"label\": \"a\", \"value\": null}]}, "
                         "\"expect\": \"ask\"}",
                                        "case 1: challenge: fields[0]: JSON: 'value' must be a "
                                        "string"},
                        {"{\"challenge\": {\"details\": {}, \"message\": \"\"}, \"expect\": "
                         "\"ask\"}",
                                        "case 1: challenge: message and fields stand in 'details', "
                                        "or beside the SID, not in both"},
                        {"{\"challenge\": {\"factor_type\": \"sms\"}, \"expect\": \"ask\"}",
                                        "case 1: challenge: 'factor_type' must be push or totp"},
                        {"{\"challenge\": {}, \"expect\": \"ask\", \"expekt\": \"ask\"}",
                                        "case 1: JSON: 'expekt' is not known here"},
        };

        for (size_t i = 0; i < ELEMENTSOF(bad) + ELEMENTSOF(bad_cases); i++) {
                bool whole = i < ELEMENTSOF(bad);
                const char *wanted =
                                whole ? bad[i].message : bad_cases[i - ELEMENTSOF(bad)].message;
                _cleanup_(policy_cases_done) PolicyCases c = {0};
                _cleanup_free_ char *msg = NULL, *text = NULL;

                if (whole)
                        text = strdup(bad[i].text);
                else
                        assert_true(asprintf(&text,
                                                    "{\"factor\": \"a\", \"now\": "
                                                    "\"2026-01-05T12:00:00Z\", \"cases\": [%s]}",
                                                    bad_cases[i - ELEMENTSOF(bad)].text) >= 0);
                assert_int_equal(policy_cases_read(&c, text, strlen(text), &msg), -EBADMSG);
                if (wanted)
                        assert_string_equal(msg, wanted);
        }
}

static void test_document(void **state) {
        static const char text[] =
                        "{\"policy\": [\"a.policy\", \"b\"], \"factor\": \"f\", \"default\": "
                        "\"ignore\", \"cases\": [\n"
                        "{\"name\": \"one\", \"challenge\": {\"sid\": "
                        "\"YC0123456789abcdef0123456789abcdef\", "
                        "\"date_created\": \"2026-01-05T12:00:00Z\", \"surprise\": 1}, \"expect\": "
                        "\"ask\", \"rule\": \"r\"},\n"
                        "{\"challenge\": {\"factor\": \"g\", \"created\": "
                        "\"2026-01-05T12:00:00Z\"}, "
                        "\"expect\": \"deny\", \"default\": \"ask\"}]}";
        _cleanup_(policy_cases_done) PolicyCases c = {0};

        assert_int_equal(policy_cases_read(&c, text, strlen(text), NULL), 0);
        assert_int_equal(c.n_policies, 2);
        assert_string_equal(c.policies[1], "b");
        assert_int_equal(c.n_cases, 2);
        assert_int_equal(c.notes.n, 1);
        assert_string_equal(c.notes.messages[0], "a challenge has no 'surprise', ignoring");
        assert_string_equal(c.cases[0].challenge.sid, "YC0123456789abcdef0123456789abcdef");
        assert_string_equal(c.cases[0].challenge.factor, "f");
        assert_int_equal(c.cases[0].now, MONDAY_NOON * USEC_PER_SEC);
        assert_int_equal(c.cases[0].otherwise, VERB_IGNORE);
        assert_string_equal(c.cases[0].expected_rule, "r");
        assert_string_equal(c.cases[1].challenge.factor, "g");
        assert_int_equal(c.cases[1].otherwise, VERB_ASK);
        assert_null(c.cases[1].name);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_table),
                        cmocka_unit_test(test_verdict),
                        cmocka_unit_test(test_ticket_is_kept),
                        cmocka_unit_test(test_notes),
                        cmocka_unit_test(test_untold),
                        cmocka_unit_test(test_many_runaways),
                        cmocka_unit_test(test_limit),
                        cmocka_unit_test(test_documents),
                        cmocka_unit_test(test_document),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
