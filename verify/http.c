/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "verify/reply.h"

/* All header lines of a transfer together. */
#define HEADERS_MAX ((size_t) 64 * 1024)
/* A transfer in which nothing moves for so long is given up, however long its whole may take. */
#define STALL_SECONDS 30L
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

/* What libcurl works on. The slot lets go of it before its callback is called. */
typedef struct Transfer {
        CURL *easy;
        Secret request;
        size_t request_read; /* how much of it libcurl was given */
        Secret reply;
        size_t headers;
        bool too_large;
        bool not_loopback;
        bool loopback_only;
        usec_t started;
        char error[CURL_ERROR_SIZE];
} Transfer;

struct HttpSlot {
        HttpClient *client; /* NULL once the callback has fired, or the client is gone */
        Transfer *transfer;
        bool running;
        http_callback_t callback;
        void *userdata;
        TAILQ_ENTRY(HttpSlot) slots;
};

struct HttpClient {
        sd_event *event;
        sd_event_source *timer;
        CURLM *multi;
        struct curl_slist *headers, *headers_post;
        char *base_url;
        char *certificate_authority;
        char *proxy;
        char *user_agent;
        long connect_timeout, request_timeout; /* ms */
        bool tls;
        unsigned max_concurrent, n_running;
        TAILQ_HEAD(, HttpSlot) waiting, running;
        LIST_HEAD(, Socket) sockets;
        unsigned n_draining; /* drain() is on the stack: the client must outlive it */
        bool closed;
};

static void transfer_free(Transfer *t) {
        if (!t)
                return;
        curl_easy_cleanup(t->easy);
        secret_done(&t->request);
        secret_done(&t->reply);
        free(t);
}
static void transfer_freep(Transfer **t) {
        transfer_free(*t);
}

/* ---- what libcurl calls ---- */

static size_t on_read(char *buffer, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;
        size_t left = t->request.len - t->request_read;
        size_t len = size * n < left ? size * n : left;

        if (len > 0)
                memcpy(buffer, t->request.data + t->request_read, len);
        t->request_read += len;
        return len;
}

/* The body is handed out once. Without this libcurl would send a POST again by itself when a kept
 * connection is cut, and the server would apply it twice. */
static int on_seek(void *userdata, curl_off_t offset, int origin) {
        return CURL_SEEKFUNC_FAIL;
}

static size_t on_write(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;
        size_t len = size * n;

        if (len > VERIFY_REPLY_MAX - t->reply.len) {
                t->too_large = true;
                return 0;
        }
        return secret_append(&t->reply, data, len) < 0 ? 0 : len;
}

static size_t on_header(char *data, size_t size, size_t n, void *userdata) {
        Transfer *t = userdata;

        t->headers += size * n;
        if (t->headers <= HEADERS_MAX)
                return size * n;
        t->too_large = true;
        return 0;
}

static bool address_is_loopback(const struct curl_sockaddr *a) {
        if (a->family == AF_INET) {
                struct sockaddr_in in;
                memcpy(&in, &a->addr, sizeof(in));
                return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        }
        if (a->family == AF_INET6 && a->addrlen >= sizeof(struct sockaddr_in6)) {
                struct sockaddr_in6 in6;
                memcpy(&in6, &a->addr, sizeof(in6));
                return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
        }
        return false;
}

/* Makes the socket here to keep it from programs that are started later, and to see the address
 * that a name stands for before anything is sent in the clear. */
static curl_socket_t on_open_socket(void *userdata, curlsocktype purpose, struct curl_sockaddr *a) {
        Transfer *t = userdata;

        if (t->loopback_only && !address_is_loopback(a)) {
                t->not_loopback = true;
                return CURL_SOCKET_BAD;
        }
        return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

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

/* Takes the transfer out of libcurl and the slot out of its list. */
static Transfer *slot_detach(HttpSlot *s) {
        HttpClient *c = s->client;

        if (s->running) {
                TAILQ_REMOVE(&c->running, s, slots);
                c->n_running--;
                (void) curl_multi_remove_handle(c->multi, s->transfer->easy);
        } else
                TAILQ_REMOVE(&c->waiting, s, slots);
        s->running = false;
        s->client = NULL;
        return TAKE_PTR(s->transfer);
}

/* Starts what waits, as far as there is room. */
static void client_start_waiting(HttpClient *c) {
        HttpSlot *s;

        while (c->n_running < c->max_concurrent && (s = TAILQ_FIRST(&c->waiting))) {
                (void) sd_event_now(c->event, CLOCK_BOOTTIME, &s->transfer->started);
                if (curl_multi_add_handle(c->multi, s->transfer->easy) != CURLM_OK) {
                        timer_arm(c, RETRY_DELAY);
                        return;
                }
                TAILQ_REMOVE(&c->waiting, s, slots);
                TAILQ_INSERT_TAIL(&c->running, s, slots);
                s->running = true;
                c->n_running++;
        }
}

HttpSlot *http_slot_free(HttpSlot *s) {
        HttpClient *c;

        if (!s)
                return NULL;
        c = s->client;
        if (c) {
                transfer_free(slot_detach(s));
                client_start_waiting(c);
        }
        free(s);
        return NULL;
}

/* ---- what came of a transfer ---- */

static bool code_is_tls(CURLcode code) {
        return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CONNECT_ERROR ||
               code == CURLE_SSL_CACERT_BADFILE || code == CURLE_SSL_CIPHER ||
               code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS;
}

/* One sentence for a person; detail is libcurl's own word. The proxy is not named: its URL may hold
 * a password. */
static char *describe(const HttpClient *c, const Transfer *t, CURLcode code) {
        const char *detail = t->error[0] ? t->error : curl_easy_strerror(code);
        const char *what = "cannot finish the exchange with";
        const char *way = c->tls && c->proxy && c->proxy[0] ? " through the proxy" : "";
        char *text = NULL;
        long os_error = 0;

        if (t->too_large)
                detail = "the reply is too large";
        else if (t->not_loopback)
                detail = "http:// is for loopback addresses only, and this is none; use https://";
        else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
                        code == CURLE_COULDNT_RESOLVE_PROXY) {
                what = "cannot connect to";
                (void) curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_error);
                if (code == CURLE_COULDNT_CONNECT && os_error > 0)
                        detail = strerror((int) os_error);
        } else if (code_is_tls(code))
                what = "no trusted connection to";
        else if (code == CURLE_OPERATION_TIMEDOUT)
                what = "no reply in time from";
        else if (code == CURLE_SEND_FAIL_REWIND)
                detail = "the connection was cut before the reply";
        (void) error_set(&text, -EIO, "%s %s%s: %s", what, c->base_url, way, detail);
        return text;
}

/* Whether anything reached the wire that the server may have acted upon: a POST's body, or else any
 * byte of the request. It goes by what was handed out, not by the kind of error, so that an error
 * after a second try of libcurl's is judged right. */
static bool transfer_was_sent(const Transfer *t) {
        long bytes = 0;

        if (t->request.len > 0)
                return t->request_read > 0;
        (void) curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &bytes);
        return bytes > 0;
}

/* A header of the final reply. One that came twice is ambiguous: repeated is given for it. */
static const char *header(const Transfer *t, const char *name, const char *repeated) {
        struct curl_header *h;

        if (curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
                return NULL;
        return h->amount > 1 ? repeated : h->value;
}

static void reply_fill(HttpReply *ret, const HttpClient *c, const Transfer *t, CURLcode code) {
        curl_off_t until_sent = 0;
        long status = 0;

        (void) curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
        (void) curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &until_sent);
        *ret = (HttpReply){
                        .outcome = code == CURLE_OK && status >= 200 ? HTTP_REPLIED
                                   : transfer_was_sent(t)            ? HTTP_UNKNOWN
                                                                     : HTTP_NOT_SENT,
                        .status = (int) status,
                        .body = secret_string(&t->reply),
                        .len = t->reply.len,
                        .too_large = t->too_large,
                        .date = header(t, "Date", NULL),
                        .retry_after = header(t, "Retry-After", NULL),
                        .signature_fields = header(t, "Twilio-Verify-Signature-Fields", ","),
                        .has_age = header(t, "Age", "") != NULL,
        };
        (void) sd_event_now(c->event, CLOCK_BOOTTIME, &ret->received);
        ret->sent = usec_add(t->started, (usec_t) until_sent);
        if (ret->sent > ret->received)
                ret->sent = ret->received;
}

static void slot_complete(HttpSlot *s, CURLcode code) {
        _cleanup_(transfer_freep) Transfer *t = NULL;
        _cleanup_free_ char *error = NULL;
        HttpClient *c = s->client;
        HttpReply reply;

        t = slot_detach(s);
        reply_fill(&reply, c, t, code);
        if (reply.outcome != HTTP_REPLIED) {
                error = describe(c, t, code);
                reply.error = error ? error : "out of memory";
        }
        /* The slot may be gone after this, and the client closed. */
        s->callback(s, &reply, s->userdata);
}

static void client_destroy(HttpClient *c);

/* Completes all that has finished: one wake-up may finish many, and libcurl does not tell again. */
static void drain(HttpClient *c) {
        CURLMsg *m;
        int left;

        c->n_draining++;
        while (!c->closed && (m = curl_multi_info_read(c->multi, &left))) {
                HttpSlot *s = NULL;
                CURLcode code = m->data.result;

                if (m->msg != CURLMSG_DONE)
                        continue;
                (void) curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **) &s);
                slot_complete(s, code);
        }
        if (!c->closed)
                client_start_waiting(c);
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

/* ---- a request ---- */

static bool set_method(const HttpClient *c, Transfer *t, VerifyMethod method) {
        CURL *e = t->easy;

        switch (method) {
        case VERIFY_GET:
                return curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK;
        case VERIFY_DELETE:
                return curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers) == CURLE_OK &&
                       curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "DELETE") == CURLE_OK;
        case VERIFY_POST:
                return curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers_post) == CURLE_OK &&
                       curl_easy_setopt(e, CURLOPT_POST, 1L) == CURLE_OK &&
                       curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                                       (curl_off_t) t->request.len) == CURLE_OK &&
                       curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read) == CURLE_OK &&
                       curl_easy_setopt(e, CURLOPT_READDATA, t) == CURLE_OK &&
                       curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek) == CURLE_OK;
        }
        return false;
}

#define SET(option, value) (curl_easy_setopt(e, CURLOPT_##option, value) == CURLE_OK)

static bool set_connection(const HttpClient *c, Transfer *t) {
        CURL *e = t->easy;

        /* An authority of one's own replaces the system's, and does not stand beside them. */
        if (c->certificate_authority &&
                        !(SET(CAINFO, c->certificate_authority) && SET(CAPATH, NULL)))
                return false;
        /* "" and not NULL: NULL has libcurl ask the environment. */
        return SET(PROTOCOLS_STR, c->tls ? "https" : "http") && SET(FOLLOWLOCATION, 0L) &&
               SET(SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2) && SET(SSL_VERIFYPEER, 1L) &&
               SET(SSL_VERIFYHOST, 2L) && SET(HTTP_VERSION, (long) CURL_HTTP_VERSION_2TLS) &&
               SET(PIPEWAIT, c->tls ? 1L : 0L) && SET(PROXY, c->tls && c->proxy ? c->proxy : "") &&
               SET(NOPROXY, "") && SET(SUPPRESS_CONNECT_HEADERS, 1L) &&
               SET(NETRC, (long) CURL_NETRC_IGNORED) && SET(NOSIGNAL, 1L) && SET(QUICK_EXIT, 1L) &&
               SET(OPENSOCKETFUNCTION, on_open_socket) && SET(OPENSOCKETDATA, t) &&
               SET(CONNECTTIMEOUT_MS, c->connect_timeout) && SET(TIMEOUT_MS, c->request_timeout) &&
               SET(LOW_SPEED_LIMIT, 1L) && SET(LOW_SPEED_TIME, STALL_SECONDS);
}

static bool set_exchange(const HttpClient *c, Transfer *t, const HttpCredential *credential) {
        CURL *e = t->easy;

        return SET(USERAGENT, c->user_agent) && SET(PATH_AS_IS, 1L) &&
               SET(HTTPAUTH, (long) CURLAUTH_BASIC) && SET(USERNAME, credential->user) &&
               SET(PASSWORD, secret_string(credential->password)) &&
               SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, t) &&
               SET(WRITEFUNCTION, on_write) && SET(WRITEDATA, t) && SET(ERRORBUFFER, t->error);
}

static int transfer_new(Transfer **ret,
                const HttpClient *c,
                const VerifyRequest *request,
                const HttpCredential *credential,
                HttpSlot *slot) {
        _cleanup_(transfer_freep) Transfer *t = calloc(1, sizeof(*t));
        _cleanup_free_ char *url = NULL;
        CURL *e;

        if (!t)
                return -ENOMEM;
        t->loopback_only = !c->tls;
        e = t->easy = curl_easy_init();
        if (!e || asprintf(&url, "%s%s", c->base_url, request->path) < 0)
                return -ENOMEM;
        if (secret_copy(&t->request, &request->body) < 0)
                return -ENOMEM;
        if (!SET(URL, url) || !SET(PRIVATE, slot) || !set_connection(c, t) ||
                        !set_exchange(c, t, credential) || !set_method(c, t, request->method))
                return -ENOMEM;
        *ret = TAKE_PTR(t);
        return 0;
}

int http_send(HttpClient *c,
                HttpSlot **ret,
                const VerifyRequest *request,
                const HttpCredential *credential,
                http_callback_t callback,
                void *userdata) {
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
        r = transfer_new(&s->transfer, c, request, credential, s);
        if (r < 0)
                return r;
        s->client = c;
        s->callback = callback;
        s->userdata = userdata;
        TAILQ_INSERT_TAIL(&c->waiting, s, slots);
        client_start_waiting(c);
        *ret = TAKE_PTR(s);
        return 0;
}

/* ---- the client ---- */

static void client_destroy(HttpClient *c) {
        Socket *s;

        if (c->multi)
                curl_multi_cleanup(c->multi);
        while ((s = LIST_FIRST(&c->sockets)))
                socket_free(s);
        sd_event_source_disable_unref(c->timer);
        sd_event_unref(c->event);
        curl_slist_free_all(c->headers);
        curl_slist_free_all(c->headers_post);
        free(c->base_url);
        free(c->certificate_authority);
        free(c->proxy);
        free(c->user_agent);
        free(c);
        curl_global_cleanup();
}

HttpClient *http_client_free(HttpClient *c) {
        HttpSlot *s;

        if (!c || c->closed)
                return NULL;
        c->closed = true;
        while ((s = TAILQ_FIRST(&c->running)) || (s = TAILQ_FIRST(&c->waiting)))
                transfer_free(slot_detach(s));
        if (c->n_draining == 0)
                client_destroy(c);
        return NULL;
}

static int options_check(const HttpOptions *o, char **reterr_msg) {
        int r = http_check_base_url(o->base_url, reterr_msg);
        if (r < 0)
                return r;
        if (o->certificate_authority && access(o->certificate_authority, R_OK) < 0)
                return error_set(reterr_msg, -EINVAL, "CertificateAuthority: cannot read %s: %s",
                                o->certificate_authority, strerror(errno));
        if (o->connect_timeout == 0 || o->connect_timeout > USEC_PER_DAY)
                return error_set(reterr_msg, -EINVAL,
                                "ConnectTimeout must be above 0, a day at most");
        if (o->request_timeout == 0 || o->request_timeout > USEC_PER_DAY)
                return error_set(reterr_msg, -EINVAL,
                                "RequestTimeout must be above 0, a day at most");
        if (o->max_concurrent == 0)
                return error_set(reterr_msg, -EINVAL, "MaxConcurrentRequests must be above 0");
        return 0;
}

static long msec_from(usec_t t) {
        return (long) ((t + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
}

static int string_copy(char **ret, const char *s) {
        if (!s)
                return 0;
        *ret = strdup(s);
        return *ret ? 0 : -ENOMEM;
}

static int headers_add(struct curl_slist **list, const char *line) {
        struct curl_slist *longer = curl_slist_append(*list, line);
        if (!longer)
                return -ENOMEM;
        *list = longer;
        return 0;
}

static int client_fill(HttpClient *c, const HttpOptions *o) {
        size_t len;

        c->connect_timeout = msec_from(o->connect_timeout);
        c->request_timeout = msec_from(o->request_timeout);
        c->max_concurrent = o->max_concurrent;
        c->tls = strncmp(o->base_url, "https:", STRLEN("https:")) == 0;
        if (string_copy(&c->base_url, o->base_url) < 0 ||
                        string_copy(&c->certificate_authority, o->certificate_authority) < 0 ||
                        string_copy(&c->proxy, o->proxy) < 0 ||
                        string_copy(&c->user_agent, o->user_agent) < 0)
                return -ENOMEM;
        len = strlen(c->base_url);
        if (c->base_url[len - 1] == '/')
                c->base_url[len - 1] = '\0';
        /* Expect would cost a round trip; libcurl would add it to a large body. */
        if (headers_add(&c->headers, "Accept: application/json") < 0 ||
                        headers_add(&c->headers_post, "Accept: application/json") < 0 ||
                        headers_add(&c->headers_post,
                                        "Content-Type: application/x-www-form-urlencoded") < 0 ||
                        headers_add(&c->headers_post, "Expect:") < 0)
                return -ENOMEM;
        return 0;
}

static int client_open(HttpClient *c) {
        c->multi = curl_multi_init();
        if (!c->multi)
                return -ENOMEM;
        if (curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) != CURLM_OK ||
                        curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c) != CURLM_OK ||
                        curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, timer_changed) !=
                                        CURLM_OK ||
                        curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c) != CURLM_OK ||
                        curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS,
                                        (long) c->max_concurrent) != CURLM_OK)
                return -ENOMEM;
        int r = sd_event_add_time(c->event, &c->timer, CLOCK_BOOTTIME, USEC_INFINITY, USEC_PER_MSEC,
                        on_timer, c);
        return r < 0 ? r : sd_event_source_set_enabled(c->timer, SD_EVENT_ON);
}

int http_client_new(HttpClient **ret, sd_event *event, const HttpOptions *o, char **reterr_msg) {
        _cleanup_(http_client_freep) HttpClient *c = NULL;
        int r;

        r = options_check(o, reterr_msg);
        if (r < 0)
                return r;
        if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
                return -ENOMEM;
        c = calloc(1, sizeof(*c));
        if (!c) {
                curl_global_cleanup();
                return -ENOMEM;
        }
        TAILQ_INIT(&c->waiting);
        TAILQ_INIT(&c->running);
        LIST_INIT(&c->sockets);
        c->event = sd_event_ref(event);
        r = client_fill(c, o);
        if (r == 0)
                r = client_open(c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}
