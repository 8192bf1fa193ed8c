/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP transport against a small raw server in a child process: what is on the wire, and what
 * comes of replies, cuts, time-outs and of slots that are dropped at awkward moments. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "http-peer.h"

#include "base/base64.h"
#include "verify/http.h"

#define PATIENCE (20 * USEC_PER_SEC)

/* ---- the fixture ---- */

typedef struct Fixture {
        pid_t server;
        int log, lifeline;
        uint16_t port;
        char url[64];
        sd_event *event;
        HttpClient *client;
        Seen seen; /* the request read last */
        char request[REQUEST_MAX + 1];
} Fixture;

static uint16_t listen_on(int fd) {
        struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(a);

        assert_int_equal(bind(fd, (struct sockaddr *) &a, sizeof(a)), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *) &a, &len), 0);
        return ntohs(a.sin_port);
}

static HttpOptions options_for(const char *url) {
        return (HttpOptions){
                        .base_url = url,
                        .user_agent = "factord/test",
                        .connect_timeout = PATIENCE,
                        .request_timeout = PATIENCE,
                        .stall_timeout = PATIENCE,
                        .max_connections = 8,
        };
}

static void client_open_with(Fixture *f, const HttpOptions *o) {
        char *why = NULL;

        f->client = http_client_free(f->client);
        assert_int_equal(http_client_new(&f->client, f->event, o, &why), 0);
        assert_null(why);
}

static void client_open(Fixture *f, const char *url, usec_t timeout) {
        HttpOptions o = options_for(url);

        o.request_timeout = timeout;
        client_open_with(f, &o);
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), log[2], lifeline[2];

        assert_non_null(f);
        f->port = listen_on(listener);
        assert_int_equal(listen(listener, CONNECTIONS_MAX), 0);
        assert_int_equal(pipe(log), 0);
        assert_int_equal(pipe(lifeline), 0);
        f->server = fork();
        assert_true(f->server >= 0);
        if (f->server == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(lifeline[1]);
                close(log[0]);
                Peer peer = {.listener = listener, .log = log[1], .lifeline = lifeline[0]};
                peer_run(&peer);
        }
        close(listener);
        close(log[1]);
        close(lifeline[0]);
        f->log = log[0];
        f->lifeline = lifeline[1];
        snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u", f->port);
        assert_int_equal(sd_event_new(&f->event), 0);
        client_open(f, f->url, PATIENCE);
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        http_client_free(f->client);
        sd_event_unref(f->event);
        close(f->lifeline); /* ends the server */
        close(f->log);
        waitpid(f->server, NULL, 0);
        free(f);
        return 0;
}

/* ---- requests and what came of them ---- */

typedef struct Result {
        unsigned fired;
        HttpOutcome outcome;
        int status;
        bool too_large, has_age;
        char body[64], error[512], date[64], retry_after[64], signature_fields[64];
        usec_t sent, received;
        Fixture *fixture;
        HttpSlot *slot;
        HttpSlot **also_free; /* in the callback */
        bool free_self, free_client, send_again;
        struct Result *next;
} Result;

static HttpSlot *send_request(
                Fixture *f, VerifyMethod method, const char *path, const char *body, Result *r);

static void copy(char *to, size_t size, const char *from) {
        snprintf(to, size, "%s", from ? from : "(none)");
}

static void on_reply(HttpSlot *slot, const HttpReply *reply, void *userdata) {
        Result *r = userdata;

        assert_ptr_equal(slot, r->slot);
        r->fired++;
        r->outcome = reply->outcome;
        r->status = reply->status;
        r->too_large = reply->too_large;
        r->has_age = reply->has_age;
        r->sent = reply->sent;
        r->received = reply->received;
        assert_int_equal(strlen(reply->body), reply->len);
        assert_int_equal(reply->error != NULL, reply->outcome != HTTP_REPLIED);
        copy(r->body, sizeof(r->body), reply->body);
        copy(r->error, sizeof(r->error), reply->error);
        copy(r->date, sizeof(r->date), reply->date);
        copy(r->retry_after, sizeof(r->retry_after), reply->retry_after);
        copy(r->signature_fields, sizeof(r->signature_fields), reply->signature_fields);
        if (r->free_self)
                r->slot = http_slot_free(slot);
        if (r->also_free)
                *r->also_free = http_slot_free(*r->also_free);
        if (r->send_again)
                send_request(r->fixture, VERIFY_GET, "/v2/ok", NULL, r->next);
        if (r->free_client)
                r->fixture->client = http_client_free(r->fixture->client);
}

#define PASSWORD "s3cret:with:colons"

static int try_send(Fixture *f,
                HttpSlot **ret,
                VerifyMethod method,
                const char *path,
                const char *body,
                const char *user,
                const char *pass,
                Result *r) {
        _cleanup_(verify_request_done) VerifyRequest request = {.method = method};
        _cleanup_(secret_done) Secret secret = {0};

        request.path = path ? strdup(path) : NULL;
        if (body)
                assert_int_equal(secret_append_string(&request.body, body), 0);
        assert_int_equal(secret_append_string(&secret, pass), 0);
        HttpCredential credential = {.user = user, .password = &secret};
        return http_send(f->client, ret, &request, &credential, on_reply, r);
}

static HttpSlot *send_request(
                Fixture *f, VerifyMethod method, const char *path, const char *body, Result *r) {
        r->fixture = f;
        assert_int_equal(try_send(f, &r->slot, method, path, body, "ACuser", PASSWORD, r), 0);
        assert_int_equal(r->fired, 0);
        return r->slot;
}

static bool log_is_ready(const Fixture *f) {
        struct pollfd p = {.fd = f->log, .events = POLLIN};
        return poll(&p, 1, 0) == 1;
}

static void log_get(const Fixture *f, void *data, size_t len) {
        for (size_t n = 0; n < len;) {
                ssize_t k = read(f->log, (char *) data + n, len - n);
                assert_true(k > 0);
                n += (size_t) k;
        }
}

/* Reads the next request that the server saw, running the loop until it is there. */
static const char *next_request(Fixture *f) {
        usec_t deadline = usec_add(now_boottime(), PATIENCE);

        while (!log_is_ready(f)) {
                assert_true(now_boottime() < deadline);
                assert_true(sd_event_run(f->event, 5 * USEC_PER_MSEC) >= 0);
        }
        log_get(f, &f->seen, sizeof(f->seen));
        log_get(f, f->request, f->seen.len);
        f->request[f->seen.len] = '\0';
        return f->request;
}

static void run_until_fired(const Fixture *f, const Result *r) {
        usec_t deadline = usec_add(now_boottime(), PATIENCE);

        while (r->fired == 0) {
                assert_true(now_boottime() < deadline);
                assert_true(sd_event_run(f->event, USEC_PER_SEC) >= 0);
        }
        assert_int_equal(r->fired, 1);
}

static void run_for(const Fixture *f, usec_t span) {
        usec_t deadline = usec_add(now_boottime(), span);

        while (now_boottime() < deadline)
                assert_true(sd_event_run(f->event, 5 * USEC_PER_MSEC) >= 0);
}

/* One request from sending to its reply. */
static Result exchange(Fixture *f, VerifyMethod method, const char *path, const char *body) {
        Result r = {0};

        send_request(f, method, path, body, &r);
        run_until_fired(f, &r);
        r.slot = http_slot_free(r.slot);
        return r;
}

/* ---- tests: the wire ---- */

static void test_get_on_the_wire(void **state) {
        Fixture *f = *state;
        char expected[512];

        Result r = exchange(f, VERIFY_GET, "/v2/ok", NULL);
        snprintf(expected, sizeof(expected),
                        "GET /v2/ok HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                        "Authorization: Basic QUN1c2VyOnMzY3JldDp3aXRoOmNvbG9ucw==\r\n"
                        "User-Agent: factord/test\r\nAccept: application/json\r\n\r\n",
                        f->port);
        assert_string_equal(next_request(f), expected);
        assert_int_equal(r.outcome, HTTP_REPLIED);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "{\"ok\":true}");
        assert_true(r.sent > 0 && r.sent <= r.received && r.received <= now_boottime());
}

static void test_post_on_the_wire(void **state) {
        Fixture *f = *state;
        char expected[512];

        Result r = exchange(f, VERIFY_POST, "/v2/ok", "AuthPayload=123456&Metadata=%7B%7D");
        snprintf(expected, sizeof(expected),
                        "POST /v2/ok HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                        "Authorization: Basic QUN1c2VyOnMzY3JldDp3aXRoOmNvbG9ucw==\r\n"
                        "User-Agent: factord/test\r\nAccept: application/json\r\n"
                        "Content-Type: application/x-www-form-urlencoded\r\n"
                        "Content-Length: 34\r\n\r\n"
                        "AuthPayload=123456&Metadata=%%7B%%7D",
                        f->port);
        assert_string_equal(next_request(f), expected);
        assert_int_equal(r.outcome, HTTP_REPLIED);
}

static void test_delete_on_the_wire(void **state) {
        Fixture *f = *state;

        assert_int_equal(exchange(f, VERIFY_DELETE, "/v2/ok", NULL).status, 200);
        next_request(f);
        assert_int_equal(strncmp(f->request, "DELETE /v2/ok HTTP/1.1\r\n", 24), 0);
        assert_null(strstr(f->request, "Content-"));
}

static void test_large_post_has_no_expect(void **state) {
        Fixture *f = *state;
        static char body[20001];

        memset(body, 'a', sizeof(body) - 1);
        assert_int_equal(exchange(f, VERIFY_POST, "/v2/ok", body).outcome, HTTP_REPLIED);
        assert_null(strstr(next_request(f), "Expect"));
        assert_string_equal(strstr(f->request, "\r\n\r\n") + 4, body);
}

static void test_long_password(void **state) {
        Fixture *f = *state;
        _cleanup_free_ char *encoded = NULL;
        char plain[6001] = "token:", line[9000];
        Result r = {.fixture = f};

        memset(plain + 6, 'j', sizeof(plain) - 7);
        assert_int_equal(base64_encode(BASE64_STANDARD, plain, strlen(plain), &encoded), 0);
        snprintf(line, sizeof(line), "\r\nAuthorization: Basic %s\r\n", encoded);
        assert_int_equal(try_send(f, &r.slot, VERIFY_GET, "/v2/ok", NULL, "token", plain + 6, &r),
                        0);
        assert_non_null(strstr(next_request(f), line));
        run_until_fired(f, &r);
        http_slot_free(r.slot);
}

static void test_path_prefix(void **state) {
        Fixture *f = *state;
        char url[80];

        snprintf(url, sizeof(url), "%s/gate/", f->url);
        client_open(f, url, PATIENCE);
        exchange(f, VERIFY_GET, "/v2/ok", NULL);
        assert_int_equal(strncmp(next_request(f), "GET /gate/v2/ok ", 16), 0);
}

static void test_environment_is_not_asked(void **state) {
        static const char *const names[] = {"http_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"};
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                setenv(names[i], "http://127.0.0.1:1", 1);
        Result r = exchange(f, VERIFY_GET, "/v2/ok", NULL);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                unsetenv(names[i]);
        assert_int_equal(r.outcome, HTTP_REPLIED);
}

static void test_connection_is_reused(void **state) {
        Fixture *f = *state;

        for (int i = 0; i < 3; i++) {
                exchange(f, VERIFY_GET, "/v2/ok", NULL);
                next_request(f);
                assert_int_equal(f->seen.connection, 0);
        }
}

/* ---- tests: replies ---- */

static void test_unauthorized_has_its_body(void **state) {
        Fixture *f = *state;

        Result r = exchange(f, VERIFY_GET, "/v2/unauthorized", NULL);
        assert_int_equal(r.outcome, HTTP_REPLIED);
        assert_int_equal(r.status, 401);
        assert_string_equal(r.body, "{\"code\":20003}");
        r = exchange(f, VERIFY_POST, "/v2/unauthorized", "a=b");
        assert_int_equal(r.status, 401);
        /* No second try by itself. */
        exchange(f, VERIFY_GET, "/v2/ok", NULL);
        assert_non_null(strstr(next_request(f), "GET /v2/unauthorized"));
        assert_non_null(strstr(next_request(f), "POST /v2/unauthorized"));
        assert_non_null(strstr(next_request(f), "GET /v2/ok"));
}

static void test_redirect_is_not_followed(void **state) {
        Fixture *f = *state;

        Result r = exchange(f, VERIFY_GET, "/v2/redirect", NULL);
        assert_int_equal(r.outcome, HTTP_REPLIED);
        assert_int_equal(r.status, 302);
        next_request(f);
        assert_false(log_is_ready(f));
}

static void test_headers(void **state) {
        Fixture *f = *state;

        Result r = exchange(f, VERIFY_GET, "/v2/headers", NULL);
        assert_string_equal(r.date, "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_string_equal(r.retry_after, "7");
        assert_string_equal(r.signature_fields, "sid,details");
        assert_true(r.has_age);
        r = exchange(f, VERIFY_GET, "/v2/ok", NULL);
        assert_string_equal(r.date, "(none)");
        assert_string_equal(r.retry_after, "(none)");
        assert_string_equal(r.signature_fields, "(none)");
        assert_false(r.has_age);
}

static void test_repeated_headers_are_ambiguous(void **state) {
        Result r = exchange(*state, VERIFY_GET, "/v2/twice", NULL);
        assert_string_equal(r.signature_fields, ",");
        assert_string_equal(r.date, "(none)");
}

static void test_only_the_final_headers_count(void **state) {
        Result r = exchange(*state, VERIFY_GET, "/v2/early", NULL);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "{}");
        assert_string_equal(r.signature_fields, "(none)");
        assert_string_equal(r.date, "(none)");
}

static void test_interim_replies(void **state) {
        Fixture *f = *state;

        Result r = exchange(f, VERIFY_POST, "/v2/continue", "a=b");
        assert_int_equal(r.outcome, HTTP_REPLIED);
        assert_int_equal(r.status, 200);
        assert_string_equal(r.body, "{}");
        assert_string_equal(r.retry_after, "(none)");
        /* None of them is an answer. */
        r = exchange(f, VERIFY_POST, "/v2/only-early", "a=b");
        assert_int_equal(r.outcome, HTTP_UNKNOWN);
}

static void test_connection_that_is_not_kept(void **state) {
        static const char *const paths[] = {"/v2/close", "/v2/ok-then-cut"};
        Fixture *f = *state;

        for (uint32_t i = 0; i < ELEMENTSOF(paths); i++) {
                Result r = exchange(f, VERIFY_POST, paths[i], "a=b");
                assert_int_equal(r.outcome, HTTP_REPLIED);
                assert_string_equal(r.body, "{}");
                next_request(f);
                assert_int_equal(f->seen.connection, i);
                run_for(f, 20 * USEC_PER_MSEC); /* the end of the connection arrives */
        }
        assert_int_equal(exchange(f, VERIFY_POST, "/v2/ok", "a=b").outcome, HTTP_REPLIED);
        next_request(f);
        assert_int_equal(f->seen.connection, ELEMENTSOF(paths));
        assert_false(log_is_ready(f));
}

/* More than the sockets take at once, so that the answer is there before the request has left. */
static void test_answer_before_the_request_is_sent(void **state) {
        size_t len = (size_t) 16 * 1024 * 1024;
        _cleanup_free_ char *body = malloc(len + 1);
        Fixture *f = *state;
        Result r = {0};

        assert_non_null(body);
        memset(body, 'a', len);
        body[len] = '\0';
        send_request(f, VERIFY_POST, "/v2/eager", body, &r);
        next_request(f);
        run_until_fired(f, &r);
        assert_int_equal(r.outcome, HTTP_REPLIED);
        assert_int_equal(r.status, 400);
        assert_string_equal(r.body, "{\"code\":60200}");
        http_slot_free(r.slot);
}

static void test_too_large(void **state) {
        Result r = exchange(*state, VERIFY_GET, "/v2/large", NULL);
        assert_int_equal(r.outcome, HTTP_UNKNOWN);
        assert_true(r.too_large);
        assert_non_null(strstr(r.error, "the reply is too large"));
}

static void test_header_flood(void **state) {
        Result r = exchange(*state, VERIFY_GET, "/v2/many-headers", NULL);
        assert_int_equal(r.outcome, HTTP_UNKNOWN);
        assert_true(r.too_large);
}

static void test_half_a_reply(void **state) {
        Result r = exchange(*state, VERIFY_POST, "/v2/half", "a=b");
        assert_int_equal(r.outcome, HTTP_UNKNOWN);
        assert_false(r.too_large);
}

/* ---- tests: cuts and time-outs ---- */

static void test_cut_after_the_request(void **state) {
        Result r = exchange(*state, VERIFY_POST, "/v2/cut", "a=b");
        assert_int_equal(r.outcome, HTTP_UNKNOWN);
        r = exchange(*state, VERIFY_GET, "/v2/cut", NULL);
        assert_int_equal(r.outcome, HTTP_UNKNOWN);
}

/* The case in which libcurl sends again by itself: a kept connection that ends without a byte. */
static void test_post_is_never_sent_again(void **state) {
        Fixture *f = *state;

        exchange(f, VERIFY_GET, "/v2/ok", NULL);
        Result r = exchange(f, VERIFY_POST, "/v2/cut", "AuthPayload=123456");
        assert_int_equal(r.outcome, HTTP_UNKNOWN);
        exchange(f, VERIFY_GET, "/v2/ok", NULL);

        next_request(f);
        assert_int_equal(f->seen.connection, 0);
        assert_int_equal(strncmp(next_request(f), "POST /v2/cut ", 13), 0);
        assert_int_equal(f->seen.connection, 0); /* a reused one, else this shows nothing */
        assert_int_equal(strncmp(next_request(f), "GET /v2/ok ", 11), 0);
        assert_false(log_is_ready(f));
}

static void test_get_may_be_sent_again(void **state) {
        Fixture *f = *state;

        exchange(f, VERIFY_GET, "/v2/ok", NULL);
        Result r = exchange(f, VERIFY_GET, "/v2/cut-once", NULL);
        assert_int_equal(r.outcome, HTTP_REPLIED);
        assert_string_equal(r.body, "{\"try\":2}");
}

static void test_time_out(void **state) {
        Fixture *f = *state;

        client_open(f, f->url, 100 * USEC_PER_MSEC);
        Result r = exchange(f, VERIFY_POST, "/v2/never", "a=b");
        assert_int_equal(r.outcome, HTTP_UNKNOWN);
        assert_non_null(strstr(r.error, "no reply in time from http://127.0.0.1"));
        assert_int_equal(r.status, 0);
}

static void test_stall(void **state) {
        static const char *const paths[] = {"/v2/never", "/v2/stuck"};
        Fixture *f = *state;
        HttpOptions o = options_for(f->url);
        Result r[ELEMENTSOF(paths)] = {0};

        o.request_timeout = 10 * PATIENCE;
        o.stall_timeout = USEC_PER_SEC;
        client_open_with(f, &o);
        usec_t begin = now_boottime();
        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                send_request(f, VERIFY_POST, paths[i], "a=b", r + i);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                run_until_fired(f, r + i);
                assert_true(usec_sub(now_boottime(), begin) >= USEC_PER_SEC);
                assert_int_equal(r[i].outcome, HTTP_UNKNOWN);
                assert_non_null(strstr(r[i].error, "no reply in time from http://127.0.0.1"));
                http_slot_free(r[i].slot);
        }
}

static void test_connection_refused(void **state) {
        Fixture *f = *state;
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char url[64];

        snprintf(url, sizeof(url), "http://127.0.0.1:%u", listen_on(fd));
        client_open(f, url, PATIENCE);
        Result r = exchange(f, VERIFY_POST, "/v2/ok", "a=b");
        assert_int_equal(r.outcome, HTTP_NOT_SENT);
        assert_non_null(strstr(r.error, "cannot connect to http://127.0.0.1"));
        assert_non_null(strstr(r.error, "Connection refused"));
        assert_int_equal(exchange(f, VERIFY_DELETE, "/v2/ok", NULL).outcome, HTTP_NOT_SENT);
}

static void test_connect_time_out(void **state) {
        Fixture *f = *state;
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        char url[64];

        /* Accepts for the kernel's part, but never answers the TLS hello. */
        snprintf(url, sizeof(url), "https://127.0.0.1:%u", listen_on(fd));
        assert_int_equal(listen(fd, 1), 0);
        client_open(f, url, 200 * USEC_PER_MSEC);
        Result r = exchange(f, VERIFY_POST, "/v2/ok", "a=b");
        assert_int_equal(r.outcome, HTTP_NOT_SENT);
        assert_int_equal(exchange(f, VERIFY_GET, "/v2/ok", NULL).outcome, HTTP_NOT_SENT);
}

static void test_no_tls(void **state) {
        Fixture *f = *state;
        char url[64];

        snprintf(url, sizeof(url), "https://127.0.0.1:%u", f->port);
        client_open(f, url, PATIENCE);
        Result r = exchange(f, VERIFY_POST, "/v2/ok", "a=b");
        assert_int_equal(r.outcome, HTTP_NOT_SENT);
        assert_non_null(strstr(r.error, "no trusted connection to https://127.0.0.1"));
        assert_false(log_is_ready(f));
}

/* ---- tests: slots ---- */

/* Two transfers whose time is over when the loop next runs: libcurl ends both in one wake-up. */
static void send_two_that_end_together(Fixture *f, Result *a, Result *b) {
        client_open(f, f->url, 150 * USEC_PER_MSEC);
        send_request(f, VERIFY_GET, "/v2/never", NULL, a);
        send_request(f, VERIFY_GET, "/v2/never", NULL, b);
        next_request(f);
        next_request(f);
        usec_t over = usec_add(now_boottime(), 200 * USEC_PER_MSEC);
        while (now_boottime() < over)
                poll(NULL, 0, 10);
}

static void test_one_wake_up_ends_two(void **state) {
        Fixture *f = *state;
        Result a = {0}, b = {0};

        send_two_that_end_together(f, &a, &b);
        while (a.fired + b.fired == 0)
                assert_true(sd_event_run(f->event, PATIENCE) >= 0);
        assert_int_equal(a.fired, 1);
        assert_int_equal(b.fired, 1);
        http_slot_free(a.slot);
        http_slot_free(b.slot);
}

static void test_callback_frees_both(void **state) {
        Fixture *f = *state;
        Result a = {.free_self = true}, b = {.free_self = true};

        a.also_free = &b.slot;
        b.also_free = &a.slot;
        send_two_that_end_together(f, &a, &b);
        while (a.fired + b.fired == 0)
                assert_true(sd_event_run(f->event, PATIENCE) >= 0);
        run_for(f, 50 * USEC_PER_MSEC);
        assert_int_equal(a.fired + b.fired, 1);
        assert_null(a.slot);
        assert_null(b.slot);
        /* The client is none the worse. */
        client_open(f, f->url, PATIENCE);
        assert_int_equal(exchange(f, VERIFY_GET, "/v2/ok", NULL).outcome, HTTP_REPLIED);
}

static void test_callback_frees_client(void **state) {
        Fixture *f = *state;
        Result a = {.free_client = true}, b = {.free_client = true};

        send_two_that_end_together(f, &a, &b);
        while (a.fired + b.fired == 0)
                assert_true(sd_event_run(f->event, PATIENCE) >= 0);
        assert_null(f->client);
        run_for(f, 50 * USEC_PER_MSEC);
        assert_int_equal(a.fired + b.fired, 1);
        http_slot_free(a.slot);
        http_slot_free(b.slot);
}

static void test_callback_sends(void **state) {
        Fixture *f = *state;
        Result second = {0}, first = {.send_again = true, .free_self = true, .next = &second};

        send_request(f, VERIFY_GET, "/v2/ok", NULL, &first);
        run_until_fired(f, &first);
        assert_int_equal(second.fired, 0);
        run_until_fired(f, &second);
        assert_int_equal(second.outcome, HTTP_REPLIED);
        http_slot_free(second.slot);
}

static void test_dropped_slot_does_not_fire(void **state) {
        Fixture *f = *state;
        Result running = {0}, fresh = {0};

        send_request(f, VERIFY_GET, "/v2/hold", NULL, &running);
        next_request(f);
        running.slot = http_slot_free(running.slot);
        send_request(f, VERIFY_GET, "/v2/ok", NULL, &fresh);
        fresh.slot = http_slot_free(fresh.slot);
        put_text(f->lifeline, "r");
        exchange(f, VERIFY_GET, "/v2/ok", NULL);
        assert_int_equal(running.fired, 0);
        assert_int_equal(fresh.fired, 0);
        assert_null(http_slot_free(NULL));
}

static void test_client_freed_in_flight(void **state) {
        Fixture *f = *state;
        Result r[5] = {0};

        client_open(f, f->url, PATIENCE);
        for (size_t i = 0; i < ELEMENTSOF(r); i++)
                send_request(f, VERIFY_GET, "/v2/hold", NULL, r + i);
        next_request(f);
        f->client = http_client_free(f->client);
        put_text(f->lifeline, "r");
        run_for(f, 50 * USEC_PER_MSEC);
        for (size_t i = 0; i < ELEMENTSOF(r); i++) {
                assert_int_equal(r[i].fired, 0);
                http_slot_free(r[i].slot);
        }
        assert_null(http_client_free(NULL));
}

/* The caller keeps the queue: what is sent here is on its way, however few connections are kept. */
static void test_all_start_at_once(void **state) {
        Fixture *f = *state;
        HttpOptions o = options_for(f->url);
        Result r[5] = {0};

        o.max_connections = 1;
        client_open_with(f, &o);
        for (size_t i = 0; i < ELEMENTSOF(r); i++)
                send_request(f, VERIFY_GET, "/v2/hold", NULL, r + i);
        for (size_t i = 0; i < ELEMENTSOF(r); i++)
                next_request(f);
        r[2].slot = http_slot_free(r[2].slot);
        put_text(f->lifeline, "r");
        for (size_t i = 0; i < ELEMENTSOF(r); i++)
                if (i != 2)
                        run_until_fired(f, r + i);
        assert_int_equal(r[2].fired, 0);
        for (size_t i = 0; i < ELEMENTSOF(r); i++)
                http_slot_free(r[i].slot);
        exchange(f, VERIFY_GET, "/v2/ok", NULL);
        next_request(f);
        assert_true(f->seen.connection < ELEMENTSOF(r)); /* one of them was kept */
}

static void test_what_cannot_be_sent(void **state) {
        Fixture *f = *state;
        Result r = {0};

        assert_int_equal(try_send(f, &r.slot, VERIFY_POST, "/v2/ok", NULL, "u", "p", &r), -EINVAL);
        assert_int_equal(try_send(f, &r.slot, VERIFY_GET, "/v2/ok", "a=b", "u", "p", &r), -EINVAL);
        assert_int_equal(try_send(f, &r.slot, VERIFY_GET, "v2/ok", NULL, "u", "p", &r), -EINVAL);
        assert_int_equal(try_send(f, &r.slot, VERIFY_GET, NULL, NULL, "u", "p", &r), -EINVAL);
        assert_null(r.slot);
}

#define WITH_SERVER(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                        WITH_SERVER(test_get_on_the_wire),
                        WITH_SERVER(test_post_on_the_wire),
                        WITH_SERVER(test_delete_on_the_wire),
                        WITH_SERVER(test_large_post_has_no_expect),
                        WITH_SERVER(test_long_password),
                        WITH_SERVER(test_path_prefix),
                        WITH_SERVER(test_environment_is_not_asked),
                        WITH_SERVER(test_connection_is_reused),
                        WITH_SERVER(test_unauthorized_has_its_body),
                        WITH_SERVER(test_redirect_is_not_followed),
                        WITH_SERVER(test_headers),
                        WITH_SERVER(test_repeated_headers_are_ambiguous),
                        WITH_SERVER(test_only_the_final_headers_count),
                        WITH_SERVER(test_interim_replies),
                        WITH_SERVER(test_connection_that_is_not_kept),
                        WITH_SERVER(test_answer_before_the_request_is_sent),
                        WITH_SERVER(test_too_large),
                        WITH_SERVER(test_header_flood),
                        WITH_SERVER(test_half_a_reply),
                        WITH_SERVER(test_cut_after_the_request),
                        WITH_SERVER(test_post_is_never_sent_again),
                        WITH_SERVER(test_get_may_be_sent_again),
                        WITH_SERVER(test_time_out),
                        WITH_SERVER(test_stall),
                        WITH_SERVER(test_connection_refused),
                        WITH_SERVER(test_connect_time_out),
                        WITH_SERVER(test_no_tls),
                        WITH_SERVER(test_one_wake_up_ends_two),
                        WITH_SERVER(test_callback_frees_both),
                        WITH_SERVER(test_callback_frees_client),
                        WITH_SERVER(test_callback_sends),
                        WITH_SERVER(test_dropped_slot_does_not_fire),
                        WITH_SERVER(test_client_freed_in_flight),
                        WITH_SERVER(test_all_start_at_once),
                        WITH_SERVER(test_what_cannot_be_sent),
        };

        signal(SIGPIPE, SIG_IGN);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
