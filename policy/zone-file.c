/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/zone-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* Letters, digits and "_+-" in parts between slashes: nothing that leads out of the folder. */
static bool name_fits(const char *name) {
        static const char letters[] =
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-";

        if (strlen(name) > ZONE_NAME_MAX)
                return false;
        for (const char *p = name;; p++) {
                size_t len = strspn(p, letters);

                if (len == 0)
                        return false;
                p += len;
                if (*p == '\0')
                        return true;
                if (*p != '/')
                        return false;
        }
}

/* At most max bytes; one more shows that there are too many. */
static ssize_t read_all(int fd, uint8_t *data, size_t max) {
        size_t len = 0;

        while (len < max) {
                ssize_t n = read(fd, data + len, max - len);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                len += (size_t) n;
        }
        return (ssize_t) len;
}

static int read_file(Zone **ret, const char *path, char **reterr_msg) {
        struct stat st;

        /* A fifo must not keep it waiting. */
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
                return -ENOENT;

        _cleanup_free_ uint8_t *data = malloc(ZONE_FILE_MAX + 1);
        if (!data)
                return -ENOMEM;
        ssize_t n = read_all(fd, data, ZONE_FILE_MAX + 1);
        if (n < 0)
                return (int) n;
        if (n > ZONE_FILE_MAX)
                return -EFBIG;
        return zone_parse(ret, data, (size_t) n, reterr_msg);
}

int zone_read(Zone **ret, const char *name, char **reterr_msg) {
        _cleanup_free_ char *path = NULL;

        if (name && streq(name, "UTC"))
                return zone_new_utc(ret);
        if (name && !name_fits(name))
                return error_set(reterr_msg, -EINVAL,
                                "this is not a zone's name; write one, as timedatectl "
                                "list-timezones shows it");
        if (asprintf(&path, "%s%s%s", name ? ZONE_DIRECTORY : ZONE_LOCAL, name ? "/" : "",
                            strempty(name)) < 0)
                return -ENOMEM;

        _cleanup_free_ char *msg = NULL;
        int r = read_file(ret, path, &msg);
        if (r == -ENOENT && !name)
                return zone_new_utc(ret);
        if (r == 0 || r == -ENOMEM)
                return r;
        if (r == -ENOENT || r == -ENOTDIR)
                return error_set(reterr_msg, -EINVAL,
                                "there is no such time zone in " ZONE_DIRECTORY
                                "; write one, as timedatectl list-timezones shows it, or UTC");
        return error_set(reterr_msg, -EINVAL, "%s: %s", path, error_text(msg, r));
}
