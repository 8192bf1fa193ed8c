/* SPDX-License-Identifier: Apache-2.0 */
/* The Varlink server against clients of every kind, and its socket file. */

#include "ipc-fixture.h"

#define MORE ",\"more\":true"
#define ONEWAY ",\"oneway\":true"

static void test_service(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);

        peer_send(f, &p, "{\"method\":\"org.varlink.service.GetInfo\",\"parameters\":{}}");
        peer_expect(f, &p,
                        "{\"parameters\":{\"vendor\":\"factord\",\"product\":\"factord\","
                        "\"version\":\"1.2.3\",\"url\":\"\",\"interfaces\":"
                        "[\"org.varlink.service\",\"org.factord.Authenticator\"]}}");
        peer_send(f, &p,
                        "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                        "\"parameters\":{\"interface\":\"org.factord.Authenticator\"}}");
        peer_expect_part(f, &p, "\\u000amethod GetStatus() -> (status: Status)\\u000a");
        peer_send(f, &p,
                        "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                        "\"parameters\":{\"interface\":\"org.varlink.service\"}}");
        peer_expect_part(f, &p, "\\u000aerror ExpectedMore ()\\u000a");
        peer_send(f, &p, "{\"method\":\"org.varlink.service.GetInterfaceDescription\"}");
        peer_expect(f, &p,
                        "{\"error\":\"org.varlink.service.InvalidParameter\","
                        "\"parameters\":{\"parameter\":\"interface\"}}");
        peer_send(f, &p,
                        "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                        "\"parameters\":{\"interface\":\"org.example\"}}");
        peer_expect(f, &p,
                        "{\"error\":\"org.varlink.service.InterfaceNotFound\","
                        "\"parameters\":{\"interface\":\"org.example\"}}");
        assert_int_equal(f->n_dispatched, 0);
}

static void test_unknown(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        static const char *const pairs[][2] = {
                        {"{\"method\":\"org.varlink.service.Nothing\"}",
                                        "{\"error\":\"org.varlink.service.MethodNotFound\","
                                        "\"parameters\":{\"method\":\"org.varlink.service."
                                        "Nothing\"}}"},
                        {"{\"method\":\"org.factord.Authenticator.Nothing\"}",
                                        "{\"error\":\"org.varlink.service.MethodNotFound\","
                                        "\"parameters\":{\"method\":\"org.factord.Authenticator."
                                        "Nothing\"}}"},
                        {"{\"method\":\"org.example.GetStatus\"}",
                                        "{\"error\":\"org.varlink.service.InterfaceNotFound\","
                                        "\"parameters\":{\"interface\":\"org.example\"}}"},
                        {"{\"method\":\"GetStatus\"}",
                                        "{\"error\":\"org.varlink.service.InvalidParameter\","
                                        "\"parameters\":{\"parameter\":\"method\"}}"},
                        {"{\"method\":\"org.factord.Authenticator.GetStatus\",\"upgrade\":true}",
                                        "{\"error\":\"org.varlink.service.InvalidParameter\","
                                        "\"parameters\":{\"parameter\":\"upgrade\"}}"},
                        {"{\"method\":\"org.factord.Authenticator.Monitor\"}",
                                        "{\"error\":\"org.varlink.service.ExpectedMore\","
                                        "\"parameters\":{}}"},
        };

        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                peer_send(f, &p, pairs[i][0]);
                peer_expect(f, &p, pairs[i][1]);
        }
        assert_int_equal(f->n_dispatched, 0);
}

static void test_call(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);

        peer_call(f, &p, "GetStatus", "");
        peer_expect(f, &p, "{\"parameters\":{\"operation\":\"GetStatus\",\"n\":1}}");

        f->behaviour = HOLD;
        peer_call(f, &p, "GetCode", ",\"parameters\":{\"name\":\"x\"}" MORE);
        pump_until(f, f->n_calls == 1);
        assert_int_equal(call_operation(f->calls[0]), OPERATION_GET_CODE);
        assert_int_equal(call_peer(f->calls[0])->uid, getuid());
        assert_true(call_peer(f->calls[0])->administrator);
        assert_string_equal(call_door_name(f->calls[0]), "socket");
        /* "more" where nothing streams: one answer. */
        assert_false(call_wants_more(f->calls[0]));
        assert_int_equal(call_reply_more(f->calls[0], NULL), -EINVAL);
        assert_non_null(json_doc_value(call_parameters(f->calls[0]), "name"));
        assert_false(call_is_done(f->calls[0]));
        assert_int_equal(call_reply(f->calls[0], NULL), 0);
        assert_true(call_is_done(f->calls[0]));
        /* A second answer is dropped. */
        assert_int_equal(call_reply(f->calls[0], NULL), 0);
        assert_int_equal(call_error(f->calls[0], IPC_STALE, NULL, "no"), 0);
        peer_expect(f, &p, "{\"parameters\":{}}");
        settle(f);
        assert_false(peer_has_message(&p));
}

/* Who may what is decided behind the door: it hands over every operation, and who asks. */
static void test_every_operation(void **state) {
        Fixture *f = *state;

        f->administrator = false;
        _cleanup_peer_ Peer p = peer_new(f->path);
        for (OperationId i = 0; i < _OPERATION_MAX; i++) {
                peer_call(f, &p, operations[i].name, operations[i].streams ? MORE : "");
                peer_expect_part(f, &p, operations[i].name);
        }
        assert_int_equal(f->n_dispatched, _OPERATION_MAX);
}

static void test_errors(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        json_object *extra = json_object_new_object();

        f->behaviour = HOLD;
        peer_call(f, &p, "GetStatus", "");
        peer_call(f, &p, "GetStatus", "");
        peer_call(f, &p, "GetStatus", "");
        pump_until(f, f->n_calls == 1);
        json_object_object_add(extra, "name", json_object_new_string("x"));
        assert_int_equal(call_error(f->calls[0], IPC_NO_SUCH_FACTOR, extra, "no %s here", "x"), 0);
        peer_expect(f, &p,
                        "{\"error\":\"org.factord.Authenticator.NoSuchFactor\","
                        "\"parameters\":{\"name\":\"x\",\"message\":\"no x here\"}}");
        pump_until(f, f->n_calls == 2);
        assert_int_equal(call_invalid(f->calls[1], "sid", "too short"), 0);
        peer_expect(f, &p,
                        "{\"error\":\"org.factord.Authenticator.InvalidParameter\","
                        "\"parameters\":{\"parameter\":\"sid\",\"message\":\"too short\"}}");
        pump_until(f, f->n_calls == 3);
        f->n_calls = 2;
        call_unref(f->calls[2]);
        peer_expect(f, &p,
                        "{\"error\":\"org.factord.Authenticator.StoreError\","
                        "\"parameters\":{\"message\":\"the daemon dropped the call\"}}");
}

static void test_too_large_answer(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        static char text[IPC_MESSAGE_MAX];
        json_object *o = json_object_new_object();

        f->behaviour = HOLD;
        memset(text, 'x', sizeof(text));
        json_object_object_add(o, "x", json_object_new_string_len(text, sizeof(text)));
        peer_call(f, &p, "ListFactors", "");
        pump_until(f, f->n_calls == 1);
        assert_int_equal(call_reply(f->calls[0], o), 0);
        peer_expect_part(f, &p, "{\"error\":\"org.factord.Authenticator.InvalidParameter\"");
}

/* Where nothing fits. The last error's sentence is kept. */
static char refused[256];

static int refuse(Call *call, const char *error, json_object *parameters, bool continues) {
        json_object *message = json_object_object_get(parameters, "message");

        if (!error)
                return -E2BIG;
        assert_string_equal(error, IPC_INTERFACE ".InvalidParameter");
        (void) snprintf(refused, sizeof(refused), "%s", json_object_get_string(message));
        return 0;
}

/* The advice is one that the door and the operation can take. */
static void test_advice(void **state) {
        for (unsigned i = 0; i < 4; i++) {
                bool has_more = i & 1, streams = i & 2;
                CallDoor door = {.name = "test", .has_more = has_more, .reply = refuse};
                OperationId operation =
                                streams ? OPERATION_LIST_CHALLENGES : OPERATION_GET_CHALLENGE;
                CallPeer peer = {.uid = 61000};
                Call *call;

                assert_int_equal(call_new(&call, &door, NULL, &peer, operation, NULL, false), 0);
                assert_int_equal(call_reply(call, NULL), 0);
                assert_non_null(strstr(refused, "ask "));
                assert_int_equal(strstr(refused, "\"more\"") != NULL, has_more && streams);
                call_unref(call);
        }
}

static void test_pipelined(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);

        f->behaviour = HOLD;
        peer_call(f, &p, "GetStatus", "");
        peer_call(f, &p, "GetCode", "");
        peer_call(f, &p, "Poll", "");
        for (size_t i = 1; i <= 3; i++) {
                pump_until(f, f->n_calls == i);
                settle(f);
                assert_int_equal(f->n_calls, i);
                assert_false(peer_has_message(&p));
                assert_int_equal(call_invalid(f->calls[i - 1],
                                                 operations[call_operation(f->calls[i - 1])].name,
                                                 "n"),
                                0);
                assert_int_equal(f->n_calls, i);
                peer_expect_part(f, &p, (const char *[]){"GetStatus", "GetCode", "Poll"}[i - 1]);
        }
}

/* 20,000 calls at once: answered in order, and another client waits for none of them but one. */
static void test_flood(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path), other = peer_new(f->path);
        char expected[128];

        for (unsigned i = 0; i < 20; i++)
                peer_call(f, &p, "GetStatus", "");
        pump_until(f, f->n_dispatched == 5);
        peer_call(f, &other, "Poll", "");
        peer_expect_part(f, &other, "Poll");
        assert_in_range(f->n_dispatched, 6, 12);
        for (unsigned i = 0; i < 20; i++)
                peer_expect_part(f, &p, "GetStatus");

        f->n_dispatched = 0;
        for (unsigned i = 0; i < 20000; i++)
                peer_call(f, &p, "GetStatus", "");
        pump_until(f, (peer_take(&p), f->n_dispatched == 20000));
        settle(f);
        peer_take(&p);
        const char *at = p.text;
        for (unsigned i = 1; i <= 20000; i++) {
                snprintf(expected, sizeof(expected),
                                "{\"parameters\":{\"operation\":\"GetStatus\",\"n\":%u}}", i);
                assert_string_equal(at, expected);
                at += strlen(at) + 1;
        }
        assert_ptr_equal(at, p.text + p.len);
}

/* A client that calls and does not read gets no further than its socket's buffer. */
static void test_never_reads(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        static const char call[] =
                        "{\"method\":\"org.varlink.service.GetInterfaceDescription\","
                        "\"parameters\":{\"interface\":\"org.factord.Authenticator\"}}";
        unsigned n = 0;

        for (; n < 100000; n++) {
                ssize_t sent = send(p.fd, call, sizeof(call), MSG_DONTWAIT | MSG_NOSIGNAL);

                settle(f);
                if (sent != (ssize_t) sizeof(call))
                        break;
        }
        assert_true(n < 100000);
        peer_take(&p);
        assert_false(p.eof);
}

static void test_slow(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        static const char call[] = "{\"method\":\"org.factord.Authenticator.GetStatus\"}";

        for (size_t i = 0; i < sizeof(call); i++) {
                assert_int_equal(f->n_dispatched, 0);
                assert_true(peer_send_bytes(f, &p, call + i, 1));
                settle(f);
        }
        peer_expect_part(f, &p, "GetStatus");
}

static void test_half_message(void **state) {
        Fixture *f = *state;

        varlink_server_free(f->server);
        f->options.message_timeout = 50 * USEC_PER_MSEC;
        fixture_start(f);
        _cleanup_peer_ Peer silent = peer_new(f->path), half = peer_new(f->path),
                            second = peer_new(f->path);

        assert_true(peer_send_bytes(f, &half, "{\"method", 8));
        peer_call(f, &second, "GetStatus", "");
        peer_expect_part(f, &second, "GetStatus");
        assert_true(peer_send_bytes(f, &second, "{", 1));
        /* Bytes now and then don't buy more time. */
        for (usec_t end = now_boottime() + PATIENCE; !half.eof; peer_take(&half)) {
                assert_true(now_boottime() < end);
                (void) send(half.fd, " ", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
                sd_event_run(f->event, 5 * USEC_PER_MSEC);
        }
        peer_expect_eof(f, &second);
        /* Silence between messages costs nothing. */
        peer_call(f, &silent, "GetStatus", "");
        peer_expect_part(f, &silent, "GetStatus");
}

/* The end of a message and the beginning of the next, again and again: each has its own time. */
static void test_overlapping(void **state) {
        Fixture *f = *state;
        static const char call[] = "{\"method\":\"org.factord.Authenticator.GetStatus\"}";
        const usec_t timeout = 300 * USEC_PER_MSEC;

        varlink_server_free(f->server);
        f->options.message_timeout = timeout;
        fixture_start(f);
        _cleanup_peer_ Peer p = peer_new(f->path);
        assert_true(peer_send_bytes(f, &p, call, 5));
        for (usec_t end = now_boottime() + 3 * timeout; now_boottime() < end;) {
                assert_true(peer_send_bytes(f, &p, call + 5, sizeof(call) - 5));
                assert_true(peer_send_bytes(f, &p, call, 5));
                peer_expect_part(f, &p, "GetStatus");
        }
}

static void test_malformed(void **state) {
        Fixture *f = *state;
        static const char *const texts[] = {
                        "",
                        "{}",
                        "[]",
                        "GET / HTTP/1.1\r\n\r\n",
                        "{\"parameters\":{}}",
                        "{\"error\":\"org.example.E\"}",
                        "{\"method\":\"org.factord.Authenticator.GetStatus\"} {}",
                        "{\"method\":\"org.factord.Authenticator.GetStatus\",\"more\":1}",
                        "{\"method\":\"org.factord.Authenticator.GetStatus\",\"x\":\"\xc3\x28\"}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_peer_ Peer p = peer_new(f->path);

                peer_call(f, &p, "GetStatus", "");
                peer_send(f, &p, texts[i]);
                peer_call(f, &p, "GetStatus", "");
                /* What came before it is answered, what comes after it is not. */
                peer_expect_part(f, &p, "GetStatus");
                peer_expect_eof(f, &p);
                assert_int_equal(f->n_dispatched, i + 1);
        }
}

static void test_depth(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        char text[512];

        /* The message and its parameters are two levels. */
        for (int depth = JSON_DEPTH_MAX - 2; depth <= JSON_DEPTH_MAX + 8; depth += 10) {
                snprintf(text, sizeof(text),
                                "{\"method\":\"org.factord.Authenticator.GetStatus\","
                                "\"parameters\":{\"x\":%.*s%.*s}}",
                                depth, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", depth,
                                "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
                peer_send(f, &p, text);
                if (depth <= JSON_DEPTH_MAX - 2)
                        peer_expect_part(f, &p, "GetStatus");
                else
                        peer_expect_eof(f, &p);
        }
        assert_int_equal(f->n_dispatched, 1);
}

static void test_size(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        static const char head[] =
                        "{\"method\":\"org.factord.Authenticator.GetStatus\","
                        "\"parameters\":{\"x\":\"";
        static char text[IPC_MESSAGE_MAX + 2];

        memset(text, 'x', sizeof(text));
        memcpy(text, head, strlen(head));
        memcpy(text + IPC_MESSAGE_MAX - 3, "\"}}", 4);
        peer_send(f, &p, text);
        peer_expect_part(f, &p, "GetStatus");

        memcpy(text + IPC_MESSAGE_MAX - 3, "x\"}}", 5);
        (void) peer_send_bytes(f, &p, text, IPC_MESSAGE_MAX + 2);
        peer_expect_eof(f, &p);
        assert_int_equal(f->n_dispatched, 1);
}

/* A message without an end is not collected until its time is over. */
static void test_endless(void **state) {
        Fixture *f = *state;
        static char text[IPC_MESSAGE_MAX + 1];

        varlink_server_free(f->server);
        f->options.message_timeout = USEC_PER_HOUR;
        fixture_start(f);
        _cleanup_peer_ Peer p = peer_new(f->path);
        memset(text, ' ', sizeof(text));
        assert_true(peer_send_bytes(f, &p, text, IPC_MESSAGE_MAX));
        settle(f);
        peer_take(&p);
        assert_false(p.eof);
        assert_true(peer_send_bytes(f, &p, text, 1));
        peer_expect_eof(f, &p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define server_test(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
                        server_test(test_service),
                        server_test(test_unknown),
                        server_test(test_call),
                        server_test(test_every_operation),
                        server_test(test_errors),
                        server_test(test_too_large_answer),
                        cmocka_unit_test(test_advice),
                        server_test(test_pipelined),
                        server_test(test_flood),
                        server_test(test_never_reads),
                        server_test(test_slow),
                        server_test(test_half_message),
                        server_test(test_overlapping),
                        server_test(test_malformed),
                        server_test(test_depth),
                        server_test(test_size),
                        server_test(test_endless),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
