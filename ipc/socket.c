/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

void socket_file_remove(SocketFile *f) {
        struct stat st;

        if (f->path && lstat(f->path, &st) >= 0 && st.st_dev == f->device && st.st_ino == f->inode)
                (void) unlink(f->path);
        free(f->path);
        *f = (SocketFile){0};
}

static int socket_address(struct sockaddr_un *ret, const char *path, char **reterr_msg) {
        size_t len = strlen(path);

        *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
        if (len == 0 || len >= sizeof(ret->sun_path))
                return error_set(reterr_msg, -ENAMETOOLONG,
                                "%s: a socket's path has 1 to %zu bytes: choose a shorter one",
                                path, sizeof(ret->sun_path) - 1);
        memcpy(ret->sun_path, path, len);
        return 0;
}

/* Decides about what stands at the path: 0 when it was a dead socket and is removed now. */
static int remove_stale(const struct sockaddr_un *address, char **reterr_msg) {
        _cleanup_close_ int fd = -EBADF;
        const char *path = address->sun_path;
        struct stat st;

        if (lstat(path, &st) < 0)
                return errno == ENOENT ? 0 : error_wrap(reterr_msg, -errno, "%s", path);
        if (!S_ISSOCK(st.st_mode))
                return error_set(reterr_msg, -EADDRINUSE,
                                "%s is there and is no socket: move it away", path);

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_wrap(reterr_msg, -errno, "socket");
        if (connect(fd, (const struct sockaddr *) address, sizeof(*address)) >= 0 ||
                        errno != ECONNREFUSED)
                return error_set(reterr_msg, -EADDRINUSE,
                                "%s is in use: another daemon listens there", path);
        if (unlink(path) < 0 && errno != ENOENT)
                return error_wrap(reterr_msg, -errno, "%s: cannot remove the old socket", path);
        return 0;
}

static int socket_bind(int fd, const struct sockaddr_un *address, char **reterr_msg) {
        const char *path = address->sun_path;
        int r;

        for (unsigned attempt = 0; attempt < 3; attempt++) {
                if (bind(fd, (const struct sockaddr *) address, sizeof(*address)) >= 0)
                        return 0;
                if (errno != EADDRINUSE)
                        return error_wrap(reterr_msg, -errno, "%s: cannot bind", path);
                r = remove_stale(address, reterr_msg);
                if (r < 0)
                        return r;
        }
        return error_set(reterr_msg, -EADDRINUSE, "%s is in use", path);
}

int socket_listen(int *ret_fd,
                SocketFile *ret_file,
                const char *path,
                mode_t mode,
                char **reterr_msg) {
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un address;
        SocketFile file = {0};
        struct stat st;
        int r;

        r = socket_address(&address, path, reterr_msg);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_wrap(reterr_msg, -errno, "socket");

        /* The file is born with the socket's own mode, so it is at no time wider than wanted. */
        if (fchmod(fd, 0600) < 0)
                return error_wrap(reterr_msg, -errno, "%s: cannot set the mode", path);
        r = socket_bind(fd, &address, reterr_msg);
        if (r < 0)
                return r;

        file.path = strdup(path);
        if (!file.path || lstat(path, &st) < 0) {
                r = file.path ? -errno : -ENOMEM;
                (void) unlink(path);
                free(file.path);
                return error_set(reterr_msg, r, "%s: %s", path, error_text(NULL, r));
        }
        file.device = st.st_dev;
        file.inode = st.st_ino;
        if (chmod(path, mode) < 0 || listen(fd, SOMAXCONN) < 0) {
                r = error_wrap(reterr_msg, -errno, "%s: cannot listen", path);
                socket_file_remove(&file);
                return r;
        }

        *ret_file = file;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int socket_connect(int *ret_fd, const char *path, usec_t patience, char **reterr_msg) {
        struct timeval timeout = {.tv_sec = (time_t) (patience / USEC_PER_SEC),
                        .tv_usec = (suseconds_t) (patience % USEC_PER_SEC)};
        _cleanup_close_ int fd = -EBADF;
        struct sockaddr_un address;
        int r;

        r = socket_address(&address, path, reterr_msg);
        if (r < 0)
                return r;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (patience > 0 ? 0 : SOCK_NONBLOCK), 0);
        if (fd < 0)
                return error_wrap(reterr_msg, -errno, "socket");
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
                return error_wrap(reterr_msg, -errno, "%s", path);
        if (connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0) {
                r = errno == EAGAIN ? -ETIMEDOUT : -errno;
                if (r == -ENOENT || r == -ECONNREFUSED)
                        return error_set(reterr_msg, r,
                                        "no daemon listens on %s: start factord first", path);
                return error_set(reterr_msg, r, "%s: %s", path, strerror(-r));
        }

        *ret_fd = TAKE_FD(fd);
        return 0;
}

int socket_peer(int fd, uid_t *ret_uid, pid_t *ret_pid) {
        struct ucred peer;
        socklen_t len = sizeof(peer);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
                return -errno;
        *ret_uid = peer.uid;
        *ret_pid = peer.pid;
        return 0;
}

int socket_peer_uid(int fd, uid_t *ret) {
        pid_t pid;

        return socket_peer(fd, ret, &pid);
}
