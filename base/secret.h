#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Secret: bytes that are wiped whenever they are freed, grown or replaced. */

#include <sys/types.h>

#include "base/macros.h"

/* A zero-initialised Secret is empty and valid. data is always followed by a NUL that len does not
 * count, so that text can be handed to a library that wants a string. Never print one. */
typedef struct Secret {
        uint8_t *data;
        size_t len;
        size_t allocated;
} Secret;

/* Wipes and frees; *s is empty afterwards. Takes NULL. Usable with _cleanup_(). */
void secret_done(Secret *s);
/* Appends bytes, growing as needed; the old memory is wiped. Returns 0 or -ENOMEM. */
int secret_append(Secret *s, const void *data, size_t len);
/* Appends a NUL-ended string. Returns 0 or -ENOMEM. */
int secret_append_string(Secret *s, const char *text);
/* Makes *s hold len zero bytes (what it held is wiped). Returns 0 or -ENOMEM. */
int secret_resize(Secret *s, size_t len);
/* Replaces *ret by a copy. Returns 0 or -ENOMEM. */
int secret_copy(Secret *ret, const Secret *s);
/* Moves from *s to *ret; what *ret held is wiped. */
void secret_move(Secret *ret, Secret *s);
/* Compares in constant time for equal lengths. */
bool secret_equal(const Secret *a, const Secret *b);
/* The bytes as a NUL-ended string ("" when empty). Borrowed. */
const char *secret_string(const Secret *s);
/* Reads fd to its end, at most max bytes. One trailing newline is dropped.
 * Returns 0, -E2BIG when there is more, -ENOMEM or the errno of read(). */
int secret_read_fd(Secret *ret, int fd, size_t max);
/* Likewise, but every byte is kept. */
int secret_read_fd_raw(Secret *ret, int fd, size_t max);
/* Drops one trailing newline ("\n" or "\r\n"), as a secret file has it. */
void secret_chomp(Secret *s);
/* Wipes memory in a way the compiler keeps. Takes NULL. */
void secret_wipe(void *data, size_t len);
/* Wipes and frees a NUL-ended string that held something secret. Takes NULL, returns NULL. */
char *secret_string_free(char *text);
DEFINE_CLEANUP(char *, secret_string_free);

/* Fills a buffer from the kernel's random source. Returns 0 or -errno; never short. */
int random_bytes(void *ret, size_t len);
