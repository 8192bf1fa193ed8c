/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges decided a second by a thousand rules of which the last one matches, beside a loop over
 * the same patterns with fnmatch() and PCRE2 alone, which is what it would take at least. */

#include <fnmatch.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "policy/evaluate.h"
#include "tests/bench/rounds.h"

#define RULES POLICY_RULES_MAX
#define ROUNDS 21
#define DECISIONS_A_ROUND 200
#define MESSAGE "Deploy web-frontend to staging"

static Policy *policy;
static DetailField fields[] = {
                {(char *) "Environment", (char *) "staging"},
                {(char *) "Requested by", (char *) "alice@example.com"},
};
static ChallengeView challenge = {
                .sid = "YC0123456789abcdef0123456789abcdef",
                .factor_type = FACTOR_PUSH,
                .message = (char *) MESSAGE,
                .fields = fields,
                .n_fields = ELEMENTSOF(fields),
                .hidden_details = (char *) "{\"ip\": \"10.1.2.3\", \"job\": \"nightly-4711\"}",
                .created = 1767614400 * USEC_PER_SEC,
                .expires = 1767614700 * USEC_PER_SEC,
};

static char globs[RULES][32], regexes[RULES][64];
static pcre2_code *codes[RULES];
static pcre2_match_data *data;
static unsigned checksum; /* keeps the results alive */

/* Every rule is for the factor and the environment; the message tells them apart. */
static char *make_rules(void) {
        char *text = malloc(RULES * 256), *out = text;

        must(text != NULL, "malloc()");
        for (unsigned i = 0; i < RULES; i++) {
                bool last = i + 1 == RULES;

                snprintf(globs[i], sizeof(globs[i]), "ci-*");
                snprintf(regexes[i], sizeof(regexes[i]), "^Deploy [a-z-]+ to %s(%u)?$",
                                last ? "staging" : "test", i);
                out += sprintf(out,
                                "[Rule r%u]\nFactor=%s\nField.Environment=sta*\nMessage=~%s\n"
                                "Hidden.ip=10.0.0.0/8\nMaxAge=60s\nDecision=approve\n",
                                i, globs[i], regexes[i]);
        }
        return text;
}

static void set_up(void) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_free_ char *text = make_rules();
        PolicyFile file = {"bench.policy", text, strlen(text)};

        must(policy_load(&policy, &file, 1, 0, &errors) == 0, "policy_load()");
        for (unsigned i = 0; i < RULES; i++) {
                PCRE2_SIZE at;
                int error;

                codes[i] = pcre2_compile((PCRE2_SPTR) regexes[i], PCRE2_ZERO_TERMINATED,
                                PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &at, NULL);
                must(codes[i] != NULL, "pcre2_compile()");
        }
        data = pcre2_match_data_create(1, NULL);
        must(data != NULL, "pcre2_match_data_create()");
}

static void run_ours(unsigned n) {
        PolicyInput input = {
                        .challenge = &challenge,
                        .factor = "ci-deploy",
                        .now = challenge.created + 10 * USEC_PER_SEC,
                        .otherwise = VERB_IGNORE,
        };

        for (unsigned i = 0; i < n; i++) {
                _cleanup_(policy_verdict_done) PolicyVerdict v = {0};

                must(policy_evaluate(policy, &input, &v) == 0, "policy_evaluate()");
                must(v.verb == VERB_APPROVE && v.rule[0] == 'r', "the decision");
                checksum += (unsigned char) v.rule[1];
        }
}

static void run_bare(unsigned n) {
        for (unsigned i = 0; i < n; i++)
                for (unsigned j = 0; j < RULES; j++) {
                        bool fits = fnmatch(globs[j], "ci-deploy", 0) == 0 &&
                                    fnmatch("sta*", "staging", 0) == 0 &&
                                    pcre2_match(codes[j], (PCRE2_SPTR) MESSAGE, strlen(MESSAGE), 0,
                                                    PCRE2_NO_JIT, data, NULL) >= 0;

                        must(fits == (j + 1 == RULES), "the match");
                        checksum += fits;
                }
}

int main(void) {
        Contestant contestants[] = {
                        {.name = "policy.1000.ours", .run = run_ours},
                        {.name = "policy.1000.bare", .run = run_bare},
        };

        set_up();
        rounds_run(contestants, ELEMENTSOF(contestants), ROUNDS, DECISIONS_A_ROUND);
        for (unsigned i = 0; i < RULES; i++)
                pcre2_code_free(codes[i]);
        pcre2_match_data_free(data);
        policy = policy_free(policy);
        return checksum == 1; /* as good as never */
}
