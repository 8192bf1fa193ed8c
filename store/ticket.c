/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ticket.h"

#include <errno.h>
#include <inttypes.h>

#include "store/database.h"

void store_ticket_done(StoreTicket *t) {
        free(t->message);
        free(t->fields);
        *t = (StoreTicket){0};
}

int store_ticket_add(Store *s, StoreTicket *t, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "INSERT INTO ticket (factor_id, created, expires, message, fields, owner, "
                        "local) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, t->factor_id);
        bind_usec(&st, t->created);
        bind_usec(&st, t->expires);
        bind_text(&st, t->message);
        bind_text(&st, t->fields);
        bind_int(&st, t->owner);
        bind_int(&st, t->local);
        r = statement_run(&st, reterr_msg);
        if (r == -ENOENT)
                return error_set(reterr_msg, r, "The store does not hold the ticket's factor");
        if (r < 0)
                return r;

        t->id = sqlite3_last_insert_rowid(s->handle);
        return 0;
}

static int no_ticket(int64_t id, char **reterr_msg) {
        return error_set(reterr_msg, -ENOENT, "The store holds no unused ticket %" PRId64, id);
}

int store_ticket_use(Store *s, int64_t id, const char *decision_id, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "UPDATE ticket SET consumed_by = ? WHERE id = ? AND consumed_by IS NULL",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_text(&st, decision_id);
        bind_int(&st, id);
        r = statement_run(&st, reterr_msg);
        if (r < 0)
                return r;

        return sqlite3_changes(s->handle) > 0 ? 0 : no_ticket(id, reterr_msg);
}

int store_ticket_remove(Store *s, int64_t id, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s, "DELETE FROM ticket WHERE id = ? AND consumed_by IS NULL",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, id);
        r = statement_run(&st, reterr_msg);
        if (r < 0)
                return r;

        return sqlite3_changes(s->handle) > 0 ? 0 : no_ticket(id, reterr_msg);
}

#define TICKET_COLUMNS "id, factor_id, owner, created, expires, local, message, fields"

typedef struct TicketArray {
        StoreTicket *items;
        size_t n;
} TicketArray;

static void ticket_array_done(TicketArray *a) {
        for (size_t i = 0; i < a->n; i++)
                store_ticket_done(a->items + i);
        free(a->items);
}

static int read_ticket(Statement *st, TicketArray *a, char **reterr_msg) {
        StoreTicket *items = array_grow(a->items, a->n, sizeof(*items)), *t;

        if (!items)
                return -ENOMEM;
        a->items = items;
        t = items + a->n++;

        *t = (StoreTicket){0};
        t->id = column_int(st);
        t->factor_id = column_int(st);
        t->owner = (uid_t) column_int(st);
        t->created = column_usec(st);
        t->expires = column_usec(st);
        t->local = column_int(st) != 0;
        t->message = column_text(st);
        t->fields = column_text(st);
        return statement_check(st, reterr_msg);
}

int store_tickets_load(
                Store *s, usec_t since, StoreTicket **ret, size_t *ret_n, char **reterr_msg) {
        _cleanup_(ticket_array_done) TicketArray a = {0};
        _cleanup_(statement_done) Statement st = {0};
        bool row;
        int r;

        r = statement_prepare(&st, s,
                        "SELECT " TICKET_COLUMNS
                        " FROM ticket WHERE consumed_by IS NULL AND expires > ? ORDER BY id",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_usec(&st, since);
        for (;;) {
                r = statement_step(&st, &row, reterr_msg);
                if (r < 0)
                        return r;
                if (!row)
                        break;

                r = read_ticket(&st, &a, reterr_msg);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(a.items);
        *ret_n = a.n;
        a.n = 0;
        return 0;
}

int store_ticket_used_by(Store *s,
                const char *decision_id,
                usec_t after,
                usec_t until,
                StoreTicket *ret,
                char **reterr_msg) {
        _cleanup_(ticket_array_done) TicketArray a = {0};
        _cleanup_(statement_done) Statement st = {0};
        bool row;
        int r;

        r = statement_prepare(&st, s,
                        "SELECT " TICKET_COLUMNS
                        " FROM ticket WHERE expires > ? AND expires <= ? AND consumed_by = ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_usec(&st, after);
        bind_usec(&st, until);
        bind_text(&st, decision_id);
        r = statement_step(&st, &row, reterr_msg);
        if (r == 0 && row)
                r = read_ticket(&st, &a, reterr_msg);
        if (r < 0)
                return r;

        *ret = (StoreTicket){0};
        if (row) {
                *ret = a.items[0];
                a.n = 0;
        }
        return 0;
}

int store_tickets_prune(Store *s, usec_t before, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s, "DELETE FROM ticket WHERE expires < ?", reterr_msg);
        if (r < 0)
                return r;

        bind_usec(&st, before);
        return statement_run(&st, reterr_msg);
}
