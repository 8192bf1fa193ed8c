#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Errors with text: functions return 0 or a negative errno, and where a person will read the reason
 * they also set *reterr_msg. The text has no trailing newline and no final full stop. */

#include "base/macros.h"

/* Sets *reterr_msg (freeing what it held) to the formatted text and returns r, so that a caller can
 * write "return error_set(reterr_msg, -EINVAL, …)". reterr_msg may be NULL: the text is dropped.
 * r must be negative. When memory for the text is short, *reterr_msg is NULL and r is still
 * returned. */
int error_set(char **reterr_msg, int r, const char *format, ...) _printf_(3, 4);

/* Puts "context: " before the text that *reterr_msg holds (or before strerror(-r) when it holds
 * none) and returns r. */
int error_wrap(char **reterr_msg, int r, const char *format, ...) _printf_(3, 4);

/* The text to show for a failure: msg, or strerror(-r) when msg is NULL. Borrowed. */
const char *error_text(const char *msg, int r);

/* A list of messages, for readers that report all that is wrong at once. Zero-initialise. */
typedef struct ErrorList {
        char **messages;
        size_t n;
} ErrorList;

/* Appends a message. Returns 0 or -ENOMEM. */
int error_list_add(ErrorList *list, const char *format, ...) _printf_(2, 3);
/* Frees the messages and zeroes the list. */
void error_list_done(ErrorList *list);
