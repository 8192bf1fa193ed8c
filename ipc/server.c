/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/server.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "ipc/connection.h"
#include "ipc/message.h"
#include "ipc/socket.h"

/* How long accepting rests when descriptors or memory are short. */
#define ACCEPT_PAUSE USEC_PER_SEC

struct VarlinkServer {
        sd_event *event;
        VarlinkServerOptions options;
        int fd;
        SocketFile file; /* empty for a socket that was passed */
        sd_event_source *io;
        sd_event_source *pause;
        VarlinkConnection *connections[IPC_CLIENTS_MAX];
        size_t n_connections;
};

static void on_closed(VarlinkConnection *c, void *userdata) {
        VarlinkServer *s = userdata;

        for (size_t i = 0; i < s->n_connections; i++) {
                if (s->connections[i] != c)
                        continue;
                s->connections[i] = s->connections[--s->n_connections];
                s->connections[s->n_connections] = NULL;
                break;
        }
        varlink_connection_free(c);
}

static bool has_room(const VarlinkServer *s, const CallPeer *peer) {
        size_t of_uid = 0, max = IPC_CLIENTS_MAX - (peer->administrator ? 0 : IPC_CLIENTS_KEPT);

        for (size_t i = 0; i < s->n_connections; i++)
                of_uid += varlink_connection_peer(s->connections[i])->uid == peer->uid;
        return s->n_connections < max && of_uid < IPC_CLIENTS_PER_UID_MAX;
}

/* Says why before the connection is closed, as far as that can be written at once. */
static void refuse_connection(int fd) {
        _cleanup_(secret_done) Secret out = {0};
        json_object *o = json_object_new_object(), *text;

        text = json_object_new_string(
                        "Too many connections of this user are open; end some (factorctl watch "
                        "holds one), or try again");
        if (json_object_object_add(o, "message", text) < 0)
                json_object_put(text);
        if (varlink_message_write_reply(&out, IPC_INTERFACE ".RateLimited", o, false) >= 0)
                (void) send(fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        json_object_put(o);
}

/* A client that can't be served is closed at once. */
static void add_connection(VarlinkServer *s, int fd) {
        _cleanup_close_ int owned = fd;
        VarlinkConnection *c;
        CallPeer peer = {0};

        if (socket_peer(fd, &peer.uid, &peer.pid) < 0)
                return;
        peer.administrator = s->options.is_administrator(peer.uid, fd, s->options.userdata);
        if (!has_room(s, &peer)) {
                refuse_connection(fd);
                return;
        }
        if (varlink_connection_new(&c, s->event, fd, &peer, &s->options, on_closed, s) < 0)
                return;
        s->connections[s->n_connections++] = c;
        owned = -EBADF;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        VarlinkServer *s = userdata;
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (client >= 0) {
                add_connection(s, client);
                return 0;
        }
        if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
                return 0;

        /* The client stays in the queue and epoll would report it without end. */
        if (sd_event_source_set_time_relative(s->pause, ACCEPT_PAUSE) >= 0 &&
                        sd_event_source_set_enabled(s->pause, SD_EVENT_ONESHOT) >= 0)
                (void) sd_event_source_set_enabled(s->io, SD_EVENT_OFF);
        return 0;
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
        VarlinkServer *s = userdata;

        (void) sd_event_source_set_enabled(s->io, SD_EVENT_ON);
        return 0;
}

static int add_sources(VarlinkServer *s, char **reterr_msg) {
        int r;

        r = sd_event_add_io(s->event, &s->io, s->fd, EPOLLIN, on_accept, s);
        if (r >= 0)
                r = sd_event_add_time(s->event, &s->pause, CLOCK_BOOTTIME, UINT64_MAX, 0,
                                on_pause_over, s);
        if (r >= 0)
                r = sd_event_source_set_enabled(s->pause, SD_EVENT_OFF);
        if (r < 0)
                return error_set(reterr_msg, r, "the socket's event source: %s", strerror(-r));
        return 0;
}

static int adopt(int fd, char **reterr_msg) {
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
                        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                return error_wrap(reterr_msg, -errno, "the socket that was passed");
        return 0;
}

int varlink_server_new(VarlinkServer **ret,
                sd_event *event,
                const VarlinkServerOptions *options,
                char **reterr_msg) {
        _cleanup_(varlink_server_freep) VarlinkServer *s = calloc(1, sizeof(*s));
        int r;

        if (!s)
                return -ENOMEM;
        s->event = sd_event_ref(event);
        s->options = *options;
        s->fd = -EBADF;
        if (options->listen_fd >= 0)
                r = adopt(options->listen_fd, reterr_msg);
        else
                r = socket_listen(&s->fd, &s->file, options->path, options->mode, reterr_msg);
        if (r < 0)
                return r;

        if (options->listen_fd >= 0)
                s->fd = options->listen_fd;
        r = add_sources(s, reterr_msg);
        if (r < 0) {
                /* Taken on success only. */
                if (options->listen_fd >= 0)
                        s->fd = -EBADF;
                return r;
        }
        *ret = TAKE_PTR(s);
        return 0;
}

VarlinkServer *varlink_server_free(VarlinkServer *s) {
        if (!s)
                return NULL;

        sd_event_source_disable_unref(s->io);
        sd_event_source_disable_unref(s->pause);
        while (s->n_connections > 0)
                varlink_connection_free(s->connections[--s->n_connections]);
        socket_file_remove(&s->file);
        closep(&s->fd);
        sd_event_unref(s->event);
        free(s);
        return NULL;
}
