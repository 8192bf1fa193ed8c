#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes between a socket and the messages: wiped as they are used up. */

#include "base/secret.h"

/* A zero-initialised buffer is empty and valid. */
typedef struct MessageBuffer {
        Secret bytes;
        size_t start; /* bytes before it are used up */
        size_t end;   /* of the first message, where its NUL is; meaningful when whole */
        bool whole;
} MessageBuffer;

void message_buffer_done(MessageBuffer *b);
/* The bytes that wait. */
size_t message_buffer_pending(const MessageBuffer *b);

/* Reads without blocking until a whole message is there or nothing is left to read. *ret_eof: the
 * peer sends no more. Returns 0, -EMSGSIZE when a message is over IPC_MESSAGE_MAX, or the errno of
 * recv(). */
int message_buffer_receive(MessageBuffer *b, int fd, bool *ret_eof);
/* The first whole message, without its NUL; borrowed until the buffer is used again. False: there
 * is none. */
bool message_buffer_peek(const MessageBuffer *b, const char **ret, size_t *ret_len);
/* Drops (and wipes) the message that message_buffer_peek() gave. */
void message_buffer_drop(MessageBuffer *b);

/* Writes what can be written without blocking; see message_buffer_pending() for the rest.
 * Returns 0 or the errno of send(). */
int message_buffer_send(MessageBuffer *b, int fd);
