#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Factors: showing them, and naming their owners. */

#include "cli/connection.h"

/* Adds "owner" as --owner says, if it does. Returns 0 or an exit status. */
int factor_add_owner(Session *s, json_object *parameters);

/* Prints a list. Returns 0 or an exit status. */
int factor_print_table(json_object *factors);
/* Prints the reply of an operation that answers with a factor. Likewise. */
int factor_print_reply(Session *s, const JsonDoc *reply);
