#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A server and its raw clients in one process, for the tests of ipc/. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/text.h"
#include "ipc/server.h"

#define PATIENCE (20 * USEC_PER_SEC)

typedef enum Behaviour {
        ECHO, /* answers at once with the operation's name */
        HOLD, /* keeps the call */
} Behaviour;

typedef struct Fixture {
        char folder[64];
        char path[96];
        sd_event *event;
        VarlinkServer *server;
        VarlinkServerOptions options;
        Behaviour behaviour;
        bool administrator;
        Call *calls[64];
        size_t n_calls;
        size_t n_dispatched;
} Fixture;

/* A client that knows no more than bytes. */
typedef struct Peer {
        int fd;
        char *text;
        size_t len;
        bool eof;
} Peer;

static inline bool fixture_is_administrator(uid_t uid, int fd, void *userdata) {
        Fixture *f = userdata;

        return f->administrator;
}

static inline void fixture_dispatch(Call *call, void *userdata) {
        Fixture *f = userdata;
        json_object *o;

        f->n_dispatched++;
        if (f->behaviour == HOLD) {
                assert_true(f->n_calls < ELEMENTSOF(f->calls));
                f->calls[f->n_calls++] = call;
                return;
        }
        o = json_object_new_object();
        json_object_object_add(o, "operation",
                        json_object_new_string(operations[call_operation(call)].name));
        json_object_object_add(o, "n", json_object_new_int64((int64_t) f->n_dispatched));
        (void) call_reply(call, o);
        call_unref(call);
}

static inline void fixture_start(Fixture *f) {
        char *msg = NULL;
        int r = varlink_server_new(&f->server, f->event, &f->options, &msg);

        if (r < 0)
                print_error("%s\n", error_text(msg, r));
        free(msg);
        assert_int_equal(r, 0);
}

static inline int fixture_setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        strcpy(f->folder, "/tmp/test-ipc-XXXXXX");
        assert_non_null(mkdtemp(f->folder));
        assert_int_equal(chmod(f->folder, 0755), 0);
        snprintf(f->path, sizeof(f->path), "%s/socket", f->folder);
        assert_int_equal(sd_event_new(&f->event), 0);
        f->administrator = true;
        f->options = (VarlinkServerOptions){
                        .path = f->path,
                        .mode = 0666,
                        .listen_fd = -1,
                        .version = "1.2.3",
                        .is_administrator = fixture_is_administrator,
                        .dispatch = fixture_dispatch,
                        .userdata = f,
        };
        fixture_start(f);
        *state = f;
        return 0;
}

static inline int fixture_teardown(void **state) {
        Fixture *f = *state;

        varlink_server_free(f->server);
        while (f->n_calls > 0)
                call_unref(f->calls[--f->n_calls]);
        sd_event_unref(f->event);
        (void) unlink(f->path);
        assert_int_equal(rmdir(f->folder), 0);
        free(f);
        return 0;
}

/* Runs the loop until nothing is left to do at once. */
static inline void settle(Fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

/* Runs the loop for as long as the condition is false. */
#define pump_until(f, condition)                                                                   \
        do {                                                                                       \
                usec_t _deadline = now_boottime() + PATIENCE;                                      \
                while (!(condition)) {                                                             \
                        assert_true(now_boottime() < _deadline);                                   \
                        assert_true(sd_event_run((f)->event, 10 * USEC_PER_MSEC) >= 0);            \
                }                                                                                  \
        } while (0)

static inline Peer peer_new(const char *path) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        Peer p = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};

        assert_true(p.fd >= 0);
        strcpy(address.sun_path, path);
        assert_int_equal(connect(p.fd, (struct sockaddr *) &address, sizeof(address)), 0);
        return p;
}

static inline void peer_close(Peer *p) {
        closep(&p->fd);
        p->fd = -EBADF;
        free(p->text);
        p->text = NULL;
}
#define _cleanup_peer_ _cleanup_(peer_close)

/* Takes what has arrived. */
static inline void peer_take(Peer *p) {
        static char chunk[65536];

        while (!p->eof) {
                ssize_t n = recv(p->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0) {
                        p->eof = true;
                        return;
                }
                p->text = realloc(p->text, p->len + (size_t) n);
                assert_non_null(p->text);
                memcpy(p->text + p->len, chunk, (size_t) n);
                p->len += (size_t) n;
        }
}

/* Sends bytes, with the server running beside it and its answers taken. False: the server has
 * closed. */
static inline bool peer_send_bytes(Fixture *f, Peer *p, const char *text, size_t len) {
        while (len > 0) {
                ssize_t n = send(p->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno == EAGAIN) {
                        sd_event_run(f->event, USEC_PER_MSEC);
                        peer_take(p);
                        continue;
                }
                if (n < 0)
                        return false;
                text += n;
                len -= (size_t) n;
        }
        return true;
}

/* A whole message: the text and its NUL. */
static inline void peer_send(Fixture *f, Peer *p, const char *text) {
        assert_true(peer_send_bytes(f, p, text, strlen(text) + 1));
}

/* A call of one of our operations. flags: ",\"more\":true" and the like. */
static inline void peer_call(Fixture *f, Peer *p, const char *operation, const char *flags) {
        char text[256];

        snprintf(text, sizeof(text), "{\"method\":\"" IPC_INTERFACE ".%s\"%s}", operation, flags);
        peer_send(f, p, text);
}

static inline bool peer_has_message(Peer *p) {
        peer_take(p);
        return p->len > 0 && memchr(p->text, 0, p->len);
}

/* The next message, or NULL at the end of the stream. */
static inline char *peer_receive(Fixture *f, Peer *p) {
        char *message;
        size_t n;

        pump_until(f, peer_has_message(p) || p->eof);
        if (!peer_has_message(p))
                return NULL;
        message = strdup(p->text);
        assert_non_null(message);
        n = strlen(message) + 1;
        memmove(p->text, p->text + n, p->len - n);
        p->len -= n;
        return message;
}

static inline void peer_expect(Fixture *f, Peer *p, const char *expected) {
        _cleanup_free_ char *message = peer_receive(f, p);

        assert_non_null(message);
        assert_string_equal(message, expected);
}

/* The next message has this piece of text in it. */
static inline void peer_expect_part(Fixture *f, Peer *p, const char *part) {
        _cleanup_free_ char *message = peer_receive(f, p);

        assert_non_null(message);
        if (!strstr(message, part))
                print_error("%s\nhas no\n%s\n", message, part);
        assert_non_null(strstr(message, part));
}

static inline void peer_expect_eof(Fixture *f, Peer *p) {
        _cleanup_free_ char *message = peer_receive(f, p);

        assert_null(message);
}
