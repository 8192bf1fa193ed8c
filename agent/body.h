#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a notification, line by line. Pure.
 *
 * The provider's text is always escaped, stands on lines of its own and under a mark of its own,
 * and where the notification server knows markup in italics as well: however its lines are broken,
 * it does not pass for the agent's words. */

#include "base/secret.h"

/* Zero-initialise, but for markup. */
typedef struct Body {
        Secret text;
        int error;   /* 0 or -ENOMEM: lines are missing */
        bool markup; /* the server reads XML in it */
} Body;

void body_done(Body *b);
/* The text so far, without a final newline; *ret is new. Returns 0 or -ENOMEM, also when a line
 * before did not fit. */
int body_copy(const Body *b, char **ret);

/* A line of the agent's own words. */
void body_say(Body *b, const char *format, ...) _printf_(2, 3);
/* "KEY: value", of the agent's own key and a value from elsewhere. */
void body_pair(Body *b, const char *key, const char *value);
/* Lines of the provider's: a message in quotation marks, a labelled value (NULL: withheld). Text
 * over max characters (0: none are too many) is cut, and shows that. A message of NULL is no line.
 */
void body_message(Body *b, const char *message, size_t max);
void body_field(Body *b, const char *label, const char *value, size_t max);
