/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#include "store/database.h"

#define COLUMNS                                                                                    \
        "id, time, uid, event, factor, challenge, decision, digest, verb, rule, outcome, reason, " \
        "door, mac"

/* The strings of a record, in the order of COLUMNS and of the MAC. */
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
};

/* The end of the chain so far. Before the first record: id 0, a MAC of zeros. */
typedef struct Link {
        int64_t id;
        uint8_t mac[SHA256_SIZE];
} Link;

static const char *text_get(const AuditRecord *r, size_t i) {
        return *(const char *const *) ((const char *) r + texts[i]);
}

static void text_borrow(AuditRecord *r, size_t i, const char *text) {
        *(const char **) ((char *) r + texts[i]) = text;
}

static int put_number(Secret *to, uint64_t value) {
        uint8_t bytes[8];

        for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = (uint8_t) (value >> (56 - 8 * i));

        return secret_append(to, bytes, sizeof(bytes));
}

/* 0 for none; else 1, the length and the bytes. */
static int put_text(Secret *to, const char *text) {
        uint8_t present = text != NULL;
        size_t len = text ? strlen(text) : 0;
        int r;

        r = secret_append(to, &present, 1);
        if (r < 0 || !text)
                return r;

        r = put_number(to, len);
        if (r < 0)
                return r;

        return secret_append(to, text, len);
}

static int serialise(const Link *previous, const AuditRecord *record, Secret *ret) {
        int r;

        if ((r = secret_append(ret, previous->mac, sizeof(previous->mac))) < 0 ||
                        (r = put_number(ret, (uint64_t) record->id)) < 0 ||
                        (r = put_number(ret, record->time)) < 0 ||
                        (r = put_number(ret, (uint64_t) record->uid)) < 0)
                return r;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                r = put_text(ret, text_get(record, i));
                if (r < 0)
                        return r;
        }

        return 0;
}

/* The link that the record, whose id is set, makes after the previous one. */
static int make_link(const Store *s, const Link *previous, const AuditRecord *record, Link *ret) {
        _cleanup_(secret_done) Secret bytes = {0};
        size_t len;
        int r;

        r = serialise(previous, record, &bytes);
        if (r < 0)
                return r;

        ret->id = record->id;
        if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, s->audit_key.data, s->audit_key.len,
                            bytes.data, bytes.len, ret->mac, sizeof(ret->mac), &len) ||
                        len != sizeof(ret->mac))
                return -EIO;

        return 0;
}

/* Reads a MAC; one of another length is no MAC of ours, and zeros fit nothing. */
static void read_mac(Statement *st, uint8_t ret[static SHA256_SIZE]) {
        _cleanup_(secret_done) Secret mac = {0};

        column_blob(st, &mac);
        memset(ret, 0, SHA256_SIZE);
        if (mac.len == SHA256_SIZE)
                memcpy(ret, mac.data, SHA256_SIZE);
}

static void read_record(Statement *st, AuditRecord *ret, Link *ret_link) {
        ret->id = ret_link->id = column_int(st);
        ret->time = (usec_t) column_int(st);
        ret->uid = column_int(st);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                text_borrow(ret, i, column_borrow(st));
        read_mac(st, ret_link->mac);
}

static int find_last(Store *s, Link *ret, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        Link last = {0};
        bool row;
        int r;

        r = statement_prepare(
                        &st, s, "SELECT id, mac FROM audit ORDER BY id DESC LIMIT 1", reterr_msg);
        if (r < 0)
                return r;

        r = statement_step(&st, &row, reterr_msg);
        if (r < 0)
                return r;

        if (row) {
                last.id = column_int(&st);
                read_mac(&st, last.mac);
                r = statement_check(&st, reterr_msg);
                if (r < 0)
                        return r;
        }

        *ret = last;
        return 0;
}

static int insert_record(Store *s, const AuditRecord *record, const Link *link, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "INSERT INTO audit (" COLUMNS
                        ") "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, record->id);
        bind_usec(&st, record->time);
        bind_int(&st, record->uid);
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                bind_text(&st, text_get(record, i));
        bind_blob(&st, link->mac, sizeof(link->mac));

        return statement_run(&st, reterr_msg);
}

int store_audit_append(Store *s, const AuditRecord *r, char **reterr_msg) {
        _cleanup_(savepoint_done) Savepoint savepoint = {0};
        AuditRecord record = *r;
        Link last, link;
        int e;

        e = savepoint_begin(&savepoint, s, reterr_msg);
        if (e < 0)
                return e;

        e = find_last(s, &last, reterr_msg);
        if (e < 0)
                return e;

        record.id = last.id + 1;
        e = make_link(s, &last, &record, &link);
        if (e < 0)
                return error_wrap(reterr_msg, e, "Cannot extend the audit trail in %s", s->path);

        e = insert_record(s, &record, &link, reterr_msg);
        if (e < 0)
                return e;

        return savepoint_release(&savepoint, reterr_msg);
}

static int check_link(const Store *s, Link *head, Statement *st, char **reterr_msg) {
        AuditRecord record = {0};
        Link found, wanted;
        int r;

        read_record(st, &record, &found);
        r = statement_check(st, reterr_msg);
        if (r < 0)
                return r;

        r = make_link(s, head, &record, &wanted);
        if (r < 0)
                return error_wrap(reterr_msg, r, "Cannot check the audit trail in %s", s->path);

        if (found.id != head->id + 1 || memcmp(found.mac, wanted.mac, sizeof(found.mac)) != 0)
                return error_set(reterr_msg, -EBADMSG,
                                "The audit trail in %s is broken at record %" PRId64
                                ": it was changed, or one before it was removed",
                                s->path, found.id);

        *head = found;
        return 0;
}

int store_audit_verify(Store *s,
                uint64_t *ret_length,
                char ret_head[static SHA256_HEX_SIZE],
                char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        Link head = {0};
        bool row;
        int r;

        r = statement_prepare(&st, s, "SELECT " COLUMNS " FROM audit ORDER BY id", reterr_msg);
        if (r < 0)
                return r;

        for (;;) {
                r = statement_step(&st, &row, reterr_msg);
                if (r < 0)
                        return r;
                if (!row)
                        break;

                r = check_link(s, &head, &st, reterr_msg);
                if (r < 0)
                        return r;
        }

        *ret_length = (uint64_t) head.id;
        hex_encode(head.mac, sizeof(head.mac), ret_head);
        return 0;
}

int store_audit_each(Store *s,
                int64_t since,
                int (*each)(const AuditRecord *r, void *userdata),
                void *userdata,
                char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s, "SELECT " COLUMNS " FROM audit WHERE id > ? ORDER BY id",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, since);
        for (;;) {
                AuditRecord record = {0};
                Link link;
                bool row;

                r = statement_step(&st, &row, reterr_msg);
                if (r < 0)
                        return r;
                if (!row)
                        return 0;

                read_record(&st, &record, &link);
                r = statement_check(&st, reterr_msg);
                if (r < 0)
                        return r;

                r = each(&record, userdata);
                if (r != 0)
                        return r;
        }
}
