/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/audit-chain.h"
#include "store/database.h"
#include "store/schema.h"
#include "store/seal.h"

#define DATABASE_NAME "factord.db"
#define LOCK_NAME "lock"

/* Somebody with a copy of the file open (a backup, say) is waited for this long. */
#define BUSY_TIMEOUT_MS 1000

static int check_private(
                const struct stat *st, const char *path, const char *mode, char **reterr_msg) {
        if (st->st_uid != geteuid())
                return error_set(reterr_msg, -EPERM,
                                "%s belongs to user %u, and this is user %u; start the daemon as "
                                "its owner",
                                path, (unsigned) st->st_uid, (unsigned) geteuid());

        if (st->st_mode & 077)
                return error_set(reterr_msg, -EPERM,
                                "%s is open to other users; run: chmod %s '%s'", path, mode, path);

        return 0;
}

static int open_directory(const char *directory, int *ret_fd, char **reterr_msg) {
        _cleanup_close_ int fd = -EBADF;
        struct stat st;
        int r;

        r = directory_make(directory, 0700, reterr_msg);
        if (r < 0)
                return r;

        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0)
                return error_set(reterr_msg, -errno, "Cannot open the folder %s: %s", directory,
                                strerror(errno));

        r = check_private(&st, directory, "0700", reterr_msg);
        if (r < 0)
                return r;

        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* The lock is the open file's: it ends with the descriptor, however the process ends. */
static int take_lock(int dir_fd, const char *directory, int *ret_fd, char **reterr_msg) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(dir_fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return error_set(reterr_msg, -errno, "Cannot open %s/" LOCK_NAME ": %s", directory,
                                strerror(errno));

        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                if (errno != EWOULDBLOCK)
                        return error_set(reterr_msg, -errno, "Cannot lock %s/" LOCK_NAME ": %s",
                                        directory, strerror(errno));

                return error_set(reterr_msg, -EBUSY,
                                "%s/" LOCK_NAME
                                " is held by another process: a factord runs on "
                                "this store already",
                                directory);
        }

        *ret_fd = TAKE_FD(fd);
        return 0;
}

/* Makes the database's file, empty, if it isn't there: SQLite would make it with the umask's mode,
 * and gives its journal files the mode that it has. */
static int make_file(int dir_fd, const char *path, char **reterr_msg) {
        _cleanup_close_ int fd = -EBADF;

        fd = openat(dir_fd, DATABASE_NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0 && errno == EEXIST)
                return 0;

        if (fd < 0 || fchmod(fd, 0600) < 0 || fsync(fd) < 0 || fsync(dir_fd) < 0)
                return error_set(reterr_msg, -errno, "Cannot make %s: %s", path, strerror(errno));

        return 0;
}

static int check_files(int dir_fd, const char *directory, char **reterr_msg) {
        static const char *const names[] = {
                        DATABASE_NAME,
                        DATABASE_NAME "-wal",
                        DATABASE_NAME "-shm",
                        DATABASE_NAME "-journal",
        };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = NULL;
                struct stat st;
                int r;

                if (asprintf(&path, "%s/%s", directory, names[i]) < 0)
                        return -ENOMEM;

                if (fstatat(dir_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
                        if (errno == ENOENT)
                                continue;
                        return error_set(reterr_msg, -errno, "Cannot look at %s: %s", path,
                                        strerror(errno));
                }

                if (!S_ISREG(st.st_mode))
                        return error_set(reterr_msg, -EPERM, "%s is no regular file; move it away",
                                        path);

                r = check_private(&st, path, "0600", reterr_msg);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* Opens the database without writing to it. */
static int connect_database(Store *s, char **reterr_msg) {
        int result;

        result = sqlite3_open_v2(
                        s->path, &s->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_EXRESCODE, NULL);
        if (result != SQLITE_OK)
                return s->handle ? database_error(s, result, reterr_msg) : -ENOMEM;

        if (sqlite3_db_readonly(s->handle, "main") == 1)
                return database_error(s, SQLITE_READONLY, reterr_msg);

        (void) sqlite3_busy_timeout(s->handle, BUSY_TIMEOUT_MS);
        (void) sqlite3_db_config(s->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

        return database_exec(s,
                        "PRAGMA trusted_schema = OFF;"
                        "PRAGMA foreign_keys = ON;"
                        "PRAGMA secure_delete = ON;"
                        "PRAGMA temp_store = MEMORY;"
                        "PRAGMA synchronous = FULL;",
                        reterr_msg);
}

static int turn_on_wal(Store *s, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        const char *mode;
        bool row;
        int r;

        r = statement_prepare(&st, s, "PRAGMA journal_mode = WAL", reterr_msg);
        if (r < 0)
                return r;

        r = statement_step(&st, &row, reterr_msg);
        if (r < 0)
                return r;

        mode = row ? column_borrow(&st) : NULL;
        if (!mode || strcmp(mode, "wal") != 0)
                return error_set(reterr_msg, -ENOTSUP,
                                "%s: its file system lacks what a write-ahead log needs; use a "
                                "local one",
                                s->path);

        return statement_run(&st, reterr_msg);
}

/* Of a new store the key is durable before anything in the database speaks of it: a crash between
 * the two leaves a key that the next start takes. Only here is a key ever made. */
static int key_for_new(const KeySource *source, Secret *ret, char **reterr_msg) {
        _cleanup_free_ char *message = NULL;
        int r;

        r = source->load(source, ret, &message);
        if (r == -ENOENT)
                return source->make(source, ret, reterr_msg);
        if (r < 0 && reterr_msg) {
                free(*reterr_msg);
                *reterr_msg = TAKE_PTR(message);
        }

        return r;
}

static int key_for_existing(Store *s, const KeySource *source, Secret *ret, char **reterr_msg) {
        int r;

        r = source->load(source, ret, reterr_msg);
        if (r == -ENOENT)
                r = -ENOKEY;
        if (r < 0)
                return error_wrap(reterr_msg, r, "%s does not open without its key", s->path);

        return 0;
}

static int record_key(Store *s, const KeySource *source, const Secret *check, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s, "INSERT INTO meta VALUES ('key-source', ?), ('key-check', ?)",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_text(&st, source->name);
        bind_blob(&st, check->data, check->len);

        return statement_run(&st, reterr_msg);
}

static int read_meta(Store *s, const char *name, Secret *ret, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        bool row;
        int r;

        r = statement_prepare(&st, s, "SELECT value FROM meta WHERE name = ?", reterr_msg);
        if (r < 0)
                return r;

        bind_text(&st, name);
        r = statement_step(&st, &row, reterr_msg);
        if (r < 0)
                return r;

        if (!row)
                return error_set(reterr_msg, -EUCLEAN,
                                "%s lacks its %s: the file is damaged, put a copy of it back",
                                s->path, name);

        column_blob(&st, ret);
        return statement_check(&st, reterr_msg);
}

static int check_source(Store *s, const KeySource *source, char **reterr_msg) {
        _cleanup_(secret_done) Secret recorded = {0};
        int r;

        r = read_meta(s, "key-source", &recorded, reterr_msg);
        if (r < 0)
                return r;

        if (strcmp(secret_string(&recorded), source->name) != 0)
                return error_set(reterr_msg, -EKEYREJECTED,
                                "%s was made with a key from '%s', and now the key comes from "
                                "'%s'; use the first one again",
                                s->path, secret_string(&recorded), source->name);

        return 0;
}

static int check_key(Store *s, const KeySource *source, const Secret *check, char **reterr_msg) {
        _cleanup_(secret_done) Secret recorded = {0};
        int r;

        r = read_meta(s, "key-check", &recorded, reterr_msg);
        if (r < 0)
                return r;

        if (!secret_equal(&recorded, check))
                return error_set(reterr_msg, -EKEYREJECTED,
                                "The store key %s is not the one that %s was made with; put the "
                                "right one back from a copy",
                                source->argument, s->path);

        return 0;
}

static int
migrate(Store *s, int from, const KeySource *source, const Secret *check, char **reterr_msg) {
        int r;

        r = store_begin(s, reterr_msg);
        if (r < 0)
                return r;

        r = schema_migrate(s, from, reterr_msg);
        if (r == 0 && from == 0)
                r = record_key(s, source, check, reterr_msg);
        if (r == 0 && from < SCHEMA_WITH_CHECKPOINTS)
                r = audit_begin(s, reterr_msg);
        return store_end(s, r, reterr_msg);
}

/* What the store is called in the journal: it tells one store from another, and nothing else. */
static int derive_name(const Secret *key, char ret[static STORE_NAME_SIZE]) {
        _cleanup_(secret_done) Secret bytes = {0};
        int r;

        r = seal_derive(key, SEAL_LABEL_NAME, &bytes);
        if (r < 0)
                return r;
        hex_encode(bytes.data, (STORE_NAME_SIZE - 1) / 2, ret);
        return 0;
}

/* Gets the key, checks it, and brings the layout up to date, in this order: a store whose key is
 * not at hand is left as it is. */
static int unlock_and_migrate(Store *s, int version, const KeySource *source, char **reterr_msg) {
        _cleanup_(secret_done) Secret key = {0}, check = {0};
        int r;

        if (version == 0)
                r = key_for_new(source, &key, reterr_msg);
        else {
                r = check_source(s, source, reterr_msg);
                if (r == 0)
                        r = key_for_existing(s, source, &key, reterr_msg);
        }
        if (r < 0)
                return r;

        if ((r = seal_derive(&key, SEAL_LABEL_CHECK, &check)) < 0 ||
                        (r = seal_derive(&key, SEAL_LABEL_SEAL, &s->seal_key)) < 0 ||
                        (r = seal_derive(&key, SEAL_LABEL_AUDIT, &s->audit_key)) < 0 ||
                        (r = seal_derive(&key, SEAL_LABEL_CHECKPOINT, &s->checkpoint_key)) < 0 ||
                        (r = seal_derive(&key, SEAL_LABEL_DIGEST, &s->digest_key)) < 0 ||
                        (r = derive_name(&key, s->name)) < 0)
                return error_wrap(reterr_msg, r, "Cannot derive from the key of %s", s->path);

        if (version > 0) {
                r = check_key(s, source, &check, reterr_msg);
                if (r < 0)
                        return r;
        }

        r = turn_on_wal(s, reterr_msg);
        if (r < 0 || version == STORE_SCHEMA_VERSION)
                return r;

        return migrate(s, version, source, &check, reterr_msg);
}

static int read_sequence(Store *s, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        bool found;
        int64_t value;
        int r;

        r = statement_prepare(&st, s, "SELECT value FROM meta WHERE name = 'sequence'", reterr_msg);
        if (r < 0)
                return r;

        r = statement_take_int(&st, &found, &value, reterr_msg);
        if (r < 0)
                return r;

        s->tail.sequence = (uint64_t) value;
        return 0;
}

static int
open_locked(Store *s, int dir_fd, const char *directory, const KeySource *key, char **reterr_msg) {
        int r, version;

        if (asprintf(&s->path, "%s/" DATABASE_NAME, directory) < 0) {
                s->path = NULL;
                return -ENOMEM;
        }

        r = make_file(dir_fd, s->path, reterr_msg);
        if (r < 0)
                return r;

        r = check_files(dir_fd, directory, reterr_msg);
        if (r < 0)
                return r;

        r = connect_database(s, reterr_msg);
        if (r < 0)
                return r;

        r = schema_version(s, &version, reterr_msg);
        if (r < 0)
                return r;

        r = unlock_and_migrate(s, version, key, reterr_msg);
        if (r < 0)
                return r;

        r = check_files(dir_fd, directory, reterr_msg);
        if (r < 0)
                return r;

        r = read_sequence(s, reterr_msg);
        if (r < 0)
                return r;

        return audit_open(s, reterr_msg);
}

int store_open(Store **ret, const char *directory, const KeySource *key, char **reterr_msg) {
        _cleanup_(store_closep) Store *s = NULL;
        _cleanup_close_ int dir_fd = -EBADF;
        int r;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->lock_fd = -EBADF;

        r = open_directory(directory, &dir_fd, reterr_msg);
        if (r < 0)
                return r;

        r = take_lock(dir_fd, directory, &s->lock_fd, reterr_msg);
        if (r < 0)
                return r;

        r = open_locked(s, dir_fd, directory, key, reterr_msg);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(s);
        return 0;
}

Store *store_close(Store *s) {
        if (!s)
                return NULL;

        store_rollback(s);
        /* Closing writes the log back to the database, and removes it. */
        (void) sqlite3_close(s->handle);
        free(s->problem);
        secret_done(&s->seal_key);
        secret_done(&s->audit_key);
        secret_done(&s->checkpoint_key);
        secret_done(&s->digest_key);
        audit_drop_fresh(s);
        free(s->path);
        closep(&s->lock_fd);
        free(s);

        return NULL;
}

int store_begin(Store *s, char **reterr_msg) {
        int r;

        if (s->in_transaction)
                return error_set(reterr_msg, -EINVAL, "%s: a transaction is open already", s->path);

        r = database_exec(s, "BEGIN IMMEDIATE", reterr_msg);
        if (r < 0)
                return r;

        s->in_transaction = true;
        s->tail_before_begin = s->tail;
        return 0;
}

int store_commit(Store *s, char **reterr_msg) {
        int r;

        /* Without an open transaction SQLite says so: it had to roll back after an error. */
        r = database_exec(s, "COMMIT", reterr_msg);
        if (r < 0) {
                store_rollback(s);
                return r;
        }

        s->in_transaction = false;
        audit_hand_over(s);
        return 0;
}

void store_rollback(Store *s) {
        if (!s->in_transaction)
                return;

        (void) database_exec(s, "ROLLBACK", NULL);
        s->in_transaction = false;
        audit_take_back(s, &s->tail_before_begin);
}

/* Whether a failure is the store's own, and not an answer such as "taken already". */
static bool is_problem(int r) {
        return r == -ENOSPC || r == -EROFS || r == -EACCES || r == -EIO || r == -EUCLEAN ||
               r == -EBUSY;
}

int store_end(Store *s, int r, char **reterr_msg) {
        _cleanup_free_ char *why = NULL;
        char **msg = reterr_msg ? reterr_msg : &why;

        if (r >= 0)
                r = store_commit(s, msg);
        else
                store_rollback(s);
        if (r >= 0 || is_problem(r)) {
                free(s->problem);
                s->problem = r < 0 ? strdup(error_text(*msg, r)) : NULL;
        }
        return r;
}

const char *store_name(const Store *s) {
        return s->name;
}

const char *store_problem(const Store *s) {
        return s->problem;
}
