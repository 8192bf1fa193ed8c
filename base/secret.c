/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define READ_STEP 4096

void secret_wipe(void *data, size_t len) {
        if (data)
                explicit_bzero(data, len);
}

char *secret_string_free(char *text) {
        if (text)
                explicit_bzero(text, strlen(text));
        free(text);
        return NULL;
}

void secret_done(Secret *s) {
        if (!s)
                return;

        secret_wipe(s->data, s->allocated);
        free(s->data);
        *s = (Secret){0};
}

/* Makes room for len bytes and the NUL. Never realloc(): it would leave the old bytes behind. */
static int secret_reserve(Secret *s, size_t len) {
        if (len < s->allocated)
                return 0;
        if (len > SIZE_MAX / 2)
                return -ENOMEM;

        size_t allocated = 2 * s->allocated > len + 1 ? 2 * s->allocated : len + 1;
        uint8_t *data = malloc(allocated);
        if (!data)
                return -ENOMEM;

        if (s->len > 0)
                memcpy(data, s->data, s->len);
        data[s->len] = 0;
        secret_wipe(s->data, s->allocated);
        free(s->data);
        s->data = data;
        s->allocated = allocated;
        return 0;
}

int secret_append(Secret *s, const void *data, size_t len) {
        if (len == 0)
                return 0;
        if (len > SIZE_MAX - s->len)
                return -ENOMEM;

        int r = secret_reserve(s, s->len + len);
        if (r < 0)
                return r;

        memcpy(s->data + s->len, data, len);
        s->len += len;
        s->data[s->len] = 0;
        return 0;
}

int secret_append_string(Secret *s, const char *text) {
        return secret_append(s, text, strlen(text));
}

int secret_resize(Secret *s, size_t len) {
        Secret fresh = {0};

        int r = secret_reserve(&fresh, len);
        if (r < 0)
                return r;

        memset(fresh.data, 0, len + 1);
        fresh.len = len;
        secret_move(s, &fresh);
        return 0;
}

int secret_copy(Secret *ret, const Secret *s) {
        Secret copy = {0};

        int r = secret_append(&copy, s->data, s->len);
        if (r < 0)
                return r;

        secret_move(ret, &copy);
        return 0;
}

void secret_move(Secret *ret, Secret *s) {
        if (ret == s)
                return;

        secret_done(ret);
        *ret = *s;
        *s = (Secret){0};
}

const char *secret_string(const Secret *s) {
        return s->data ? (const char *) s->data : "";
}

int secret_read_fd_raw(Secret *ret, int fd, size_t max) {
        _cleanup_(secret_done) Secret s = {0};

        for (;;) {
                int r = secret_reserve(&s, s.len + READ_STEP);
                if (r < 0)
                        return r;

                ssize_t n = read(fd, s.data + s.len, READ_STEP);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                s.len += (size_t) n;
                if (s.len > max)
                        return -E2BIG;
        }

        s.data[s.len] = 0;
        secret_move(ret, &s);
        return 0;
}

int secret_read_fd(Secret *ret, int fd, size_t max) {
        int r = secret_read_fd_raw(ret, fd, max);
        if (r < 0)
                return r;

        secret_chomp(ret);
        return 0;
}

void secret_chomp(Secret *s) {
        if (s->len == 0 || s->data[s->len - 1] != '\n')
                return;

        s->data[--s->len] = 0;
        if (s->len > 0 && s->data[s->len - 1] == '\r')
                s->data[--s->len] = 0;
}

int random_bytes(void *ret, size_t len) {
        uint8_t *p = ret;

        while (len > 0) {
                ssize_t n = getrandom(p, len, 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                p += n;
                len -= (size_t) n;
        }
        return 0;
}
