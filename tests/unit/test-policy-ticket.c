/* SPDX-License-Identifier: Apache-2.0 */
/* What a ticket may name, and which rules want one. That it fits is tested with the cases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "policy/evaluate.h"

#define LONG_36 "123456789012345678901234567890123456"
#define LONG_128 LONG_36 LONG_36 LONG_36 "12345678901234567890"

typedef struct Case {
        const char *message, *label, *value, *label2;
        FactorType type;
        const char *what, *says; /* NULL: it may */
} Case;

static const Case cases[] = {
                {.message = "Deploy *"},
                {.message = "Deploy web"},
                {.message = "\\~x"},
                {.message = "10.0.0.0/8"},
                {.label = "Environment", .value = "staging"},
                {.label = "Environment", .value = ""},
                {.label = LONG_36, .value = LONG_128},
                {.message = "*", .label = "Environment", .value = "staging"},
                {.type = FACTOR_TOTP},
                {.what = "message", .says = "needs a message or a field"},
                {.message = "", .what = "message", .says = "empty"},
                {.message = "*", .what = "message", .says = "matches anything"},
                {.message = "?*", .what = "message", .says = "matches anything"},
                {.message = "~Deploy.*", .what = "message", .says = "\\~"},
                {.message = "!Deploy", .what = "message", .says = "\\!"},
                {.message = "Deploy [", .what = "message", .says = "not closed"},
                {.message = "Deploy \\", .what = "message", .says = "backslash"},
                {.message = "Deploy\n", .what = "message", .says = "disguise"},
                {.message = "Deploy \xe2\x80\xae", .what = "message", .says = "disguise"},
                {.message = "Deploy",
                                .label = "",
                                .value = "x",
                                .what = "fields",
                                .says = "no label"},
                {.label = LONG_36 "7", .value = "x", .what = "fields", .says = "36 characters"},
                {.label = "a", .value = LONG_128 "9", .what = "fields", .says = "128 characters"},
                {.label = "a\t", .value = "x", .what = "fields", .says = "disguise"},
                {.label = "a", .value = "x\xe2\x80\x8b", .what = "fields", .says = "disguise"},
                {.label = "a", .value = "x", .label2 = "a", .what = "fields", .says = "one label"},
                {.message = "x", .type = FACTOR_TOTP, .what = "message", .says = "TOTP"},
                {.label = "a", .value = "x", .type = FACTOR_TOTP, .what = "fields", .says = "TOTP"},
};

static void test_check(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Case *c = &cases[i];
                DetailField fields[] = {
                                {(char *) (uintptr_t) c->label, (char *) (uintptr_t) c->value},
                                {(char *) (uintptr_t) c->label2, (char *) (uintptr_t) c->value},
                };
                PolicyTicket t = {
                                .message = c->message,
                                .fields = fields,
                                .n_fields = c->label2  ? 2
                                            : c->label ? 1
                                                       : 0,
                };
                _cleanup_free_ char *msg = NULL;
                const char *what = NULL;
                int r = policy_ticket_check(&t, c->type, &what, &msg);

                if (r != (c->what ? -EINVAL : 0))
                        fail_msg("case %zu: %d, %s", i, r, msg ? msg : "");
                if (c->what && (!streq(what, c->what) || !strstr(msg, c->says)))
                        fail_msg("case %zu: %s: %s", i, what, msg);
        }
}

static void test_check_many(void **state) {
        DetailField fields[POLICY_TICKET_FIELDS_MAX + 1];
        char labels[POLICY_TICKET_FIELDS_MAX + 1][2] = {0};
        PolicyTicket t = {.fields = fields, .n_fields = POLICY_TICKET_FIELDS_MAX};
        _cleanup_free_ char *msg = NULL;
        const char *what;

        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                labels[i][0] = (char) ('a' + i);
                fields[i] = (DetailField){labels[i], labels[i]};
        }
        assert_int_equal(policy_ticket_check(&t, FACTOR_PUSH, &what, &msg), 0);
        t.n_fields++;
        assert_int_equal(policy_ticket_check(&t, FACTOR_PUSH, &what, &msg), -EINVAL);
        assert_string_equal(what, "fields");
}

static void test_wanted(void **state) {
        static const char text[] =
                        "[Rule other]\nFactor=x-*\nMessage=Deploy\nDecision=approve\n"
                        "[Rule denies]\nFactor=y-*\nTicket=required\nDecision=deny\n"
                        "[Rule push]\nFactor=ci-*\nType=push\nTicket=required\nDecision=approve\n"
                        "[Rule regex]\nFactor=~[0-9]+\nTicket=required\nDecision=unix:/run/x\n";
        static const struct {
                const char *factor;
                FactorType type;
                bool wanted;
        } table[] = {
                        {"ci-1", FACTOR_PUSH, true},
                        {"ci-1", FACTOR_TOTP, false},
                        {"CI-1", FACTOR_PUSH, false},
                        {"x-1", FACTOR_PUSH, false},
                        {"y-1", FACTOR_PUSH, false},
                        {"17", FACTOR_TOTP, true},
        };
        PolicyFile file = {"a.policy", text, sizeof(text) - 1};
        _cleanup_(policy_freep) Policy *p = NULL;
        ErrorList errors = {0};

        assert_int_equal(policy_load(&p, &file, 1, 0, &errors), 0);
        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                assert_int_equal(policy_wants_tickets(p, table[i].factor, table[i].type),
                                table[i].wanted);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_check),
                        cmocka_unit_test(test_check_many),
                        cmocka_unit_test(test_wanted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
