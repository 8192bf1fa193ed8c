/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "daemon/authorize.h"
#include "daemon/bus.h"

/* polkit can refuse; that it is not there, or wants a password of an administrator whom the group
 * has made one, is no refusal. */
static void test_allows(void **state) {
        static const struct {
                PolkitAnswer answer;
                bool others, administers;
        } cases[] = {
                        {POLKIT_YES, true, true},
                        {POLKIT_ABSENT, true, true},
                        {POLKIT_NO, false, false},
                        {POLKIT_FAILED, false, false},
                        {POLKIT_CHALLENGE, false, true},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_int_equal(authorize_allows(cases[i].answer, false), cases[i].others);
                assert_int_equal(authorize_allows(cases[i].answer, true), cases[i].administers);
        }
}

static void test_kind(void **state) {
        static const struct {
                ConfigBus bus;
                BusKind system, user;
        } cases[] = {
                        {CONFIG_BUS_AUTO, BUS_SYSTEM, BUS_SESSION},
                        {CONFIG_BUS_SYSTEM, BUS_SYSTEM, BUS_SYSTEM},
                        {CONFIG_BUS_SESSION, BUS_SESSION, BUS_SESSION},
                        {CONFIG_BUS_NONE, BUS_NONE, BUS_NONE},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Config c = {.bus = cases[i].bus, .system = true};

                assert_int_equal(bus_kind(&c), cases[i].system);
                c.system = false;
                assert_int_equal(bus_kind(&c), cases[i].user);
        }
}

typedef struct Answer {
        unsigned n;
        char error[64];
} Answer;

static int note(Call *call, const char *error, json_object *parameters, bool continues) {
        Answer *a = call_door_data(call);

        a->n++;
        (void) snprintf(a->error, sizeof(a->error), "%s", error ? error : "");
        return 0;
}

static const CallDoor door = {.name = "test", .reply = note};

/* The one check of who administers, whatever the door. */
static void test_administrator(void **state) {
        for (OperationId i = 0; i < _OPERATION_MAX; i++)
                for (unsigned administrator = 0; administrator < 2; administrator++) {
                        CallPeer peer = {.uid = 61000, .administrator = administrator};
                        bool may = administrator || operations[i].right != RIGHT_ADMINISTRATOR;
                        Answer a = {0};
                        Call *call;

                        assert_int_equal(call_new(&call, &door, &a, &peer, i, NULL, false), 0);
                        assert_int_equal(authorize_administrator(call), may);
                        assert_int_equal(a.n, may ? 0 : 1);
                        if (!may)
                                assert_string_equal(a.error, IPC_INTERFACE ".NotAuthorized");
                        call_unref(call);
                }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_allows),
                        cmocka_unit_test(test_kind),
                        cmocka_unit_test(test_administrator),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
