/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded: while the file $READONLY is there, what writes to a file system is told that this one
 * can't be written, as after a remount by the kernel. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int is_readonly(void) {
        const char *flag = getenv("READONLY");
        int e = errno;
        int there = flag && access(flag, F_OK) == 0;

        errno = e;
        return there;
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at) {
        ssize_t (*real)(int, const void *, size_t, off64_t);

        if (is_readonly()) {
                errno = EROFS;
                return -1;
        }
        *(void **) &real = dlsym(RTLD_NEXT, "pwrite64");
        return real(fd, data, len, at);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at) {
        return pwrite64(fd, data, len, at);
}

int statvfs64(const char *path, struct statvfs64 *ret) {
        int (*real)(const char *, struct statvfs64 *);
        int r;

        *(void **) &real = dlsym(RTLD_NEXT, "statvfs64");
        r = real(path, ret);
        if (r == 0 && is_readonly())
                ret->f_flag |= ST_RDONLY;
        return r;
}
