/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/tickets.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "log/log.h"

struct Tickets {
        Store *store;
        const ServerClock *clock;
        Ticket **items; /* by id */
        size_t n;
        PolicyTicket given[TICKETS_OF_FACTOR_MAX]; /* what tickets_of_factor() gave last */
};

int tickets_new(Tickets **ret, Store *store, const ServerClock *clock) {
        Tickets *t = calloc(1, sizeof(Tickets));

        if (!t)
                return -ENOMEM;
        t->store = store;
        t->clock = clock;
        *ret = t;
        return 0;
}

/* Returns whether there is room for one more. */
static bool make_room(Tickets *t) {
        Ticket **items = array_grow(t->items, t->n, sizeof(Ticket *));

        if (!items)
                return false;
        t->items = items;
        return true;
}

/* Takes the ticket; there is room. */
static void take(Tickets *t, Ticket *ticket) {
        t->items[t->n++] = ticket;
        LIST_INSERT_HEAD(&ticket->factor->tickets, ticket, of_factor);
        ticket->factor->n_tickets++;
}

/* Forgets those that are named. */
static void drop(Tickets *t,
                bool (*named)(const Tickets *t, const Ticket *ticket, const void *userdata),
                const void *userdata) {
        size_t kept = 0;

        for (size_t i = 0; i < t->n; i++) {
                Ticket *ticket = t->items[i];

                if (!named(t, ticket, userdata)) {
                        t->items[kept++] = ticket;
                        continue;
                }
                LIST_REMOVE(ticket, of_factor);
                ticket->factor->n_tickets--;
                ticket_free(ticket);
        }
        t->n = kept;
}

static bool is_open(const Tickets *t, const Ticket *ticket) {
        return ticket_is_open(ticket, t->clock, server_clock_now(t->clock, now_boottime()));
}

static bool is_any(const Tickets *t, const Ticket *ticket, const void *userdata) {
        return true;
}

static bool is_over(const Tickets *t, const Ticket *ticket, const void *userdata) {
        return !is_open(t, ticket);
}

static bool is_of(const Tickets *t, const Ticket *ticket, const void *userdata) {
        return ticket->factor == userdata;
}

static bool has_id(const Tickets *t, const Ticket *ticket, const void *userdata) {
        return ticket->row.id == *(const int64_t *) userdata;
}

Tickets *tickets_free(Tickets *t) {
        if (!t)
                return NULL;
        drop(t, is_any, NULL);
        free(t->items);
        free(t);
        return NULL;
}

void tickets_tidy(Tickets *t) {
        drop(t, is_over, NULL);
}

void tickets_forget(Tickets *t, const Factor *f) {
        drop(t, is_of, f);
}

static Factor *find_factor(const Registry *factors, int64_t id) {
        for (size_t i = 0; i < factors->n_factors; i++)
                if (factors->factors[i]->record.id == id)
                        return factors->factors[i];
        return NULL;
}

static int64_t first_to_end(const Tickets *t, const Factor *f) {
        const Ticket *ticket, *first = LIST_FIRST(&f->tickets);

        LIST_FOREACH(ticket, &f->tickets, of_factor) {
                if (ticket_expires(ticket, t->clock) < ticket_expires(first, t->clock))
                        first = ticket;
        }
        return first->row.id;
}

/* One that the store holds; it may be over, which nobody knows before a server was heard. Of too
 * many those that are open end last. */
static int load_one(Tickets *t, const Registry *factors, StoreTicket *row, char **reterr_msg) {
        Factor *f = find_factor(factors, row->factor_id);
        Ticket *ticket;
        int64_t first;
        int r;

        if (!f)
                return 0;
        if (!make_room(t))
                return -ENOMEM;
        r = ticket_restore(&ticket, f, row, t->clock, reterr_msg);
        if (r < 0)
                return r;
        take(t, ticket);
        if (f->n_tickets > TICKETS_OF_FACTOR_MAX) {
                first = first_to_end(t, f);
                drop(t, has_id, &first);
        }
        return 0;
}

int tickets_load(Tickets *t, const Registry *factors, char **reterr_msg) {
        usec_t now = server_clock_now(t->clock, now_boottime());
        StoreTicket *rows = NULL;
        size_t n = 0;
        int r;

        /* This machine's clock may be wrong, though not often by a day. */
        r = store_tickets_load(t->store, usec_sub(now, USEC_PER_DAY), &rows, &n, reterr_msg);
        for (size_t i = 0; i < n && r >= 0; i++) {
                _cleanup_free_ char *why = NULL;
                r = load_one(t, factors, &rows[i], &why);
                if (r != -EBADMSG)
                        continue;
                log_warning("A ticket of the store cannot be read: %s; ignoring", strempty(why));
                r = 0;
        }
        for (size_t i = 0; i < n; i++)
                store_ticket_done(&rows[i]);
        free(rows);
        return r;
}

/* Changes. */

static int audit(Tickets *t,
                const char *event,
                const Ticket *ticket,
                const char *factor,
                const Actor *actor,
                char **reterr_msg) {
        _cleanup_free_ char *life = NULL;
        char reason[128];

        if (timespan_format(usec_sub(ticket->row.expires, ticket->row.created), &life) < 0)
                return -ENOMEM;
        (void) snprintf(reason, sizeof(reason), "ticket %" PRId64 ", made for %s", ticket->row.id,
                        life);
        AuditRecord a = {
                        .time = now_realtime(),
                        .event = event,
                        .factor = factor,
                        .reason = reason,
                        .door = actor->door,
                        .uid = (int64_t) actor->uid,
        };

        return store_audit_append(t->store, &a, reterr_msg);
}

static int check_limits(const Tickets *t, const Factor *f, uid_t owner, char **reterr_msg) {
        size_t n = 0;

        if (f->n_tickets >= TICKETS_OF_FACTOR_MAX)
                return error_set(reterr_msg, -EDQUOT,
                                "Factor %s has %d open tickets, which is as many as it may have",
                                f->record.name, TICKETS_OF_FACTOR_MAX);
        for (size_t i = 0; i < t->n; i++)
                n += t->items[i]->row.owner == owner;
        if (n >= TICKETS_OF_UID_MAX)
                return error_set(reterr_msg, -EDQUOT,
                                "User %u has %d open tickets, which is as many as one may have",
                                (unsigned) owner, TICKETS_OF_UID_MAX);
        return 0;
}

int tickets_add(Tickets *t,
                Factor *f,
                const TicketRequest *request,
                const Actor *actor,
                const Ticket **ret,
                char **reterr_msg) {
        _cleanup_(ticket_freep) Ticket *ticket = NULL;
        int r;

        tickets_tidy(t);
        r = check_limits(t, f, actor->uid, reterr_msg);
        if (r < 0)
                return r;
        r = ticket_new(&ticket, f, request, actor->uid, t->clock);
        if (r < 0 || !make_room(t))
                return error_set(reterr_msg, -ENOMEM, "Out of memory");
        r = store_begin(t->store, reterr_msg);
        if (r < 0)
                return r;
        r = store_ticket_add(t->store, &ticket->row, reterr_msg);
        if (r >= 0)
                r = audit(t, "ticket", ticket, f->record.name, actor, reterr_msg);
        r = store_end(t->store, r, reterr_msg);
        if (r < 0)
                return r;
        *ret = ticket;
        take(t, TAKE_PTR(ticket));
        return 0;
}

static int withdraw(Tickets *t, const Ticket *ticket, const Actor *actor, char **reterr_msg) {
        int r = store_ticket_remove(t->store, ticket->row.id, reterr_msg);

        if (r < 0)
                return r;
        return audit(t, "ticket-revoked", ticket, ticket->factor->record.name, actor, reterr_msg);
}

int tickets_revoke(Tickets *t, int64_t id, const Actor *actor, char **reterr_msg) {
        const Ticket *ticket = tickets_find(t, id);
        int r;

        if (!ticket)
                return error_set(reterr_msg, -ENOENT, "There is no open ticket %" PRId64, id);
        r = store_begin(t->store, reterr_msg);
        if (r >= 0)
                r = store_end(t->store, withdraw(t, ticket, actor, reterr_msg), reterr_msg);
        if (r >= 0)
                drop(t, has_id, &id);
        return r;
}

int tickets_revoke_all(Tickets *t, const Factor *f, const Actor *actor, char **reterr_msg) {
        const Ticket *ticket;
        int r;

        tickets_tidy(t);
        if (f->n_tickets == 0)
                return 0;
        r = store_begin(t->store, reterr_msg);
        if (r < 0)
                return r;
        LIST_FOREACH(ticket, &f->tickets, of_factor) {
                if (r >= 0)
                        r = withdraw(t, ticket, actor, reterr_msg);
        }
        r = store_end(t->store, r, reterr_msg);
        if (r >= 0)
                drop(t, is_of, f);
        return r;
}

/* At work. */

size_t tickets_of_factor(Tickets *t, const Factor *f, usec_t now, const PolicyTicket **ret) {
        size_t n = 0, at = ELEMENTSOF(t->given);
        const Ticket *ticket;

        /* The newest comes first. */
        LIST_FOREACH(ticket, &f->tickets, of_factor) {
                if (!ticket_is_open(ticket, t->clock, now))
                        continue;
                assert(at > 0);
                t->given[--at] = ticket_for_policy(ticket, t->clock);
                n++;
        }
        *ret = t->given + at;
        return n;
}

int tickets_consume(Tickets *t, int64_t id, const char *decision_id, char **reterr_msg) {
        if (!tickets_find(t, id))
                return error_set(
                                reterr_msg, -ENOENT, "Ticket %" PRId64 " is not open any more", id);
        return store_ticket_use(t->store, id, decision_id, reterr_msg);
}

void tickets_consumed(Tickets *t, int64_t id) {
        drop(t, has_id, &id);
}

const Ticket *tickets_find(const Tickets *t, int64_t id) {
        for (size_t i = 0; i < t->n; i++)
                if (t->items[i]->row.id == id)
                        return is_open(t, t->items[i]) ? t->items[i] : NULL;
        return NULL;
}

void tickets_each(Tickets *t,
                bool (*each)(const Ticket *ticket, const ServerClock *clock, void *userdata),
                void *userdata) {
        tickets_tidy(t);
        for (size_t i = 0; i < t->n; i++)
                if (!each(t->items[i], t->clock, userdata))
                        return;
}
