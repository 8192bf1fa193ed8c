#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Ticket: one announcement of a job's, and its time. For tickets.c and those who show it.
 *
 * Times are the server's. A ticket that was made before any server was heard has this machine's
 * time, and is moved with the clock once the server's is known. Whatever clocks say, no ticket is
 * good for longer than it was made for, by the time that passed here. */

#include "daemon/clock.h"
#include "daemon/factor.h"
#include "policy/evaluate.h"
#include "store/ticket.h"

#define TICKET_LIFE_MIN (100 * USEC_PER_MSEC)
#define TICKET_LIFE_DEFAULT USEC_PER_MINUTE
#define TICKET_LIFE_MAX POLICY_TICKET_LIFE_MAX

typedef struct Ticket {
        StoreTicket row;
        Factor *factor; /* borrowed */
        LIST_ENTRY(Ticket) of_factor;
        DetailField *fields;
        size_t n_fields;
        int64_t base; /* server time minus boot time, when it was made or loaded */
        usec_t dies;  /* boot time: at the latest */
} Ticket;

/* What is wanted of a new one; policy_ticket_check() has found nothing wrong with it. */
typedef struct TicketRequest {
        usec_t life;
        const char *message; /* or NULL */
        const DetailField *fields;
        size_t n_fields;
} TicketRequest;

/* A new one, which is in no store yet. Returns 0 or -ENOMEM. */
int ticket_new(Ticket **ret,
                Factor *f,
                const TicketRequest *request,
                uid_t owner,
                const ServerClock *clock);
/* One of the store's; the row is taken (zeroed). Returns 0, -EBADMSG when it can't be read, with
 * the reason, or -ENOMEM. */
int ticket_restore(Ticket **ret,
                Factor *f,
                StoreTicket *row,
                const ServerClock *clock,
                char **reterr_msg);
/* Takes NULL, returns NULL. */
Ticket *ticket_free(Ticket *t);
DEFINE_CLEANUP(Ticket *, ticket_free);

/* When it was made, and ends: server time. */
usec_t ticket_created(const Ticket *t, const ServerClock *clock);
usec_t ticket_expires(const Ticket *t, const ServerClock *clock);
/* Whether it is good at that server time. */
bool ticket_is_open(const Ticket *t, const ServerClock *clock, usec_t now);
/* As the policy takes it; borrowed. */
PolicyTicket ticket_for_policy(const Ticket *t, const ServerClock *clock);
