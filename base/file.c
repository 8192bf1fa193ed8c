/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

void closep(int *fd) {
        int saved = errno;

        if (*fd >= 0)
                (void) close(*fd);
        errno = saved;
}

/* A path as a shell takes it: bare when harmless, else in single quotes. NULL without memory. */
static char *shell_quote(const char *path) {
        static const char harmless[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789/._-+,:@%";

        if (path[0] && path[0] != '-' && path[strspn(path, harmless)] == '\0')
                return strdup(path);

        char *quoted = malloc(4 * strlen(path) + 5);
        if (!quoted)
                return NULL;

        /* A leading dash would be an option. */
        char *out = stpcpy(quoted, path[0] == '-' ? "./'" : "'");
        for (; *path; path++) {
                if (*path == '\'')
                        out = stpcpy(out, "'\\''");
                else
                        *out++ = *path;
        }
        strcpy(out, "'");
        return quoted;
}

/* Refuses with "path: what; run: command path". */
static int refuse(const char *path, const char *what, const char *command, char **reterr_msg) {
        _cleanup_free_ char *quoted = shell_quote(path);

        return error_set(reterr_msg, -EPERM, "%s: %s; run: %s %s", path, what, command,
                        strempty(quoted));
}

static int errno_error(const char *path, const char *what, char **reterr_msg) {
        int r = -errno;

        return error_set(reterr_msg, r, "%s: %s: %s", path, what, strerror(-r));
}

/* Opens the folder of path with flags, and finds the last component in path. *ret_folder is the
 * folder's own path, new. */
static int open_folder(const char *path,
                int flags,
                int *ret_fd,
                char **ret_folder,
                const char **ret_name,
                char **reterr_msg) {
        const char *slash = strrchr(path, '/');

        _cleanup_free_ char *folder = !slash          ? strdup(".")
                                      : slash == path ? strdup("/")
                                                      : strndup(path, (size_t) (slash - path));
        if (!folder)
                return -ENOMEM;

        int fd = open(folder, flags | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno_error(folder, "cannot open the folder", reterr_msg);

        *ret_fd = fd;
        *ret_folder = TAKE_PTR(folder);
        *ret_name = slash ? slash + 1 : path;
        return 0;
}

static int
check_owner(const char *path, const struct stat *st, uid_t uid, bool private, char **reterr_msg) {
        char command[32];

        if (st->st_uid == 0 || st->st_uid == uid)
                return 0;

        /* Root's private file could be read by root only. */
        if (private && uid != 0)
                snprintf(command, sizeof(command), "chown %" PRIu32, (uint32_t) uid);
        else
                strcpy(command, "chown root");
        return refuse(path, "is owned by neither root nor this user", command, reterr_msg);
}

static int check_folder(int fd, const char *folder, uid_t uid, char **reterr_msg) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return errno_error(folder, "cannot examine the folder", reterr_msg);

        int r = check_owner(folder, &st, uid, false, reterr_msg);
        if (r < 0)
                return r;
        if (st.st_mode & (S_IWGRP | S_IWOTH) && !(st.st_mode & S_ISVTX))
                return refuse(folder, "the folder can be written by others", "chmod go-w",
                                reterr_msg);
        return 0;
}

static int check_file(int fd, const char *path, uid_t uid, bool private, char **reterr_msg) {
        struct stat st;

        if (fstat(fd, &st) < 0)
                return errno_error(path, "cannot examine the file", reterr_msg);
        if (!S_ISREG(st.st_mode))
                return error_set(reterr_msg, -EINVAL,
                                "%s: is not a regular file; put a plain file there", path);

        int r = check_owner(path, &st, uid, private, reterr_msg);
        if (r < 0)
                return r;
        if (private && st.st_mode & (S_IRWXG | S_IRWXO))
                return refuse(path, "holds a secret, and others have access", "chmod 600",
                                reterr_msg);
        if (st.st_mode & (S_IWGRP | S_IWOTH))
                return refuse(path, "can be written by others", "chmod go-w", reterr_msg);
        return 0;
}

static int read_all(Secret *ret, int fd, const char *path, size_t max, char **reterr_msg) {
        int r = secret_read_fd_raw(ret, fd, max);

        if (r == -E2BIG)
                return error_set(reterr_msg, r,
                                "%s: is larger than %zu bytes, the most that is read", path, max);
        if (r < 0)
                return error_set(reterr_msg, r, "%s: cannot read: %s", path, strerror(-r));
        return 0;
}

static int refuse_link(const char *path, char **reterr_msg) {
        return error_set(reterr_msg, -ELOOP,
                        "%s: is a symbolic link, which is not followed; name the file itself",
                        path);
}

int file_read_trusted(Secret *ret,
                const char *path,
                uid_t uid,
                bool private,
                size_t max,
                char **reterr_msg) {
        _cleanup_close_ int folder_fd = -EBADF, fd = -EBADF;
        _cleanup_free_ char *folder = NULL;
        const char *name;

        /* By way of the folder, so that the folder that is checked is the one that is used. */
        int r = open_folder(path, O_PATH, &folder_fd, &folder, &name, reterr_msg);
        if (r < 0)
                return r;

        fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0 && errno == ELOOP)
                return refuse_link(path, reterr_msg);
        if (fd < 0)
                return errno_error(path, "cannot open", reterr_msg);

        r = check_file(fd, path, uid, private, reterr_msg);
        if (r < 0)
                return r;
        r = check_folder(folder_fd, folder, uid, reterr_msg);
        if (r < 0)
                return r;
        return read_all(ret, fd, path, max, reterr_msg);
}

int file_check_program(const char *path, uid_t uid, char **reterr_msg) {
        _cleanup_close_ int folder_fd = -EBADF, fd = -EBADF;
        _cleanup_free_ char *folder = NULL;
        const char *name;
        struct stat st;

        int r = open_folder(path, O_PATH, &folder_fd, &folder, &name, reterr_msg);
        if (r < 0)
                return r;

        /* It need not be readable. A link is opened as such. */
        fd = openat(folder_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
                return error_set(reterr_msg, -ENOENT,
                                "%s: there is no such program; install it, or name another", path);
        if (fd < 0)
                return errno_error(path, "cannot open", reterr_msg);
        if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode))
                return refuse_link(path, reterr_msg);

        r = check_file(fd, path, uid, false, reterr_msg);
        if (r < 0)
                return r;
        if (faccessat(folder_fd, name, X_OK, AT_EACCESS) < 0)
                return refuse(path, "cannot be run", "chmod a+rx", reterr_msg);
        return check_folder(folder_fd, folder, uid, reterr_msg);
}

int file_check_socket(const char *path, uid_t uid, char **reterr_msg) {
        _cleanup_close_ int folder_fd = -EBADF;
        _cleanup_free_ char *folder = NULL;
        const char *name;
        struct stat st;

        int r = open_folder(path, O_PATH, &folder_fd, &folder, &name, reterr_msg);
        if (r < 0)
                return r;
        if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno_error(path, "cannot find the socket", reterr_msg);
        if (S_ISLNK(st.st_mode))
                return refuse_link(path, reterr_msg);
        if (!S_ISSOCK(st.st_mode))
                return error_set(reterr_msg, -ENOTSOCK,
                                "%s: is no socket; name the one that the service listens on", path);
        return check_folder(folder_fd, folder, uid, reterr_msg);
}

int directory_check(const char *path, uid_t uid, char **reterr_msg) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;

        /* A link is opened as such. */
        fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return errno_error(path, "cannot open the folder", reterr_msg);
        if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode))
                return refuse_link(path, reterr_msg);
        return check_folder(fd, path, uid, reterr_msg);
}

int file_read_named(Secret *ret, const char *path, size_t max, char **reterr_msg) {
        _cleanup_close_ int fd = -EBADF;

        if (streq(path, "-"))
                return read_all(ret, STDIN_FILENO, "standard input", max, reterr_msg);

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0)
                return errno_error(path, "cannot open", reterr_msg);
        return read_all(ret, fd, path, max, reterr_msg);
}

static int write_all(int fd, const void *data, size_t len) {
        const uint8_t *p = data;

        while (len > 0) {
                ssize_t n = write(fd, p, len);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                p += n;
                len -= (size_t) n;
        }
        return 0;
}

/* Makes the new file and brings it to the disk; its name is random, so that nobody can lay a trap
 * under it. */
static int write_temporary(
                int folder_fd, const char *name, const void *data, size_t len, mode_t mode) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return -errno;

        int r = write_all(fd, data, len);
        if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
                r = -errno;
        /* Some file systems report a lack of space only now. */
        if (close(TAKE_FD(fd)) < 0 && r == 0)
                r = -errno;
        if (r < 0)
                (void) unlinkat(folder_fd, name, 0);
        return r;
}

int file_write_atomic(
                const char *path, const void *data, size_t len, mode_t mode, char **reterr_msg) {
        _cleanup_close_ int folder_fd = -EBADF;
        _cleanup_free_ char *folder = NULL;
        const char *name = NULL;
        uint64_t random;
        char temporary[32];

        int r = open_folder(path, O_RDONLY, &folder_fd, &folder, &name, reterr_msg);
        if (r < 0)
                return r;
        r = random_bytes(&random, sizeof(random));
        if (r < 0)
                return error_set(reterr_msg, r, "%s: no random name: %s", path, strerror(-r));
        snprintf(temporary, sizeof(temporary), ".%016" PRIx64 ".tmp", random);

        r = write_temporary(folder_fd, temporary, data, len, mode);
        if (r < 0)
                return error_set(reterr_msg, r, "%s: cannot write: %s", path, strerror(-r));

        if (renameat(folder_fd, temporary, folder_fd, name) < 0) {
                r = errno_error(path, "cannot replace", reterr_msg);
                (void) unlinkat(folder_fd, temporary, 0);
                return r;
        }
        if (fsync(folder_fd) < 0)
                return errno_error(folder, "cannot sync the folder", reterr_msg);
        return 0;
}

int directory_make(const char *path, mode_t mode, char **reterr_msg) {
        struct stat st;

        _cleanup_free_ char *copy = strdup(path);
        if (!copy)
                return -ENOMEM;

        for (char *p = copy; *p;) {
                p += strspn(p, "/");
                p += strcspn(p, "/");

                char end = *p;
                *p = '\0';
                /* The mode is what was asked for, whatever the umask. */
                if (mkdir(copy, mode) < 0 ? errno != EEXIST : chmod(copy, mode) < 0)
                        return errno_error(copy, "cannot make the folder", reterr_msg);
                *p = end;
        }

        if (stat(path, &st) < 0)
                return errno_error(path, "cannot examine the folder", reterr_msg);
        if (!S_ISDIR(st.st_mode))
                return error_set(reterr_msg, -ENOTDIR,
                                "%s: is there and is no folder; move it out of the way", path);
        return 0;
}
