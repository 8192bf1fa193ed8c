/* SPDX-License-Identifier: Apache-2.0 */
/* Retention: the oldest records go, and what is left can still be checked. */

#include <string.h>

#include "store/audit-chain.h"

/* Retention under way. */
typedef struct Prune {
        Store *store;
        const AuditRetention *retention;
        AuditCheckpoint start; /* as it will be */
        bool start_known;
        uint64_t size; /* that will be left */
        size_t n;
} Prune;

typedef enum Age {
        AGE_KEPT,
        AGE_OLD,
        AGE_UNTOLD, /* of the future: it goes with an old one that came after it */
} Age;

static Age age_of(const Prune *p, const AuditRecord *r) {
        const AuditRetention *limits = p->retention;

        if (p->size > limits->max_size)
                return AGE_OLD;
        if (r->time > limits->now)
                return AGE_UNTOLD;
        return usec_add(r->time, limits->keep) >= limits->now ? AGE_KEPT : AGE_OLD;
}

/* What is dropped unchecked would be covered up. */
static int look_for_fault(Prune *p, const AuditRow *row, char **reterr_msg) {
        bool follows;
        int r;

        if (row->link.id <= p->start.link.id)
                audit_note_fault(p->store, AUDIT_INSERTED, row->link.id);
        else if (row->link.id > p->start.link.id + 1)
                audit_note_fault(p->store, AUDIT_MISSING, p->start.link.id + 1);
        else if (p->start_known) {
                r = audit_follows(p->store, &p->start.link, row, &follows, reterr_msg);
                if (r < 0)
                        return r;
                if (!follows)
                        audit_note_fault(p->store, AUDIT_CHANGED, row->link.id);
        }
        return 0;
}

static int take_row(Prune *p, const AuditRow *row, char **reterr_msg) {
        uint64_t size = audit_record_size(&row->record);
        int r;

        r = look_for_fault(p, row, reterr_msg);
        if (r < 0)
                return r;

        if (row->link.id > p->start.link.id) {
                p->start.link = row->link;
                p->start.count++;
        }
        p->start_known = true;
        p->size -= size < p->size ? size : p->size;
        p->n++;
        return 0;
}

/* Takes rows from the oldest on, up to the last old one. *ret_more: not for want of rows to drop
 * did it end. */
static int take_rows(Prune *p, size_t max, bool *ret_more, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        Prune seen = *p;
        int r;

        *ret_more = false;
        r = statement_prepare(&st, p->store,
                        "SELECT " AUDIT_COLUMNS
                        ", EXISTS (SELECT 1 FROM challenge c "
                        "WHERE c.sid = audit.challenge AND c.final = 0) "
                        "FROM audit ORDER BY id LIMIT ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, (int64_t) max);
        for (;;) {
                bool found, open;
                AuditRow row;
                Age age;

                r = statement_step(&st, &found, reterr_msg);
                if (r < 0)
                        return r;
                if (!found) {
                        *ret_more = p->n == max;
                        return 0;
                }
                r = audit_read(&st, &row, reterr_msg);
                if (r < 0)
                        return r;
                open = column_int(&st) != 0;
                age = age_of(&seen, &row.record);
                if (open || age == AGE_KEPT)
                        return 0;
                r = take_row(&seen, &row, reterr_msg);
                if (r < 0)
                        return r;
                if (age == AGE_OLD)
                        *p = seen;
        }
}

static int drop_rows(Prune *p, AuditCheckpoint *ret_head, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        AuditCheckpoint head;
        int r;

        r = statement_prepare(&st, p->store, "DELETE FROM audit WHERE id <= ?", reterr_msg);
        if (r < 0)
                return r;
        bind_int(&st, p->start.link.id);
        r = statement_run(&st, reterr_msg);
        if (r < 0)
                return r;

        r = audit_checkpoint_write(p->store, "start", &p->start, reterr_msg);
        if (r < 0)
                return r;

        head = audit_present_head(p->store);
        head.count = (uint64_t) (head.link.id - p->start.link.id);
        head.size = p->size;
        r = audit_checkpoint_write(p->store, "head", &head, reterr_msg);
        if (r < 0)
                return r;

        *ret_head = head;
        return 0;
}

/* Together with what was found on the way. */
static int commit(Prune *p, char **reterr_msg) {
        AuditCheckpoint head;
        Store *s = p->store;
        int r;

        r = store_begin(s, reterr_msg);
        if (r < 0)
                return r;
        r = drop_rows(p, &head, reterr_msg);
        r = store_end(s, r, reterr_msg);
        if (r < 0)
                return r;

        s->start = p->start;
        s->start_known = true;
        s->head = head;
        s->tail.audit_size = p->size;
        return 0;
}

int store_audit_prune(Store *s,
                const AuditRetention *retention,
                size_t max,
                size_t *ret_dropped,
                bool *ret_more,
                char **reterr_msg) {
        Prune p = {
                        .store = s,
                        .retention = retention,
                        .start = s->start,
                        .start_known = s->start_known,
                        .size = s->tail.audit_size,
        };
        bool more;
        int r;

        /* A transaction that writes nothing would say that the store can be written. */
        r = take_rows(&p, max, &more, reterr_msg);
        if (r == 0 && p.n > 0)
                r = commit(&p, reterr_msg);
        if (r < 0)
                return r;

        *ret_dropped = p.n;
        *ret_more = more;
        return 0;
}
