#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets: binding with a stale file in the way, connecting, and who is at the other end. */

#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/time.h"

/* A socket file that we made, to know it again. */
typedef struct SocketFile {
        char *path;
        dev_t device;
        ino_t inode;
} SocketFile;

/* Removes the file if it is still the one that we made, and forgets it. */
void socket_file_remove(SocketFile *f);

/* Binds and listens, non-blocking. A socket file that nobody listens on is replaced; one that
 * answers is -EADDRINUSE. Returns 0 or -errno with a message. */
int socket_listen(int *ret_fd,
                SocketFile *ret_file,
                const char *path,
                mode_t mode,
                char **reterr_msg);

/* Connects, waiting so long for a listener with a full queue (0: not at all; the socket does not
 * block then). Returns 0 or -errno with a message, -ETIMEDOUT for the full queue. */
int socket_connect(int *ret_fd, const char *path, usec_t patience, char **reterr_msg);

/* The uid at the other end, as it was when it connected or listened. Returns 0 or -errno. */
int socket_peer_uid(int fd, uid_t *ret);
/* With the process id, which is not good for knowing anybody by: 0 when it is of another namespace.
 */
int socket_peer(int fd, uid_t *ret_uid, pid_t *ret_pid);
