/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/server.h"

#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/listen.h"
#include "sandbox/simulator.h"

#define CONNECTIONS_MAX 16384
#define CONNECTION_MEMORY ((size_t) 64 * 1024)
#define IDLE_TIMEOUT_SEC 300

/* A connection that is resumed only to be closed makes no event that would wake the loop. */
#define SETTLE_ROUNDS 2

/* A request from its first line to the end of its reply. */
typedef struct Exchange {
        Server *server;
        struct MHD_Connection *connection;
        char *path;
        char *query; /* NULL for none */
        Secret body;
        bool too_large;
        bool started; /* the headers were seen */
        bool handled; /* the outcome is there */
        Outcome outcome;
        usec_t due; /* suspended until then; 0: not suspended */
        struct Exchange *next;
} Exchange;

struct Server {
        Sandbox sandbox;
        struct MHD_Daemon *daemon;
        int port;
        uint64_t n_connections;
        Exchange *delayed; /* a list */
        unsigned settle;   /* rounds to run without waiting */
};

static Exchange *exchange_free(Exchange *e) {
        if (!e)
                return NULL;
        free(e->path);
        free(e->query);
        secret_done(&e->body);
        outcome_done(&e->outcome);
        free(e);
        return NULL;
}

/* Called with the request's target as sent; what it returns becomes the exchange. */
static void *on_target(void *userdata, const char *uri, struct MHD_Connection *connection) {
        const char *mark = strchr(uri, '?');
        Exchange *e = calloc(1, sizeof(*e));

        if (!e)
                return NULL;
        e->server = userdata;
        e->connection = connection;
        e->path = mark ? strndup(uri, (size_t) (mark - uri)) : strdup(uri);
        e->query = mark ? strdup(mark + 1) : NULL;
        if (!e->path || (mark && !e->query))
                return exchange_free(e);
        return e;
}

static void delayed_remove(Server *s, Exchange *e) {
        for (Exchange **p = &s->delayed; *p; p = &(*p)->next)
                if (*p == e) {
                        *p = e->next;
                        return;
                }
}

static void on_completed(void *userdata,
                struct MHD_Connection *connection,
                void **context,
                enum MHD_RequestTerminationCode code) {
        Exchange *e = *context;

        if (e)
                delayed_remove(userdata, e);
        *context = exchange_free(e);
}

/* Numbers the connections, so that a log shows which requests shared one. */
static void on_connection(void *userdata,
                struct MHD_Connection *connection,
                void **context,
                enum MHD_ConnectionNotificationCode code) {
        Server *s = userdata;

        if (code == MHD_CONNECTION_NOTIFY_STARTED)
                *context = (void *) (uintptr_t) ++s->n_connections;
}

static const char *header(struct MHD_Connection *connection, const char *name) {
        return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static uint64_t connection_number(struct MHD_Connection *connection) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

        return info ? (uint64_t) (uintptr_t) info->socket_context : 0;
}

static bool from_loopback(struct MHD_Connection *connection) {
        const union MHD_ConnectionInfo *info =
                        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

        return info && info->client_addr && address_is_loopback(info->client_addr);
}

static void exchange_handle(Exchange *e, const char *method) {
        const RawRequest raw = {
                        .method = method,
                        .path = e->path,
                        .query = e->query,
                        .authorization = header(e->connection, MHD_HTTP_HEADER_AUTHORIZATION),
                        .host = header(e->connection, MHD_HTTP_HEADER_HOST),
                        .user_agent = header(e->connection, MHD_HTTP_HEADER_USER_AGENT),
                        .content_type = header(e->connection, MHD_HTTP_HEADER_CONTENT_TYPE),
                        .accept = header(e->connection, MHD_HTTP_HEADER_ACCEPT),
                        .body = secret_string(&e->body),
                        .body_len = e->body.len,
                        .too_large = e->too_large,
                        .from_loopback = from_loopback(e->connection),
                        .connection = connection_number(e->connection),
        };

        exchange_run(&e->server->sandbox, &raw, &e->outcome);
        e->handled = true;
}

static enum MHD_Result send_reply(struct MHD_Connection *connection, Reply *r) {
        struct MHD_Response *response;
        enum MHD_Result result;

        if (r->body) {
                response = MHD_create_response_from_buffer(
                                r->body_len, r->body, MHD_RESPMEM_MUST_FREE);
                if (response)
                        r->body = NULL;
        } else
                response = MHD_create_response_from_buffer(
                                0, (void *) (uintptr_t) "", MHD_RESPMEM_PERSISTENT);
        if (!response)
                return MHD_NO;
        for (size_t i = 0; i < r->n_headers; i++)
                if (MHD_add_response_header(response, r->headers[i].name, r->headers[i].value) !=
                                MHD_YES)
                        fprintf(stderr, "factord-sandbox: cannot send header %s, ignoring\n",
                                        r->headers[i].name);
        result = MHD_queue_response(connection, r->status, response);
        MHD_destroy_response(response);
        return result;
}

static void take_body(Exchange *e, const char *data, size_t len) {
        size_t max = is_simulator_path(e->path) ? SIMULATOR_BODY_MAX : BODY_MAX;

        if (e->too_large)
                return;
        if (len > max - e->body.len || secret_append(&e->body, data, len) < 0)
                e->too_large = true;
}

/* Called when the headers are there, for each part of the body, and when all is there; and again
 * when a suspended connection is resumed. */
static enum MHD_Result on_request(void *userdata,
                struct MHD_Connection *connection,
                const char *url,
                const char *method,
                const char *version,
                const char *upload_data,
                size_t *upload_data_size,
                void **context) {
        Exchange *e = *context;
        const Fault *fault;

        if (!e)
                return MHD_NO;
        if (!e->started) {
                e->started = true;
                return MHD_YES;
        }
        if (*upload_data_size > 0) {
                take_body(e, upload_data, *upload_data_size);
                *upload_data_size = 0;
                return MHD_YES;
        }
        if (!e->handled) {
                exchange_handle(e, method);
                fault = e->outcome.fault;
                if (fault && fault->delay > 0) {
                        e->due = usec_add(now_boottime(), fault->delay);
                        e->next = e->server->delayed;
                        e->server->delayed = e;
                        MHD_suspend_connection(connection);
                        return MHD_YES;
                }
        }
        /* Refusing to answer closes the connection. */
        if (e->outcome.fault && e->outcome.fault->cut != CUT_NONE)
                return MHD_NO;
        return send_reply(connection, &e->outcome.reply);
}

/* Resumes what is due and returns when the next one will be, or USEC_INFINITY. */
static usec_t resume_due(Server *s, usec_t now) {
        usec_t next = USEC_INFINITY;

        for (Exchange **p = &s->delayed; *p;) {
                Exchange *e = *p;

                if (e->due <= now) {
                        *p = e->next;
                        MHD_resume_connection(e->connection);
                        s->settle = SETTLE_ROUNDS;
                        continue;
                }
                if (e->due < next)
                        next = e->due;
                p = &e->next;
        }
        return next;
}

static int start_daemon(Server *s, const ServerConfig *config, int fd) {
        unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_SUPPRESS_DATE_NO_CLOCK |
                         (config->verbose ? MHD_USE_ERROR_LOG : 0) |
                         (config->tls_cert ? MHD_USE_TLS : 0);

        s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET,
                        fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
                        MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
                        MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_SEC,
                        MHD_OPTION_URI_LOG_CALLBACK, on_target, s, MHD_OPTION_NOTIFY_COMPLETED,
                        on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
                        config->tls_cert ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END,
                        config->tls_cert, MHD_OPTION_HTTPS_MEM_KEY, config->tls_key,
                        MHD_OPTION_END);
        return s->daemon ? 0 : -EIO;
}

int server_new(Server **ret,
                const ServerConfig *config,
                State *state,
                const char *data_path,
                char **reterr_msg) {
        _cleanup_(server_freep) Server *s = NULL;
        _cleanup_close_ int fd = -EBADF;
        int r;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->sandbox.state = state;
        s->sandbox.data_path = data_path;
        s->sandbox.verbose = config->verbose;
        s->sandbox.scheme = config->tls_cert ? "https" : "http";
        r = listen_on(config->address, config->port, &fd, &s->port, reterr_msg);
        if (r < 0)
                return r;
        if (asprintf(&s->sandbox.own_url,
                            strchr(config->address, ':') ? "%s://[%s]:%d" : "%s://%s:%d",
                            s->sandbox.scheme, config->address, s->port) < 0) {
                s->sandbox.own_url = NULL;
                return -ENOMEM;
        }
        r = start_daemon(s, config, fd);
        if (r < 0)
                return error_set(reterr_msg, r,
                                config->tls_cert ? "cannot serve HTTPS; check the certificate "
                                                   "and the key"
                                                 : "cannot serve HTTP");
        TAKE_FD(fd); /* the daemon's now */
        *ret = TAKE_PTR(s);
        return 0;
}

Server *server_free(Server *s) {
        if (!s)
                return NULL;
        if (s->daemon) {
                resume_due(s, USEC_INFINITY); /* none may be suspended when it stops */
                MHD_stop_daemon(s->daemon);
        }
        faults_done(&s->sandbox.faults);
        request_log_clear(&s->sandbox.log);
        free(s->sandbox.own_url);
        free(s);
        return NULL;
}

int server_port(const Server *s) {
        return s->port;
}

const char *server_url(const Server *s) {
        return s->sandbox.own_url;
}

/* How long to wait, in milliseconds, rounded up; -1 for ever. */
static int wait_time(Server *s, usec_t next, usec_t now) {
        MHD_UNSIGNED_LONG_LONG timeout;
        usec_t wait = USEC_INFINITY, own;

        if (s->settle > 0) {
                s->settle--;
                return 0;
        }
        if (MHD_get_timeout(s->daemon, &timeout) == MHD_YES)
                wait = timeout * USEC_PER_MSEC;
        own = next == USEC_INFINITY ? USEC_INFINITY : usec_sub(next, now);
        if (own < wait)
                wait = own;
        if (wait == USEC_INFINITY)
                return -1;
        wait = usec_add(wait, USEC_PER_MSEC - 1) / USEC_PER_MSEC;
        return wait > INT_MAX ? INT_MAX : (int) wait;
}

int server_run(Server *s, int signal_fd) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);

        if (!info)
                return -EIO;
        for (;;) {
                struct pollfd fds[] = {
                                {.fd = info->epoll_fd, .events = POLLIN},
                                {.fd = signal_fd, .events = POLLIN},
                };
                usec_t now = now_boottime();
                usec_t next = resume_due(s, now);

                if (poll(fds, ELEMENTSOF(fds), wait_time(s, next, now)) < 0 && errno != EINTR)
                        return -errno;
                if (fds[1].revents & POLLIN)
                        return 0;
                if (MHD_run(s->daemon) != MHD_YES)
                        return -EIO;
        }
}
