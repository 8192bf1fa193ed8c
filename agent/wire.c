/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/wire.h"

#include <errno.h>
#include <json-c/json.h>
#include <sys/epoll.h>

#include "ipc/client.h"

struct Wire {
        VarlinkClient *client;
        sd_event_source *io;
        sd_event_source *timer; /* for the reply; a failure to send is due at once */
        WireHandler handler;
        void *userdata;
        char *failure;    /* why nothing was sent */
        bool dispatching; /* in on_io() */
        bool ended;       /* nothing comes any more */
        bool freed;       /* by its owner, within the handler */
};

static void wire_end(Wire *w, const char *msg) {
        w->ended = true;
        (void) sd_event_source_set_enabled(w->io, SD_EVENT_OFF);
        (void) sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        w->handler(w, NULL, msg, w->userdata);
}

static void wire_set_io(Wire *w) {
        uint32_t writing = varlink_client_is_sending(w->client) ? EPOLLOUT : 0;

        (void) sd_event_source_set_io_events(w->io, EPOLLIN | writing);
}

/* Hands out every reply that is there: what the client has read already wakes nobody. */
static int on_io(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        Wire *w = userdata;

        for (w->dispatching = true; !w->ended;) {
                _cleanup_(varlink_message_done) VarlinkMessage m = {0};
                _cleanup_free_ char *msg = NULL;
                int r = varlink_client_receive(w->client, 0, &m, &msg);

                if (r == -ETIMEDOUT)
                        break;
                if (r < 0) {
                        wire_end(w, error_text(msg, r));
                        break;
                }
                if (!m.continues)
                        (void) sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
                w->handler(w, &m, NULL, w->userdata);
        }
        w->dispatching = false;
        if (w->freed)
                wire_free(w);
        else
                wire_set_io(w);
        return 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        Wire *w = userdata;

        wire_end(w, w->failure ? w->failure : "the daemon did not answer in time");
        return 0;
}

int wire_new(Wire **ret,
                sd_event *event,
                const char *path,
                WireHandler handler,
                void *userdata,
                char **reterr_msg) {
        _cleanup_(wire_freep) Wire *w = calloc(1, sizeof(*w));
        int r;

        if (!w)
                return error_set(reterr_msg, -ENOMEM, "out of memory");
        w->handler = handler;
        w->userdata = userdata;
        r = varlink_client_connect_now(&w->client, path, reterr_msg);
        if (r < 0)
                return r;
        r = sd_event_add_io(event, &w->io, varlink_client_fd(w->client), EPOLLIN, on_io, w);
        if (r >= 0)
                r = sd_event_add_time(event, &w->timer, CLOCK_BOOTTIME, 0, 0, on_timer, w);
        if (r >= 0)
                r = sd_event_source_set_enabled(w->timer, SD_EVENT_OFF);
        if (r < 0)
                return error_wrap(reterr_msg, r, "event loop");
        *ret = TAKE_PTR(w);
        return 0;
}

Wire *wire_free(Wire *w) {
        if (!w)
                return NULL;
        if (w->dispatching) {
                w->freed = w->ended = true;
                return NULL;
        }
        sd_event_source_disable_unref(w->io);
        sd_event_source_disable_unref(w->timer);
        varlink_client_free(w->client);
        free(w->failure);
        free(w);
        return NULL;
}

void wire_call(Wire *w, const char *operation, json_object *parameters, bool more, usec_t timeout) {
        _cleanup_free_ char *msg = NULL;
        int r = varlink_client_send(w->client, operation, parameters, more, &msg);

        json_object_put(parameters);
        if (r < 0) {
                w->failure = TAKE_PTR(msg);
                timeout = 1;
        }
        if (timeout > 0) {
                (void) sd_event_source_set_time_relative(w->timer, timeout);
                (void) sd_event_source_set_enabled(w->timer, SD_EVENT_ONESHOT);
        }
        wire_set_io(w);
}
