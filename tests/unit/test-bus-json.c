/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "ipc/bus-json.h"
#include "ipc/message.h"

/* Messages belong to a bus: one to which nobody listens does. */
typedef struct Fixture {
        sd_bus *bus;
        int peer;
} Fixture;

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(Fixture));
        int fds[2];

        assert_non_null(f);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_true(sd_bus_new(&f->bus) >= 0);
        assert_true(sd_bus_set_fd(f->bus, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_start(f->bus) >= 0);
        f->peer = fds[1];
        *state = f;
        return 0;
}

static int teardown(void **state) {
        Fixture *f = *state;

        sd_bus_close_unref(f->bus);
        close(f->peer);
        free(f);
        return 0;
}

static sd_bus_message *message_new(Fixture *f) {
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_method_call(
                                    f->bus, &m, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, "X") >= 0);
        return m;
}

static void ready(sd_bus_message *m) {
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        assert_true(sd_bus_message_rewind(m, true) >= 0);
}

static const BusMethod *manager_method(const char *name) {
        const BusMethod *m = bus_interface_method(&bus_manager, name);

        assert_non_null(m);
        return m;
}

/* Takes the message. */
static void expect_read(sd_bus_message *m, const char *method, const char *sid, const char *json) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ char *why = NULL;
        JsonSlice text;
        int r;

        ready(m);
        r = bus_json_read(&doc, m, manager_method(method), sid, &why);
        if (r < 0)
                print_error("%s\n", error_text(why, r));
        assert_int_equal(r, 0);
        text = json_doc_text(doc);
        assert_int_equal(text.len, strlen(json));
        assert_memory_equal(text.data, json, text.len);
        sd_bus_message_unref(m);
}

static void expect_refused(sd_bus_message *m, const char *method, const char *part) {
        _cleanup_free_ char *why = NULL;
        JsonDoc *doc = NULL;

        ready(m);
        assert_int_equal(bus_json_read(&doc, m, manager_method(method), NULL, &why), -EBADMSG);
        assert_null(doc);
        assert_non_null(why);
        assert_non_null(strstr(why, part));
        sd_bus_message_unref(m);
}

static void test_arguments(void **state) {
        sd_bus_message *m = message_new(*state);

        expect_read(m, "GetStatus", NULL, "{}");

        m = message_new(*state);
        sd_bus_message_append(m, "ss", "YC1", "abc");
        expect_read(m, "Approve", NULL, "{\"sid\":\"YC1\",\"digest\":\"abc\"}");

        m = message_new(*state);
        sd_bus_message_append(m, "s", "abc");
        ready(m);
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        const BusMethod *approve = bus_interface_method(&bus_challenge, "Approve");
        assert_int_equal(bus_json_read(&doc, m, approve, "YC2", NULL), 0);
        assert_string_equal(json_object_get_string(json_doc_value(doc, "sid")), "YC2");
        assert_string_equal(json_object_get_string(json_doc_value(doc, "digest")), "abc");
        sd_bus_message_unref(m);
}

static void test_options(void **state) {
        sd_bus_message *m = message_new(*state);

        sd_bus_message_append(m, "a{sv}", 2, "factor", "s", "a\"b", "all", "b", 1);
        expect_read(m, "ListChallenges", NULL, "{\"factor\":\"a\\\"b\",\"all\":true}");

        m = message_new(*state);
        sd_bus_message_append(m, "sx", "push", (int64_t) -5);
        expect_read(m, "SetOwner", NULL, "{\"name\":\"push\",\"owner\":-5}");

        m = message_new(*state);
        sd_bus_message_append(m, "a{sv}a{sv}", 1, "factor", "s", "p", 1, "fields", "aa{sv}", 2, 2,
                        "label", "s", "A", "value", "s", "1", 0);
        expect_read(m, "ChallengeCreate", NULL,
                        "{\"target\":{\"factor\":\"p\"},\"fields\":[{\"label\":\"A\",\"value\":"
                        "\"1\"},{}]}");
}

/* Clients choose their own integers; JSON has one kind. */
static void test_numbers(void **state) {
        sd_bus_message *m = message_new(*state);

        sd_bus_message_append(m, "a{sv}", 8, "y", "y", 255, "n", "n", -3, "q", "q", 65535, "i", "i",
                        -7, "u", "u", UINT32_MAX, "x", "x", INT64_MIN, "t", "t",
                        (uint64_t) INT64_MAX, "v", "v", "i", 1);
        expect_read(m, "ListFactors", NULL,
                        "{\"y\":255,\"n\":-3,\"q\":65535,\"i\":-7,\"u\":4294967295,\"x\":"
                        "-9223372036854775808,\"t\":9223372036854775807,\"v\":1}");

        m = message_new(*state);
        sd_bus_message_append(m, "a{sv}", 1, "t", "t", (uint64_t) INT64_MAX + 1);
        expect_refused(m, "ListFactors", "out of range");
}

static void test_refused(void **state) {
        sd_bus_message *m = message_new(*state);
        static char long_text[IPC_MESSAGE_MAX];

        sd_bus_message_append(m, "a{sv}", 2, "name", "s", "a", "name", "s", "b");
        expect_refused(m, "ListFactors", "name is given twice");

        /* An option can't stand in for an argument. */
        m = message_new(*state);
        sd_bus_message_append(m, "sa{sv}", "mine", 1, "name", "s", "other");
        expect_refused(m, "GetCode", "name is given twice");

        m = message_new(*state);
        sd_bus_message_append(m, "a{sv}", 1, "d", "d", 1.5);
        expect_refused(m, "ListFactors", "type d");

        m = message_new(*state);
        sd_bus_message_append(m, "a{sv}", 1, "r", "(s)", "x");
        expect_refused(m, "ListFactors", "type r");

        m = message_new(*state);
        memset(long_text, 'a', sizeof(long_text) - 1);
        sd_bus_message_append(m, "sa{sv}", long_text, 0);
        expect_refused(m, "Import", "too long");
}

static void test_depth(void **state) {
        sd_bus_message *m = message_new(*state);

        sd_bus_message_open_container(m, 'a', "{sv}");
        sd_bus_message_open_container(m, 'e', "sv");
        sd_bus_message_append(m, "s", "deep");
        for (unsigned i = 0; i < 40; i++)
                assert_true(sd_bus_message_open_container(m, 'v', i < 39 ? "v" : "s") >= 0);
        sd_bus_message_append(m, "s", "x");
        for (unsigned i = 0; i < 40; i++)
                assert_true(sd_bus_message_close_container(m) >= 0);
        sd_bus_message_close_container(m);
        sd_bus_message_close_container(m);
        expect_refused(m, "ListFactors", "too deep");
}

static json_object *parse(const char *text) {
        json_object *o = json_tokener_parse(text);

        assert_non_null(o);
        return o;
}

/* What the method makes of a reply's parameters, read back as an option of that name. */
static void expect_result(Fixture *f, const char *method, const char *reply, const char *json) {
        sd_bus_message *m = message_new(f);
        const BusMethod *how = manager_method(method);
        /* Read as the result's own type, by a method that takes just that. */
        char names[] = "it\0";
        BusMethod back = {.name = "X", .arguments = how->result, .result = "", .names = names};
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        json_object *o = parse(reply);
        JsonSlice text;

        assert_int_equal(bus_json_append_result(m, how, o), 0);
        json_object_put(o);
        ready(m);
        assert_string_equal(sd_bus_message_get_signature(m, true), how->result);
        assert_int_equal(bus_json_read(&doc, m, &back, NULL, NULL), 0);
        assert_true(json_doc_raw(doc, "it", &text) || streq(json, ""));
        if (*json) {
                assert_int_equal(text.len, strlen(json));
                assert_memory_equal(text.data, json, text.len);
        }
        sd_bus_message_unref(m);
}

static void test_results(void **state) {
        expect_result(*state, "GetChallenge",
                        "{\"challenge\":{\"sid\":\"YC\",\"n\":-1,\"b\":true}}",
                        "{\"sid\":\"YC\",\"n\":-1,\"b\":true}");
        /* null has no type: it is left out. */
        expect_result(*state, "GetChallenge",
                        "{\"challenge\":{\"a\":null,\"fields\":[{\"label\":\"x\",\"value\":null}]}"
                        "}",
                        "{\"fields\":[{\"label\":\"x\"}]}");
        expect_result(*state, "ListFactors", "{\"factors\":[{\"name\":\"a\"},{\"name\":\"b\"}]}",
                        "[{\"name\":\"a\"},{\"name\":\"b\"}]");
        expect_result(*state, "ListFactors", "{\"factors\":[]}", "[]");
        expect_result(*state, "GetCode", "{\"code\":\"123456\",\"valid_for\":null}",
                        "{\"code\":\"123456\"}");
        expect_result(*state, "GetStatus",
                        "{\"status\":{\"problems\":[\"p\"],\"mixed\":[1,\"a\",[]]}}",
                        "{\"problems\":[\"p\"],\"mixed\":[1,\"a\",[]]}");
        expect_result(*state, "Poll", "{\"ignored\":1}", "");
}

static void expect_type(Fixture *f, const char *json, const char *member, const char *type) {
        sd_bus_message *m = message_new(f);
        json_object *o = parse(json);
        const char *contents, *key;
        char t;

        assert_int_equal(bus_json_append_dict(m, o, NULL), 0);
        json_object_put(o);
        ready(m);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        assert_true(sd_bus_message_enter_container(m, 'e', "sv") > 0);
        assert_true(sd_bus_message_read_basic(m, 's', &key) > 0);
        assert_string_equal(key, member);
        assert_true(sd_bus_message_peek_type(m, &t, &contents) > 0);
        assert_int_equal(t, 'v');
        assert_string_equal(contents, type);
        sd_bus_message_unref(m);
}

static void test_types(void **state) {
        expect_type(*state, "{\"a\":\"\"}", "a", "s");
        expect_type(*state, "{\"a\":0}", "a", "x");
        expect_type(*state, "{\"a\":false}", "a", "b");
        expect_type(*state, "{\"a\":1.5}", "a", "d");
        expect_type(*state, "{\"a\":{}}", "a", "a{sv}");
        expect_type(*state, "{\"a\":[]}", "a", "aa{sv}");
        expect_type(*state, "{\"a\":[{}]}", "a", "aa{sv}");
        expect_type(*state, "{\"a\":[\"x\"]}", "a", "as");
        expect_type(*state, "{\"problems\":[]}", "problems", "as");
        expect_type(*state, "{\"a\":[\"x\",1]}", "a", "av");
}

static void test_text(void **state) {
        sd_bus_message *m = message_new(*state);
        json_object *o = json_object_new_object();
        const char *key, *text;

        json_object_object_add(o, "a", json_object_new_string_len("x\xff\0y\xc3\xa9", 6));
        assert_int_equal(bus_json_append_dict(m, o, NULL), 0);
        json_object_put(o);
        ready(m);
        assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
        assert_true(sd_bus_message_read(m, "{sv}", &key, "s", &text) > 0);
        assert_string_equal(text, "x\xEF\xBF\xBD\xEF\xBF\xBDy\xc3\xa9");
        sd_bus_message_unref(m);
}

/* Of two dictionaries with one name the first. */
static void test_two(void **state) {
        sd_bus_message *m = message_new(*state);
        json_object *a = parse("{\"x\":1,\"y\":2}"), *b = parse("{\"y\":3,\"z\":4}");

        assert_int_equal(bus_json_append_dict(m, a, b), 0);
        json_object_put(a);
        json_object_put(b);
        expect_read(m, "ListFactors", NULL, "{\"x\":1,\"y\":2,\"z\":4}");
}

/* Deeper than a bus takes: as text from there on. */
static void test_deep_result(void **state) {
        sd_bus_message *m = message_new(*state);
        char text[256] = "";
        json_object *o;

        for (unsigned i = 0; i < 30; i++)
                strcat(text, "{\"a\":");
        strcat(text, "1");
        for (unsigned i = 0; i < 30; i++)
                strcat(text, "}");
        o = parse(text);
        assert_int_equal(bus_json_append_dict(m, o, NULL), 0);
        json_object_put(o);
        ready(m);
        for (unsigned i = 0; i < 17; i++) {
                const char *key, *contents;
                char type;

                assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
                assert_true(sd_bus_message_enter_container(m, 'e', "sv") > 0);
                assert_true(sd_bus_message_read_basic(m, 's', &key) > 0);
                assert_true(sd_bus_message_peek_type(m, &type, &contents) > 0);
                assert_string_equal(contents, i < 16 ? "a{sv}" : "s");
                assert_true(sd_bus_message_enter_container(m, 'v', contents) > 0);
        }
        sd_bus_message_unref(m);
}

static void test_too_big(void **state) {
        sd_bus_message *m = message_new(*state);
        json_object *o = json_object_new_object(), *list = json_object_new_array();
        size_t len = 1024 * 1024;
        char *text = malloc(len);

        memset(text, 'a', len);
        for (unsigned i = 0; i < 16; i++) {
                json_object *item = json_object_new_object();

                json_object_object_add(item, "m", json_object_new_string_len(text, (int) len));
                json_object_array_add(list, item);
        }
        json_object_object_add(o, "factors", list);
        assert_int_equal(bus_json_append_result(m, manager_method("ListFactors"), o), -E2BIG);
        json_object_put(o);
        free(text);
        sd_bus_message_unref(m);
}

static void expect_property(Fixture *f, const char *name, const char *json, const char *expected) {
        sd_bus_message *m = message_new(f);
        const BusProperty *p = bus_interface_property(&bus_challenge, name);
        char names[] = "it\0";
        BusMethod back = {.name = "X", .result = "", .names = names};
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        json_object *o = json ? parse(json) : NULL;
        JsonSlice text;

        assert_non_null(p);
        assert_int_equal(bus_json_append_property(m, p, o), 0);
        json_object_put(o);
        ready(m);
        assert_string_equal(sd_bus_message_get_signature(m, true), p->type);
        assert_int_equal(bus_json_read(&doc, m, &back, NULL, NULL), 0);
        assert_true(json_doc_raw(doc, "it", &text));
        assert_int_equal(text.len, strlen(expected));
        assert_memory_equal(text.data, expected, text.len);
        sd_bus_message_unref(m);
}

/* A property has its type also when there is nothing, or something else. */
static void test_properties(void **state) {
        expect_property(*state, "State", "\"asking\"", "\"asking\"");
        expect_property(*state, "State", NULL, "\"\"");
        expect_property(*state, "State", "5", "\"\"");
        expect_property(*state, "Repeats", "3", "3");
        expect_property(*state, "Repeats", NULL, "0");
        expect_property(*state, "Quiet", "true", "true");
        expect_property(*state, "Quiet", NULL, "false");
        expect_property(*state, "Fields", "[{\"label\":\"a\"}]", "[{\"label\":\"a\"}]");
        expect_property(*state, "Fields", "[]", "[]");
        expect_property(*state, "Fields", NULL, "[]");
}

#define bus_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                        bus_test(test_arguments),
                        bus_test(test_options),
                        bus_test(test_numbers),
                        bus_test(test_refused),
                        bus_test(test_depth),
                        bus_test(test_results),
                        bus_test(test_types),
                        bus_test(test_text),
                        bus_test(test_two),
                        bus_test(test_deep_result),
                        bus_test(test_too_big),
                        bus_test(test_properties),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
