#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: what jobs have announced and nothing has used yet. The store comes first: what is here
 * is durable, and what a transaction changes changes here once it is committed. */

#include "daemon/registry.h"
#include "daemon/ticket.h"

#define TICKETS_OF_FACTOR_MAX 100
#define TICKETS_OF_UID_MAX 1000
#define TICKET_KEPT (30 * USEC_PER_DAY) /* in the store, after its end */

typedef struct Tickets Tickets;

/* Store and clock are borrowed. Returns 0 or -ENOMEM. */
int tickets_new(Tickets **ret, Store *store, const ServerClock *clock);
/* Before the factors. Takes NULL, returns NULL. */
Tickets *tickets_free(Tickets *t);
DEFINE_CLEANUP(Tickets *, tickets_free);
/* Takes the open ones from the store. Returns 0 or -errno with a message. */
int tickets_load(Tickets *t, const Registry *factors, char **reterr_msg);

/* Makes a ticket, durable with its audit record when this returns 0; *ret is borrowed. -EDQUOT past
 * a limit, or -errno; with a message. */
int tickets_add(Tickets *t,
                Factor *f,
                const TicketRequest *request,
                const Actor *actor,
                const Ticket **ret,
                char **reterr_msg);
/* Withdraws a ticket, with an audit record. -ENOENT when it is not open, or -errno with a message.
 */
int tickets_revoke(Tickets *t, int64_t id, const Actor *actor, char **reterr_msg);
/* Withdraws all of a factor, or none. */
int tickets_revoke_all(Tickets *t, const Factor *f, const Actor *actor, char **reterr_msg);
/* The factor is gone from the store, and its tickets with it. */
void tickets_forget(Tickets *t, const Factor *f);
/* Forgets those whose time is over. */
void tickets_tidy(Tickets *t);

/* Those of a factor that are open at that (server) time, oldest first, as the policy takes them.
 * Borrowed until the next call of this or the next change. */
size_t tickets_of_factor(Tickets *t, const Factor *f, usec_t now, const PolicyTicket **ret);

/* Uses a ticket for a decision that is in the store, inside the open transaction. -ENOENT when it
 * is not open any more: then the decision must not stand. */
int tickets_consume(Tickets *t, int64_t id, const char *decision_id, char **reterr_msg);
/* The transaction is committed. */
void tickets_consumed(Tickets *t, int64_t id);

/* The open ticket with that id, or NULL. */
const Ticket *tickets_find(const Tickets *t, int64_t id);
/* Calls the function for each open one, in the order of their ids, until it returns false. */
void tickets_each(Tickets *t,
                bool (*each)(const Ticket *ticket, const ServerClock *clock, void *userdata),
                void *userdata);
