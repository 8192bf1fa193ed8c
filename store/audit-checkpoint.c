/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail's sealed checkpoints, and taking the trail up where it ended. */

#include <errno.h>
#include <string.h>

#include "store/audit-chain.h"

/* Under a key of its own: no seal is a record's MAC. */
static int make_seal(const Store *s,
                const char *name,
                const AuditCheckpoint *c,
                uint8_t ret[static SHA256_SIZE]) {
        _cleanup_(secret_done) Secret bytes = {0};
        int r;

        if ((r = audit_put_text(&bytes, name)) < 0 ||
                        (r = audit_put_number(&bytes, (uint64_t) c->link.id)) < 0 ||
                        (r = secret_append(&bytes, c->link.mac, sizeof(c->link.mac))) < 0 ||
                        (r = audit_put_number(&bytes, c->count)) < 0 ||
                        (r = audit_put_number(&bytes, c->size)) < 0 ||
                        (r = audit_put_number(&bytes, (uint64_t) c->fault)) < 0 ||
                        (r = audit_put_number(&bytes, (uint64_t) c->fault_row)) < 0)
                return r;
        return audit_mac(&s->checkpoint_key, &bytes, ret);
}

int audit_checkpoint_read(Store *s,
                const char *name,
                AuditCheckpoint *ret,
                bool *ret_fits,
                char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        uint8_t found[SHA256_SIZE], wanted[SHA256_SIZE];
        AuditCheckpoint c = {0};
        bool row;
        int r;

        *ret = c;
        *ret_fits = false;
        r = statement_prepare(&st, s,
                        "SELECT id, mac, count, size, fault, fault_row, seal FROM audit_checkpoint "
                        "WHERE name = ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_text(&st, name);
        r = statement_step(&st, &row, reterr_msg);
        if (r < 0 || !row)
                return r;

        c.link.id = column_int(&st);
        audit_read_mac(&st, c.link.mac);
        c.count = (uint64_t) column_int(&st);
        c.size = (uint64_t) column_int(&st);
        c.fault = (AuditFault) column_int(&st);
        c.fault_row = column_int(&st);
        audit_read_mac(&st, found);
        r = statement_check(&st, reterr_msg);
        if (r < 0)
                return r;

        r = make_seal(s, name, &c, wanted);
        if (r < 0)
                return error_wrap(reterr_msg, r, "Cannot check the audit trail in %s", s->path);
        if (memcmp(found, wanted, sizeof(found)) != 0)
                return 0;

        *ret = c;
        *ret_fits = true;
        return 0;
}

int audit_checkpoint_write(
                Store *s, const char *name, const AuditCheckpoint *c, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        uint8_t seal[SHA256_SIZE];
        int r;

        r = make_seal(s, name, c, seal);
        if (r < 0)
                return error_wrap(reterr_msg, r, "Cannot seal the audit trail in %s", s->path);

        r = statement_prepare(&st, s,
                        "INSERT OR REPLACE INTO audit_checkpoint "
                        "(name, id, mac, count, size, fault, fault_row, seal) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_text(&st, name);
        bind_int(&st, c->link.id);
        bind_blob(&st, c->link.mac, sizeof(c->link.mac));
        bind_int(&st, (int64_t) c->count);
        bind_int(&st, (int64_t) c->size);
        bind_int(&st, c->fault);
        bind_int(&st, c->fault_row);
        bind_blob(&st, seal, sizeof(seal));

        return statement_run(&st, reterr_msg);
}

AuditCheckpoint audit_present_head(const Store *s) {
        return (AuditCheckpoint){
                        .link = s->tail.last,
                        .count = (uint64_t) (s->tail.last.id - s->start.link.id),
                        .size = s->tail.audit_size,
                        .fault = s->audit_fault,
                        .fault_row = s->audit_fault_row,
        };
}

void audit_note_fault(Store *s, AuditFault fault, int64_t row) {
        if (s->audit_fault != AUDIT_INTACT)
                return;
        s->audit_fault = fault;
        s->audit_fault_row = row;
}

AuditFault store_audit_fault(const Store *s, int64_t *ret_row) {
        *ret_row = s->audit_fault_row;
        return s->audit_fault;
}

int store_audit_seal(Store *s, char **reterr_msg) {
        AuditCheckpoint head = audit_present_head(s);
        int r;

        if (head.link.id == s->head.link.id && head.fault == s->head.fault)
                return 0;

        r = store_begin(s, reterr_msg);
        if (r < 0)
                return r;
        r = audit_checkpoint_write(s, "head", &head, reterr_msg);
        r = store_end(s, r, reterr_msg);
        if (r < 0)
                return r;

        s->head = head;
        return 0;
}

/* Finds the newest record, or the oldest one; *ret stays when there is none. */
static int find_end(Store *s, bool newest, AuditLink *ret, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        AuditLink link;
        bool row;
        int r;

        r = statement_prepare(&st, s,
                        newest ? "SELECT id, mac FROM audit ORDER BY id DESC LIMIT 1"
                               : "SELECT id, mac FROM audit ORDER BY id LIMIT 1",
                        reterr_msg);
        if (r < 0)
                return r;

        r = statement_step(&st, &row, reterr_msg);
        if (r < 0 || !row)
                return r;

        link.id = column_int(&st);
        audit_read_mac(&st, link.mac);
        r = statement_check(&st, reterr_msg);
        if (r < 0)
                return r;

        *ret = link;
        return 0;
}

static int add_size(const AuditRecord *r, void *userdata) {
        *(uint64_t *) userdata += audit_record_size(r);
        return 0;
}

static int measure(Store *s, int64_t since, char **reterr_msg) {
        return store_audit_each(s, since, add_size, &s->tail.audit_size, reterr_msg);
}

int audit_begin(Store *s, char **reterr_msg) {
        AuditCheckpoint head;
        int r;

        r = find_end(s, true, &s->tail.last, reterr_msg);
        if (r == 0)
                r = measure(s, 0, reterr_msg);
        if (r < 0)
                return r;

        head = audit_present_head(s);
        r = audit_checkpoint_write(s, "start", &(AuditCheckpoint){0}, reterr_msg);
        if (r < 0)
                return r;
        return audit_checkpoint_write(s, "head", &head, reterr_msg);
}

/* Without its seal nothing is known of where the trail begins. It is taken as it is, and the fault
 * stays known: the start is written anew only together with a head that says so. */
static int guess_start(Store *s, char **reterr_msg) {
        AuditLink first = {.id = 1};
        int r;

        r = find_end(s, false, &first, reterr_msg);
        if (r < 0)
                return r;

        s->start = (AuditCheckpoint){0};
        s->start.link.id = first.id - 1;
        s->start.count = (uint64_t) s->start.link.id;
        return 0;
}

int audit_open(Store *s, char **reterr_msg) {
        bool head_known;
        int r;

        r = audit_checkpoint_read(s, "start", &s->start, &s->start_known, reterr_msg);
        if (r == 0)
                r = audit_checkpoint_read(s, "head", &s->head, &head_known, reterr_msg);
        if (r == 0 && !s->start_known)
                r = guess_start(s, reterr_msg);
        if (r < 0)
                return r;

        s->audit_fault = s->head.fault;
        s->audit_fault_row = s->head.fault_row;
        if (!s->start_known || !head_known)
                audit_note_fault(s, AUDIT_CHECKPOINT, 0);

        s->tail.last = s->start.link;
        r = find_end(s, true, &s->tail.last, reterr_msg);
        if (r < 0)
                return r;

        /* What was cut off leaves a gap: its numbers are not given again. */
        if (s->tail.last.id < s->head.link.id) {
                audit_note_fault(s, AUDIT_CUT, s->tail.last.id + 1);
                s->tail.last = s->head.link;
        }

        s->tail.audit_size = s->head.size;
        return measure(s, s->head.link.id, reterr_msg);
}
