/* SPDX-License-Identifier: Apache-2.0 */
/* The blocking Varlink client, with the server in a process of its own. */

#include "ipc-fixture.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ipc/client.h"

/* Echoes, but never answers Poll, and leaves on Remove. */
static void server_dispatch(Call *call, void *userdata) {
        json_object *o = json_object_new_object();
        const JsonDoc *d = call_parameters(call);

        if (call_operation(call) == OPERATION_POLL)
                return;
        if (call_operation(call) == OPERATION_REMOVE)
                _exit(0);
        json_object_object_add(o, "x", json_object_get(json_doc_value(d, "x")));
        if (call_wants_more(call))
                for (unsigned i = 0; i < 3; i++)
                        (void) call_reply_more(call, json_object_get(o));
        if (call_operation(call) == OPERATION_GET_CODE) {
                (void) call_error(call, IPC_NO_SUCH_FACTOR, NULL, "none");
                json_object_put(o);
        } else
                (void) call_reply(call, o);
        call_unref(call);
}

static void server_run(Fixture *f, int listen_fd) {
        sd_event *event;
        VarlinkServer *server;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        f->options.listen_fd = listen_fd;
        f->options.dispatch = server_dispatch;
        if (sd_event_new(&event) < 0 || varlink_server_new(&server, event, &f->options, NULL) < 0)
                _exit(1);
        _exit(sd_event_loop(event) < 0);
}

static pid_t server_fork(Fixture *f) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        pid_t pid;

        f->server = varlink_server_free(f->server);
        strcpy(address.sun_path, f->path);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 5), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                server_run(f, fd);
        close(fd);
        return pid;
}

static void server_end(pid_t pid) {
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static usec_t soon(void) {
        return now_boottime() + PATIENCE;
}

static VarlinkClient *client_new(Fixture *f) {
        VarlinkClient *c = NULL;
        char *msg = NULL;
        int r = varlink_client_connect(&c, f->path, &msg);

        if (r < 0)
                print_error("%s\n", error_text(msg, r));
        free(msg);
        assert_int_equal(r, 0);
        return c;
}

static void test_calls(void **state) {
        Fixture *f = *state;
        pid_t pid = server_fork(f);
        _cleanup_(varlink_client_freep) VarlinkClient *c = client_new(f);
        _cleanup_(varlink_message_done) VarlinkMessage m = {0};
        json_object *o = json_object_new_object();
        _cleanup_free_ char *msg = NULL;

        json_object_object_add(o, "x", json_object_new_string("y"));
        assert_int_equal(varlink_client_send(c, "GetStatus", o, false, NULL), 0);
        assert_int_equal(varlink_client_receive(c, soon(), &m, NULL), 0);
        assert_null(m.error);
        assert_string_equal(json_object_get_string(json_doc_value(m.parameters, "x")), "y");
        varlink_message_done(&m);

        assert_int_equal(varlink_client_send(c, "GetCode", NULL, false, NULL), 0);
        assert_int_equal(varlink_client_receive(c, USEC_INFINITY, &m, NULL), 0);
        assert_string_equal(m.error, "org.factord.Authenticator.NoSuchFactor");
        varlink_message_done(&m);

        assert_int_equal(varlink_client_send(c, "ListFactors", o, true, NULL), 0);
        for (unsigned i = 0; i < 4; i++) {
                assert_int_equal(varlink_client_receive(c, soon(), &m, NULL), 0);
                assert_int_equal(m.continues, i < 3);
                varlink_message_done(&m);
        }

        assert_int_equal(varlink_client_send(c, "Poll", NULL, false, NULL), 0);
        assert_int_equal(varlink_client_receive(c, now_boottime() + 20 * USEC_PER_MSEC, &m, &msg),
                        -ETIMEDOUT);
        assert_non_null(msg);
        json_object_put(o);
        server_end(pid);
}

static void test_large(void **state) {
        Fixture *f = *state;
        pid_t pid = server_fork(f);
        _cleanup_(varlink_client_freep) VarlinkClient *c = client_new(f);
        _cleanup_(varlink_message_done) VarlinkMessage m = {0};
        json_object *o = json_object_new_object(), *huge = json_object_new_object();
        static char text[IPC_MESSAGE_MAX];
        _cleanup_free_ char *msg = NULL;

        memset(text, 'x', sizeof(text));
        json_object_object_add(o, "x", json_object_new_string_len(text, sizeof(text) - 1000));
        json_object_object_add(huge, "x", json_object_new_string_len(text, sizeof(text)));
        assert_int_equal(varlink_client_send(c, "GetStatus", o, false, NULL), 0);
        assert_int_equal(varlink_client_receive(c, soon(), &m, NULL), 0);
        assert_int_equal(json_object_get_string_len(json_doc_value(m.parameters, "x")),
                        sizeof(text) - 1000);
        assert_int_equal(varlink_client_send(c, "GetStatus", huge, false, &msg), -E2BIG);
        assert_non_null(msg);
        json_object_put(o);
        json_object_put(huge);
        server_end(pid);
}

static void test_server_leaves(void **state) {
        Fixture *f = *state;
        pid_t pid = server_fork(f);
        _cleanup_(varlink_client_freep) VarlinkClient *c = client_new(f);
        _cleanup_(varlink_message_done) VarlinkMessage m = {0};
        _cleanup_free_ char *msg = NULL, *again = NULL;

        assert_int_equal(varlink_client_send(c, "Remove", NULL, false, NULL), 0);
        assert_int_equal(varlink_client_receive(c, soon(), &m, &msg), -ECONNRESET);
        assert_non_null(msg);
        assert_int_equal(varlink_client_send(c, "GetStatus", NULL, false, NULL), 0);
        assert_int_equal(varlink_client_receive(c, soon(), &m, &again), -ECONNRESET);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_no_server(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *none = NULL, *dead = NULL, *longest = NULL;
        VarlinkClient *c = NULL;
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        char path[200];
        int fd;

        f->server = varlink_server_free(f->server);
        assert_int_equal(varlink_client_connect(&c, f->path, &none), -ENOENT);
        assert_non_null(strstr(none, f->path));

        fd = socket(AF_UNIX, SOCK_STREAM, 0);
        strcpy(address.sun_path, f->path);
        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        close(fd);
        assert_int_equal(varlink_client_connect(&c, f->path, &dead), -ECONNREFUSED);
        assert_non_null(dead);

        memset(path, 'x', sizeof(path) - 1);
        path[sizeof(path) - 1] = 0;
        assert_int_equal(varlink_client_connect(&c, path, &longest), -ENAMETOOLONG);
        assert_null(c);
}

/* A server that runs as somebody else is not talked to. */
static void test_wrong_server(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *msg = NULL;
        VarlinkClient *c = NULL;

        if (geteuid() != 0)
                skip();
        f->server = varlink_server_free(f->server);
        assert_int_equal(chmod(f->folder, 0777), 0);
        assert_int_equal(seteuid(54321), 0);
        fixture_start(f);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(varlink_client_connect(&c, f->path, &msg), -EPERM);
        assert_non_null(strstr(msg, "54321"));
        assert_null(c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define server_test(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
                        server_test(test_calls),
                        server_test(test_large),
                        server_test(test_server_leaves),
                        server_test(test_no_server),
                        server_test(test_wrong_server),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
