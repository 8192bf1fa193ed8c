#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The Varlink server on a Unix socket (varlink.org: JSON objects, each ended by a NUL byte). */

#include <systemd/sd-event.h>

#include "base/error.h"
#include "base/time.h"
#include "ipc/call.h"

#define IPC_CLIENTS_MAX 64
#define IPC_CLIENTS_PER_UID_MAX 8
#define IPC_CLIENTS_KEPT 8                      /* of IPC_CLIENTS_MAX, for administrators alone */
#define IPC_MESSAGE_TIMEOUT (10 * USEC_PER_SEC) /* for a half-received message */
#define IPC_BACKLOG_MAX (1024 * 1024)           /* unread bytes of Monitor before EventsLost */
#define IPC_SNAPSHOT_MAX (64 * 1024 * 1024)     /* unread bytes of a list before the same */

typedef struct VarlinkServer VarlinkServer;

typedef struct VarlinkServerOptions {
        const char *path; /* of the socket; its folder must be there */
        mode_t mode;      /* 0666 system, 0600 user */
        int listen_fd;    /* a socket that systemd passed (taken on success), or negative: path is
                             bound */
        const char *version;    /* for GetInfo */
        usec_t message_timeout; /* for a half-received message; 0 is IPC_MESSAGE_TIMEOUT */
        /* Whether a peer is an administrator; asked once a connection. fd: for SO_PEERGROUPS. */
        bool (*is_administrator)(uid_t uid, int fd, void *userdata);
        /* Runs an operation. Takes one reference to the call, and checks the caller's rights. */
        void (*dispatch)(Call *call, void *userdata);
        void *userdata;
} VarlinkServerOptions;

/* Binds and listens. What path and version point to must outlive the server. A socket file that
 * nobody listens on is replaced; one that answers is -EADDRINUSE with a message. Answers
 * org.varlink.service (GetInfo, GetInterfaceDescription) itself; other interfaces and methods get
 * its InterfaceNotFound, MethodNotFound; malformed messages close the connection. References the
 * event loop. Returns 0 or -errno with a message. */
int varlink_server_new(VarlinkServer **ret,
                sd_event *event,
                const VarlinkServerOptions *options,
                char **reterr_msg);
/* Stops listening and closes every connection after what can be written at once is written; removes
 * the socket file if it is still ours. Calls that are under way find their caller gone. Takes NULL.
 */
VarlinkServer *varlink_server_free(VarlinkServer *s);
DEFINE_CLEANUP(VarlinkServer *, varlink_server_free);

/* The texts of the interface files. */
extern const char ipc_interface_description[];
extern const char ipc_service_description[];
