#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A small raw HTTP server for tests of the transport, to run in a child process: it answers as the
 * path of a request says, and writes to its parent what came in. */

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "verify/reply.h"

#define CONNECTIONS_MAX 32
#define REQUEST_MAX (64 * 1024)

/* A request as it came in, written to the parent: the header, then len bytes. */
typedef struct Seen {
        uint32_t connection; /* counted from 0 */
        uint32_t len;
} Seen;

typedef struct Connection {
        int fd;
        uint32_t id;
        bool held;
        bool deaf; /* what comes in is thrown away */
        size_t len;
        char request[REQUEST_MAX + 1];
} Connection;

typedef struct Peer {
        int listener, log, lifeline;
        uint32_t n_accepted;
        unsigned n_cut;
        Connection *connections[CONNECTIONS_MAX];
} Peer;

static void put(int fd, const void *data, size_t len) {
        const char *p = data;

        while (len > 0) {
                ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
                if (n < 0 && errno == ENOTSOCK)
                        n = write(fd, p, len);
                if (n <= 0)
                        return;
                p += n;
                len -= (size_t) n;
        }
}

static void put_text(int fd, const char *text) {
        put(fd, text, strlen(text));
}

static void put_reply(int fd, const char *status, const char *headers, const char *body) {
        char head[1024];

        snprintf(head, sizeof(head), "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n", status,
                        strlen(body), headers);
        put_text(fd, head);
        put_text(fd, body);
}

static void put_flood(int fd, const char *head, size_t len) {
        char chunk[1024];

        put_text(fd, head);
        memset(chunk, 'x', sizeof(chunk));
        for (size_t i = 0; i < len; i += sizeof(chunk))
                put(fd, chunk, sizeof(chunk));
        put_text(fd, "\r\n\r\n");
}

static void put_many_headers(int fd) {
        put_text(fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 2000; i++)
                put_text(fd, "X-Flood: 0123456789012345678901234567890123456789\r\n");
        put_text(fd, "Content-Length: 2\r\n\r\n{}");
}

static bool path_is(const Connection *c, const char *path) {
        const char *p = strchr(c->request, ' ');
        return p && strncmp(p + 1, path, strlen(path)) == 0 && p[1 + strlen(path)] == ' ';
}

/* Answers as the path says. Returns whether the connection is kept. */
static bool answer(Peer *peer, Connection *c) {
        if (path_is(c, "/v2/ok"))
                put_reply(c->fd, "200 OK", "", "{\"ok\":true}");
        else if (path_is(c, "/v2/unauthorized"))
                put_reply(c->fd, "401 Unauthorized",
                                "WWW-Authenticate: Basic realm=\"x\"\r\n"
                                "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\n",
                                "{\"code\":20003}");
        else if (path_is(c, "/v2/redirect"))
                put_reply(c->fd, "302 Found", "Location: /v2/ok\r\n", "moved");
        else if (path_is(c, "/v2/headers"))
                put_reply(c->fd, "200 OK",
                                "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRETRY-AFTER: 7\r\nAge: "
                                "0\r\n"
                                "twilio-verify-signature-fields:  sid,details \r\n",
                                "{}");
        else if (path_is(c, "/v2/twice"))
                put_reply(c->fd, "200 OK",
                                "Twilio-Verify-Signature-Fields: sid\r\n"
                                "Twilio-Verify-Signature-Fields: details\r\n"
                                "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: x\r\n",
                                "{}");
        else if (path_is(c, "/v2/early"))
                put_text(c->fd, "HTTP/1.1 103 Early Hints\r\nTwilio-Verify-Signature-Fields: "
                                "early\r\n"
                                "\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "2\r\n{}\r\n0\r\nDate: late\r\n\r\n");
        else if (path_is(c, "/v2/continue"))
                put_text(c->fd, "HTTP/1.1 100 Continue\r\n\r\n"
                                "HTTP/1.1 102 Processing\r\nRetry-After: 9\r\n\r\n"
                                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
        else if (path_is(c, "/v2/close"))
                put_reply(c->fd, "200 OK", "Connection: close\r\n", "{}");
        else if (path_is(c, "/v2/ok-then-cut"))
                put_reply(c->fd, "200 OK", "", "{}");
        else if (path_is(c, "/v2/eager")) {
                c->deaf = true;
                put_reply(c->fd, "400 Bad Request", "", "{\"code\":60200}");
        } else if (path_is(c, "/v2/stuck"))
                put_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
        else if (path_is(c, "/v2/only-early"))
                put_text(c->fd, "HTTP/1.1 103 Early Hints\r\n\r\n");
        else if (path_is(c, "/v2/large"))
                put_flood(c->fd, "HTTP/1.1 200 OK\r\n\r\n", VERIFY_REPLY_MAX + 4096);
        else if (path_is(c, "/v2/many-headers"))
                put_many_headers(c->fd);
        else if (path_is(c, "/v2/half"))
                put_text(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":");
        else if (path_is(c, "/v2/hold") || path_is(c, "/v2/never"))
                c->held = path_is(c, "/v2/hold");
        else if (path_is(c, "/v2/cut-once") && peer->n_cut++ > 0)
                put_reply(c->fd, "200 OK", "", "{\"try\":2}");
        else
                return false; /* /v2/cut and what else is there: closed without a word */
        return !path_is(c, "/v2/half") && !path_is(c, "/v2/large") && !path_is(c, "/v2/close") &&
               !path_is(c, "/v2/ok-then-cut") && !path_is(c, "/v2/only-early");
}

/* Whether a whole request is there: its headers and Content-Length bytes. An eager answer does not
 * wait for those. */
static bool request_is_whole(const Connection *c) {
        const char *end = strstr(c->request, "\r\n\r\n");
        const char *length = strstr(c->request, "Content-Length: ");
        size_t body = length ? strtoul(length + strlen("Content-Length: "), NULL, 10) : 0;

        if (path_is(c, "/v2/eager"))
                body = 0;
        return end && c->len >= (size_t) (end + 4 - c->request) + body;
}

static void connection_close(Peer *peer, int i) {
        close(peer->connections[i]->fd);
        free(peer->connections[i]);
        peer->connections[i] = NULL;
}

static void connection_read(Peer *peer, int i) {
        Connection *c = peer->connections[i];
        ssize_t n = read(c->fd, c->request + c->len, REQUEST_MAX - c->len);

        if (n <= 0) {
                connection_close(peer, i);
                return;
        }
        if (c->deaf)
                return;
        c->len += (size_t) n;
        c->request[c->len] = '\0';
        if (!request_is_whole(c)) {
                if ((unsigned char) c->request[0] == 0x16) /* a TLS hello */
                        connection_close(peer, i);
                return;
        }
        Seen seen = {.connection = c->id, .len = (uint32_t) c->len};
        put(peer->log, &seen, sizeof(seen));
        put(peer->log, c->request, c->len);
        c->len = 0;
        if (!answer(peer, c))
                connection_close(peer, i);
}

static void connection_accept(Peer *peer) {
        for (int i = 0; i < CONNECTIONS_MAX; i++) {
                if (peer->connections[i])
                        continue;
                Connection *c = calloc(1, sizeof(*c));
                c->fd = accept(peer->listener, NULL, NULL);
                c->id = peer->n_accepted++;
                peer->connections[i] = c;
                return;
        }
        abort();
}

static void release_held(Peer *peer) {
        char byte;

        if (read(peer->lifeline, &byte, 1) <= 0)
                _exit(0); /* the parent is gone */
        for (int i = 0; i < CONNECTIONS_MAX; i++) {
                Connection *c = peer->connections[i];
                if (c && c->held)
                        put_reply(c->fd, "200 OK", "", "{\"held\":true}");
                if (c)
                        c->held = false;
        }
}

static _Noreturn void peer_run(Peer *peer) {
        for (;;) {
                struct pollfd fds[2 + CONNECTIONS_MAX] = {
                                {.fd = peer->listener, .events = POLLIN},
                                {.fd = peer->lifeline, .events = POLLIN},
                };
                for (int i = 0; i < CONNECTIONS_MAX; i++) {
                        Connection *c = peer->connections[i];
                        fds[2 + i] = (struct pollfd){.fd = c ? c->fd : -1, .events = POLLIN};
                }
                if (poll(fds, ELEMENTSOF(fds), -1) < 0)
                        _exit(1);
                for (int i = 0; i < CONNECTIONS_MAX; i++)
                        if (fds[2 + i].revents)
                                connection_read(peer, i);
                if (fds[0].revents)
                        connection_accept(peer);
                if (fds[1].revents)
                        release_held(peer);
        }
}
