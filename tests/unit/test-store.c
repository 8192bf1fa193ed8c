/* SPDX-License-Identifier: Apache-2.0 */
/* Opening, refusing to open, transactions, and what goes wrong with the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>

#include "base/text.h"
#include "store-fixture.h"
#include "store/database.h"

#define NOBODY 65534

static void assert_mode(const char *path, mode_t mode) {
        struct stat st;

        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, mode);
}

static void test_open_makes_private_files(void **state) {
        static const mode_t masks[] = {0, 0777};
        Fixture *f = *state;

        for (size_t i = 0; i < ELEMENTSOF(masks); i++) {
                char path[256];
                mode_t mask;

                (void) snprintf(f->directory, sizeof(f->directory), "%s/state%zu", f->root, i);
                (void) snprintf(f->database, sizeof(f->database), "%s/factord.db", f->directory);
                (void) snprintf(f->key_path, sizeof(f->key_path), "%s/store-key%zu", f->root, i);
                if (i > 0)
                        assert_int_equal(mkdir(f->directory, 0700), 0);

                mask = umask(masks[i]);
                fixture_open(f);
                add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
                umask(mask);

                assert_mode(f->directory, 0700);
                assert_mode(f->database, 0600);
                assert_mode(f->key_path, 0600);
                (void) snprintf(path, sizeof(path), "%s-wal", f->database);
                assert_mode(path, 0600);
                (void) snprintf(path, sizeof(path), "%s-shm", f->database);
                assert_mode(path, 0600);
        }
}

static void test_open_sets_up(void **state) {
        Fixture *f = *state;

        fixture_open(f);
        fixture_close(f);

        assert_int_equal(fixture_sql(f, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
        assert_int_equal(fixture_sql(f, "SELECT count(*) FROM pragma_journal_mode "
                                        "WHERE journal_mode = 'wal'"),
                        1);
        assert_int_equal(fixture_sql(f, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' "
                                        "AND name IN ('factor', 'decision', 'challenge', "
                                        "'ticket', 'audit', 'code_sent', 'meta')"),
                        7);
        assert_int_equal(fixture_sql(f, "SELECT count(*) FROM pragma_table_info('ticket') WHERE "
                                        "name IN ('id', 'factor_id', 'created', 'expires', "
                                        "'message', 'fields', 'owner', 'consumed_by')"),
                        8);
}

/* What is set on each connection, and not kept in the file. */
static void test_open_settings(void **state) {
        static const struct {
                const char *sql;
                int64_t expected;
        } cases[] = {
                        {"PRAGMA synchronous", 2},
                        {"PRAGMA foreign_keys", 1},
                        {"PRAGMA secure_delete", 1},
                        {"PRAGMA trusted_schema", 0},
        };
        Fixture *f = *state;

        fixture_open(f);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(statement_done) Statement st = {0};
                int64_t value;
                bool found;

                assert_int_equal(statement_prepare(&st, f->store, cases[i].sql, &f->message), 0);
                assert_int_equal(statement_take_int(&st, &found, &value, &f->message), 0);
                assert_true(found);
                assert_int_equal(value, cases[i].expected);
        }
}

/* The first version's layout, with rows in it, is brought up to date and loses none of them. */
static void test_open_migrates(void **state) {
        Fixture *f = *state;
        StoreChallenge c = {0};
        StoreFactor *factors;
        int64_t id;
        size_t n;

        fixture_open(f);
        id = add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        put_challenge(f, SID_A, id, CHALLENGE_ASKING);
        fixture_close(f);
        fixture_sql(f, "DROP INDEX challenge_asked; DROP INDEX challenge_factor_asked;"
                       "ALTER TABLE challenge DROP COLUMN asked;"
                       "ALTER TABLE challenge DROP COLUMN mismatches;"
                       "ALTER TABLE factor DROP COLUMN match_field;"
                       "ALTER TABLE audit DROP COLUMN policy;"
                       "ALTER TABLE audit DROP COLUMN layout;"
                       "DROP TABLE audit_checkpoint;"
                       "ALTER TABLE challenge DROP COLUMN held_rule;"
                       "ALTER TABLE challenge DROP COLUMN held_verb;"
                       "ALTER TABLE challenge DROP COLUMN held_policy;"
                       "DROP INDEX ticket_expires;"
                       "ALTER TABLE ticket DROP COLUMN local;"
                       "PRAGMA user_version = 1");

        fixture_open(f);
        assert_int_equal(store_factors_load(f->store, &factors, &n, &f->message), 0);
        assert_int_equal(n, 1);
        assert_string_equal(factors->name, "office");
        assert_null(factors->match_field);
        free_factors(factors, n);
        assert_int_equal(store_challenge_get(f->store, SID_A, &c, &f->message), 0);
        assert_int_equal(c.state, CHALLENGE_ASKING);
        assert_int_equal(c.mismatches, 0);
        assert_int_equal(c.asked, 0);
        assert_null(c.held_rule);
        store_challenge_done(&c);
        fixture_close(f);
        assert_int_equal(fixture_sql(f, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
}

static void test_open_is_exclusive(void **state) {
        Fixture *f = *state;
        Store *second = NULL;

        fixture_open(f);
        assert_int_equal(store_open(&second, f->directory, &f->key, &f->message), -EBUSY);
        assert_null(second);
        fixture_message(f, f->directory);

        fixture_close(f);
        fixture_open(f);
}

static void give_away(const char *path) {
        if (geteuid() == 0)
                assert_int_equal(lchown(path, NOBODY, NOBODY), 0);
}

static void test_open_refuses_loose_modes(void **state) {
        Fixture *f = *state;

        assert_int_equal(mkdir(f->directory, 0700), 0);
        assert_int_equal(chmod(f->directory, 0750), 0);
        fixture_refused(f, -EPERM, "chmod 0700");

        assert_int_equal(chmod(f->directory, 0700), 0);
        fixture_open(f);
        fixture_close(f);

        assert_int_equal(chmod(f->database, 0640), 0);
        fixture_refused(f, -EPERM, "chmod 0600");

        assert_int_equal(chmod(f->database, 0600), 0);
        fixture_open(f);
}

static void test_open_refuses_other_owner(void **state) {
        Fixture *f = *state;

        if (geteuid() != 0)
                skip(); /* Only root can give files away. */

        fixture_open(f);
        fixture_close(f);
        give_away(f->directory);
        fixture_refused(f, -EPERM, "user 65534");

        assert_int_equal(chown(f->directory, 0, 0), 0);
        give_away(f->database);
        fixture_refused(f, -EPERM, f->database);
}

static void test_open_refuses_link(void **state) {
        Fixture *f = *state;
        char elsewhere[128];

        fixture_open(f);
        fixture_close(f);

        (void) snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere.db", f->root);
        assert_int_equal(rename(f->database, elsewhere), 0);
        assert_int_equal(symlink(elsewhere, f->database), 0);
        fixture_refused(f, -EPERM, f->database);
}

static void test_open_refuses_newer(void **state) {
        static uint8_t before[1 << 20], after[1 << 20];
        Fixture *f = *state;
        char sql[64];
        ssize_t n;

        fixture_open(f);
        fixture_close(f);
        fixture_sql(f, "PRAGMA journal_mode = DELETE; PRAGMA user_version = 1000");

        n = read_file(f->database, before, sizeof(before));
        assert_true(n > 0);
        fixture_refused(f, -ENOTSUP, "version 1000");
        assert_int_equal(read_file(f->database, after, sizeof(after)), n);
        assert_memory_equal(before, after, (size_t) n);

        (void) snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", STORE_SCHEMA_VERSION);
        fixture_sql(f, sql);
        fixture_open(f);
}

static void test_open_refuses_foreign(void **state) {
        static const char garbage[] = "This is no database, however one looks at it.";
        Fixture *f = *state;
        struct stat st;

        assert_int_equal(mkdir(f->directory, 0700), 0);
        write_file(f->database, garbage, sizeof(garbage), 0600);
        fixture_refused(f, -EUCLEAN, f->database);

        assert_int_equal(unlink(f->database), 0);
        write_file(f->database, "", 0, 0600);
        fixture_sql(f, "CREATE TABLE recipes (title TEXT)");
        fixture_refused(f, -EINVAL, f->database);

        /* Neither got a key. */
        assert_int_equal(lstat(f->key_path, &st), -1);
}

/* Runs the function in a child, not as root, who may write anywhere. */
static void in_child(Fixture *f, void (*run)(Fixture *f)) {
        int status;
        pid_t pid;

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (geteuid() == 0 && (setegid(NOBODY) < 0 || seteuid(NOBODY) < 0))
                        _exit(9);
                run(f);
                _exit(8);
        }

        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

/* Ends the child: 0 when opening gives this errno and a message with the text. */
static void exit_refused(Fixture *f, int expected, const char *text) {
        int r;

        r = store_open(&f->store, f->directory, &f->key, &f->message);
        if (r != expected || !f->message || !strstr(f->message, text)) {
                (void) fprintf(stderr, "%d: %s\n", r, strempty(f->message));
                _exit(1);
        }

        _exit(0);
}

static void refused_access(Fixture *f) {
        exit_refused(f, -EACCES, f->directory);
}

static void test_open_read_only(void **state) {
        Fixture *f = *state;
        char lock[192];

        assert_int_equal(mkdir(f->directory, 0700), 0);
        give_away(f->root);
        give_away(f->directory);

        /* The folder. */
        assert_int_equal(chmod(f->directory, 0500), 0);
        in_child(f, refused_access);
        assert_int_equal(chmod(f->directory, 0700), 0);

        /* The parent, with no folder in it yet. */
        assert_int_equal(rmdir(f->directory), 0);
        assert_int_equal(chmod(f->root, 0500), 0);
        in_child(f, refused_access);
        assert_int_equal(chmod(f->root, 0700), 0);

        /* The file. */
        assert_int_equal(mkdir(f->directory, 0700), 0);
        write_file(f->database, "", 0, 0400);
        (void) snprintf(lock, sizeof(lock), "%s/lock", f->directory);
        write_file(lock, "", 0, 0600);
        give_away(f->directory);
        give_away(f->database);
        give_away(lock);
        in_child(f, refused_access);
}

static void commit_and_die(Fixture *f) {
        fixture_open(f);
        add_factor(f, "kept", FACTOR_TOTP, SECRET_TEXT);
        assert_int_equal(store_begin(f->store, &f->message), 0);
        add_factor(f, "lost", FACTOR_TOTP, SECRET_TEXT);
        (void) raise(SIGKILL);
}

/* What was committed outlives the process; what was not doesn't, and the lock doesn't either. */
static void test_killed(void **state) {
        Fixture *f = *state;
        StoreFactor *factors;
        size_t n;
        int status;
        pid_t pid;

        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                commit_and_die(f);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        fixture_open(f);
        assert_int_equal(store_factors_load(f->store, &factors, &n, &f->message), 0);
        assert_int_equal(n, 1);
        assert_string_equal(factors[0].name, "kept");
        free_factors(factors, n);
}

static void test_transaction(void **state) {
        Fixture *f = *state;
        StoreFactor again = sample_factor("office", FACTOR_TOTP, SECRET_TEXT);
        int64_t id;
        uint64_t sequence;

        fixture_open(f);
        store_rollback(f->store);
        assert_true(store_commit(f->store, &f->message) < 0);
        fixture_message(f, f->database);

        /* Taken back whole, the numbers included. */
        sequence = store_sequence(f->store);
        assert_int_equal(store_begin(f->store, &f->message), 0);
        assert_int_equal(store_begin(f->store, &f->message), -EINVAL);
        fixture_message(f, f->database);
        id = add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        put_challenge(f, SID_A, id, CHALLENGE_ASKING);
        assert_true(store_sequence(f->store) > sequence);
        store_rollback(f->store);
        assert_int_equal(count_factors(f), 0);
        assert_int_equal(store_sequence(f->store), sequence);

        /* A call that fails takes back its own part only. */
        assert_int_equal(store_begin(f->store, &f->message), 0);
        id = add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        assert_int_equal(store_factor_add(f->store, &again, &f->message), -EEXIST);
        fixture_message(f, "office");
        sequence = put_challenge(f, SID_A, id, CHALLENGE_ASKING);
        StoreChallenge orphan = sample_challenge(SID_B, id + 1, CHALLENGE_ASKING);
        assert_int_equal(store_challenge_put(f->store, &orphan, &f->message), -ENOENT);
        fixture_message(f, SID_B);
        assert_int_equal(orphan.sequence, 0);
        assert_int_equal(store_sequence(f->store), sequence);
        assert_int_equal(store_commit(f->store, &f->message), 0);

        fixture_open(f);
        assert_int_equal(count_factors(f), 1);
        assert_int_equal(store_sequence(f->store), sequence);
}

static void test_disk_full(void **state) {
        static char document[64 * 1024];
        Fixture *f = *state;
        StoreChallenge *found;
        int64_t id;
        size_t n;
        int r = 0;

        memset(document, 'x', sizeof(document) - 1);
        fixture_open(f);
        id = add_factor(f, "office", FACTOR_PUSH, SECRET_TEXT);
        assert_int_equal(database_exec(f->store, "PRAGMA max_page_count = 100", &f->message), 0);

        assert_int_equal(store_begin(f->store, &f->message), 0);
        for (int i = 0; i < 20 && r == 0; i++) {
                StoreChallenge c = sample_challenge("", id, CHALLENGE_ASKING);

                (void) snprintf(c.sid, sizeof(c.sid), "YC%032d", i);
                c.document = document;
                r = store_challenge_put(f->store, &c, &f->message);
        }
        assert_int_equal(r, -ENOSPC);
        fixture_message(f, "make room");
        store_rollback(f->store);

        assert_int_equal(store_challenges_load(f->store, 0, &found, &n, &f->message), 0);
        assert_int_equal(n, 0);
        free(found);
        put_challenge(f, SID_A, id, CHALLENGE_ASKING);
}

static void test_end(void **state) {
        Fixture *f = *state;

        fixture_open(f);
        assert_int_equal(store_begin(f->store, &f->message), 0);
        (void) add_factor(f, "gone", FACTOR_TOTP, SECRET_TEXT);
        assert_int_equal(store_end(f->store, -EXDEV, &f->message), -EXDEV);
        assert_int_equal(count_factors(f), 0);

        assert_int_equal(store_begin(f->store, &f->message), 0);
        (void) add_factor(f, "kept", FACTOR_TOTP, SECRET_TEXT);
        assert_int_equal(store_end(f->store, 1, &f->message), 0);
        fixture_open(f);
        assert_int_equal(count_factors(f), 1);
}

/* Another program writes to the file meanwhile. */
static void test_busy(void **state) {
        Fixture *f = *state;
        sqlite3 *other = NULL;
        uint64_t next;

        fixture_open(f);
        assert_int_equal(database_exec(f->store, "PRAGMA busy_timeout = 0", &f->message), 0);
        assert_int_equal(sqlite3_open(f->database, &other), SQLITE_OK);
        assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);

        assert_int_equal(store_begin(f->store, &f->message), -EBUSY);
        fixture_message(f, f->database);
        assert_int_equal(store_sequence_next(f->store, &next, &f->message), -EBUSY);
        fixture_message(f, f->database);
        assert_int_equal(store_sequence(f->store), 0);

        assert_int_equal(sqlite3_close(other), SQLITE_OK);
        assert_int_equal(store_sequence_next(f->store, &next, &f->message), 0);
        assert_int_equal(next, 1);
}

/* SQLite itself undoes a transaction after some errors: nothing that comes later is kept then. */
static void test_undone_transaction(void **state) {
        Fixture *f = *state;
        StoreFactor late = sample_factor("late", FACTOR_TOTP, SECRET_TEXT);

        fixture_open(f);
        assert_int_equal(store_begin(f->store, &f->message), 0);
        add_factor(f, "early", FACTOR_TOTP, SECRET_TEXT);
        assert_int_equal(database_exec(f->store, "ROLLBACK", &f->message), 0);

        assert_int_equal(store_factor_add(f->store, &late, &f->message), -EIO);
        fixture_message(f, "undone");
        assert_true(store_commit(f->store, &f->message) < 0);
        fixture_message(f, f->database);
        assert_int_equal(count_factors(f), 0);
}

static void test_close_nothing(void **state) {
        Fixture *f = *state;

        assert_null(store_close(NULL));

        /* Closing takes back what was not committed. */
        fixture_open(f);
        assert_int_equal(store_begin(f->store, &f->message), 0);
        add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        fixture_open(f);
        assert_int_equal(count_factors(f), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        STORE_TEST(test_open_makes_private_files),
                        STORE_TEST(test_open_sets_up),
                        STORE_TEST(test_open_settings),
                        STORE_TEST(test_open_migrates),
                        STORE_TEST(test_open_is_exclusive),
                        STORE_TEST(test_open_refuses_loose_modes),
                        STORE_TEST(test_open_refuses_other_owner),
                        STORE_TEST(test_open_refuses_link),
                        STORE_TEST(test_open_refuses_newer),
                        STORE_TEST(test_open_refuses_foreign),
                        STORE_TEST(test_open_read_only),
                        STORE_TEST(test_killed),
                        STORE_TEST(test_transaction),
                        STORE_TEST(test_end),
                        STORE_TEST(test_disk_full),
                        STORE_TEST(test_busy),
                        STORE_TEST(test_undone_transaction),
                        STORE_TEST(test_close_nothing),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
