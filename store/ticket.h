#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: what jobs have announced. A row stays when its ticket is used, with the decision that
 * used it, and when it has expired; one that is withdrawn is gone. */

#include "store/store.h"

typedef struct StoreTicket {
        int64_t id; /* set by store_ticket_add(); never given again */
        int64_t factor_id;
        uid_t owner; /* who made it */
        usec_t created, expires;
        bool local;    /* these are this machine's time: no server had been heard */
        char *message; /* or NULL */
        char *fields;  /* JSON text, or NULL */
} StoreTicket;

/* Frees and zeroes. */
void store_ticket_done(StoreTicket *t);

/* Adds a ticket and sets t->id. -ENOENT when the store does not hold its factor. */
int store_ticket_add(Store *s, StoreTicket *t, char **reterr_msg);
/* Notes the decision that uses it. -ENOENT when there is no such ticket, or it is used already. */
int store_ticket_use(Store *s, int64_t id, const char *decision_id, char **reterr_msg);
/* Removes a ticket that is not used. -ENOENT as above. */
int store_ticket_remove(Store *s, int64_t id, char **reterr_msg);
/* Those that are not used and expire after since, in the order of their ids. *ret is a new array;
 * free each with store_ticket_done(). */
int store_tickets_load(Store *s, usec_t since, StoreTicket **ret, size_t *ret_n, char **reterr_msg);
/* The one that a decision used, of those that expire after a time and not after another: there may
 * be many. ret->id is 0 when there is none; free it with store_ticket_done(). */
int store_ticket_used_by(Store *s,
                const char *decision_id,
                usec_t after,
                usec_t until,
                StoreTicket *ret,
                char **reterr_msg);
/* Drops the rows that expired before that time. */
int store_tickets_prune(Store *s, usec_t before, char **reterr_msg);
