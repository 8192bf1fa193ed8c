#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Factors: showing them, and naming their owners. */

#include "cli/connection.h"

/* A user's name or number to a uid. Returns 0 or an exit status. */
int user_lookup(const char *user, int64_t *ret);
/* Adds "owner" as --owner says, if it does. Returns 0 or an exit status. */
int factor_add_owner(Session *s, json_object *parameters);

/* Each prints and returns 0 or an exit status. */
int factor_print(json_object *factor);
int factor_print_table(json_object *factors);
/* The reply of an operation that answers with a factor. */
int factor_print_reply(Session *s, const JsonDoc *reply);
