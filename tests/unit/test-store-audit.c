/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail's chain: its bytes, and what it betrays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "store-fixture.h"

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
#define HEAD_OF_1 "01700376c318eb9d0ff29ec9cea1a2477c7b9efc2aad872a537e761ddcd89fd6"
#define HEAD_OF_2 "d72fbe53be499ebee71b120899b3dcd31aaa5bc05f5c138e76cd6104cca30894"
#define HEAD_OF_0 "0000000000000000000000000000000000000000000000000000000000000000"

static void open_with_known_key(Fixture *f) {
        uint8_t key[STORE_KEY_SIZE];

        for (uint8_t i = 0; i < sizeof(key); i++)
                key[i] = i;
        write_file(f->key_path, key, sizeof(key), 0600);
        fixture_open(f);
}

static void assert_trail(Fixture *f, uint64_t length, const char *head) {
        char found[SHA256_HEX_SIZE];
        uint64_t n;

        assert_int_equal(store_audit_verify(f->store, &n, found, &f->message), 0);
        assert_int_equal(n, length);
        assert_string_equal(found, head);
}

static void test_audit_chain(void **state) {
        Fixture *f = *state;

        open_with_known_key(f);
        assert_trail(f, 0, HEAD_OF_0);
        assert_int_equal(store_audit_append(f->store, records, &f->message), 0);
        assert_trail(f, 1, HEAD_OF_1);

        fixture_open(f);
        assert_int_equal(store_audit_append(f->store, records + 1, &f->message), 0);
        assert_trail(f, 2, HEAD_OF_2);

        assert_int_equal(store_begin(f->store, &f->message), 0);
        assert_int_equal(store_audit_append(f->store, records + 2, &f->message), 0);
        store_rollback(f->store);
        assert_trail(f, 2, HEAD_OF_2);
}

static void test_audit_tampering(void **state) {
        static const struct {
                const char *sql;
                const char *undo;
                const char *record; /* NULL: not to be seen from the chain alone */
        } cases[] = {
                        {"UPDATE audit SET verb = 'deny' WHERE id = 1",
                                        "UPDATE audit SET verb = 'approve' WHERE id = 1",
                                        "record 1:"},
                        {"UPDATE audit SET reason = NULL WHERE id = 1",
                                        "UPDATE audit SET reason = '' WHERE id = 1", "record 1:"},
                        {"UPDATE audit SET rule = factor, factor = rule WHERE id = 2",
                                        "UPDATE audit SET rule = factor, factor = rule WHERE id = "
                                        "2",
                                        "record 2:"},
                        {"UPDATE audit SET time = time + 1 WHERE id = 2",
                                        "UPDATE audit SET time = time - 1 WHERE id = 2",
                                        "record 2:"},
                        {"UPDATE audit SET uid = 0 WHERE id = 2",
                                        "UPDATE audit SET uid = -1 WHERE id = 2", "record 2:"},
                        {"UPDATE audit SET id = 9 WHERE id = 3",
                                        "UPDATE audit SET id = 3 WHERE id = 9", "record 9:"},
                        {"UPDATE audit SET mac = zeroblob(32) WHERE id = 3", NULL, "record 3:"},
                        {"UPDATE audit SET mac = x'00' WHERE id = 3", NULL, "record 3:"},
                        {"DELETE FROM audit WHERE id = 3", NULL, NULL},
                        {"DELETE FROM audit WHERE id = 1", NULL, "record 2:"},
        };
        Fixture *f = *state;
        char head[SHA256_HEX_SIZE];
        uint64_t n;

        open_with_known_key(f);
        for (size_t i = 0; i < ELEMENTSOF(records); i++)
                assert_int_equal(store_audit_append(f->store, records + i, &f->message), 0);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                fixture_close(f);
                fixture_sql(f, cases[i].sql);
                fixture_open(f); /* A broken trail stops nobody. */

                if (cases[i].record) {
                        assert_int_equal(store_audit_verify(f->store, &n, head, &f->message),
                                        -EBADMSG);
                        fixture_message(f, cases[i].record);
                } else
                        assert_trail(f, 2, HEAD_OF_2);

                if (cases[i].undo) {
                        fixture_close(f);
                        fixture_sql(f, cases[i].undo);
                        fixture_open(f);
                        assert_int_equal(store_audit_verify(f->store, &n, head, &f->message), 0);
                        assert_int_equal(n, 3);
                }
        }

        /* Nor does it keep anybody from writing on. */
        assert_int_equal(store_audit_append(f->store, records, &f->message), 0);
        assert_int_equal(store_audit_verify(f->store, &n, head, &f->message), -EBADMSG);
        fixture_message(f, "record 2:");
}

/* A number left out, though each record fits the one before it. */
static void test_audit_gap(void **state) {
        Fixture *f = *state;
        char head[SHA256_HEX_SIZE];
        uint64_t n;

        fixture_open(f);
        assert_int_equal(store_audit_append(f->store, records, &f->message), 0);
        fixture_close(f);
        fixture_sql(f, "UPDATE audit SET id = 9");
        fixture_open(f);
        assert_int_equal(store_audit_append(f->store, records + 1, &f->message), 0);
        fixture_close(f);
        fixture_sql(f, "UPDATE audit SET id = 1 WHERE id = 9");

        fixture_open(f);
        assert_int_equal(store_audit_verify(f->store, &n, head, &f->message), -EBADMSG);
        fixture_message(f, "record 10:");
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
                        STORE_TEST(test_audit_gap),
                        STORE_TEST(test_audit_each),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
