/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail's chain: its bytes, and what it betrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "store-fixture.h"
#include "store/audit.h"

static const AuditRecord records[] = {
                {
                                .time = 1700000000 * USEC_PER_SEC,
                                .event = "decision",
                                .factor = "office",
                                .challenge = "YC0123456789abcdef0123456789abcdef",
                                .decision = "00112233445566778899aabbccddeeff",
                                .digest = "dddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
                                          "dddddddd",
                                .verb = "approve",
                                .reason = "",
                                .door = "socket",
                                .policy = "pppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
                                          "pppppppp",
                                .uid = 1000,
                },
                {
                                .time = 1700000001 * USEC_PER_SEC,
                                .event = "outcome",
                                .factor = "office",
                                .rule = "night",
                                .outcome = "approved",
                                .uid = -1,
                },
                {.time = 1700000002 * USEC_PER_SEC, .event = "owner", .factor = "shop", .uid = 0},
};

/* The chain under the key 00 01 … 1f, by Python's hmac after RFC 5869 and RFC 2104. */
#define HEAD_OF_1 "760c8b01ace98875d2e766d54d45ecdb7134f509f8218ea4ad73ff61eacf1875"
#define HEAD_OF_2 "078c27e494a218a7974266187f40cc730706ae711e2fc158d585a4a212ac4484"
#define HEAD_OF_0 "0000000000000000000000000000000000000000000000000000000000000000"
/* As the first schema wrote the same records, without a policy. */
#define OLD_HEAD_OF_3 "e10c3c7baec08533b116cf6035addc2b9206bc4ad80e1607032b6390e77f9bd3"

static void write_known_key(Fixture *f) {
        uint8_t key[STORE_KEY_SIZE];

        for (uint8_t i = 0; i < sizeof(key); i++)
                key[i] = i;
        write_file(f->key_path, key, sizeof(key), 0600);
}

static void open_with_known_key(Fixture *f) {
        write_known_key(f);
        fixture_open(f);
}

static AuditVerdict verify(Fixture *f) {
        AuditVerdict v;

        assert_int_equal(store_audit_verify(f->store, &v, &f->message), 0);
        assert_null(f->message);
        return v;
}

static void assert_trail(Fixture *f, uint64_t length, const char *head) {
        AuditVerdict v = verify(f);

        assert_int_equal(v.fault, AUDIT_INTACT);
        assert_int_equal(v.past_fault, AUDIT_INTACT);
        assert_int_equal(v.row, 0);
        assert_int_equal(v.head.length, length);
        assert_string_equal(v.head.mac, head);
}

static void assert_fault(Fixture *f, AuditFault fault, int64_t row) {
        AuditVerdict v = verify(f);

        assert_int_equal(v.fault, fault);
        assert_int_equal(v.row, row);
}

static void assert_intact(Fixture *f, int64_t last, uint64_t length) {
        AuditVerdict v = verify(f);

        assert_int_equal(v.fault, AUDIT_INTACT);
        assert_int_equal(v.past_fault, AUDIT_INTACT);
        assert_int_equal(v.head.id, last);
        assert_int_equal(v.head.length, length);
}

static void append(Fixture *f, const AuditRecord *record) {
        assert_int_equal(store_audit_append(f->store, record, &f->message), 0);
}

static void append_all(Fixture *f) {
        for (size_t i = 0; i < ELEMENTSOF(records); i++)
                append(f, records + i);
}

/* Behind the closed store's back. */
static void tamper(Fixture *f, const char *sql) {
        fixture_close(f);
        fixture_sql(f, sql);
        fixture_open(f); /* A broken trail stops nobody. */
}

static void test_audit_chain(void **state) {
        Fixture *f = *state;

        open_with_known_key(f);
        assert_trail(f, 0, HEAD_OF_0);
        append(f, records);
        assert_trail(f, 1, HEAD_OF_1);

        fixture_open(f);
        append(f, records + 1);
        assert_trail(f, 2, HEAD_OF_2);

        assert_int_equal(store_begin(f->store, &f->message), 0);
        append(f, records + 2);
        store_rollback(f->store);
        assert_trail(f, 2, HEAD_OF_2);
        append(f, records + 2);
        assert_intact(f, 3, 3);
}

/* The trail of a store as the first schema had it stays checkable, and goes on. */
static void test_audit_old_layout(void **state) {
        static const struct {
                const char *sql;
                const char *undo;
                int64_t row;
        } cases[] = {
                        {"UPDATE audit SET policy = 'p' WHERE id = 2",
                                        "UPDATE audit SET policy = NULL WHERE id = 2", 2},
                        {"UPDATE audit SET layout = 2 WHERE id = 3",
                                        "UPDATE audit SET layout = 1 WHERE id = 3", 3},
                        {"UPDATE audit SET layout = 1 WHERE id = 5",
                                        "UPDATE audit SET layout = 2 WHERE id = 5", 5},
                        {"UPDATE audit SET layout = 1, policy = NULL WHERE id = 4", NULL, 4},
                        {"UPDATE audit SET layout = 3", NULL, 1},
        };
        const char *source = getenv("FACTORD_SOURCE_ROOT");
        Fixture *f = *state;
        char path[PATH_MAX], sql[16384];
        ssize_t len;

        assert_non_null(source);
        (void) snprintf(path, sizeof(path), "%s/tests/data/store-schema-1.sql", source);
        len = read_file(path, sql, sizeof(sql) - 1);
        assert_true(len > 0);
        sql[len] = '\0';

        write_known_key(f);
        assert_int_equal(mkdir(f->directory, 0700), 0);
        write_file(f->database, NULL, 0, 0600);
        fixture_sql(f, sql);
        fixture_open(f);
        assert_trail(f, 3, OLD_HEAD_OF_3);

        append(f, records);
        append(f, records + 1);
        assert_intact(f, 5, 5);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                tamper(f, cases[i].sql);
                assert_fault(f, AUDIT_CHANGED, cases[i].row);
                if (cases[i].undo) {
                        tamper(f, cases[i].undo);
                        assert_intact(f, 5, 5);
                }
        }
}

static void test_audit_tampering(void **state) {
        static const struct {
                const char *sql;
                AuditFault fault;
                int64_t row;
        } cases[] = {
                        {"UPDATE audit SET verb = 'deny' WHERE id = 1", AUDIT_CHANGED, 1},
                        {"UPDATE audit SET reason = NULL WHERE id = 1", AUDIT_CHANGED, 1},
                        {"UPDATE audit SET policy = NULL WHERE id = 1", AUDIT_CHANGED, 1},
                        {"UPDATE audit SET rule = factor, factor = rule WHERE id = 2",
                                        AUDIT_CHANGED, 2},
                        {"UPDATE audit SET time = time + 1 WHERE id = 2", AUDIT_CHANGED, 2},
                        {"UPDATE audit SET uid = 0 WHERE id = 2", AUDIT_CHANGED, 2},
                        {"UPDATE audit SET mac = zeroblob(32) WHERE id = 6", AUDIT_CHANGED, 6},
                        {"UPDATE audit SET mac = x'00' WHERE id = 6", AUDIT_CHANGED, 6},
                        {"UPDATE audit SET id = 9 WHERE id = 6", AUDIT_MISSING, 6},
                        {"DELETE FROM audit WHERE id = 1", AUDIT_MISSING, 1},
                        {"DELETE FROM audit WHERE id = 3 OR id = 4", AUDIT_MISSING, 3},
                        /* Removed, and the later ones moved up to hide it. */
                        {"DELETE FROM audit WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 4;"
                         "UPDATE audit SET id = 4 WHERE id = 5; UPDATE audit SET id = 5 WHERE id = "
                         "6",
                                        AUDIT_CHANGED, 3},
                        /* Two that changed places: side by side, and apart. */
                        {"UPDATE audit SET id = 9 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = "
                         "3; UPDATE audit SET id = 3 WHERE id = 9",
                                        AUDIT_MOVED, 2},
                        {"UPDATE audit SET id = 9 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = "
                         "5; UPDATE audit SET id = 5 WHERE id = 9",
                                        AUDIT_MOVED, 2},
                        /* Put in: between, at the end, before the first. */
                        {"UPDATE audit SET id = 7 WHERE id = 6; UPDATE audit SET id = 6 WHERE id = "
                         "5; UPDATE audit SET id = 5 WHERE id = 4; INSERT INTO audit SELECT 4, "
                         "time, uid, event, factor, challenge, decision, digest, verb, rule, "
                         "outcome, reason, door, mac, policy, layout FROM audit WHERE id = 1",
                                        AUDIT_INSERTED, 4},
                        {"INSERT INTO audit SELECT 7, time, uid, event, factor, challenge, "
                         "decision, digest, verb, rule, outcome, reason, door, mac, policy, layout "
                         "FROM audit WHERE id = 6",
                                        AUDIT_CHANGED, 7},
                        {"INSERT INTO audit SELECT 0, time, uid, event, factor, challenge, "
                         "decision, digest, verb, rule, outcome, reason, door, mac, policy, layout "
                         "FROM audit WHERE id = 6",
                                        AUDIT_INSERTED, 0},
        };
        Fixture *f = *state;

        fixture_open(f);
        append_all(f);
        append_all(f);
        fixture_close(f);
        fixture_sql(f, "CREATE TABLE good AS SELECT * FROM audit");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fixture_sql(f, cases[i].sql);
                fixture_open(f);
                assert_fault(f, cases[i].fault, cases[i].row);

                tamper(f, "DELETE FROM audit; INSERT INTO audit SELECT * FROM good");
                assert_intact(f, 6, 6);
                fixture_close(f);
        }

        /* Nor does it keep anybody from writing on. */
        tamper(f, cases[0].sql);
        append(f, records);
        assert_fault(f, AUDIT_CHANGED, 1);
}

/* The end was cut off after a checkpoint: that is seen, and stays so whatever is written after it.
 */
static void test_audit_cut(void **state) {
        Fixture *f = *state;
        int64_t row;

        fixture_open(f);
        append_all(f);
        tamper(f, "DELETE FROM audit WHERE id = 3");
        /* Nothing was sealed since the second one: nothing can be known of a third. */
        assert_intact(f, 2, 2);
        append_all(f);
        assert_int_equal(store_audit_seal(f->store, &f->message), 0);
        assert_int_equal(store_audit_fault(f->store, &row), AUDIT_INTACT);

        tamper(f, "DELETE FROM audit WHERE id > 3");
        assert_int_equal(store_audit_fault(f->store, &row), AUDIT_CUT);
        assert_int_equal(row, 4);
        assert_fault(f, AUDIT_CUT, 4);

        append_all(f);
        assert_fault(f, AUDIT_MISSING, 4);
        assert_int_equal(store_audit_seal(f->store, &f->message), 0);
        fixture_open(f);
        assert_fault(f, AUDIT_MISSING, 4);
        assert_int_equal(verify(f).past_fault, AUDIT_CUT);
        assert_int_equal(fixture_sql(f, "SELECT max(id) FROM audit"), 8);

        /* While the daemon runs it knows where the end is by itself. */
        fixture_sql(f, "DELETE FROM audit WHERE id > 3");
        assert_fault(f, AUDIT_CUT, 4);
}

static void test_audit_cut_to_nothing(void **state) {
        Fixture *f = *state;

        fixture_open(f);
        append_all(f);
        assert_int_equal(store_audit_seal(f->store, &f->message), 0);
        tamper(f, "DELETE FROM audit");
        assert_fault(f, AUDIT_CUT, 1);
}

/* A checkpoint that was changed, removed or replaced by the other one. */
static void test_audit_checkpoints(void **state) {
        static const char *const cases[] = {
                        "DELETE FROM audit_checkpoint WHERE name = 'start'",
                        "DELETE FROM audit_checkpoint WHERE name = 'head'",
                        "UPDATE audit_checkpoint SET id = 2 WHERE name = 'head'",
                        "UPDATE audit_checkpoint SET count = count + 1 WHERE name = 'start'",
                        "UPDATE audit_checkpoint SET size = 0 WHERE name = 'head'",
                        "UPDATE audit_checkpoint SET fault = 1 WHERE name = 'head'",
                        "UPDATE audit_checkpoint SET fault_row = 1 WHERE name = 'head'",
                        "UPDATE audit_checkpoint SET mac = zeroblob(32) WHERE name = 'head'",
                        "UPDATE audit_checkpoint SET seal = (SELECT mac FROM audit WHERE id = 3)",
                        ("DELETE FROM audit_checkpoint WHERE name = 'start'; UPDATE "
                         "audit_checkpoint SET name = 'start'"),
        };
        Fixture *f = *state;
        int64_t row;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fixture_open(f);
                append_all(f);
                assert_int_equal(store_audit_seal(f->store, &f->message), 0);
                fixture_close(f);
                fixture_sql(f, "DROP TABLE IF EXISTS good;"
                               "CREATE TABLE good AS SELECT * FROM audit_checkpoint");

                tamper(f, cases[i]);
                assert_fault(f, AUDIT_CHECKPOINT, 0);
                assert_int_equal(store_audit_fault(f->store, &row), AUDIT_CHECKPOINT);
                tamper(f, "DELETE FROM audit_checkpoint;"
                          "INSERT INTO audit_checkpoint SELECT * FROM good");
                assert_int_equal(verify(f).fault, AUDIT_INTACT);
        }

        /* Sealing a new one does not make it forgotten. */
        tamper(f, cases[1]);
        append_all(f);
        assert_int_equal(store_audit_seal(f->store, &f->message), 0);
        fixture_open(f);
        assert_fault(f, AUDIT_INTACT, 0);
        assert_int_equal(verify(f).past_fault, AUDIT_CHECKPOINT);
}

/* Somebody with the store key makes another trail: whoever noted its head knows. */
static void test_audit_witnesses(void **state) {
        AuditWitness witnesses[3] = {{.id = 2}, {.id = 1}, {.id = 0}};
        Fixture *f = *state;
        AuditCheck *c;
        bool done;

        open_with_known_key(f);
        append_all(f);
        for (int changed = -1; changed < 3; changed++) {
                AuditFault wanted = changed < 0    ? AUDIT_INTACT
                                    : changed == 2 ? AUDIT_CUT
                                                   : AUDIT_REMADE;

                for (size_t i = 0; i < 2; i++) {
                        const char *hex = i == 0 ? HEAD_OF_2 : HEAD_OF_1;

                        for (size_t k = 0; k < SHA256_SIZE; k++)
                                assert_int_equal(sscanf(hex + 2 * k, "%2hhx", &witnesses[i].mac[k]),
                                                1);
                }
                if (changed == 2)
                        witnesses[2].id = 4;
                else if (changed >= 0)
                        witnesses[changed].mac[7] ^= 1;

                assert_int_equal(audit_check_new(&c, f->store, witnesses, 3, &f->message), 0);
                do
                        assert_int_equal(audit_check_step(c, 1, &done, &f->message), 0);
                while (!done);
                assert_int_equal(audit_check_verdict(c)->fault, wanted);
                if (changed < 0)
                        assert_int_equal(audit_check_verdict(c)->n_witnesses, 2);
                else
                        assert_int_equal(audit_check_verdict(c)->row,
                                        changed == 2 ? 4 : 2 - changed);
                audit_check_free(c);
        }
}

static void test_audit_describe(void **state) {
        for (int fault = AUDIT_INTACT; fault <= AUDIT_REMADE; fault++) {
                _cleanup_free_ char *text = NULL;

                assert_int_equal(audit_fault_describe((AuditFault) fault, 17, &text), 0);
                assert_true(fault == AUDIT_CHECKPOINT || strncmp(text, "record 17 ", 10) == 0);
        }
}

#define DAY(n) ((1000 + (usec_t) (n)) * USEC_PER_DAY)

/* A record a day, the first one on day 1, in a trail that was sealed. */
static void append_days(Fixture *f, int64_t n) {
        for (int64_t i = 1; i <= n; i++)
                append(f, &(AuditRecord){.time = DAY(i), .event = "owner", .uid = 0});
        assert_int_equal(store_audit_seal(f->store, &f->message), 0);
}

static size_t prune(Fixture *f, const AuditRetention *retention, size_t max, bool *ret_more) {
        size_t dropped;
        bool more;

        assert_int_equal(store_audit_prune(f->store, retention, max, &dropped,
                                         ret_more ? ret_more : &more, &f->message),
                        0);
        return dropped;
}

static void test_audit_prune_by_age(void **state) {
        AuditRetention retention = {.now = DAY(20), .keep = 10 * USEC_PER_DAY, .max_size = 100000};
        Fixture *f = *state;
        bool more;

        fixture_open(f);
        append_days(f, 15);
        assert_int_equal(prune(f, &retention, 4, &more), 4);
        assert_true(more);
        assert_intact(f, 15, 11);
        assert_int_equal(prune(f, &retention, 100, &more), 5);
        assert_false(more);
        assert_int_equal(prune(f, &retention, 100, &more), 0);
        assert_intact(f, 15, 6);
        assert_int_equal(verify(f).dropped, 9);

        fixture_open(f);
        assert_intact(f, 15, 6);
        append(f, records);
        assert_intact(f, 16, 7);

        /* All of it: what comes then goes on from there. */
        retention.now = DAY(1000000);
        assert_int_equal(prune(f, &retention, 100, &more), 7);
        assert_int_equal(store_audit_size(f->store), 0);
        assert_intact(f, 16, 0);
        fixture_open(f);
        assert_intact(f, 16, 0);
        append(f, records);
        fixture_open(f);
        assert_intact(f, 17, 1);
        assert_int_equal(verify(f).dropped, 16);

        /* What was dropped can't be claimed to have been otherwise, nor can more be dropped. */
        tamper(f, "UPDATE audit_checkpoint SET id = 17 WHERE name = 'start'; DELETE FROM audit");
        assert_fault(f, AUDIT_CHECKPOINT, 0);
}

static void test_audit_prune_by_size(void **state) {
        AuditRetention retention = {.now = DAY(20), .keep = USEC_INFINITY, .max_size = 100000};
        Fixture *f = *state;
        uint64_t each = AUDIT_RECORD_OVERHEAD + strlen("owner");

        fixture_open(f);
        append_days(f, 10);
        assert_int_equal(store_audit_size(f->store), 10 * each);
        assert_int_equal(prune(f, &retention, 100, NULL), 0);
        retention.max_size = 4 * each;
        assert_int_equal(prune(f, &retention, 100, NULL), 6);
        assert_int_equal(store_audit_size(f->store), 4 * each);
        assert_intact(f, 10, 4);

        /* What it takes is known again, also of what came after the last checkpoint. */
        append(f, records + 2);
        fixture_open(f);
        assert_int_equal(store_audit_size(f->store), 5 * each + strlen("shop"));
}

/* Times that jump: the first record that is young enough is the end. One that claims to be of the
 * future is not, but only what came after it tells that it is old. */
static void test_audit_prune_and_clocks(void **state) {
        AuditRetention retention = {.now = DAY(20), .keep = 10 * USEC_PER_DAY, .max_size = 100000};
        static const int days[] = {1, 2, 900, 3, 15, 2, 16};
        Fixture *f = *state;

        fixture_open(f);
        for (size_t i = 0; i < ELEMENTSOF(days); i++)
                append(f, &(AuditRecord){.time = DAY(days[i]), .event = "owner", .uid = 0});
        assert_int_equal(prune(f, &retention, 100, NULL), 4);
        assert_intact(f, 7, 3);

        /* The clock is behind, or was ahead when all of them were written. */
        retention.now = DAY(11);
        assert_int_equal(prune(f, &retention, 100, NULL), 0);
        retention.now = DAY(1);
        assert_int_equal(prune(f, &retention, 100, NULL), 0);
        assert_intact(f, 7, 3);
        retention.max_size = 1;
        assert_int_equal(prune(f, &retention, 100, NULL), 3);
}

static void test_audit_prune_keeps_what_is_open(void **state) {
        AuditRetention retention = {.now = DAY(100), .keep = USEC_PER_DAY};
        Fixture *f = *state;
        int64_t factor;

        fixture_open(f);
        factor = add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        put_challenge(f, SID_A, factor, CHALLENGE_ANSWERING);
        put_challenge(f, SID_B, factor, CHALLENGE_DENIED);
        append(f, &(AuditRecord){.time = DAY(1), .event = "decision", .challenge = SID_B});
        append(f, &(AuditRecord){.time = DAY(1), .event = "decision", .challenge = SID_A});
        append(f, &(AuditRecord){.time = DAY(1), .event = "outcome", .challenge = SID_B});
        assert_int_equal(prune(f, &retention, 100, NULL), 1);
        assert_intact(f, 3, 2);
        put_challenge(f, SID_A, factor, CHALLENGE_APPROVED);
        assert_int_equal(prune(f, &retention, 100, NULL), 2);
        assert_intact(f, 3, 0);
}

/* Dropping a record that was tampered with is no way to get rid of the evidence. */
static void test_audit_prune_remembers(void **state) {
        static const struct {
                const char *sql;
                AuditFault fault;
                int64_t row;
                AuditFault left; /* in what is kept */
        } cases[] = {
                        {"UPDATE audit SET event = 'x' WHERE id = 2", AUDIT_CHANGED, 2,
                                        AUDIT_INTACT},
                        {"UPDATE audit SET mac = zeroblob(32) WHERE id = 4", AUDIT_CHANGED, 4,
                                        AUDIT_CHANGED},
                        {"DELETE FROM audit WHERE id = 3", AUDIT_MISSING, 3, AUDIT_INTACT},
                        {"DELETE FROM audit WHERE id = 1", AUDIT_MISSING, 1, AUDIT_INTACT},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                AuditRetention retention = {
                                .now = DAY(15), .keep = 10 * USEC_PER_DAY, .max_size = 100000};
                void *own = NULL;
                AuditVerdict v;
                Fixture *f;

                assert_int_equal(fixture_setup(&own), 0);
                f = own;
                fixture_open(f);
                append_days(f, 10);
                tamper(f, cases[i].sql);
                assert_fault(f, cases[i].fault, cases[i].row);
                (void) prune(f, &retention, 2, NULL);
                (void) prune(f, &retention, 2, NULL);
                fixture_open(f);
                v = verify(f);
                assert_int_equal(v.fault, cases[i].left);
                assert_int_equal(v.past_fault, cases[i].fault);
                assert_int_equal(v.past_row, cases[i].row);
                assert_int_equal(fixture_teardown(&own), 0);
        }
}

/* What was told, by id. */
typedef struct Told {
        int64_t ids[8];
        size_t n;
        char kept[16];
} Told;

static void tell(const AuditRecord *r, void *userdata) {
        Told *told = userdata;

        assert_true(told->n < ELEMENTSOF(told->ids));
        told->ids[told->n++] = r->id;
        (void) snprintf(told->kept, sizeof(told->kept), "%s", r->factor);
}

static void assert_told(const Told *told, size_t n, int64_t last) {
        assert_int_equal(told->n, n);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(told->ids[i], last - (int64_t) (n - 1 - i));
}

/* A record is told of once it is committed, and never if it is not. */
static void test_audit_told_after_commit(void **state) {
        Fixture *f = *state;
        Told told = {0};
        char factor[] = "office";

        fixture_open(f);
        store_on_audit(f->store, tell, &told);
        append(f, records);
        assert_told(&told, 1, 1);

        assert_int_equal(store_begin(f->store, &f->message), 0);
        append(f, records);
        append(f, &(AuditRecord){.event = "owner", .factor = factor});
        factor[0] = '?';
        assert_told(&told, 1, 1);
        assert_int_equal(store_commit(f->store, &f->message), 0);
        assert_told(&told, 3, 3);
        assert_string_equal(told.kept, "office");

        assert_int_equal(store_begin(f->store, &f->message), 0);
        append(f, records);
        append(f, records);
        store_rollback(f->store);
        assert_told(&told, 3, 3);

        assert_int_equal(store_begin(f->store, &f->message), 0);
        append(f, records);
        assert_int_equal(store_end(f->store, -ECANCELED, &f->message), -ECANCELED);
        assert_told(&told, 3, 3);

        append(f, records);
        assert_told(&told, 4, 4);
        assert_intact(f, 4, 4);

        /* What is still open when the store closes. */
        assert_int_equal(store_begin(f->store, &f->message), 0);
        append(f, records);
        fixture_close(f);
        assert_told(&told, 4, 4);
}

typedef struct Seen {
        int64_t next;
        int64_t stop_at;
} Seen;

static int compare_record(const AuditRecord *r, void *userdata) {
        Seen *seen = userdata;
        const AuditRecord *expected = records + seen->next - 1;

        assert_int_equal(r->id, seen->next);
        assert_int_equal(r->time, expected->time);
        assert_string_equal(r->event, expected->event);
        assert_true(streq_ptr(r->factor, expected->factor));
        assert_true(streq_ptr(r->challenge, expected->challenge));
        assert_true(streq_ptr(r->decision, expected->decision));
        assert_true(streq_ptr(r->digest, expected->digest));
        assert_true(streq_ptr(r->verb, expected->verb));
        assert_true(streq_ptr(r->rule, expected->rule));
        assert_true(streq_ptr(r->outcome, expected->outcome));
        assert_true(streq_ptr(r->reason, expected->reason));
        assert_true(streq_ptr(r->door, expected->door));
        assert_true(streq_ptr(r->policy, expected->policy));
        assert_int_equal(r->uid, expected->uid);

        seen->next++;
        return r->id == seen->stop_at ? 42 : 0;
}

static void test_audit_each(void **state) {
        Fixture *f = *state;
        Seen all = {.next = 1}, rest = {.next = 3}, some = {.next = 1, .stop_at = 2};

        fixture_open(f);
        for (size_t i = 0; i < ELEMENTSOF(records); i++)
                assert_int_equal(store_audit_append(f->store, records + i, &f->message), 0);

        assert_int_equal(store_audit_each(f->store, 0, compare_record, &all, &f->message), 0);
        assert_int_equal(all.next, 4);
        assert_int_equal(store_audit_each(f->store, 2, compare_record, &rest, &f->message), 0);
        assert_int_equal(rest.next, 4);
        assert_int_equal(store_audit_each(f->store, 0, compare_record, &some, &f->message), 42);
        assert_int_equal(some.next, 3);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        STORE_TEST(test_audit_chain),
                        STORE_TEST(test_audit_tampering),
                        STORE_TEST(test_audit_old_layout),
                        STORE_TEST(test_audit_cut),
                        STORE_TEST(test_audit_cut_to_nothing),
                        STORE_TEST(test_audit_checkpoints),
                        STORE_TEST(test_audit_witnesses),
                        cmocka_unit_test(test_audit_describe),
                        STORE_TEST(test_audit_prune_by_age),
                        STORE_TEST(test_audit_prune_by_size),
                        STORE_TEST(test_audit_prune_and_clocks),
                        STORE_TEST(test_audit_prune_keeps_what_is_open),
                        cmocka_unit_test(test_audit_prune_remembers),
                        STORE_TEST(test_audit_told_after_commit),
                        STORE_TEST(test_audit_each),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
