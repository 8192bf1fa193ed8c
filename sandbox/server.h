#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP shell: one thread, one loop. */

#include "sandbox/exchange.h"

typedef struct Server Server; /* opaque */

typedef struct ServerConfig {
        const char *address;  /* a numeric address */
        int port;             /* 0: any free one */
        const char *tls_cert; /* PEM text, or NULL for plain HTTP */
        const char *tls_key;
        bool verbose;
} ServerConfig;

/* Opens the socket and starts listening. state stays the caller's; data_path is borrowed.
 * Returns 0 or -errno with a message. */
int server_new(Server **ret,
                const ServerConfig *config,
                State *state,
                const char *data_path,
                char **reterr_msg);
/* Takes NULL, returns NULL. Connections are closed. */
Server *server_free(Server *s);
DEFINE_CLEANUP(Server *, server_free);
int server_port(const Server *s);
/* The URL to reach it by. Borrowed. */
const char *server_url(const Server *s);
/* Serves until signal_fd is readable. Returns 0 or -errno. */
int server_run(Server *s, int signal_fd);
