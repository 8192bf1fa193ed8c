#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What is printed: errors, tables, JSON. Text from elsewhere never reaches a terminal unescaped. */

#include <json-c/json_types.h>
#include <stdio.h>

#include "base/json-member.h"
#include "base/secret.h"
#include "base/time.h"

/* Prints "factorctl: …", escaped, one line, on stderr. Returns the exit status that it is given. */
int complain(int exit_status, const char *format, ...) _printf_(2, 3);
/* Likewise, for what is no failure. */
void remark(const char *format, ...) _printf_(1, 2);

/* Each of these prints, on stdout where no stream is given, and returns 0 or an exit status. */

/* Bytes as they are, past stdio's buffer. */
int print_bytes(const Secret *s);
/* "KEY: value", text escaped; nothing for NULL. */
int print_pair(FILE *out, const char *key, const char *value);
/* The document {"schema":1, …the members of o}, in one line. Invisible characters are written as
 * JSON escapes, so that it is exact and still safe to look at. o is borrowed, NULL has no members.
 */
int print_json(json_object *o);
/* The same with one member. */
int print_json_member(const char *key, json_object *value);
/* An object's members as pairs, nested ones as JSON. */
int print_members(json_object *o);

/* Columns that line up. The last one is not padded. */
typedef struct Table Table;
int table_new(Table **ret, const char *const *headers, size_t n_columns);
Table *table_free(Table *t);
DEFINE_CLEANUP(Table *, table_free);
/* Cells are given row by row; text is copied and escaped, "-" stands for NULL. What goes wrong
 * shows in table_print(). */
void table_add(Table *t, const char *text);
/* A cell whose text is escaped already: copied as it is, unless it is not safe after all. */
void table_add_escaped(Table *t, const char *text);
int table_print(FILE *out, const Table *t);

/* The columns that escaped text takes on a terminal. */
size_t text_columns(const char *text);
/* "4min 12s" from now until the RFC 3339 date, "over" past it, "?" for no date. Written to ret. */
const char *time_left(const char *date, usec_t now, char ret[static 64]);
/* A uid's name, or its number. Written to ret. */
const char *user_name(int64_t uid, char ret[static 64]);
