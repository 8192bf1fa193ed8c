/* SPDX-License-Identifier: Apache-2.0 */
#include "store/audit-chain.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

/* The strings of a record, in the order of AUDIT_COLUMNS and of the MAC. The first layout ended
 * before the last one. As each of them tells its own length, no bytes are a record of both layouts:
 * a MAC of the one never is a MAC of the other. */
static const size_t texts[] = {
                offsetof(AuditRecord, event),
                offsetof(AuditRecord, factor),
                offsetof(AuditRecord, challenge),
                offsetof(AuditRecord, decision),
                offsetof(AuditRecord, digest),
                offsetof(AuditRecord, verb),
                offsetof(AuditRecord, rule),
                offsetof(AuditRecord, outcome),
                offsetof(AuditRecord, reason),
                offsetof(AuditRecord, door),
                offsetof(AuditRecord, policy),
};

static const char *text_get(const AuditRecord *r, size_t i) {
        return *(const char *const *) ((const char *) r + texts[i]);
}

static void text_put(AuditRecord *r, size_t i, const char *text) {
        *(const char **) ((char *) r + texts[i]) = text;
}

/* Reads a MAC; one of another length is no MAC of ours, and zeros fit nothing. */
void audit_read_mac(Statement *st, uint8_t ret[static SHA256_SIZE]) {
        _cleanup_(secret_done) Secret mac = {0};

        column_blob(st, &mac);
        memset(ret, 0, SHA256_SIZE);
        if (mac.len == SHA256_SIZE)
                memcpy(ret, mac.data, SHA256_SIZE);
}

#define N_NUMBERS 3 /* columns before the texts */

/* Whether the values from here on are of the kinds that were written. SQLite reads "7x" as the
 * number 7, and a text ends at its first NUL: a MAC over what is read would not tell. */
static bool is_as_written(const Statement *st) {
        int at = st->column;

        for (size_t i = 0; i < N_NUMBERS; i++)
                if (sqlite3_column_type(st->handle, at++) != SQLITE_INTEGER)
                        return false;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++, at++) {
                int type = sqlite3_column_type(st->handle, at);

                if (type == SQLITE_NULL)
                        continue;
                if (type != SQLITE_TEXT)
                        return false;
                const void *text = sqlite3_column_text(st->handle, at);
                int len = sqlite3_column_bytes(st->handle, at);
                if (len > 0 && text && memchr(text, 0, (size_t) len))
                        return false;
        }
        return sqlite3_column_type(st->handle, at++) == SQLITE_INTEGER &&
               sqlite3_column_type(st->handle, at) == SQLITE_BLOB;
}

int audit_read(Statement *st, AuditRow *ret, char **reterr_msg) {
        bool as_written = is_as_written(st);
        AuditRow row = {0};
        int r;

        row.record.id = row.link.id = column_int(st);
        row.record.time = (usec_t) column_int(st);
        row.record.uid = column_int(st);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                text_put(&row.record, i, column_borrow(st));
        row.layout = column_int(st);
        if (!as_written)
                row.layout = 0; /* none that a record of ours has: it fits nothing */
        audit_read_mac(st, row.link.mac);

        r = statement_check(st, reterr_msg);
        if (r < 0)
                return r;

        *ret = row;
        return 0;
}

int audit_insert(Store *s, const AuditRow *row, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "INSERT INTO audit (" AUDIT_COLUMNS
                        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, row->link.id);
        bind_usec(&st, row->record.time);
        bind_int(&st, row->record.uid);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                bind_text(&st, text_get(&row->record, i));
        bind_int(&st, row->layout);
        bind_blob(&st, row->link.mac, sizeof(row->link.mac));

        return statement_run(&st, reterr_msg);
}

uint64_t audit_record_size(const AuditRecord *r) {
        uint64_t size = AUDIT_RECORD_OVERHEAD;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                size += strlen(strempty(text_get(r, i)));
        return size;
}

int audit_copy(AuditRecord *ret, const AuditRecord *r) {
        AuditRecord copy = *r;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                text_put(&copy, i, NULL);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                const char *text = text_get(r, i);
                char *own = text ? strdup(text) : NULL;

                if (text && !own) {
                        audit_copy_done(&copy);
                        return -ENOMEM;
                }
                text_put(&copy, i, own);
        }
        *ret = copy;
        return 0;
}

void audit_copy_done(AuditRecord *r) {
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                free((char *) (uintptr_t) text_get(r, i));
        *r = (AuditRecord){0};
}

int audit_put_number(Secret *to, uint64_t value) {
        uint8_t bytes[8];

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t) (value >> (56 - 8 * i));

        return secret_append(to, bytes, sizeof(bytes));
}

/* 0 for none; else 1, the length and the bytes. */
int audit_put_text(Secret *to, const char *text) {
        uint8_t present = text != NULL;
        size_t len = text ? strlen(text) : 0;
        int r;

        r = secret_append(to, &present, 1);
        if (r < 0 || !text)
                return r;

        r = audit_put_number(to, len);
        if (r < 0)
                return r;

        return secret_append(to, text, len);
}

static int serialise(const AuditLink *previous, const AuditRow *row, int64_t id, Secret *ret) {
        const AuditRecord *record = &row->record;
        size_t n = row->layout == 1 ? ELEMENTSOF(texts) - 1 : ELEMENTSOF(texts);
        int r;

        if ((r = secret_append(ret, previous->mac, sizeof(previous->mac))) < 0 ||
                        (r = audit_put_number(ret, (uint64_t) id)) < 0 ||
                        (r = audit_put_number(ret, record->time)) < 0 ||
                        (r = audit_put_number(ret, (uint64_t) record->uid)) < 0)
                return r;

        for (size_t i = 0; i < n; i++) {
                r = audit_put_text(ret, text_get(record, i));
                if (r < 0)
                        return r;
        }

        return 0;
}

int audit_mac(const Secret *key, const Secret *bytes, uint8_t ret[static SHA256_SIZE]) {
        size_t len;

        if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key->data, key->len, bytes->data,
                            bytes->len, ret, SHA256_SIZE, &len) ||
                        len != SHA256_SIZE)
                return -EIO;
        return 0;
}

int audit_link(const Store *s,
                const AuditLink *previous,
                const AuditRow *row,
                AuditLink *ret,
                char **reterr_msg) {
        _cleanup_(secret_done) Secret bytes = {0};
        AuditLink link;
        int r;

        if (previous->id >= INT64_MAX)
                return error_set(reterr_msg, -EUCLEAN,
                                "The audit trail in %s holds a record that the daemon did not "
                                "write, after which there is no number left",
                                s->path);

        link.id = previous->id + 1;
        r = serialise(previous, row, link.id, &bytes);
        if (r == 0)
                r = audit_mac(&s->audit_key, &bytes, link.mac);
        if (r < 0)
                return error_wrap(reterr_msg, r, "Cannot work on the audit trail in %s", s->path);

        *ret = link;
        return 0;
}

int audit_follows(const Store *s,
                const AuditLink *previous,
                const AuditRow *row,
                bool *ret,
                char **reterr_msg) {
        bool known = row->layout == AUDIT_LAYOUT || (row->layout == 1 && !row->record.policy);
        AuditLink link;
        int r;

        *ret = false;
        if (!known || previous->id >= INT64_MAX)
                return 0;

        r = audit_link(s, previous, row, &link, reterr_msg);
        if (r < 0)
                return r;

        *ret = memcmp(link.mac, row->link.mac, sizeof(link.mac)) == 0;
        return 0;
}
