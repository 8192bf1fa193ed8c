/* SPDX-License-Identifier: Apache-2.0 */
#include "store/audit.h"

#include <errno.h>

#include "store/audit-chain.h"

/* Keeps a copy for after the commit. */
static int keep_fresh(Store *s, const AuditRecord *record) {
        AuditRecord *fresh;
        int r;

        if (!s->on_audit)
                return 0;

        fresh = array_grow(s->fresh, s->tail.n_fresh, sizeof(*fresh));
        if (!fresh)
                return -ENOMEM;
        s->fresh = fresh;
        r = audit_copy(fresh + s->tail.n_fresh, record);
        if (r < 0)
                return r;

        s->tail.n_fresh++;
        return 0;
}

static int append(Store *s, AuditRow *row, char **reterr_msg) {
        int r;

        r = audit_link(s, &s->tail.last, row, &row->link, reterr_msg);
        if (r < 0)
                return r;

        row->record.id = row->link.id;
        r = audit_insert(s, row, reterr_msg);
        if (r == -EEXIST)
                return error_set(reterr_msg, -EUCLEAN,
                                "The audit trail in %s holds a record that the daemon did not "
                                "write; restart it",
                                s->path);
        if (r < 0)
                return r;

        r = keep_fresh(s, &row->record);
        if (r < 0)
                return r;

        s->tail.last = row->link;
        s->tail.audit_size += audit_record_size(&row->record);
        return 0;
}

int store_audit_append(Store *s, const AuditRecord *r, char **reterr_msg) {
        _cleanup_(savepoint_done) Savepoint savepoint = {0};
        AuditRow row = {.record = *r, .layout = AUDIT_LAYOUT};
        int e;

        e = savepoint_begin(&savepoint, s, reterr_msg);
        if (e < 0)
                return e;

        e = append(s, &row, reterr_msg);
        if (e < 0)
                return e;

        e = savepoint_release(&savepoint, reterr_msg);
        if (e < 0)
                return e;

        /* Else it is committed with the transaction that is open. */
        if (!s->in_transaction)
                audit_hand_over(s);
        return 0;
}

void store_on_audit(Store *s, void (*fn)(const AuditRecord *r, void *userdata), void *userdata) {
        s->on_audit = fn;
        s->on_audit_userdata = userdata;
}

void audit_hand_over(Store *s) {
        AuditRecord *fresh = TAKE_PTR(s->fresh);
        size_t n = s->tail.n_fresh;

        s->tail.n_fresh = 0;
        for (size_t i = 0; i < n; i++) {
                if (s->on_audit)
                        s->on_audit(fresh + i, s->on_audit_userdata);
                audit_copy_done(fresh + i);
        }
        free(fresh);
}

void audit_take_back(Store *s, const StoreTail *tail) {
        while (s->tail.n_fresh > tail->n_fresh)
                audit_copy_done(s->fresh + --s->tail.n_fresh);
        s->tail = *tail;
}

void audit_drop_fresh(Store *s) {
        audit_take_back(s, &(StoreTail){0});
        free(TAKE_PTR(s->fresh));
}

static int each_row(Store *s,
                const char *sql,
                int64_t id,
                int (*each)(const AuditRecord *r, void *userdata),
                void *userdata,
                char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s, sql, reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, id);
        for (;;) {
                AuditRow row;
                bool found;

                r = statement_step(&st, &found, reterr_msg);
                if (r < 0)
                        return r;
                if (!found)
                        return 0;

                r = audit_read(&st, &row, reterr_msg);
                if (r < 0)
                        return r;

                r = each(&row.record, userdata);
                if (r != 0)
                        return r;
        }
}

int store_audit_each(Store *s,
                int64_t since,
                int (*each)(const AuditRecord *r, void *userdata),
                void *userdata,
                char **reterr_msg) {
        return each_row(s, "SELECT " AUDIT_COLUMNS " FROM audit WHERE id > ? ORDER BY id", since,
                        each, userdata, reterr_msg);
}

int store_audit_each_back(Store *s,
                int64_t before,
                int (*each)(const AuditRecord *r, void *userdata),
                void *userdata,
                char **reterr_msg) {
        return each_row(s, "SELECT " AUDIT_COLUMNS " FROM audit WHERE id < ? ORDER BY id DESC",
                        before, each, userdata, reterr_msg);
}

uint64_t store_audit_size(const Store *s) {
        return s->tail.audit_size;
}

void store_audit_head(const Store *s, AuditHead *ret) {
        AuditCheckpoint head = audit_present_head(s);

        ret->id = head.link.id;
        ret->length = head.count;
        hex_encode(head.link.mac, sizeof(head.link.mac), ret->mac);
}
