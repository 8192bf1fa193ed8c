/* SPDX-License-Identifier: Apache-2.0 */
/* Checking the audit trail: the chain, its checkpoints, and what others saw of it. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/audit-chain.h"

/* How many records are looked through for one that does not stand where it should. */
#define AUDIT_SEARCH_MAX 10000

struct AuditCheck {
        Store *store;
        AuditLink at;  /* checked so far */
        AuditLink end; /* there was a record, at least */
        AuditCheckpoint start, head;
        AuditWitness *witnesses; /* by id */
        size_t n_witnesses, next_witness;
        bool begun, done;
        AuditVerdict verdict;
};

int audit_fault_describe(AuditFault fault, int64_t row, char **ret) {
        const char *text = NULL;

        switch (fault) {
        case AUDIT_INTACT:
                text = "is as it was written";
                break;
        case AUDIT_CHANGED:
                text = "was changed, or one that stood before it was removed";
                break;
        case AUDIT_MISSING:
                text = "is missing, and later ones are there";
                break;
        case AUDIT_MOVED:
                text = "was moved to another place";
                break;
        case AUDIT_INSERTED:
                text = "was put in from outside";
                break;
        case AUDIT_CUT:
                text = "is missing, with all that came after it";
                break;
        case AUDIT_REMADE:
                text = "is not the one that was there before: the trail was made anew by somebody "
                       "who has the store key";
                break;
        case AUDIT_CHECKPOINT:
                *ret = strdup("a checkpoint was changed or removed");
                return *ret ? 0 : -ENOMEM;
        }
        return asprintf(ret, "record %" PRId64 " %s", row, text ? text : "is in doubt") < 0
                               ? -ENOMEM
                               : 0;
}

static int compare_witnesses(const void *a, const void *b) {
        const AuditWitness *x = a, *y = b;

        return CMP(x->id, y->id);
}

static void end_check(AuditCheck *c, AuditFault fault, int64_t row) {
        c->verdict.fault = fault;
        c->verdict.row = row;
        c->done = true;
}

/* What is compared with: as it stands in the database, whatever it was when that was opened. */
static int read_checkpoints(AuditCheck *c, char **reterr_msg) {
        bool start_fits, head_fits;
        int r;

        r = audit_checkpoint_read(c->store, "start", &c->start, &start_fits, reterr_msg);
        if (r == 0)
                r = audit_checkpoint_read(c->store, "head", &c->head, &head_fits, reterr_msg);
        if (r < 0)
                return r;

        if (!start_fits || !head_fits)
                end_check(c, AUDIT_CHECKPOINT, 0);
        c->at = c->start.link;
        c->end = c->store->tail.last;
        if (c->end.id < c->head.link.id)
                c->end = c->head.link;
        c->verdict.dropped = c->start.count;
        c->verdict.past_fault = c->store->audit_fault;
        c->verdict.past_row = c->store->audit_fault_row;
        return 0;
}

int audit_check_new(AuditCheck **ret,
                Store *s,
                const AuditWitness *witnesses,
                size_t n_witnesses,
                char **reterr_msg) {
        _cleanup_(audit_check_freep) AuditCheck *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        c->store = s;
        c->witnesses = calloc(n_witnesses + 1, sizeof(*witnesses));
        if (!c->witnesses)
                return -ENOMEM;
        if (n_witnesses > 0)
                memcpy(c->witnesses, witnesses, n_witnesses * sizeof(*witnesses));
        c->n_witnesses = n_witnesses;
        qsort(c->witnesses, n_witnesses, sizeof(*witnesses), compare_witnesses);

        r = read_checkpoints(c, reterr_msg);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(c);
        return 0;
}

AuditCheck *audit_check_free(AuditCheck *c) {
        if (!c)
                return NULL;
        free(c->witnesses);
        free(c);
        return NULL;
}

/* Finds the row that came after previous, from an id on. *ret_id is 0 when there is none near. */
static int find_following(Store *s,
                const AuditLink *previous,
                int64_t from,
                AuditLink *ret,
                int64_t *ret_id,
                char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        *ret_id = 0;
        r = statement_prepare(&st, s,
                        "SELECT " AUDIT_COLUMNS " FROM audit WHERE id >= ? ORDER BY id LIMIT ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, from);
        bind_int(&st, AUDIT_SEARCH_MAX);
        for (;;) {
                bool found, follows;
                AuditRow row;

                r = statement_step(&st, &found, reterr_msg);
                if (r < 0 || !found)
                        return r;
                r = audit_read(&st, &row, reterr_msg);
                if (r == 0)
                        r = audit_follows(s, previous, &row, &follows, reterr_msg);
                if (r < 0)
                        return r;
                if (!follows)
                        continue;
                *ret_id = row.link.id;
                *ret = row.link;
                ret->id = previous->id + 1;
                return 0;
        }
}

/* The row after c->at does not fit. Where does the right one stand, and the one after it? Two rows
 * that changed places leave the next one where it is, or put it here; rows that were put in push
 * all of them on. */
static int find_fault(AuditCheck *c, int64_t row, char **reterr_msg) {
        AuditLink right, after;
        int64_t right_id, after_id;
        int r;

        r = find_following(c->store, &c->at, row + 1, &right, &right_id, reterr_msg);
        if (r < 0)
                return r;
        if (right_id == 0) {
                end_check(c, AUDIT_CHANGED, row);
                return 0;
        }

        r = find_following(c->store, &right, row, &after, &after_id, reterr_msg);
        if (r < 0)
                return r;
        end_check(c, after_id == 0 || after_id == right_id + 1 ? AUDIT_INSERTED : AUDIT_MOVED, row);
        return 0;
}

/* Compares with what was seen of the records up to this one. */
static bool witnesses_agree(AuditCheck *c) {
        for (; c->next_witness < c->n_witnesses; c->next_witness++) {
                const AuditWitness *w = c->witnesses + c->next_witness;

                if (w->id > c->at.id)
                        break;
                if (w->id < c->at.id || w->id == 0)
                        continue; /* of a record that was dropped */
                c->verdict.n_witnesses++;
                if (memcmp(w->mac, c->at.mac, sizeof(w->mac)) != 0)
                        return false;
        }
        return true;
}

static int check_row(AuditCheck *c, const AuditRow *row, char **reterr_msg) {
        bool follows;
        int r;

        if (row->link.id != c->at.id + 1) {
                end_check(c, AUDIT_MISSING, c->at.id + 1);
                return 0;
        }
        r = audit_follows(c->store, &c->at, row, &follows, reterr_msg);
        if (r < 0)
                return r;
        if (!follows)
                return find_fault(c, row->link.id, reterr_msg);

        c->at = row->link;
        c->verdict.head.length++;
        if (!witnesses_agree(c) ||
                        (c->at.id == c->head.link.id && memcmp(c->at.mac, c->head.link.mac,
                                                                        sizeof(c->at.mac)) != 0))
                end_check(c, AUDIT_REMADE, c->at.id);
        return 0;
}

/* After the last record. */
static void check_end(AuditCheck *c) {
        if (c->at.id < c->end.id || c->next_witness < c->n_witnesses)
                end_check(c, AUDIT_CUT, c->at.id + 1);
        else
                end_check(c, AUDIT_INTACT, 0);
}

/* Nothing may stand before the start; and the start itself may have been seen. */
static int check_begin(AuditCheck *c, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int64_t id;
        bool found;
        int r;

        c->begun = true;
        r = statement_prepare(&st, c->store,
                        "SELECT id FROM audit WHERE id <= ? ORDER BY id LIMIT 1", reterr_msg);
        if (r < 0)
                return r;
        bind_int(&st, c->start.link.id);
        r = statement_take_int(&st, &found, &id, reterr_msg);
        if (r < 0)
                return r;

        if (found)
                end_check(c, AUDIT_INSERTED, id);
        else if (!witnesses_agree(c))
                end_check(c, AUDIT_REMADE, c->at.id);
        return 0;
}

static int check_rows(AuditCheck *c, size_t max, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        size_t n = 0;
        int r;

        r = statement_prepare(&st, c->store,
                        "SELECT " AUDIT_COLUMNS " FROM audit WHERE id > ? ORDER BY id LIMIT ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, c->at.id);
        bind_int(&st, (int64_t) max);
        for (; !c->done && n < max; n++) {
                AuditRow row;
                bool found;

                r = statement_step(&st, &found, reterr_msg);
                if (r < 0)
                        return r;
                if (!found) {
                        check_end(c);
                        return 0;
                }
                r = audit_read(&st, &row, reterr_msg);
                if (r == 0)
                        r = check_row(c, &row, reterr_msg);
                if (r < 0)
                        return r;
        }
        return 0;
}

int audit_check_step(AuditCheck *c, size_t max, bool *ret_done, char **reterr_msg) {
        int r = 0;

        if (!c->done && !c->begun)
                r = check_begin(c, reterr_msg);
        if (r == 0 && !c->done)
                r = check_rows(c, max, reterr_msg);
        if (r < 0)
                return r;

        c->verdict.head.id = c->at.id;
        hex_encode(c->at.mac, sizeof(c->at.mac), c->verdict.head.mac);
        *ret_done = c->done;
        return 0;
}

const AuditVerdict *audit_check_verdict(const AuditCheck *c) {
        return &c->verdict;
}

int store_audit_verify(Store *s, AuditVerdict *ret, char **reterr_msg) {
        _cleanup_(audit_check_freep) AuditCheck *c = NULL;
        bool done = false;
        int r;

        r = audit_check_new(&c, s, NULL, 0, reterr_msg);
        while (r == 0 && !done)
                r = audit_check_step(c, 1000, &done, reterr_msg);
        if (r < 0)
                return r;

        *ret = c->verdict;
        return 0;
}
