/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "base/text.h"
#include "ipc/bus-table.h"

static const BusInterface *const interfaces[] = {&bus_manager, &bus_factor, &bus_challenge};

static bool manager_has(OperationId operation) {
        for (size_t i = 0; i < bus_manager.n_methods; i++)
                if (bus_manager.methods[i].operation == operation)
                        return true;
        return false;
}

/* The manager reaches everything that the socket does, by the same name, but what has no end of its
 * own: a method call has one answer. */
static void test_every_operation(void **state) {
        for (OperationId i = 0; i < _OPERATION_MAX; i++) {
                if (operation_is_endless(i))
                        continue;
                if (!manager_has(i))
                        print_error("%s is not on the bus\n", operations[i].name);
                assert_non_null(bus_interface_method(&bus_manager, operations[i].name));
        }
        assert_true(manager_has(OPERATION_MONITOR)); /* as Subscribe */
}

static void test_names_fit_operations(void **state) {
        static const char *const others[] = {"ApproveConfirmed", "Subscribe", "Unsubscribe"};

        for (size_t k = 0; k < ELEMENTSOF(interfaces); k++)
                for (size_t i = 0; i < interfaces[k]->n_methods; i++) {
                        const BusMethod *m = &interfaces[k]->methods[i];
                        bool other = false;

                        for (size_t n = 0; n < ELEMENTSOF(others); n++)
                                other = other || streq(m->name, others[n]);
                        if (!other)
                                assert_string_equal(m->name, operations[m->operation].name);
                }
        assert_int_equal(bus_interface_method(&bus_manager, "ApproveConfirmed")->operation,
                        OPERATION_APPROVE);
        assert_int_equal(bus_interface_method(&bus_manager, "Subscribe")->operation,
                        OPERATION_MONITOR);
        assert_null(bus_interface_method(&bus_manager, "Monitor"));
}

static size_t count_types(const char *signature) {
        size_t n = 0;

        while (*signature) {
                signature += strspn(signature, "a");
                signature += *signature == '{' ? strcspn(signature, "}") + 1 : 1;
                n++;
        }
        return n;
}

/* One name for each argument and for the result. */
static void test_names_are_counted(void **state) {
        for (size_t k = 0; k < ELEMENTSOF(interfaces); k++)
                for (size_t i = 0; i < interfaces[k]->n_methods; i++) {
                        const BusMethod *m = &interfaces[k]->methods[i];
                        size_t n = 0;

                        for (const char *name = m->names; *name; name += strlen(name) + 1)
                                n++;
                        assert_int_equal(n, count_types(m->arguments) + count_types(m->result));
                        assert_true(streq(m->result, "") || streq(m->result, "a{sv}") ||
                                        streq(m->result, "aa{sv}"));
                }
}

/* What carries secrets or what the provider keeps for backends. */
static void test_sensitive(void **state) {
        static const char *const sensitive[] = {"GetCode", "ApproveConfirmed", "EnrollPush",
                        "EnrollTotp", "Import", "ChallengeCreate", "ChallengeFetch",
                        "ChallengeList", "ChallengeUpdate", "AccessTokenCreate"};
        size_t n = 0;

        for (size_t i = 0; i < bus_manager.n_methods; i++)
                n += bus_manager.methods[i].sensitive;
        assert_int_equal(n, ELEMENTSOF(sensitive));
        for (size_t i = 0; i < ELEMENTSOF(sensitive); i++)
                assert_true(bus_interface_method(&bus_manager, sensitive[i])->sensitive);
        assert_true(bus_interface_method(&bus_challenge, "ApproveConfirmed")->sensitive);
}

/* snake_case in dictionaries, CamelCase as properties, nothing else. */
static void test_properties(void **state) {
        for (size_t k = 0; k < ELEMENTSOF(interfaces); k++)
                for (size_t i = 0; i < interfaces[k]->n_properties; i++) {
                        const BusProperty *p = &interfaces[k]->properties[i];
                        char camel[64] = "";
                        bool up = true;
                        size_t n = 0;

                        for (const char *c = p->member; *c; c++) {
                                if (*c != '_')
                                        camel[n++] = (char) (up ? *c - 'a' + 'A' : *c);
                                up = *c == '_';
                        }
                        assert_string_equal(p->name, camel);
                        assert_ptr_equal(bus_interface_property(interfaces[k], camel), p);
                }
        assert_null(bus_interface_property(&bus_factor, "Secret"));
}

static void test_actions(void **state) {
        assert_string_equal(operation_action(OPERATION_APPROVE), OPERATION_ACTION_APPROVE);
        assert_string_equal(operation_action(OPERATION_DENY), OPERATION_ACTION_APPROVE);
        assert_string_equal(operation_action(OPERATION_IGNORE), OPERATION_ACTION_APPROVE);
        assert_string_equal(operation_action(OPERATION_GET_CODE), OPERATION_ACTION_GET_CODE);
        assert_null(operation_action(OPERATION_GET_STATUS));
        assert_null(operation_action(OPERATION_GET_CHALLENGE));
        assert_null(operation_action(OPERATION_MONITOR));
        for (OperationId i = 0; i < _OPERATION_MAX; i++)
                if (operations[i].right == RIGHT_ADMINISTRATOR)
                        assert_string_equal(operation_action(i), OPERATION_ACTION_ADMINISTER);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_every_operation),
                        cmocka_unit_test(test_names_fit_operations),
                        cmocka_unit_test(test_names_are_counted),
                        cmocka_unit_test(test_sensitive),
                        cmocka_unit_test(test_properties),
                        cmocka_unit_test(test_actions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
