#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges: naming them and showing them. */

#include <stdio.h>

#include "cli/connection.h"

/* A challenge as it is asked for: "YC" and at least 8 hex digits of it. */
bool challenge_is_reference(const char *text);
/* Asks for a challenge by its SID or a prefix; *ret_challenge is borrowed from *ret. Returns 0 or
 * an exit status. */
int challenge_get(Session *s, const char *reference, JsonDoc **ret, json_object **ret_challenge);
/* Prints the reply of an operation that answers with a challenge: JSON, or "approved YC… (name)".
 */
int challenge_print_reply(Session *s, const JsonDoc *reply);
/* All challenges that are not over. */
int challenge_list_pending(Session *s, List *ret);
/* A table of challenges. */
int challenge_print_table(Session *s, FILE *out, json_object *challenges);

/* All of a challenge, as a person should see it before deciding; wrapped where out is a terminal.
 * Returns 0 or an exit status. */
int challenge_print(Session *s, FILE *out, json_object *challenge);
