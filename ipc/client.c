/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/client.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ipc/buffer.h"
#include "ipc/socket.h"

#define DAEMON_USER "factord"
#define CONNECT_PATIENCE (10 * USEC_PER_SEC)

struct VarlinkClient {
        int fd;
        MessageBuffer in;
        MessageBuffer out;
};

static bool is_daemon_user(uid_t uid) {
        struct passwd entry, *found = NULL;
        char buffer[4096];

        return getpwnam_r(DAEMON_USER, &entry, buffer, sizeof(buffer), &found) == 0 && found &&
               found->pw_uid == uid;
}

static int check_peer(int fd, const char *path, char **reterr_msg) {
        uid_t uid;
        int r = socket_peer_uid(fd, &uid);

        if (r < 0)
                return error_set(reterr_msg, r, "%s: who listens: %s", path, strerror(-r));
        if (uid == 0 || uid == geteuid() || is_daemon_user(uid))
                return 0;
        return error_set(reterr_msg, -EPERM,
                        "%s belongs to uid %u, which is neither root, nor " DAEMON_USER
                        ", nor you: not talking to it",
                        path, (unsigned) uid);
}

static int client_connect(
                VarlinkClient **ret, const char *path, usec_t patience, char **reterr_msg) {
        _cleanup_(varlink_client_freep) VarlinkClient *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return error_set(reterr_msg, -ENOMEM, "out of memory");
        c->fd = -EBADF;
        r = socket_connect(&c->fd, path, patience, reterr_msg);
        if (r < 0)
                return r;
        r = check_peer(c->fd, path, reterr_msg);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

int varlink_client_connect(VarlinkClient **ret, const char *path, char **reterr_msg) {
        return client_connect(ret, path, CONNECT_PATIENCE, reterr_msg);
}

int varlink_client_connect_now(VarlinkClient **ret, const char *path, char **reterr_msg) {
        return client_connect(ret, path, 0, reterr_msg);
}

VarlinkClient *varlink_client_free(VarlinkClient *c) {
        if (!c)
                return NULL;
        message_buffer_done(&c->in);
        message_buffer_done(&c->out);
        closep(&c->fd);
        free(c);
        return NULL;
}

int varlink_client_send(VarlinkClient *c,
                const char *operation,
                json_object *parameters,
                bool more,
                char **reterr_msg) {
        char method[128];
        int r;

        snprintf(method, sizeof(method), IPC_INTERFACE ".%s", operation);
        r = varlink_message_write_call(&c->out.bytes, method, parameters, more);
        if (r == -E2BIG)
                return error_set(reterr_msg, r, "the request is over 1 MiB: send less at once");
        /* What does not fit goes out while the reply is waited for. A daemon that hung up may have
         * said why before. */
        if (r >= 0)
                r = message_buffer_send(&c->out, c->fd);
        if (r == -EPIPE || r == -ECONNRESET) {
                message_buffer_done(&c->out);
                return 0;
        }
        if (r < 0)
                return error_set(reterr_msg, r, "cannot send to the daemon: %s", strerror(-r));
        return 0;
}

/* Waits for something to read or, while bytes wait, to write. */
static int wait_ready(VarlinkClient *c, usec_t deadline, char **reterr_msg) {
        bool writing = message_buffer_pending(&c->out) > 0;
        struct pollfd p = {.fd = c->fd, .events = (short) (POLLIN | (writing ? POLLOUT : 0))};
        struct timespec left = {0};
        usec_t wait = 0;
        int n;

        if (deadline != USEC_INFINITY) {
                wait = usec_sub(deadline, now_boottime());
                left.tv_sec = (time_t) (wait / USEC_PER_SEC);
                left.tv_nsec = (long) (wait % USEC_PER_SEC) * 1000;
        }
        n = ppoll(&p, 1, deadline == USEC_INFINITY ? NULL : &left, NULL);
        if (n < 0 && errno != EINTR)
                return error_wrap(reterr_msg, -errno, "poll");
        if (n == 0)
                return error_set(reterr_msg, -ETIMEDOUT, "the daemon did not answer in time");
        if (writing && message_buffer_send(&c->out, c->fd) < 0)
                message_buffer_done(&c->out);
        return 0;
}

static int receive_bytes(VarlinkClient *c, char **reterr_msg) {
        bool eof;
        int r = message_buffer_receive(&c->in, c->fd, &eof);

        if (r == -EMSGSIZE)
                return error_set(reterr_msg, -EBADMSG, "the daemon's answer is over 1 MiB");
        if (r < 0 && r != -ECONNRESET)
                return error_set(reterr_msg, r, "cannot read from the daemon: %s", strerror(-r));
        if (r == -ECONNRESET || eof)
                return error_set(reterr_msg, -ECONNRESET,
                                "the daemon closed the connection before it answered");
        return 0;
}

int varlink_client_receive(
                VarlinkClient *c, usec_t deadline, VarlinkMessage *ret, char **reterr_msg) {
        const char *text;
        size_t len;
        int r;

        while (!message_buffer_peek(&c->in, &text, &len)) {
                r = wait_ready(c, deadline, reterr_msg);
                if (r < 0)
                        return r;
                r = receive_bytes(c, reterr_msg);
                if (r < 0)
                        return r;
        }

        r = varlink_message_read(ret, text, len, reterr_msg);
        message_buffer_drop(&c->in);
        if (r == -EBADMSG)
                return error_wrap(reterr_msg, r, "the daemon's answer");
        if (r < 0)
                return error_set(reterr_msg, r, "out of memory");
        if (ret->method) {
                varlink_message_done(ret);
                return error_set(reterr_msg, -EBADMSG, "the daemon's answer is a call");
        }
        return 0;
}

bool varlink_client_is_sending(const VarlinkClient *c) {
        return message_buffer_pending(&c->out) > 0;
}

int varlink_client_fd(const VarlinkClient *c) {
        return c->fd;
}
