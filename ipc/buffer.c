/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/buffer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/operation.h"

#define CHUNK_SIZE (64 * 1024)

void message_buffer_done(MessageBuffer *b) {
        if (!b)
                return;
        secret_done(&b->bytes);
        *b = (MessageBuffer){0};
}

size_t message_buffer_pending(const MessageBuffer *b) {
        return b->bytes.len - b->start;
}

/* Uses up n bytes. Memory moves only when half of it is used up, so that many small messages cost
 * no more than their bytes. */
static void consume(MessageBuffer *b, size_t n) {
        Secret *s = &b->bytes;
        size_t left;

        secret_wipe(s->data + b->start, n);
        b->start += n;
        left = s->len - b->start;
        if (left == 0) {
                message_buffer_done(b);
                return;
        }
        if (b->start < s->len / 2)
                return;

        memmove(s->data, s->data + b->start, left);
        secret_wipe(s->data + left, s->len - left);
        s->len = left;
        b->start = 0;
}

static void find_end(MessageBuffer *b, size_t from) {
        const uint8_t *nul = NULL;

        if (b->bytes.len > from)
                nul = memchr(b->bytes.data + from, 0, b->bytes.len - from);
        b->whole = nul;
        if (nul)
                b->end = (size_t) (nul - b->bytes.data);
}

int message_buffer_receive(MessageBuffer *b, int fd, bool *ret_eof) {
        uint8_t chunk[CHUNK_SIZE];

        *ret_eof = false;
        while (!b->whole) {
                size_t before = b->bytes.len;
                ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
                int r;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                if (n == 0) {
                        *ret_eof = true;
                        return 0;
                }
                r = secret_append(&b->bytes, chunk, (size_t) n);
                secret_wipe(chunk, (size_t) n);
                if (r < 0)
                        return r;
                find_end(b, before);
                if ((b->whole ? b->end - b->start : message_buffer_pending(b)) > IPC_MESSAGE_MAX)
                        return -EMSGSIZE;
        }
        return 0;
}

bool message_buffer_peek(const MessageBuffer *b, const char **ret, size_t *ret_len) {
        if (!b->whole)
                return false;
        *ret = (const char *) b->bytes.data + b->start;
        *ret_len = b->end - b->start;
        return true;
}

void message_buffer_drop(MessageBuffer *b) {
        if (!b->whole)
                return;
        consume(b, b->end + 1 - b->start);
        find_end(b, b->start);
}

int message_buffer_send(MessageBuffer *b, int fd) {
        while (message_buffer_pending(b) > 0) {
                ssize_t n = send(fd, b->bytes.data + b->start, message_buffer_pending(b),
                                MSG_DONTWAIT | MSG_NOSIGNAL);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                consume(b, (size_t) n);
        }
        return 0;
}
