/* SPDX-License-Identifier: Apache-2.0 */
/* The Varlink server: several answers to a call, callers that leave, limits, the socket file. */

#include "ipc-fixture.h"

#define MORE ",\"more\":true"
#define ONEWAY ",\"oneway\":true"

static json_object *item(size_t len) {
        json_object *o = json_object_new_object();
        char *text = malloc(len);

        assert_non_null(text);
        memset(text, 'x', len);
        json_object_object_add(o, "x", json_object_new_string_len(text, (int) len));
        free(text);
        return o;
}

static void test_more(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);

        f->behaviour = HOLD;
        peer_call(f, &p, "ListFactors", MORE);
        peer_call(f, &p, "GetStatus", "");
        pump_until(f, f->n_calls == 1);
        assert_true(call_wants_more(f->calls[0]));
        assert_int_equal(call_reply_more(f->calls[0], item(1)), 0);
        assert_int_equal(call_reply_more(f->calls[0], item(2)), 0);
        peer_expect(f, &p, "{\"parameters\":{\"x\":\"x\"},\"continues\":true}");
        peer_expect(f, &p, "{\"parameters\":{\"x\":\"xx\"},\"continues\":true}");
        settle(f);
        assert_int_equal(f->n_calls, 1);
        assert_int_equal(call_reply(f->calls[0], NULL), 0);
        assert_int_equal(call_reply_more(f->calls[0], item(3)), -EPIPE);
        peer_expect(f, &p, "{\"parameters\":{}}");
        pump_until(f, f->n_calls == 2);
}

static void test_shared_event(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer a = peer_new(f->path), b = peer_new(f->path);
        json_object *event = item(3);

        f->behaviour = HOLD;
        peer_call(f, &a, "Monitor", MORE);
        peer_call(f, &b, "Monitor", MORE);
        pump_until(f, f->n_calls == 2);
        assert_int_equal(call_reply_more(f->calls[0], json_object_get(event)), 0);
        assert_int_equal(call_reply_more(f->calls[1], json_object_get(event)), 0);
        json_object_put(event);
        peer_expect(f, &a, "{\"parameters\":{\"x\":\"xxx\"},\"continues\":true}");
        peer_expect(f, &b, "{\"parameters\":{\"x\":\"xxx\"},\"continues\":true}");
}

static void test_oneway(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);

        peer_call(f, &p, "Poll", ONEWAY);
        peer_call(f, &p, "Nothing", ONEWAY);
        peer_send(f, &p, "{\"method\":\"org.varlink.service.GetInfo\",\"oneway\":true}");
        peer_call(f, &p, "ListFactors", ONEWAY MORE);
        peer_call(f, &p, "GetStatus", "");
        peer_expect(f, &p, "{\"parameters\":{\"operation\":\"GetStatus\",\"n\":3}}");
        settle(f);
        assert_false(peer_has_message(&p));
}

static void test_events_lost(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        unsigned n = 0;
        int r;

        f->behaviour = HOLD;
        peer_call(f, &p, "Monitor", MORE);
        pump_until(f, f->n_calls == 1);
        while ((r = call_reply_more(f->calls[0], item(1000))) == 0)
                assert_true(++n < 10000);
        assert_int_equal(r, -ENOBUFS);
        assert_true(n > 1000);
        assert_true(call_is_done(f->calls[0]));
        assert_int_equal(call_reply_more(f->calls[0], item(1)), -EPIPE);
        for (unsigned i = 0; i < n; i++)
                peer_expect_part(f, &p, "\"continues\":true}");
        peer_expect_part(f, &p, "{\"error\":\"org.factord.Authenticator.EventsLost\"");
        peer_expect_eof(f, &p);
}

/* Who has much to say sees how much was not taken yet, and when it was. */
static void test_backlog(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        unsigned n = 0;

        f->behaviour = HOLD;
        peer_call(f, &p, "ReadAudit", MORE);
        pump_until(f, f->n_calls == 1);
        assert_int_equal(call_backlog(f->calls[0]), 0);
        while (call_backlog(f->calls[0]) < 100000) {
                assert_int_equal(call_reply_more(f->calls[0], item(1000)), 0);
                assert_true(++n < 10000);
        }
        for (unsigned i = 0; i < n; i++)
                peer_expect_part(f, &p, "\"continues\":true}");
        assert_int_equal(call_backlog(f->calls[0]), 0);
        assert_int_equal(call_reply(f->calls[0], NULL), 0);
        peer_expect(f, &p, "{\"parameters\":{}}");
}

static void count_error(const Call *c, IpcError e, void *userdata) {
        unsigned *counts = userdata;

        counts[e]++;
}

/* Whoever gives the error: it is heard of once, before the caller is told, and no other answer is.
 */
static void test_error_is_heard(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);
        unsigned counts[_IPC_ERROR_MAX] = {0};

        f->behaviour = HOLD;
        peer_call(f, &p, "Poll", "");
        pump_until(f, f->n_calls == 1);
        call_on_error(f->calls[0], count_error, counts);
        assert_int_equal(call_error(f->calls[0], IPC_NOT_AUTHORIZED, NULL, "no"), 0);
        assert_int_equal(call_error(f->calls[0], IPC_NOT_AUTHORIZED, NULL, "again"), 0);
        peer_expect_part(f, &p, "NotAuthorized");
        peer_call(f, &p, "Poll", "");
        pump_until(f, f->n_calls == 2);
        call_on_error(f->calls[1], count_error, counts);
        assert_int_equal(call_reply(f->calls[1], NULL), 0);
        peer_expect(f, &p, "{\"parameters\":{}}");
        for (unsigned e = 0; e < _IPC_ERROR_MAX; e++)
                assert_int_equal(counts[e], e == IPC_NOT_AUTHORIZED);
}

/* One that does not read even that is not waited for. */
static void test_events_lost_silently(void **state) {
        Fixture *f = *state;

        varlink_server_free(f->server);
        f->options.message_timeout = 20 * USEC_PER_MSEC;
        fixture_start(f);
        _cleanup_peer_ Peer p = peer_new(f->path);
        f->behaviour = HOLD;
        peer_call(f, &p, "Monitor", MORE);
        pump_until(f, f->n_calls == 1);
        while (call_reply_more(f->calls[0], item(10000)) == 0)
                ;
        struct pollfd hup = {.fd = p.fd};
        pump_until(f, (poll(&hup, 1, 0), hup.revents & POLLHUP));
}

/* A list is a snapshot that nobody can read while it is made: it may be longer. */
static void test_long_list(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);

        f->behaviour = HOLD;
        peer_call(f, &p, "ListFactors", MORE);
        pump_until(f, f->n_calls == 1);
        for (unsigned i = 0; i < 40; i++)
                assert_int_equal(call_reply_more(f->calls[0], item(100000)), 0);
        assert_int_equal(call_reply_more(f->calls[0], item(IPC_MESSAGE_MAX)), -E2BIG);
        assert_int_equal(call_reply(f->calls[0], NULL), 0);
        for (unsigned i = 0; i < 40; i++)
                peer_expect_part(f, &p, "\"continues\":true}");
        peer_expect(f, &p, "{\"parameters\":{}}");
}

static void note_gone(Call *call, void *userdata) {
        Fixture *f = userdata;

        assert_true(call_is_done(call));
        assert_ptr_equal(call, f->calls[0]);
        f->n_calls = 0;
        call_unref(call);
}

static void test_caller_gone(void **state) {
        Fixture *f = *state;
        Peer p = peer_new(f->path);

        f->behaviour = HOLD;
        peer_call(f, &p, "Monitor", MORE);
        pump_until(f, f->n_calls == 1);
        call_on_gone(f->calls[0], note_gone, f);
        peer_close(&p);
        pump_until(f, f->n_calls == 0);

        /* Nobody asked to know: the call finds out. */
        p = peer_new(f->path);
        peer_call(f, &p, "Approve", "");
        pump_until(f, f->n_calls == 1);
        assert_false(call_is_done(f->calls[0]));
        peer_close(&p);
        pump_until(f, call_is_done(f->calls[0]));
        assert_int_equal(call_reply(f->calls[0], item(1)), -EPIPE);
        assert_int_equal(call_error(f->calls[0], IPC_STALE, NULL, "too late"), -EPIPE);
}

/* What was sent before the end is done, though nobody reads the answers. */
static void test_sent_and_gone(void **state) {
        Fixture *f = *state;
        Peer p = peer_new(f->path);

        f->behaviour = HOLD;
        for (unsigned i = 0; i < 10; i++)
                peer_call(f, &p, "Poll", i % 2 ? ONEWAY : "");
        peer_close(&p);
        pump_until(f, f->n_dispatched == 10);
        settle(f);
        for (unsigned i = 0; i < 10; i++)
                assert_true(call_is_done(f->calls[i]));
}

/* One that sends no more may still read. */
static void test_half_closed(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);

        f->behaviour = HOLD;
        peer_call(f, &p, "GetStatus", "");
        peer_call(f, &p, "GetCode", "");
        assert_int_equal(shutdown(p.fd, SHUT_WR), 0);
        pump_until(f, f->n_calls == 1);
        settle(f);
        assert_false(call_is_done(f->calls[0]));
        assert_int_equal(call_reply(f->calls[0], NULL), 0);
        pump_until(f, f->n_calls == 2);
        assert_int_equal(call_reply(f->calls[1], NULL), 0);
        peer_expect(f, &p, "{\"parameters\":{}}");
        peer_expect(f, &p, "{\"parameters\":{}}");
        peer_expect_eof(f, &p);
}

static void test_server_stops(void **state) {
        Fixture *f = *state;
        _cleanup_peer_ Peer p = peer_new(f->path);

        f->behaviour = HOLD;
        peer_call(f, &p, "Monitor", MORE);
        pump_until(f, f->n_calls == 1);
        assert_int_equal(call_reply_more(f->calls[0], item(1)), 0);
        call_on_gone(f->calls[0], note_gone, f);
        f->server = varlink_server_free(f->server);
        assert_int_equal(f->n_calls, 0);
        peer_expect_part(f, &p, "\"continues\":true}");
        peer_expect_eof(f, &p);
        assert_int_equal(access(f->path, F_OK), -1);
}

static void test_many_of_a_uid(void **state) {
        Fixture *f = *state;
        Peer p[IPC_CLIENTS_PER_UID_MAX + 1];

        for (size_t i = 0; i < IPC_CLIENTS_PER_UID_MAX; i++) {
                p[i] = peer_new(f->path);
                peer_call(f, &p[i], "GetStatus", "");
                peer_expect_part(f, &p[i], "GetStatus");
        }
        p[IPC_CLIENTS_PER_UID_MAX] = peer_new(f->path);
        peer_expect_part(f, &p[IPC_CLIENTS_PER_UID_MAX], "RateLimited");
        peer_expect_eof(f, &p[IPC_CLIENTS_PER_UID_MAX]);
        peer_close(&p[IPC_CLIENTS_PER_UID_MAX]);

        /* There is room again when one leaves. */
        peer_close(&p[3]);
        settle(f);
        p[3] = peer_new(f->path);
        for (size_t i = 0; i < IPC_CLIENTS_PER_UID_MAX; i++) {
                peer_call(f, &p[i], "GetStatus", "");
                peer_expect_part(f, &p[i], "GetStatus");
                peer_close(&p[i]);
        }
}

static bool root_is_administrator(uid_t uid, int fd, void *userdata) {
        return uid == 0;
}

static Peer peer_new_as(Fixture *f, uid_t uid) {
        Peer p;

        assert_int_equal(seteuid(uid), 0);
        p = peer_new(f->path);
        assert_int_equal(seteuid(0), 0);
        settle(f);
        return p;
}

static void test_room_for_administrators(void **state) {
        Fixture *f = *state;
        Peer p[IPC_CLIENTS_MAX + 1];
        const size_t others = IPC_CLIENTS_MAX - IPC_CLIENTS_KEPT;

        if (geteuid() != 0)
                skip();
        varlink_server_free(f->server);
        f->options.is_administrator = root_is_administrator;
        fixture_start(f);
        for (size_t i = 0; i < others; i++)
                p[i] = peer_new_as(f, (uid_t) (50000 + i / IPC_CLIENTS_PER_UID_MAX));
        p[others] = peer_new_as(f, 60000);
        peer_expect_part(f, &p[others], "RateLimited");
        peer_expect_eof(f, &p[others]);
        peer_close(&p[others]);
        for (size_t i = others; i < IPC_CLIENTS_MAX; i++) {
                p[i] = peer_new(f->path);
                peer_call(f, &p[i], "Poll", "");
                peer_expect_part(f, &p[i], "\"operation\":\"Poll\"");
        }
        peer_call(f, &p[0], "Poll", "");
        peer_expect_part(f, &p[0], "\"operation\":\"Poll\"");
        for (size_t i = 0; i < IPC_CLIENTS_MAX; i++)
                peer_close(&p[i]);
}

static int start_again(Fixture *f, char **ret_msg) {
        VarlinkServer *s = NULL;
        int r = varlink_server_new(&s, f->event, &f->options, ret_msg);

        if (r >= 0)
                varlink_server_free(s);
        return r;
}

static void test_socket_file(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *in_use = NULL, *no_socket = NULL, *nowhere = NULL;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct stat st;
        int fd;

        assert_int_equal(stat(f->path, &st), 0);
        assert_true(S_ISSOCK(st.st_mode));
        assert_int_equal(st.st_mode & 07777, 0666);
        assert_int_equal(start_again(f, &in_use), -EADDRINUSE);
        assert_non_null(strstr(in_use, f->path));

        /* A socket that nobody listens on is replaced. */
        f->server = varlink_server_free(f->server);
        assert_int_equal(stat(f->path, &st), -1);
        strcpy(address.sun_path, f->path);
        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        close(fd);
        f->options.mode = 0600;
        fixture_start(f);
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        _cleanup_peer_ Peer p = peer_new(f->path);
        peer_call(f, &p, "GetStatus", "");
        peer_expect_part(f, &p, "GetStatus");

        /* A file that took the socket's place is not ours to remove. */
        assert_int_equal(unlink(f->path), 0);
        fclose(fopen(f->path, "w"));
        f->server = varlink_server_free(f->server);
        assert_int_equal(stat(f->path, &st), 0);
        assert_int_equal(start_again(f, &no_socket), -EADDRINUSE);
        assert_int_equal(stat(f->path, &st), 0);
        assert_true(S_ISREG(st.st_mode));

        f->options.path = "/nowhere/at/all";
        assert_int_equal(start_again(f, &nowhere), -ENOENT);
        assert_non_null(strstr(nowhere, "/nowhere/at/all"));
}

static void test_passed_socket(void **state) {
        Fixture *f = *state;
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        f->server = varlink_server_free(f->server);
        f->options.listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
        strcpy(address.sun_path, f->path);
        assert_int_equal(bind(f->options.listen_fd, (void *) &address, sizeof(address)), 0);
        assert_int_equal(listen(f->options.listen_fd, 5), 0);
        fixture_start(f);
        _cleanup_peer_ Peer p = peer_new(f->path);
        peer_call(f, &p, "GetStatus", "");
        peer_expect_part(f, &p, "GetStatus");
        f->server = varlink_server_free(f->server);
        /* Whoever made the file keeps it. */
        assert_int_equal(access(f->path, F_OK), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define server_test(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
                        server_test(test_more),
                        server_test(test_shared_event),
                        server_test(test_oneway),
                        server_test(test_events_lost),
                        server_test(test_backlog),
                        server_test(test_error_is_heard),
                        server_test(test_events_lost_silently),
                        server_test(test_long_list),
                        server_test(test_caller_gone),
                        server_test(test_sent_and_gone),
                        server_test(test_half_closed),
                        server_test(test_server_stops),
                        server_test(test_many_of_a_uid),
                        server_test(test_room_for_administrators),
                        server_test(test_socket_file),
                        server_test(test_passed_socket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
