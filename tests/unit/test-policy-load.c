/* SPDX-License-Identifier: Apache-2.0 */
/* Policy files: what loads, every fault with its line, limits, the hash. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/time.h"
#include "policy/policy.h"

static int load(Policy **ret, const char *text, unsigned flags, ErrorList *errors) {
        PolicyFile file = {"test.policy", text, strlen(text)};

        return policy_load(ret, &file, 1, flags, errors);
}

static void assert_loads(const char *text) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        if (load(&p, text, 0, &errors) < 0)
                fail_msg("%s in:\n%s", errors.messages[0], text);
        assert_int_equal(errors.n, 0);
}

/* One fault, and this one. */
static void assert_fault(const char *text, const char *message) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        if (load(&p, text, POLICY_NO_EXEC, &errors) != -EINVAL)
                fail_msg("loads: %s", text);
        assert_null(p);
        if (errors.n != 1)
                fail_msg("%zu faults in %s: %s, %s", errors.n, text, errors.messages[0],
                                errors.messages[1]);
        assert_string_equal(errors.messages[0], message);
}

static void test_whole(void **state) {
        static const char text[] =
                        "# every key\n"
                        "[Rule deploy-to-staging]\n"
                        "Factor=ci-*\n"
                        "Type=push\n"
                        "Message=~^Deploy [a-z-]+ to staging$\n"
                        "Field.Environment=staging\n"
                        "Field.\"Source: address\"=10.0.0.0/8\n"
                        "Hidden.ip=10.0.0.0/8\n"
                        "HiddenDetails=!*secret*\n"
                        "Hours=Mon..Fri 08:00-18:00\n"
                        "Timezone=Europe/Berlin\n"
                        "MaxAge=60s\n"
                        "Ticket=required\n"
                        "Limit=10/h\n"
                        "Decision=approve\n"
                        "\n"
                        "[Rule ask.opa_1]\n"
                        "Factor=ci-1\n"
                        "Hidden.job=x\n"
                        "Decision=unix:/run/opa/decide.sock\n"
                        "Timeout=2s\n"
                        "OnError=deny\n"
                        "Override=yes\n"
                        "[Rule z]\n"
                        "Decision=approve\n"
                        "Limit=1/90min\n"
                        "Dangerous=approve-anything\n"
                        "[Rule y]\n"
                        "Factor=a\n"
                        "Message=b\n"
                        "Dangerous=approve-anything\n"
                        "Decision=approve\n";
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        assert_int_equal(load(&p, text, 0, &errors), 0);
        assert_int_equal(policy_n_rules(p), 4);
        PolicyRule r = policy_rule(p, 0);
        assert_string_equal(r.name, "deploy-to-staging");
        assert_string_equal(r.path, "test.policy");
        assert_int_equal(r.line, 2);
        assert_string_equal(r.decision, "approve");
        assert_int_equal(r.limit, 10);
        assert_int_equal(r.limit_span, USEC_PER_HOUR);
        assert_false(r.dangerous);
        r = policy_rule(p, 1);
        assert_string_equal(r.name, "ask.opa_1");
        assert_string_equal(r.decision, "unix:/run/opa/decide.sock");
        assert_int_equal(r.limit_span, 0);
        r = policy_rule(p, 2);
        assert_int_equal(r.limit_span, 90 * USEC_PER_MINUTE);
        assert_true(r.dangerous);
        /* It would load without. */
        assert_false(policy_rule(p, 3).dangerous);
}

static void test_accepted(void **state) {
        static const char *const good[] = {
                        "",
                        "# nothing\n",
                        "[Rule a]\nDecision=deny\n",
                        "[Rule a]\nDecision=ignore\nOverride=no\n",
                        "[Rule a]\nDecision=ask\nType=totp\n",
                        "[Rule a]\nDecision=deny\nType=!totp\n",
                        "[Rule a]\nDecision=ignore\nType=!push\n",
                        "[Rule a]\nTimezone=UTC\nHours=08:00-09:00\nDecision=deny\n",
                        "[Rule a]\nHours=08:00-09:00\nDecision=deny\n",
                        "[Rule a]\nMaxAge=100ms\nDecision=deny\n",
                        "[Rule a]\nMaxAge=36500d\nDecision=deny\n",
                        "[Rule a]\nLimit=1000000/36500d\nDecision=deny\n",
                        "[Rule a]\nLimit=3/1h 30min\nDecision=deny\n",
                        "[Rule a]\nLimit=3/min\nDecision=deny\n",
                        "[Rule a]\nFactor=a\nTicket=required\nDecision=approve\n",
                        "[Rule a]\nFactor=a\nHidden.x=y\nDecision=approve\n",
                        "[Rule a]\nFactor=a\nHiddenDetails={\"x\":*\nDecision=approve\n",
                        "[Rule a]\nFactor=a\nMessage=*\nField.x=y\nDecision=approve\n",
                        "[Rule a]\nFactor=a\nMessage=!x\nTicket=required\nDecision=approve\n",
                        "[Rule a]\nDecision=unix:/s\nDangerous=approve-anything\n",
                        "[Rule a]\nFactor=a\nMessage=x\nDecision=exec:/usr/bin/x\nTimeout=5min\n",
                        "[Rule a]\nField.\"\\\"\"=y\nDecision=deny\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                assert_loads(good[i]);
}

static void test_each_fault(void **state) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                        {"[rule a]\nDecision=deny\n",
                                        "test.policy:1: [rule a] is no section of a policy; write "
                                        "[Rule NAME]"},
                        {"[Rule]\nDecision=deny\n",
                                        "test.policy:1: [Rule] is no section of a policy; write "
                                        "[Rule NAME]"},
                        {"[Daemon]\n", "test.policy:1: [Daemon] is no section of a policy; write "
                                       "[Rule NAME]"},
                        {"[Rule a b]\nDecision=deny\n",
                                        "test.policy:1: [Rule a b]: this is not a rule's name; "
                                        "write letters, digits, '.', '_' and '-', 64 at most, a "
                                        "letter or digit first, and no SID"},
                        {"[Rule default]\nDecision=deny\n",
                                        "test.policy:1: [Rule default]: this name stands for what "
                                        "no rule decides; choose another"},
                        {"[Rule a]\n", "test.policy:1: rule 'a' has no decision; write "
                                       "Decision=approve, deny, ask, ignore, unix:/path or "
                                       "exec:/path"},
                        {"[Rule a]\nDecision=allow\n",
                                        "test.policy:2: Decision=allow: this is not a decision; "
                                        "write approve, deny, ask, ignore, unix:/path or "
                                        "exec:/path"},
                        {"[Rule a]\nDecision=Deny\n",
                                        "test.policy:2: Decision=Deny: this is not a decision; "
                                        "write approve, deny, ask, ignore, unix:/path or "
                                        "exec:/path"},
                        {"[Rule a]\nFactor=a\nMessage=b\nDecision=unix:run/x\n",
                                        "test.policy:4: Decision=unix:run/x: the path is not "
                                        "absolute; write it from the root on"},
                        {"[Rule a]\nFactor=a\nMessage=b\nDecision=unix:/run/../x\n",
                                        "test.policy:4: Decision=unix:/run/../x: the path goes "
                                        "over '.' or '..'; write it without"},
                        {"[Rule a]\nFactor=a\nMessage=b\nDecision=unix:/run/\n",
                                        "test.policy:4: Decision=unix:/run/: this names a folder; "
                                        "write the path of a file"},
                        {"[Rule a]\nFactor=a\nMessage=b\nDecision=exec:/bin/x\n",
                                        "test.policy:1: rule 'a' has a decider that would run as "
                                        "the service itself; exec: is for a user's service, write "
                                        "unix:/path"},
                        {"[Rule a]\nMesage=x\nDecision=deny\n",
                                        "test.policy:2: unknown key 'Mesage'; did you mean "
                                        "Message?"},
                        {"[Rule a]\nfield.x=x\nDecision=deny\n",
                                        "test.policy:2: unknown key 'field.x'; did you mean "
                                        "Field.NAME?"},
                        {"[Rule a]\nZz=x\nDecision=deny\n",
                                        "test.policy:2: unknown key 'Zz'; the keys of a rule are "
                                        "Factor, Type, Message, Field.NAME, Hidden.NAME, "
                                        "HiddenDetails, Hours, Timezone, MaxAge, Ticket, Limit, "
                                        "Decision, Timeout, OnError, Override and Dangerous"},
                        {"[Rule a]\nField.=x\nDecision=deny\n",
                                        "test.policy:2: Field.=x: there is no name after the dot; "
                                        "write Field.NAME=PATTERN"},
                        {"[Rule a]\nMessage=\nDecision=deny\n",
                                        "test.policy:2: Message=: the pattern is empty; write what "
                                        "the value must be, or ~^$ for an empty one"},
                        {"[Rule a]\nMessage=~(\nDecision=deny\n",
                                        "test.policy:2: Message=~(: the regular expression has a "
                                        "fault at byte 1: missing closing parenthesis; mend it "
                                        "(its rules are those of PCRE2)"},
                        {"[Rule a]\nHidden.ip=10.0.0.0/33\nDecision=deny\n",
                                        "test.policy:2: Hidden.ip=10.0.0.0/33: a range's prefix is "
                                        "a number from 0 to 32; write it as in 10.0.0.0/8 or "
                                        "2001:db8::/32, or \\/ for a slash that is no range's"},
                        {"[Rule a]\nMessage=a\u202eb\nDecision=deny\n",
                                        "test.policy:2: Message=a\\u{202e}b: there are characters "
                                        "that can't be seen or change the order of others (a tab "
                                        "is one); write \\x{…} in a regular expression for what "
                                        "is meant"},
                        {"[Rule a]\nField.a\u200b=b\nDecision=deny\n",
                                        "test.policy:2: Field.a\\u{200b}=b: there are characters "
                                        "that can't be seen or change the order of others (a tab "
                                        "is one); write \\x{…} in a regular expression for what "
                                        "is meant"},
                        {"[Rule a]\nType=sms\nDecision=deny\n",
                                        "test.policy:2: Type=sms: a type is push or totp; write "
                                        "one of them, with '!' before it for the other"},
                        {"[Rule a]\nType=totp\nDecision=deny\n",
                                        "test.policy:1: rule 'a' has Type=totp and Decision=deny; "
                                        "a TOTP challenge can't be denied, only left to expire; "
                                        "write ignore"},
                        {"[Rule a]\nType=!push\nDecision=deny\n",
                                        "test.policy:1: rule 'a' has Type=totp and Decision=deny; "
                                        "a TOTP challenge can't be denied, only left to expire; "
                                        "write ignore"},
                        {"[Rule a]\nType=totp\nFactor=a\nTicket=required\nDecision=unix:/s\n"
                         "OnError=deny\n",
                                        "test.policy:1: rule 'a' has Type=totp and OnError=deny; a "
                                        "TOTP challenge can't be denied, only left to expire; "
                                        "write ignore"},
                        {"[Rule a]\nHours=8-18\nDecision=deny\n",
                                        "test.policy:2: Hours=8-18: a time is HH:MM-HH:MM with two "
                                        "digits each, up to 24:00; write days and times as in "
                                        "Mon..Fri 08:00-18:00, and ';' between windows"},
                        {"[Rule a]\nHours=08:00-09:00\nTimezone=Europe/Berlim\nDecision=deny\n",
                                        "test.policy:3: Timezone=Europe/Berlim: there is no such "
                                        "time zone in /usr/share/zoneinfo; write one, as "
                                        "timedatectl list-timezones shows it, or UTC"},
                        {"[Rule a]\nHours=08:00-09:00\nTimezone=../UTC\nDecision=deny\n",
                                        "test.policy:3: Timezone=../UTC: this is not a zone's "
                                        "name; write one, as timedatectl list-timezones shows it"},
                        {"[Rule a]\nTimezone=UTC\nDecision=deny\n",
                                        "test.policy:1: rule 'a' has Timezone=, which goes with "
                                        "Hours= and says nothing without; remove it"},
                        {"[Rule a]\nMaxAge=0\nDecision=deny\n",
                                        "test.policy:2: MaxAge=0: this is not a span of time; "
                                        "write a number with its unit, as in 500ms, 60s or 10min"},
                        {"[Rule a]\nMaxAge=99ms\nDecision=deny\n",
                                        "test.policy:2: MaxAge=99ms: write a span from 100ms to "
                                        "36500d"},
                        {"[Rule a]\nTicket=yes\nDecision=deny\n",
                                        "test.policy:2: Ticket=yes: the only value is required; "
                                        "leave the key out where none is"},
                        {"[Rule a]\nLimit=0/h\nDecision=deny\n",
                                        "test.policy:2: Limit=0/h: this is not a limit; write "
                                        "NUMBER/SPAN, as in 10/h or 3/15min, with a number from 1 "
                                        "to 1000000"},
                        {"[Rule a]\nLimit=10\nDecision=deny\n",
                                        "test.policy:2: Limit=10: this is not a limit; write "
                                        "NUMBER/SPAN, as in 10/h or 3/15min, with a number from 1 "
                                        "to 1000000"},
                        {"[Rule a]\nLimit=10/\nDecision=deny\n",
                                        "test.policy:2: Limit=10/: this is not a span of time; "
                                        "write a number with its unit, as in 500ms, 60s or 10min"},
                        {"[Rule a]\nLimit=4294967297/h\nDecision=deny\n",
                                        "test.policy:2: Limit=4294967297/h: this is not a limit; "
                                        "write NUMBER/SPAN, as in 10/h or 3/15min, with a number "
                                        "from 1 to 1000000"},
                        {"[Rule a]\nTimeout=5s\nDecision=deny\n",
                                        "test.policy:1: rule 'a' has Timeout=, which goes with "
                                        "Decision=unix: or exec: and says nothing without; remove "
                                        "it"},
                        {"[Rule a]\nFactor=a\nMessage=b\nOnError=approve\nDecision=unix:/s\n",
                                        "test.policy:4: OnError=approve: a decider that fails "
                                        "approves nothing; write ignore, ask or deny"},
                        {"[Rule a]\nFactor=a\nMessage=b\nTimeout=6min\nDecision=unix:/s\n",
                                        "test.policy:4: Timeout=6min: write a span from 100ms to "
                                        "5min"},
                        {"[Rule a]\nOverride=yes\nDecision=ask\n",
                                        "test.policy:1: rule 'a' has Override=, which goes with "
                                        "Decision=deny, ignore, unix: or exec: and says nothing "
                                        "without; remove it"},
                        {"[Rule a]\nOverride=true\nDecision=deny\n",
                                        "test.policy:2: Override=true: write yes or no"},
                        {"[Rule a]\nDangerous=approve-anything\nDecision=deny\n",
                                        "test.policy:1: rule 'a' has Dangerous=, which goes with "
                                        "Decision=approve, unix: or exec: and says nothing "
                                        "without; remove it"},
                        {"[Rule a]\nDangerous=yes\nFactor=a\nMessage=b\nDecision=approve\n",
                                        "test.policy:2: Dangerous=yes: the only value is "
                                        "approve-anything; leave the key out otherwise"},
                        {"[Rule a]\nDecision=deny\n[Rule b]\nDecision=deny\n[Rule  a]\n"
                         "Decision=deny\n",
                                        "test.policy:5: [Rule  a]: this is not a rule's name; "
                                        "write letters, digits, '.', '_' and '-', 64 at most, a "
                                        "letter or digit first, and no SID"},
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_fault(bad[i].text, bad[i].message);
}

#define NARROW                                                                                     \
        "(a pattern with '!', or one that matches anything, names nothing; "                       \
        "Dangerous=approve-anything lifts this)"
#define NO_FACTOR                                                                                  \
        "test.policy:1: rule 'a' can approve and names no factor; write Factor=NAME " NARROW
#define NO_REQUEST                                                                                 \
        "test.policy:1: rule 'a' can approve and names no request; write Message=, Field.NAME=, "  \
        "Hidden.NAME=, HiddenDetails= or Ticket=required " NARROW

static void test_blank_cheques(void **state) {
        static const struct {
                const char *conditions, *message;
        } bad[] = {
                        {"Message=x\n", NO_FACTOR},
                        {"Ticket=required\n", NO_FACTOR},
                        {"Factor=*\nMessage=x\n", NO_FACTOR},
                        {"Factor=!prod\nMessage=x\n", NO_FACTOR},
                        {"Factor=~.+\nMessage=x\n", NO_FACTOR},
                        {"Factor=a\n", NO_REQUEST},
                        {"Factor=a\nType=push\n", NO_REQUEST},
                        {"Factor=a\nMaxAge=5s\n", NO_REQUEST},
                        {"Factor=a\nHours=08:00-09:00\n", NO_REQUEST},
                        {"Factor=a\nMessage=*\n", NO_REQUEST},
                        {"Factor=a\nMessage=?*\n", NO_REQUEST},
                        {"Factor=a\nMessage=~.*\n", NO_REQUEST},
                        {"Factor=a\nMessage=~(?s).*\n", NO_REQUEST},
                        {"Factor=a\nMessage=!delete\n", NO_REQUEST},
                        {"Factor=a\nField.x=*\nHidden.y=*\n", NO_REQUEST},
                        {"Factor=a\nHidden.ip=0.0.0.0/0\n", NO_REQUEST},
                        {"Factor=a\nHidden.ip=!10.0.0.0/8\n", NO_REQUEST},
                        {"Factor=a\nHiddenDetails={*}\n", NO_REQUEST},
        };
        static const char *const decisions[] = {"approve", "unix:/run/opa.sock"};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                for (size_t j = 0; j < ELEMENTSOF(decisions); j++) {
                        _cleanup_free_ char *text = NULL, *lifted = NULL, *harmless = NULL;

                        assert_true(asprintf(&text, "[Rule a]\n%sDecision=%s\n", bad[i].conditions,
                                                    decisions[j]) >= 0);
                        assert_fault(text, bad[i].message);
                        assert_true(asprintf(&lifted, "%sDangerous=approve-anything\n", text) >= 0);
                        assert_loads(lifted);
                        assert_true(asprintf(&harmless, "[Rule a]\n%sDecision=ask\n",
                                                    bad[i].conditions) >= 0);
                        assert_loads(harmless);
                }
}

/* All at once, those of a rule's keys also when its name is at fault, none that follows from
 * another. */
static void test_all_faults_at_once(void **state) {
        static const char text[] =
                        "early=1\n"
                        "[Rule a b]\n"
                        "Message=~(\n"
                        "Decision=approve\n"
                        "[Rule c]\n"
                        "Factor=[\n"
                        "Limit=x\n"
                        "Decision=aprove\n"
                        "Timeout=5s\n"
                        "[Rule d]\n"
                        "Message=x\n"
                        "no equals\n";
        static const char *const starts[] = {
                        "test.policy:1: 'early' stands before any section",
                        "test.policy:12: there is no '='",
                        "test.policy:2: [Rule a b]: this is not a rule's name",
                        "test.policy:3: Message=~(: the regular expression",
                        "test.policy:2: rule 'a b' can approve and names no factor",
                        "test.policy:6: Factor=[: a set that '[' opens",
                        "test.policy:7: Limit=x: this is not a limit",
                        "test.policy:8: Decision=aprove: this is not a decision",
                        "test.policy:10: rule 'd' has no decision",
        };
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        assert_int_equal(load(&p, text, 0, &errors), -EINVAL);
        for (size_t i = 0; i < errors.n && i < ELEMENTSOF(starts); i++)
                if (strncmp(errors.messages[i], starts[i], strlen(starts[i])) != 0)
                        fail_msg("%s instead of %s", errors.messages[i], starts[i]);
        assert_int_equal(errors.n, ELEMENTSOF(starts));
}

/* A name that can't be is not repeated at length, nor as it is. */
static void test_odd_name(void **state) {
        char text[300] = "[Rule \u202e";
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        memset(text + strlen(text), 'x', 200);
        strcat(text, "]\nDecision=approve\n");
        assert_int_equal(load(&p, text, 0, &errors), -EINVAL);
        assert_int_equal(errors.n, 3);
        for (size_t i = 0; i < errors.n; i++) {
                assert_false(text_is_unsafe(errors.messages[i]));
                assert_null(strstr(errors.messages[i],
                                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                                "xxxxxxxxxxxxxxxxxxxxx"));
        }
}

/* Files. */

static void test_order_of_files(void **state) {
        static const char a[] = "[Rule a]\nDecision=deny\n", b[] = "[Rule b]\nDecision=deny\n",
                          c[] = "[Rule c]\nDecision=deny\n";
        const PolicyFile files[] = {
                        {"/z/30-c.policy", c, strlen(c)},
                        {"/a/20-b.policy", b, strlen(b)},
                        {"10-a.policy", a, strlen(a)},
        };
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        assert_int_equal(policy_load(&p, files, 3, 0, &errors), 0);
        assert_int_equal(policy_n_rules(p), 3);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(policy_rule(p, i).name[0], 'a' + (char) i);
        assert_string_equal(policy_rule(p, 2).path, "/z/30-c.policy");
}

static void test_doubles_across_files(void **state) {
        static const char a[] = "[Rule a]\nDecision=deny\n";
        const PolicyFile files[] = {{"2.policy", a, strlen(a)}, {"1.policy", a, strlen(a)}};
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        assert_int_equal(policy_load(&p, files, 2, 0, &errors), -EINVAL);
        assert_int_equal(errors.n, 1);
        assert_string_equal(errors.messages[0],
                        "2.policy:1: [Rule a]: another rule has this name; choose another "
                        "(1.policy:1)");
}

static void hash(const PolicyFile *files, size_t n, char ret[static SHA256_HEX_SIZE]) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        assert_int_equal(policy_load(&p, files, n, 0, &errors), 0);
        memcpy(ret, policy_hash(p), SHA256_HEX_SIZE);
}

static void test_hash(void **state) {
        static const PolicyFile files[] = {
                        {"a", "[Rule a]\nDecision=deny\n", 23},
                        {"/x/a", "[Rule a]\nDecision=deny\n", 23}, /* the folder does not count */
                        {"b", "[Rule a]\nDecision=deny\n", 23},
                        {"a", "[Rule a]\nDecision=deny\n#", 24},
                        {"a", "", 0},
        };
        static const PolicyFile there[] = {{"a", "#", 1}, {"b", "", 0}};
        static const PolicyFile back[] = {{"b", "", 0}, {"a", "#", 1}};
        static const PolicyFile moved[] = {{"a", "", 0}, {"b", "#", 1}};
        char h[ELEMENTSOF(files)][SHA256_HEX_SIZE], none[SHA256_HEX_SIZE], x[SHA256_HEX_SIZE],
                        y[SHA256_HEX_SIZE], z[SHA256_HEX_SIZE];

        hash(NULL, 0, none);
        assert_string_equal(
                        none, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                hash(&files[i], 1, h[i]);
        assert_string_equal(h[0], h[1]);
        assert_string_not_equal(h[0], h[2]);
        assert_string_not_equal(h[0], h[3]);
        assert_string_not_equal(h[4], none);
        hash(there, 2, x);
        hash(back, 2, y);
        hash(moved, 2, z);
        assert_string_equal(x, y);
        assert_string_not_equal(x, z);
}

/* Limits. */

static char *rules(size_t n) {
        char *text = malloc(n * 64 + 1);
        size_t len = 0;

        assert_non_null(text);
        text[0] = '\0';
        for (size_t i = 0; i < n; i++)
                len += (size_t) sprintf(text + len, "[Rule r%zu]\nDecision=deny\n", i);
        return text;
}

static void test_rules_max(void **state) {
        _cleanup_free_ char *fit = rules(POLICY_RULES_MAX), *over = rules(POLICY_RULES_MAX + 5);

        assert_loads(fit);
        assert_fault(over,
                        "test.policy:2001: there are over 1000 rules; write fewer, and wider ones");
}

static void test_conditions_max(void **state) {
        for (unsigned n = POLICY_CONDITIONS_MAX; n <= POLICY_CONDITIONS_MAX + 1; n++) {
                char text[4096] = "[Rule a]\nDecision=deny\n";
                size_t len = strlen(text);

                for (unsigned i = 0; i < n; i++)
                        len += (size_t) sprintf(text + len, "Field.f%u=x\n", i);
                if (n == POLICY_CONDITIONS_MAX)
                        assert_loads(text);
                else
                        assert_fault(text,
                                        "test.policy:67: Field.f64=x: the rule has over 64 "
                                        "conditions; split it");
        }
}

static void test_files_max(void **state) {
        _cleanup_free_ PolicyFile *files = calloc(POLICY_FILES_MAX + 1, sizeof(PolicyFile));
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        assert_non_null(files);
        for (size_t i = 0; i <= POLICY_FILES_MAX; i++)
                files[i] = (PolicyFile){"x.policy", "", 0};
        assert_int_equal(policy_load(&p, files, POLICY_FILES_MAX + 1, 0, &errors), -EINVAL);
        assert_int_equal(errors.n, 1);
        assert_int_equal(policy_load(&p, files, POLICY_FILES_MAX, 0, &errors), 0);
}

/* The sanitizer's strict_string_checks= reads on to the text's end at each search in it. */
#ifdef __SANITIZE_ADDRESS__
#define NOISE_SIZE ((size_t) 64 * 1024)
#else
#define NOISE_SIZE ((size_t) POLICY_FILE_MAX)
#endif

/* A megabyte of anything is refused soon, and not with a message for each of its lines. */
static void test_noise(void **state) {
        _cleanup_free_ char *text = malloc(NOISE_SIZE + 1);
        static const char *const pieces[] = {NULL, "x\n", "[\n", "[Rule a]\n", "=",
                        "[Rule ~]\nx=y\n", "Message=~((((\n"};
        uint64_t state64 = 88172645463325252U;

        assert_non_null(text);
        for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
                _cleanup_(error_list_done) ErrorList errors = {0};
                _cleanup_(policy_freep) Policy *p = NULL;
                PolicyFile file = {"noise.policy", text, NOISE_SIZE};
                clock_t start = clock();

                for (size_t j = 0; j < NOISE_SIZE; j++) {
                        state64 ^= state64 << 13;
                        state64 ^= state64 >> 7;
                        state64 ^= state64 << 17;
                        text[j] = pieces[i] ? pieces[i][j % strlen(pieces[i])] : (char) state64;
                }
                assert_int_equal(policy_load(&p, &file, 1, 0, &errors), -EINVAL);
                assert_true(errors.n >= 1);
                assert_true(errors.n <= POLICY_ERRORS_MAX + 1);
                /* Processor time: a busy machine is no fault. */
                assert_true(clock() - start < 10 * CLOCKS_PER_SEC);
        }
}

static void test_file_max(void **state) {
        _cleanup_free_ char *text = malloc(POLICY_FILE_MAX + 2);

        assert_non_null(text);
        memset(text, '#', POLICY_FILE_MAX + 1);
        text[POLICY_FILE_MAX + 1] = '\0';
        assert_fault(text, "test.policy:1: the file is over 1048576 bytes; split it");
        text[POLICY_FILE_MAX] = '\0';
        assert_loads(text);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_whole),
                        cmocka_unit_test(test_accepted),
                        cmocka_unit_test(test_each_fault),
                        cmocka_unit_test(test_blank_cheques),
                        cmocka_unit_test(test_all_faults_at_once),
                        cmocka_unit_test(test_odd_name),
                        cmocka_unit_test(test_order_of_files),
                        cmocka_unit_test(test_doubles_across_files),
                        cmocka_unit_test(test_hash),
                        cmocka_unit_test(test_rules_max),
                        cmocka_unit_test(test_conditions_max),
                        cmocka_unit_test(test_files_max),
                        cmocka_unit_test(test_noise),
                        cmocka_unit_test(test_file_max),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
