/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "verify/http-transfer.h"

/* When libcurl is short of memory, the next try. */
#define RETRY_DELAY USEC_PER_SEC

/* How it works. libcurl tells through socket_changed() and timer_changed() what to wait for; both
 * only arm event sources. A wake-up (on_socket(), on_timer()) runs libcurl, and then drain() takes
 * every finished transfer out of it and calls its owner back. So libcurl is never entered from its
 * own callbacks, and owners are called back from the event loop only, with libcurl at rest: they
 * may send and drop as they like. */

typedef struct Socket {
        HttpClient *client;
        sd_event_source *source;
        LIST_ENTRY(Socket) sockets;
} Socket;

struct HttpSlot {
        HttpClient *client; /* NULL once the callback has fired, or the client is gone */
        Transfer *transfer; /* the slot lets go of it before its callback is called */
        usec_t started;
        http_callback_t callback;
        void *userdata;
        LIST_ENTRY(HttpSlot) slots;
};

struct HttpClient {
        sd_event *event;
        sd_event_source *timer;
        CURLM *multi;
        TransferOptions options;
        LIST_HEAD(, HttpSlot) slots; /* in flight */
        LIST_HEAD(, Socket) sockets;
        unsigned n_draining; /* drain() is on the stack: the client must outlive it */
        bool closed;
        /* An HTTP/2 connection that died silently is kept by libcurl, and would be asked again and
         * again: after a time-out only younger connections are used. */
        usec_t doubted; /* boot time, the last time; 0: never */
        bool doubtful;  /* nothing was heard since then */
};

/* ---- what libcurl calls ---- */

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static void socket_free(Socket *s) {
        if (!s)
                return;
        LIST_REMOVE(s, sockets);
        sd_event_source_disable_unref(s->source);
        free(s);
}

static Socket *socket_new(HttpClient *c, curl_socket_t fd, uint32_t events) {
        Socket *s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        if (sd_event_add_io(c->event, &s->source, fd, events, on_socket, c) < 0) {
                free(s);
                return NULL;
        }
        LIST_INSERT_HEAD(&c->sockets, s, sockets);
        return s;
}

/* Always says yes: a failure here would break all transfers for good. Without its source a transfer
 * ends by its time limit. */
static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socketp) {
        HttpClient *c = userdata;
        Socket *s = socketp;
        uint32_t events = 0;

        if (what == CURL_POLL_REMOVE) {
                socket_free(s);
                (void) curl_multi_assign(c->multi, fd, NULL);
                return 0;
        }
        if (what & CURL_POLL_IN)
                events |= EPOLLIN;
        if (what & CURL_POLL_OUT)
                events |= EPOLLOUT;
        if (s)
                (void) sd_event_source_set_io_events(s->source, events);
        else
                (void) curl_multi_assign(c->multi, fd, socket_new(c, fd, events));
        return 0;
}

/* The source stays enabled and only its time moves: that cannot fail for lack of memory. */
static void timer_arm(HttpClient *c, usec_t delay) {
        uint64_t now = 0;

        if (delay != USEC_INFINITY)
                (void) sd_event_now(c->event, CLOCK_BOOTTIME, &now);
        (void) sd_event_source_set_time(c->timer, usec_add(now, delay));
}

static int timer_changed(CURLM *multi, long timeout_ms, void *userdata) {
        timer_arm(userdata, timeout_ms < 0 ? USEC_INFINITY : (usec_t) timeout_ms * USEC_PER_MSEC);
        return 0;
}

/* ---- slots ---- */

/* Takes the transfer out of libcurl and the slot out of the client. */
static Transfer *slot_detach(HttpSlot *s) {
        HttpClient *c = TAKE_PTR(s->client);

        LIST_REMOVE(s, slots);
        (void) curl_multi_remove_handle(c->multi, transfer_handle(s->transfer));
        return TAKE_PTR(s->transfer);
}

HttpSlot *http_slot_free(HttpSlot *s) {
        if (!s)
                return NULL;
        if (s->client)
                transfer_free(slot_detach(s));
        free(s);
        return NULL;
}

void http_client_refresh(HttpClient *c) {
        (void) sd_event_now(c->event, CLOCK_BOOTTIME, &c->doubted);
        c->doubtful = true;
}

static void slot_complete(HttpSlot *s, CURLcode code) {
        _cleanup_(transfer_freep) Transfer *t = NULL;
        _cleanup_free_ char *error = NULL;
        HttpReply reply;
        uint64_t now = 0;

        (void) sd_event_now(s->client->event, CLOCK_BOOTTIME, &now);
        HttpClient *c = s->client;
        t = slot_detach(s);
        transfer_reply(t, code, s->started, now, &reply, &error);
        if (code == CURLE_OPERATION_TIMEDOUT)
                http_client_refresh(c);
        else if (reply.outcome == HTTP_REPLIED && s->started >= c->doubted)
                c->doubtful = false;
        /* The slot may be gone after this, and the client closed. */
        s->callback(s, &reply, s->userdata);
}

/* ---- wake-ups ---- */

static void client_destroy(HttpClient *c);

/* Completes all that has finished: one wake-up may finish many, and libcurl does not tell again. */
static void drain(HttpClient *c) {
        CURLMsg *m;
        int left;

        c->n_draining++;
        while (!c->closed && (m = curl_multi_info_read(c->multi, &left))) {
                if (m->msg == CURLMSG_DONE)
                        slot_complete(transfer_owner(m->easy_handle), m->data.result);
        }
        if (--c->n_draining == 0 && c->closed)
                client_destroy(c);
}

static void client_run(HttpClient *c, curl_socket_t fd, int events) {
        int still_running;

        if (curl_multi_socket_action(c->multi, fd, events, &still_running) != CURLM_OK)
                timer_arm(c, RETRY_DELAY);
        drain(c);
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        int events = 0;

        if (revents & EPOLLIN)
                events |= CURL_CSELECT_IN;
        if (revents & EPOLLOUT)
                events |= CURL_CSELECT_OUT;
        if (revents & (EPOLLERR | EPOLLHUP))
                events |= CURL_CSELECT_ERR;
        client_run(userdata, fd, events);
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        HttpClient *c = userdata;

        timer_arm(c, USEC_INFINITY);
        client_run(c, CURL_SOCKET_TIMEOUT, 0);
        return 0;
}

/* ---- the client ---- */

int http_send(HttpClient *c,
                HttpSlot **ret,
                const VerifyRequest *request,
                const HttpCredential *credential,
                http_callback_t callback,
                void *userdata) {
        _cleanup_(transfer_freep) Transfer *t = NULL;
        _cleanup_free_ HttpSlot *s = NULL;
        int r;

        if (!request->path || request->path[0] != '/' || c->closed)
                return -EINVAL;
        if ((request->method == VERIFY_POST) != (request->body.len > 0))
                return -EINVAL;
        if (strlen(secret_string(credential->password)) != credential->password->len)
                return -EINVAL;
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        r = transfer_new(&t, &c->options, request, credential, s);
        if (r < 0)
                return r;
        (void) sd_event_now(c->event, CLOCK_BOOTTIME, &s->started);
        if (c->doubted > 0) {
                r = transfer_limit_reuse(t, usec_sub(s->started, c->doubted), c->doubtful);
                if (r < 0)
                        return r;
        }
        /* Only arms the timer: the first byte leaves from the event loop. */
        if (curl_multi_add_handle(c->multi, transfer_handle(t)) != CURLM_OK)
                return -ENOMEM;
        s->client = c;
        s->transfer = TAKE_PTR(t);
        s->callback = callback;
        s->userdata = userdata;
        LIST_INSERT_HEAD(&c->slots, s, slots);
        *ret = TAKE_PTR(s);
        return 0;
}

static void client_destroy(HttpClient *c) {
        Socket *s;

        if (c->multi)
                curl_multi_cleanup(c->multi);
        while ((s = LIST_FIRST(&c->sockets)))
                socket_free(s);
        sd_event_source_disable_unref(c->timer);
        sd_event_unref(c->event);
        transfer_options_done(&c->options);
        free(c);
        curl_global_cleanup();
}

HttpClient *http_client_free(HttpClient *c) {
        HttpSlot *s;

        if (!c || c->closed)
                return NULL;
        c->closed = true;
        while ((s = LIST_FIRST(&c->slots)))
                transfer_free(slot_detach(s));
        if (c->n_draining == 0)
                client_destroy(c);
        return NULL;
}

static int client_open(HttpClient *c, unsigned max_connections) {
        c->multi = curl_multi_init();
        if (!c->multi)
                return -ENOMEM;
        if (curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) != CURLM_OK ||
                        curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK ||
                        curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, timer_changed) !=
                                        CURLM_OK ||
                        curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK ||
                        curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long) max_connections) !=
                                        CURLM_OK)
                return -ENOMEM;
        int r = sd_event_add_time(c->event, &c->timer, CLOCK_BOOTTIME, USEC_INFINITY, USEC_PER_MSEC,
                        on_timer, c);
        return r < 0 ? r : sd_event_source_set_enabled(c->timer, SD_EVENT_ON);
}

int http_client_new(HttpClient **ret, sd_event *event, const HttpOptions *o, char **reterr_msg) {
        _cleanup_(http_client_freep) HttpClient *c = NULL;
        int r;

        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;
        c = calloc(1, sizeof(*c));
        if (!c) {
                curl_global_cleanup();
                return -ENOMEM;
        }
        LIST_INIT(&c->slots);
        LIST_INIT(&c->sockets);
        c->event = sd_event_ref(event);
        r = transfer_options_init(&c->options, o, reterr_msg);
        if (r == 0)
                r = client_open(c, o->max_connections);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}
