/* SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "store/audit-chain.h"

static int errno_of_system(Store *s, int otherwise) {
        int e = sqlite3_system_errno(s->handle);

        return e > 0 ? -e : otherwise;
}

/* SQLite says only that it may not write; the file system knows why. */
static int errno_of_read_only(Store *s) {
        if (s->path && faccessat(AT_FDCWD, s->path, W_OK, AT_EACCESS) < 0 && errno == EACCES)
                return -EACCES;

        return -EROFS;
}

/* An error of its own may have come after the one that counts. */
static int errno_of_io(Store *s) {
        struct statvfs fs;
        int r = errno_of_system(s, -EIO);

        if (r == -ENOSPC || r == -EDQUOT || !s->path || statvfs(s->path, &fs) < 0)
                return r;
        return fs.f_flag & ST_RDONLY ? -EROFS : r;
}

static int errno_of_result(Store *s, int result) {
        switch (result) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID:
                return -EEXIST;
        case SQLITE_CONSTRAINT_FOREIGNKEY:
                return -ENOENT;
        }

        switch (result & 0xff) {
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_READONLY:
                return errno_of_read_only(s);
        case SQLITE_PERM:
        case SQLITE_AUTH:
                return -EACCES;
        case SQLITE_CANTOPEN:
                return errno_of_system(s, -EACCES);
        case SQLITE_IOERR:
                return errno_of_io(s);
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
                return -EBUSY;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
                return -EUCLEAN;
        case SQLITE_TOOBIG:
                return -E2BIG;
        case SQLITE_CONSTRAINT:
        case SQLITE_MISMATCH:
        case SQLITE_RANGE:
                return -EINVAL;
        default:
                return -EIO;
        }
}

static const char *remedy(int r) {
        switch (r) {
        case -ENOSPC:
                return "; make room on its file system";
        case -EROFS:
                return "; its file system must be writable";
        case -EACCES:
                return "; it must be readable and writable for the daemon's user";
        case -EBUSY:
                return "; another program uses it, end that first";
        case -EUCLEAN:
                return "; the file is damaged, put a copy of it back";
        default:
                return "";
        }
}

int database_error(Store *s, int result, char **reterr_msg) {
        const char *reason = sqlite3_errcode(s->handle) == SQLITE_OK ? sqlite3_errstr(result)
                                                                     : sqlite3_errmsg(s->handle);
        int r = errno_of_result(s, result);

        return error_set(reterr_msg, r, "%s: %s%s", s->path, reason, remedy(r));
}

int database_exec(Store *s, const char *sql, char **reterr_msg) {
        int result = sqlite3_exec(s->handle, sql, NULL, NULL, NULL);

        return result == SQLITE_OK ? 0 : database_error(s, result, reterr_msg);
}

int statement_prepare(Statement *ret, Store *s, const char *sql, char **reterr_msg) {
        Statement st = {.store = s};
        int result;

        /* A full disk makes SQLite roll back by itself. What came after it in the same transaction
         * would then be kept alone. */
        if (s->in_transaction && sqlite3_get_autocommit(s->handle))
                return error_set(reterr_msg, -EIO,
                                "%s: the transaction was undone after an earlier error", s->path);

        result = sqlite3_prepare_v2(s->handle, sql, -1, &st.handle, NULL);
        if (result != SQLITE_OK)
                return database_error(s, result, reterr_msg);

        *ret = st;
        return 0;
}

void statement_done(Statement *st) {
        sqlite3_finalize(st->handle);
        st->handle = NULL;
}

static void keep_error(Statement *st, int r) {
        if (st->error == 0)
                st->error = r;
}

static void keep_bound(Statement *st, int result) {
        if (result != SQLITE_OK)
                keep_error(st, errno_of_result(st->store, result));
}

void bind_int(Statement *st, int64_t value) {
        keep_bound(st, sqlite3_bind_int64(st->handle, ++st->parameter, value));
}

/* SQLite's integers end at INT64_MAX, which stands for every later time. */
void bind_usec(Statement *st, usec_t value) {
        bind_int(st, value > INT64_MAX ? INT64_MAX : (int64_t) value);
}

void bind_text(Statement *st, const char *text) {
        keep_bound(st, sqlite3_bind_text(st->handle, ++st->parameter, text, -1, SQLITE_STATIC));
}

void bind_blob(Statement *st, const void *data, size_t len) {
        keep_bound(st, sqlite3_bind_blob64(st->handle, ++st->parameter, data, len, SQLITE_STATIC));
}

int statement_step(Statement *st, bool *ret_row, char **reterr_msg) {
        int r, result;

        r = statement_check(st, reterr_msg);
        if (r < 0)
                return r;

        result = sqlite3_step(st->handle);
        if (result != SQLITE_ROW && result != SQLITE_DONE)
                return database_error(st->store, result, reterr_msg);

        st->column = 0;
        *ret_row = result == SQLITE_ROW;
        return 0;
}

int statement_run(Statement *st, char **reterr_msg) {
        bool row;
        int r;

        do
                r = statement_step(st, &row, reterr_msg);
        while (r == 0 && row);

        return r;
}

int statement_take_int(Statement *st, bool *ret_found, int64_t *ret, char **reterr_msg) {
        int64_t value = 0;
        bool row;
        int r;

        r = statement_step(st, &row, reterr_msg);
        if (r < 0)
                return r;

        if (row) {
                value = column_int(st);
                r = statement_run(st, reterr_msg);
                if (r < 0)
                        return r;
        }

        *ret_found = row;
        *ret = value;
        return 0;
}

int statement_check(Statement *st, char **reterr_msg) {
        if (st->error == -EBADMSG)
                return error_set(reterr_msg, -EBADMSG,
                                "%s holds a value that the daemon did not write; put a copy of the "
                                "file back",
                                st->store->path);

        return st->error;
}

int64_t column_int(Statement *st) {
        return sqlite3_column_int64(st->handle, st->column++);
}

usec_t column_usec(Statement *st) {
        int64_t value = column_int(st);

        if (value < 0) {
                keep_error(st, -EBADMSG);
                return 0;
        }

        return value == INT64_MAX ? USEC_INFINITY : (usec_t) value;
}

const char *column_borrow(Statement *st) {
        const void *text;

        if (sqlite3_column_type(st->handle, st->column) == SQLITE_NULL) {
                st->column++;
                return NULL;
        }

        text = sqlite3_column_text(st->handle, st->column++);
        if (!text)
                keep_error(st, -ENOMEM);

        return text;
}

char *column_text(Statement *st) {
        const char *text = column_borrow(st);
        char *copy;

        if (!text)
                return NULL;

        copy = strdup(text);
        if (!copy)
                keep_error(st, -ENOMEM);

        return copy;
}

void column_copy(Statement *st, char *ret, size_t size) {
        const char *text = column_borrow(st);
        size_t len = text ? strlen(text) : 0;

        if (len >= size) {
                keep_error(st, -EBADMSG);
                len = 0;
        }

        if (len > 0)
                memcpy(ret, text, len);
        ret[len] = '\0';
}

void column_blob(Statement *st, Secret *ret) {
        const void *data = sqlite3_column_blob(st->handle, st->column);
        int len = sqlite3_column_bytes(st->handle, st->column);

        st->column++;
        secret_done(ret);
        if (len > 0 && (!data || secret_append(ret, data, (size_t) len) < 0))
                keep_error(st, -ENOMEM);
}

int column_word(Statement *st, int (*from_string)(const char *word)) {
        const char *word = column_borrow(st);
        int value = word ? from_string(word) : -EINVAL;

        if (value < 0) {
                keep_error(st, -EBADMSG);
                return 0;
        }

        return value;
}

int savepoint_begin(Savepoint *ret, Store *s, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s, "SAVEPOINT change", reterr_msg);
        if (r < 0)
                return r;

        r = statement_run(&st, reterr_msg);
        if (r < 0)
                return r;

        *ret = (Savepoint){.store = s, .tail = s->tail};
        return 0;
}

int savepoint_release(Savepoint *p, char **reterr_msg) {
        int r;

        r = database_exec(p->store, "RELEASE change", reterr_msg);
        if (r < 0)
                return r; /* savepoint_done() undoes it */

        p->store = NULL;
        return 0;
}

void savepoint_done(Savepoint *p) {
        if (!p->store)
                return;

        /* Where SQLite has rolled back already, there is nothing left to undo. */
        (void) database_exec(p->store, "ROLLBACK TO change; RELEASE change", NULL);
        audit_take_back(p->store, &p->tail);
        p->store = NULL;
}
