#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A store in a folder of its own, for the tests of store/. Include it after cmocka.h. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/store.h"

#define SECRET_TEXT "12345678901234567890"
#define SID_A "YC0000000000000000000000000000000a"
#define SID_B "YC0000000000000000000000000000000b"
#define SID_C "YC0000000000000000000000000000000c"

typedef struct Fixture {
        char root[64];
        char directory[128]; /* not there at first */
        char database[192];
        char key_path[128];
        KeySource key;
        Store *store;
        char *message; /* the last one */
} Fixture;

static inline int fixture_setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        (void) snprintf(f->root, sizeof(f->root), "/tmp/factord-test-store.XXXXXX");
        assert_non_null(mkdtemp(f->root));
        (void) snprintf(f->directory, sizeof(f->directory), "%s/state", f->root);
        (void) snprintf(f->database, sizeof(f->database), "%s/factord.db", f->directory);
        (void) snprintf(f->key_path, sizeof(f->key_path), "%s/store-key", f->root);
        f->key = key_source_file(f->key_path);

        *state = f;
        return 0;
}

static inline int remove_entry(
                const char *path, const struct stat *st, int type, struct FTW *where) {
        return remove(path);
}

static inline int fixture_teardown(void **state) {
        Fixture *f = *state;

        store_close(f->store);
        assert_int_equal(nftw(f->root, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
        free(f->message);
        free(f);
        return 0;
}

#define STORE_TEST(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)

static inline void fixture_close(Fixture *f) {
        f->store = store_close(f->store);
}

static inline void fixture_open(Fixture *f) {
        fixture_close(f);
        assert_int_equal(store_open(&f->store, f->directory, &f->key, &f->message), 0);
        assert_null(f->message);
}

/* Opening fails so, with a message that holds the text. */
static inline void fixture_refused(Fixture *f, int expected, const char *text) {
        fixture_close(f);
        assert_int_equal(store_open(&f->store, f->directory, &f->key, &f->message), expected);
        assert_null(f->store);
        assert_non_null(f->message);
        if (!strstr(f->message, text))
                fail_msg("\"%s\" is not in \"%s\"", text, f->message);
        free(TAKE_PTR(f->message));
}

/* Drops the message, which must be there. */
static inline void fixture_message(Fixture *f, const char *text) {
        assert_non_null(f->message);
        if (!strstr(f->message, text))
                fail_msg("\"%s\" is not in \"%s\"", text, f->message);
        free(TAKE_PTR(f->message));
}

/* Runs SQL behind the store's back; returns the first column of the first row, or -1. */
static inline int64_t fixture_sql(Fixture *f, const char *sql) {
        sqlite3 *handle = NULL;
        int64_t value = -1;

        assert_int_equal(sqlite3_open_v2(f->database, &handle,
                                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL),
                        SQLITE_OK);

        while (*sql) {
                sqlite3_stmt *st = NULL;

                if (sqlite3_prepare_v2(handle, sql, -1, &st, &sql) != SQLITE_OK)
                        fail_msg("%s", sqlite3_errmsg(handle));
                if (sqlite3_step(st) == SQLITE_ROW)
                        value = sqlite3_column_int64(st, 0);
                assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
        }

        assert_int_equal(sqlite3_close(handle), SQLITE_OK);
        return value;
}

static inline void write_file(const char *path, const void *data, size_t len, mode_t mode) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        assert_true(fd >= 0);
        assert_int_equal(fchmod(fd, mode), 0);
        assert_int_equal(write(fd, data, len), (ssize_t) len);
        assert_int_equal(close(fd), 0);
}

/* Up to size bytes of a file; returns how many, or -1 when it isn't there. */
static inline ssize_t read_file(const char *path, void *ret, size_t size) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        size_t done = 0;
        ssize_t n;

        if (fd < 0)
                return -1;

        while ((n = read(fd, (uint8_t *) ret + done, size - done)) > 0)
                done += (size_t) n;
        assert_int_equal(n, 0);
        assert_int_equal(close(fd), 0);

        return (ssize_t) done;
}

/* A factor with borrowed strings; not for store_factor_done(). */
static inline StoreFactor sample_factor(char *name, FactorType type, char *secret) {
        return (StoreFactor){
                        .name = name,
                        .type = type,
                        .status = type == FACTOR_PUSH ? FACTOR_VERIFIED : FACTOR_LOCAL,
                        .owner = 1000,
                        .digits = 6,
                        .period = 30,
                        .created = 1700000000 * USEC_PER_SEC,
                        .secret = {.data = (uint8_t *) secret, .len = strlen(secret)},
        };
}

static inline int64_t add_factor(Fixture *f, char *name, FactorType type, char *secret) {
        StoreFactor factor = sample_factor(name, type, secret);

        assert_int_equal(store_factor_add(f->store, &factor, &f->message), 0);
        assert_true(factor.id > 0);
        return factor.id;
}

static inline void free_factors(StoreFactor *factors, size_t n) {
        for (size_t i = 0; i < n; i++)
                store_factor_done(factors + i);
        free(factors);
}

static inline int64_t count_factors(Fixture *f) {
        StoreFactor *factors;
        size_t n;

        assert_int_equal(store_factors_load(f->store, &factors, &n, &f->message), 0);
        free_factors(factors, n);
        return (int64_t) n;
}

static inline StoreChallenge sample_challenge(
                const char *sid, int64_t factor_id, ChallengeState state) {
        StoreChallenge c = {
                        .factor_id = factor_id, .state = state, .expires = 2000, .changed = 1000};

        (void) snprintf(c.sid, sizeof(c.sid), "%s", sid);
        return c;
}

static inline uint64_t put_challenge(
                Fixture *f, const char *sid, int64_t factor_id, ChallengeState state) {
        StoreChallenge c = sample_challenge(sid, factor_id, state);

        assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);
        return c.sequence;
}
