#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* SessionTable: what one logind says of its sessions, asked for asynchronously. */

#include <systemd/sd-bus.h>

#include "ipc/session-rule.h"

#define SESSION_TABLE_MAX 1024 /* further ones are not known: they lock nothing */

#define LOGIN_NAME "org.freedesktop.login1"
#define LOGIN_PATH "/org/freedesktop/login1"

typedef struct SessionTable SessionTable;

/* An empty one that asks nobody. published is called from the event loop after each answer, with
 * whether what is known is another now; it may not free the table. Returns 0 or -ENOMEM. */
int session_table_new(SessionTable **ret,
                void (*published)(bool changed, void *userdata),
                void *userdata);
/* Takes NULL, returns NULL. */
SessionTable *session_table_free(SessionTable *t);
DEFINE_CLEANUP(SessionTable *, session_table_free);

/* From now on asks owner (the unique name of logind; copied) over bus (borrowed), and asks it for
 * all sessions; NULL: nobody. What is known stays. */
void session_table_set_owner(SessionTable *t, sd_bus *bus, const char *owner);
/* Whose word is taken, or NULL. */
const char *session_table_owner(const SessionTable *t);
/* Asks for all sessions and what they are, again. */
void session_table_list(SessionTable *t);
/* The session of that path is there, or changed: asks what it is. When it is not known it is added
 * if create. */
void session_table_ask(SessionTable *t, const char *path, bool create);
/* It has gone. */
void session_table_remove(SessionTable *t, const char *path);
/* Nothing is known any more. */
void session_table_clear(SessionTable *t);

/* Whether a list came from the present owner. */
bool session_table_is_listed(const SessionTable *t);
/* Whether an answer failed to come since the last session_table_list(). */
bool session_table_failed(const SessionTable *t);
/* The sessions that are known. Borrowed, until the next event. */
const LoginSession *session_table_facts(const SessionTable *t, size_t *ret_n);
