/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/connection.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <sys/epoll.h>

#include "ipc/buffer.h"
#include "ipc/message.h"
#include "ipc/service.h"

/* How the pieces work together:
 *
 * 1. Bytes are read only while no whole message waits, so a client that floods fills its socket's
 *    buffer and stops there.
 * 2. The next message is looked at when the call before it is answered and the answer is with the
 *    kernel. One message a turn of the event loop: no client can keep it from the others.
 * 3. A call may be answered while it is dispatched or at any time later, from anywhere. So
 *    connection_reply() only writes what can be written; connection_turn() alone takes messages,
 * and alone ends the connection. Whatever is left to do shows as interest in EPOLLOUT (a defer
 * source would always come before the other clients' descriptors).
 * 4. The call is referenced by whoever runs it, not by the connection: a call that is dropped
 *    unanswered answers itself. call is not NULL from dispatch to the last answer. */
struct VarlinkConnection {
        int fd;
        CallPeer peer;
        const VarlinkServerOptions *options;
        void (*closed)(VarlinkConnection *c, void *userdata);
        void *userdata;

        sd_event_source *io;
        sd_event_source *timer; /* for the rest of a message, or for the last bytes to be read */
        bool timer_on;

        MessageBuffer in;
        MessageBuffer out;
        Call *call;
        bool oneway;  /* the call under way wants no answer */
        bool eof;     /* the peer sends no more, it may still read */
        bool gone;    /* nobody reads any more */
        bool closing; /* nothing more is taken; ends when all is written */
};

static void flush(VarlinkConnection *c) {
        if (c->gone || message_buffer_send(&c->out, c->fd) < 0) {
                c->gone = true;
                message_buffer_done(&c->out);
        }
}

static int set_io(VarlinkConnection *c) {
        bool work = c->closing || c->gone || message_buffer_pending(&c->out) > 0 ||
                    (!c->call && (c->in.whole || c->eof));
        bool listen = !c->in.whole && !c->eof && !c->closing;

        return sd_event_source_set_io_events(c->io,
                        (listen ? (uint32_t) EPOLLIN : 0) | (work ? (uint32_t) EPOLLOUT : 0));
}

/* Only the time that a message takes counts, not that between messages. */
static int set_timer(VarlinkConnection *c) {
        bool half = message_buffer_pending(&c->in) > 0 && !c->in.whole && !c->eof;
        bool on = half || c->closing;
        usec_t timeout = c->options->message_timeout;
        int r;

        if (on == c->timer_on)
                return 0;
        if (on) {
                r = sd_event_source_set_time_relative(
                                c->timer, timeout > 0 ? timeout : IPC_MESSAGE_TIMEOUT);
                if (r < 0)
                        return r;
        }
        r = sd_event_source_set_enabled(c->timer, on ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        if (r >= 0)
                c->timer_on = on;
        return r;
}

static int set_sources(VarlinkConnection *c) {
        int r = set_timer(c);

        return r < 0 ? r : set_io(c);
}

/* A stream that is not read: what waits stays, EventsLost is the end of it. */
static int lose_events(VarlinkConnection *c) {
        json_object *parameters = json_object_new_object();
        json_object *text = json_object_new_string("the events were read too slowly: ask again");

        if (parameters && text)
                (void) json_object_object_add(parameters, "message", text);
        else
                json_object_put(text);
        (void) varlink_message_write_reply(
                        &c->out.bytes, IPC_INTERFACE ".EventsLost", parameters, false);
        json_object_put(parameters);

        c->call = NULL;
        c->closing = true;
        (void) set_sources(c);
        return -ENOBUFS;
}

static int connection_reply(
                Call *call, const char *error, json_object *parameters, bool continues) {
        VarlinkConnection *c = call_door_data(call);
        size_t max = operation_is_endless(call_operation(call)) ? IPC_BACKLOG_MAX
                                                                : IPC_SNAPSHOT_MAX;
        int r = 0;

        assert(c && c->call == call);
        if (continues && message_buffer_pending(&c->out) > max)
                return lose_events(c);

        if (!c->oneway && !c->gone)
                r = varlink_message_write_reply(&c->out.bytes, error, parameters, continues);
        if (r == -E2BIG)
                return r;
        if (!continues)
                c->call = NULL;
        /* Without its answer the peer would wait for ever. */
        if (r < 0 && !continues)
                c->closing = true;

        flush(c);
        (void) set_sources(c);
        if (c->gone)
                return -EPIPE;
        return r;
}

static size_t connection_backlog(const Call *call) {
        const VarlinkConnection *c = call_door_data(call);

        return c ? message_buffer_pending(&c->out) : 0;
}

static const CallDoor socket_door = {
                .name = "socket",
                .has_more = true,
                .reply = connection_reply,
                .backlog = connection_backlog,
};

static void answer(VarlinkConnection *c, const VarlinkMessage *m, const ServiceReply *reply) {
        if (m->oneway)
                return;
        if (varlink_message_write_reply(&c->out.bytes, reply->error, reply->parameters, false) < 0)
                c->closing = true;
}

static int start_call(VarlinkConnection *c, VarlinkMessage *m, OperationId operation) {
        bool more = m->more && !m->oneway && operations[operation].streams;
        Call *call;
        int r;

        r = call_new(&call, &socket_door, c, &c->peer, operation, m->parameters, more);
        if (r < 0)
                return r;
        m->parameters = NULL;

        c->call = call;
        c->oneway = m->oneway;
        c->options->dispatch(call, c->options->userdata);
        return 0;
}

static int handle_call(VarlinkConnection *c, VarlinkMessage *m) {
        ServiceReply reply = {0};
        OperationId operation = _OPERATION_MAX;
        const char *method;
        int r;

        r = service_route(&reply, &method, m, c->options->version);
        if (r < 0)
                return r;
        if (method) {
                operation = operation_from_name(method);
                if (operation == _OPERATION_MAX)
                        r = service_error(&reply, "org.varlink.service.MethodNotFound", "method",
                                        m->method);
                else if (operation_is_endless(operation) && (!m->more || m->oneway))
                        r = service_error(&reply, "org.varlink.service.ExpectedMore", NULL, NULL);
                else
                        return start_call(c, m, operation);
                if (r < 0)
                        return r;
        }

        answer(c, m, &reply);
        json_object_put(reply.parameters);
        return 0;
}

/* Each message has the whole time, also one whose beginning came with the end of the last. */
static void stop_timer(VarlinkConnection *c) {
        if (c->timer_on)
                (void) sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
        c->timer_on = false;
}

/* A message that is no call ends the connection: what comes after it can't be trusted either. */
static void handle_message(VarlinkConnection *c) {
        _cleanup_(varlink_message_done) VarlinkMessage m = {0};
        const char *text;
        size_t len;
        int r;

        if (!message_buffer_peek(&c->in, &text, &len))
                return;
        r = varlink_message_read(&m, text, len, NULL);
        message_buffer_drop(&c->in);
        stop_timer(c);
        if (r >= 0)
                r = m.method ? handle_call(c, &m) : -EBADMSG;
        if (r < 0)
                c->closing = true;
}

static bool is_finished(const VarlinkConnection *c) {
        if (c->closing)
                return c->gone || message_buffer_pending(&c->out) == 0;
        if (c->call || c->in.whole)
                return false;
        return c->gone || (c->eof && message_buffer_pending(&c->out) == 0);
}

static void leave_call(VarlinkConnection *c) {
        Call *call = TAKE_PTR(c->call);

        if (call)
                call_gone(call);
}

static void take_bytes(VarlinkConnection *c) {
        bool eof = false;
        int r;

        if (c->closing || c->in.whole || c->eof)
                return;
        r = message_buffer_receive(&c->in, c->fd, &eof);
        c->eof = eof;
        if (r == -EMSGSIZE || r == -ENOMEM)
                c->closing = true;
        else if (r < 0)
                c->gone = c->eof = true;
}

/* Frees the connection when it is finished: nothing may touch it afterwards. */
static void connection_turn(VarlinkConnection *c) {
        flush(c);
        /* What a peer that hung up had sent before is taken all the same. */
        if (c->gone)
                take_bytes(c);
        if (c->gone)
                leave_call(c);
        if (!c->closing && !c->call && message_buffer_pending(&c->out) == 0) {
                handle_message(c);
                flush(c);
                if (c->gone)
                        leave_call(c);
        }

        if (is_finished(c) || set_sources(c) < 0)
                c->closed(c, c->userdata);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        VarlinkConnection *c = userdata;

        take_bytes(c);
        if (revents & (EPOLLHUP | EPOLLERR))
                c->gone = true;
        connection_turn(c);
        return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        VarlinkConnection *c = userdata;

        leave_call(c);
        c->closed(c, c->userdata);
        return 0;
}

static int add_sources(VarlinkConnection *c, sd_event *event, int fd) {
        int r;

        r = sd_event_add_io(event, &c->io, fd, EPOLLIN, on_io, c);
        if (r < 0)
                return r;
        r = sd_event_add_time(event, &c->timer, CLOCK_BOOTTIME, UINT64_MAX, 0, on_timer, c);
        if (r < 0)
                return r;
        return sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
}

int varlink_connection_new(VarlinkConnection **ret,
                sd_event *event,
                int fd,
                const CallPeer *peer,
                const VarlinkServerOptions *options,
                void (*closed)(VarlinkConnection *c, void *userdata),
                void *userdata) {
        _cleanup_(varlink_connection_freep) VarlinkConnection *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        *c = (VarlinkConnection){
                        .fd = -EBADF,
                        .peer = *peer,
                        .options = options,
                        .closed = closed,
                        .userdata = userdata,
        };
        r = add_sources(c, event, fd);
        if (r < 0)
                return r;

        c->fd = fd;
        *ret = TAKE_PTR(c);
        return 0;
}

VarlinkConnection *varlink_connection_free(VarlinkConnection *c) {
        if (!c)
                return NULL;

        if (c->fd >= 0)
                flush(c);
        c->gone = true;
        leave_call(c);
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->timer);
        message_buffer_done(&c->in);
        message_buffer_done(&c->out);
        closep(&c->fd);
        free(c);
        return NULL;
}

const CallPeer *varlink_connection_peer(const VarlinkConnection *c) {
        return &c->peer;
}
