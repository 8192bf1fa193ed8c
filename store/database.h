#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of an open store, and statements on its database. Only store/ includes this. */

#include <sqlite3.h>

#include "store/audit.h"
#include "store/store.h"

/* A record's place in the chain. Before the first record: id 0, a MAC of zeros. */
typedef struct AuditLink {
        int64_t id;
        uint8_t mac[SHA256_SIZE];
} AuditLink;

/* A sealed point of the chain. */
typedef struct AuditCheckpoint {
        AuditLink link;   /* start: of the last record that was dropped; head: of the newest one */
        uint64_t count;   /* start: of the records dropped in all; head: of those kept */
        uint64_t size;    /* head: of those kept, in bytes */
        AuditFault fault; /* head: the first one that was found and is covered up since */
        int64_t fault_row;
} AuditCheckpoint;

/* What a rollback takes back. */
typedef struct StoreTail {
        uint64_t sequence;
        AuditLink last; /* the end of the trail */
        uint64_t audit_size;
        size_t n_fresh;
} StoreTail;

struct Store {
        sqlite3 *handle;
        char *path; /* of the database */
        int lock_fd;
        bool in_transaction;         /* between store_begin() and its end, whatever SQLite thinks */
        StoreTail tail;              /* as the open transaction sees it */
        StoreTail tail_before_begin; /* when one is open */
        char *problem;               /* why the last transaction could not be written, or NULL */
        Secret seal_key;
        Secret audit_key;
        Secret digest_key;
        Secret checkpoint_key;
        char name[STORE_NAME_SIZE];

        AuditCheckpoint start, head; /* as they are in the database */
        bool start_known;            /* false: its seal does not fit */
        AuditFault audit_fault;      /* goes into the next head */
        int64_t audit_fault_row;
        AuditRecord *fresh; /* tail.n_fresh records that are not committed yet; strings are owned */
        void (*on_audit)(const AuditRecord *r, void *userdata);
        void *on_audit_userdata;
};

/* The errno for an SQLite result, with SQLite's reason as the message: -EEXIST and -ENOENT for
 * unique and foreign keys, -ENOSPC, -EROFS, -EACCES, -EBUSY, -EUCLEAN for a damaged file. Call it
 * before anything else is done with the handle. */
int database_error(Store *s, int result, char **reterr_msg);
/* Runs statements that give no rows. */
int database_exec(Store *s, const char *sql, char **reterr_msg);

/* One SQL statement. Parameters are bound, and columns read, from left to right; what goes wrong
 * meanwhile is kept and comes out of the next statement_step() or statement_check(). */
typedef struct Statement {
        Store *store;
        sqlite3_stmt *handle;
        int parameter; /* the last one bound, from 1 */
        int column;    /* the next one to read, from 0 */
        int error;     /* the first, an -errno */
} Statement;

int statement_prepare(Statement *ret, Store *s, const char *sql, char **reterr_msg);
/* Usable with _cleanup_(). */
void statement_done(Statement *st);

void bind_int(Statement *st, int64_t value);
void bind_usec(Statement *st, usec_t value);
/* Text and bytes are borrowed until the statement is done; NULL is SQL's NULL. */
void bind_text(Statement *st, const char *text);
void bind_blob(Statement *st, const void *data, size_t len);

/* Goes to the next row; *ret_row is false at the end. A write is durable, or part of the open
 * transaction, only once the end was reached. */
int statement_step(Statement *st, bool *ret_row, char **reterr_msg);
/* Steps to the end, past any rows. */
int statement_run(Statement *st, char **reterr_msg);
/* Takes the first column of the first row, if there is one, and steps to the end. */
int statement_take_int(Statement *st, bool *ret_found, int64_t *ret, char **reterr_msg);
/* What went wrong in reading the row so far: -EBADMSG for a value that can't be. */
int statement_check(Statement *st, char **reterr_msg);

int64_t column_int(Statement *st);
usec_t column_usec(Statement *st);
/* Borrowed until the next step; NULL for SQL's NULL. */
const char *column_borrow(Statement *st);
/* A new string, or NULL. */
char *column_text(Statement *st);
/* Copies text into a buffer that must hold all of it. */
void column_copy(Statement *st, char *ret, size_t size);
/* Replaces *ret by the column's bytes. */
void column_blob(Statement *st, Secret *ret);
/* The value of an enum by its word. */
int column_word(Statement *st, int (*from_string)(const char *word));

/* Several statements that are all done or not at all, inside the open transaction or by themselves.
 * savepoint_done() undoes what was not released; usable with _cleanup_(). */
typedef struct Savepoint {
        Store *store; /* NULL when nothing is to be undone */
        StoreTail tail;
} Savepoint;

int savepoint_begin(Savepoint *ret, Store *s, char **reterr_msg);
int savepoint_release(Savepoint *p, char **reterr_msg);
void savepoint_done(Savepoint *p);
