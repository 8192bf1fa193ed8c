/* SPDX-License-Identifier: Apache-2.0 */
/* Varlink messages in and out, and the tables against the interface file. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ipc/message.h"
#include "ipc/operation.h"
#include "ipc/server.h"

static void read_ok(VarlinkMessage *m, const char *text) {
        _cleanup_free_ char *msg = NULL;

        assert_int_equal(varlink_message_read(m, text, strlen(text), &msg), 0);
        assert_null(msg);
}

static void read_bad(const char *text, size_t len) {
        _cleanup_free_ char *msg = NULL;
        VarlinkMessage m = {0};

        assert_int_equal(varlink_message_read(&m, text, len, &msg), -EBADMSG);
        assert_non_null(msg);
        assert_null(m.method);
        assert_null(m.parameters);
}

static void test_read_call(void **state) {
        _cleanup_(varlink_message_done) VarlinkMessage m = {0};

        read_ok(&m, "{\"method\":\"a.B\",\"parameters\":{\"x\":[1]},\"more\":true,\"new\":1}");
        assert_string_equal(m.method, "a.B");
        assert_true(m.more);
        assert_false(m.oneway);
        assert_false(m.upgrade);
        assert_non_null(json_doc_value(m.parameters, "x"));
        varlink_message_done(&m);
        varlink_message_done(&m);

        read_ok(&m, " {\"oneway\":true,\"method\":\"a.B\",\"upgrade\":true,\"more\":null} ");
        assert_true(m.oneway && m.upgrade && !m.more);
        assert_int_equal(json_doc_n_members(m.parameters), 0);
        varlink_message_done(&m);

        read_ok(&m, "{\"method\":\"a.B\",\"parameters\":null}");
        assert_int_equal(json_doc_n_members(m.parameters), 0);
}

static void test_read_reply(void **state) {
        _cleanup_(varlink_message_done) VarlinkMessage m = {0};

        read_ok(&m, "{\"error\":\"a.E\",\"parameters\":{\"message\":\"no\"}}");
        assert_null(m.method);
        assert_string_equal(m.error, "a.E");
        varlink_message_done(&m);

        read_ok(&m, "{\"continues\":true}");
        assert_null(m.error);
        assert_true(m.continues);
}

static void test_read_malformed(void **state) {
        static const char *const texts[] = {
                        "",
                        "null",
                        "[]",
                        "{\"method\":\"a.B\"",
                        "{\"method\":\"a.B\"}x",
                        "{\"method\":1}",
                        "{\"method\":null}",
                        "{\"method\":\"a.B\",\"error\":\"a.E\"}",
                        "{\"method\":\"a.B\",\"method\":\"a.C\"}",
                        "{\"method\":\"a.B\",\"more\":1}",
                        "{\"method\":\"a.B\",\"oneway\":\"true\"}",
                        "{\"method\":\"a.B\",\"parameters\":[]}",
                        "{\"method\":\"a.B\",\"parameters\":\"{}\"}",
                        "{\"method\":\"a.B\",\"parameters\":{\"x\":1,\"x\":2}}",
                        "{\"method\":\"a.\\u0000B\"}",
                        "{\"method\":\"a.\\ud800B\"}",
                        "{\"method\":\"a.\xff\"}",
                        "{\"method\":\"a.B\",\"parameters\":{\"x\":NaN}}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                read_bad(texts[i], strlen(texts[i]));
        read_bad("{\"method\":\"a\0B\"}", 16);
}

static void test_read_limits(void **state) {
        static const char head[] = "{\"method\":\"a.B\",\"parameters\":{\"x\":\"";
        static char text[IPC_MESSAGE_MAX + 1];
        _cleanup_(varlink_message_done) VarlinkMessage m = {0};
        char deep[256] = "{\"method\":\"a.B\",\"parameters\":{\"x\":";
        size_t n = strlen(deep);

        memset(text, 'y', sizeof(text));
        memcpy(text, head, strlen(head));
        memcpy(text + IPC_MESSAGE_MAX - 3, "\"}}", 3);
        assert_int_equal(varlink_message_read(&m, text, IPC_MESSAGE_MAX, NULL), 0);
        varlink_message_done(&m);
        memcpy(text + IPC_MESSAGE_MAX - 3, "y\"}}", 4);
        read_bad(text, IPC_MESSAGE_MAX + 1);

        memset(deep + n, '[', 40);
        memset(deep + n + 40, ']', 40);
        memcpy(deep + n + 80, "}}", 3);
        read_bad(deep, strlen(deep));
}

static json_object *parse(const char *text) {
        json_object *o = json_tokener_parse(text);

        assert_non_null(o);
        return o;
}

static void test_write(void **state) {
        _cleanup_(secret_done) Secret out = {0};
        json_object *o = parse("{\"a\":[1,-2,true,null,{}],\"b\":{\"c\":\"d\"},\"e\":[]}");

        assert_int_equal(varlink_message_write_call(&out, "x.Y", o, false), 0);
        assert_string_equal(secret_string(&out),
                        "{\"method\":\"x.Y\",\"parameters\":"
                        "{\"a\":[1,-2,true,null,{}],\"b\":{\"c\":\"d\"},\"e\":[]}}");
        assert_int_equal(out.len, strlen(secret_string(&out)) + 1);
        json_object_put(o);

        secret_done(&out);
        assert_int_equal(varlink_message_write_call(&out, "x.Y", NULL, true), 0);
        assert_string_equal(secret_string(&out),
                        "{\"method\":\"x.Y\",\"parameters\":{},\"more\":true}");
        secret_done(&out);
        assert_int_equal(varlink_message_write_reply(&out, NULL, NULL, true), 0);
        assert_string_equal(secret_string(&out), "{\"parameters\":{},\"continues\":true}");
        secret_done(&out);
        assert_int_equal(varlink_message_write_reply(&out, "x.E", NULL, false), 0);
        assert_string_equal(secret_string(&out), "{\"error\":\"x.E\",\"parameters\":{}}");
}

static void test_write_appends(void **state) {
        _cleanup_(secret_done) Secret out = {0};
        static const char expected[] = "{\"parameters\":{}}\0{\"error\":\"x.E\",\"parameters\":{}}";

        assert_int_equal(varlink_message_write_reply(&out, NULL, NULL, false), 0);
        assert_int_equal(varlink_message_write_reply(&out, "x.E", NULL, false), 0);
        assert_int_equal(out.len, sizeof(expected));
        assert_memory_equal(out.data, expected, sizeof(expected));
}

static void test_write_strings(void **state) {
        _cleanup_(secret_done) Secret out = {0};
        static const char text[] = "\"\\/\n\x01\x7f\xc3\xa9\xe2\x80\xae|\xff|\xc3|\xf0\x9f\x98\x80";
        static const char expected[] =
                        "{\"k\\\"\":\"\\\"\\\\/\\u000a\\u0001\x7f\xc3\xa9\xe2\x80\xae|"
                        "\xef\xbf\xbd|\xef\xbf\xbd|\xf0\x9f\x98\x80\"}";
        _cleanup_(json_doc_freep) JsonDoc *d = NULL;
        json_object *o = json_object_new_object();

        json_object_object_add(o, "k\"", json_object_new_string(text));
        assert_int_equal(varlink_json_append(&out, o), 0);
        assert_string_equal(secret_string(&out), expected);
        assert_int_equal(json_doc_parse(&d, secret_string(&out), out.len, NULL), 0);
        json_object_put(o);
}

static void test_write_limit(void **state) {
        _cleanup_(secret_done) Secret out = {0};
        static char text[IPC_MESSAGE_MAX + 1];
        size_t around = STRLEN("{\"parameters\":{\"x\":\"\"}}");
        json_object *o = json_object_new_object();

        memset(text, 'y', IPC_MESSAGE_MAX);
        assert_int_equal(secret_append(&out, "before", 6), 0);
        json_object_object_add(o, "x",
                        json_object_new_string_len(text, (int) (IPC_MESSAGE_MAX - around + 1)));
        assert_int_equal(varlink_message_write_reply(&out, NULL, o, false), -E2BIG);
        assert_int_equal(out.len, 6);
        assert_string_equal(secret_string(&out), "before");

        json_object_object_add(
                        o, "x", json_object_new_string_len(text, (int) (IPC_MESSAGE_MAX - around)));
        assert_int_equal(varlink_message_write_reply(&out, NULL, o, false), 0);
        assert_int_equal(out.len, 6 + IPC_MESSAGE_MAX + 1);
        json_object_put(o);
}

static size_t count(const char *text, const char *word) {
        size_t n = 0;

        for (; (text = strstr(text, word)); text++)
                n++;
        return n;
}

/* The interface file and the tables name the same operations and errors. */
static void test_tables(void **state) {
        char line[128];

        for (OperationId i = 0; i < _OPERATION_MAX; i++) {
                snprintf(line, sizeof(line), "\nmethod %s(", operations[i].name);
                assert_int_equal(count(ipc_interface_description, line), 1);
                assert_int_equal(operation_from_name(operations[i].name), i);
        }
        assert_int_equal(count(ipc_interface_description, "\nmethod "), _OPERATION_MAX);
        assert_int_equal(operation_from_name("getStatus"), _OPERATION_MAX);

        for (IpcError e = 0; e < _IPC_ERROR_MAX; e++) {
                snprintf(line, sizeof(line), "\nerror %s (message: string", ipc_error_to_string(e));
                assert_int_equal(count(ipc_interface_description, line), 1);
                assert_int_equal(ipc_error_from_string(ipc_error_to_string(e)), e);
                assert_true(ipc_error_exit_status(e) > 0);
        }
        assert_int_equal(count(ipc_interface_description, "\nerror "), _IPC_ERROR_MAX);
        assert_int_equal(ipc_error_from_string("Nothing"), _IPC_ERROR_MAX);
        assert_null(ipc_error_to_string(_IPC_ERROR_MAX));
}

static void test_exit_status(void **state) {
        assert_int_equal(ipc_error_exit_status(IPC_NO_SUCH_FACTOR), 3);
        assert_int_equal(ipc_error_exit_status(IPC_NO_SUCH_CHALLENGE), 3);
        assert_int_equal(ipc_error_exit_status(IPC_NOT_AUTHORIZED), 4);
        assert_int_equal(ipc_error_exit_status(IPC_POLICY_DENIED), 5);
        assert_int_equal(ipc_error_exit_status(IPC_STALE), 6);
        assert_int_equal(ipc_error_exit_status(IPC_API_ERROR), 7);
        assert_int_equal(ipc_error_exit_status(IPC_RATE_LIMITED), 8);
        assert_int_equal(ipc_error_exit_status(IPC_UNCONFIRMED), 124);
        assert_int_equal(ipc_error_exit_status(IPC_INVALID_PARAMETER), 2);
        assert_int_equal(ipc_error_exit_status(IPC_STORE_ERROR), 1);
        assert_int_equal(ipc_error_exit_status(_IPC_ERROR_MAX), 1);
}

/* What is not for administrators alone. */
static void test_rights(void **state) {
        static const char *const open[] = {
                        "GetStatus",
                        "ListFactors",
                        "ListChallenges",
                        "GetChallenge",
                        "Monitor",
                        "GetCode",
                        "Approve",
                        "Deny",
                        "Ignore",
                        "Expect",
                        "ListTickets",
                        "RevokeTicket",
        };

        for (OperationId i = 0; i < _OPERATION_MAX; i++) {
                bool found = false;

                for (size_t k = 0; k < ELEMENTSOF(open); k++)
                        found = found || streq(open[k], operations[i].name);
                assert_int_equal(operations[i].right != RIGHT_ADMINISTRATOR, found);
        }
        assert_string_equal(operation_action(OPERATION_EXPECT), OPERATION_ACTION_APPROVE);
        assert_string_equal(operation_action(OPERATION_REVOKE_TICKET), OPERATION_ACTION_APPROVE);
        assert_null(operation_action(OPERATION_LIST_TICKETS));
        assert_true(operations[OPERATION_MONITOR].streams);
        assert_false(operations[OPERATION_GET_CODE].streams);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_read_call),
                        cmocka_unit_test(test_read_reply),
                        cmocka_unit_test(test_read_malformed),
                        cmocka_unit_test(test_read_limits),
                        cmocka_unit_test(test_write),
                        cmocka_unit_test(test_write_appends),
                        cmocka_unit_test(test_write_strings),
                        cmocka_unit_test(test_write_limit),
                        cmocka_unit_test(test_tables),
                        cmocka_unit_test(test_exit_status),
                        cmocka_unit_test(test_rights),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
