/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store-fixture.h"
#include "store/ticket.h"

static StoreTicket sample_ticket(int64_t factor_id) {
        return (StoreTicket){
                        .factor_id = factor_id,
                        .owner = (uid_t) -2,
                        .created = 1000,
                        .expires = 2000,
        };
}

static int64_t add_ticket(Fixture *f, int64_t factor_id, usec_t expires) {
        StoreTicket t = sample_ticket(factor_id);

        t.expires = expires;
        assert_int_equal(store_ticket_add(f->store, &t, &f->message), 0);
        return t.id;
}

/* A decision on the challenge, which may use a ticket. */
static int decide(Fixture *f, StoreDecision *d, const char *sid, int64_t factor_id) {
        *d = (StoreDecision){.factor_id = factor_id, .verb = VERB_APPROVE, .made = 1500};
        (void) snprintf(d->challenge_sid, sizeof(d->challenge_sid), "%s", sid);
        return store_decision_add(f->store, d, &f->message);
}

/* The ids of those that load, at most 8. */
static size_t load(Fixture *f, usec_t since, int64_t ret[static 8]) {
        StoreTicket *tickets;
        size_t n;

        assert_int_equal(store_tickets_load(f->store, since, &tickets, &n, &f->message), 0);
        assert_true(n <= 8);
        for (size_t i = 0; i < n; i++) {
                ret[i] = tickets[i].id;
                store_ticket_done(&tickets[i]);
        }
        free(tickets);
        return n;
}

static void test_round_trip(void **state) {
        Fixture *f = *state;
        StoreTicket *loaded, t, bare;
        int64_t id;
        size_t n;

        fixture_open(f);
        id = add_factor(f, "office", FACTOR_PUSH, SECRET_TEXT);
        t = sample_ticket(id);
        t.message = "Deploy * \"ü\"; DROP TABLE ticket";
        t.fields = "{\"fields\":[]}";
        t.local = true;
        t.expires = USEC_INFINITY;
        bare = sample_ticket(id);
        assert_int_equal(store_ticket_add(f->store, &t, &f->message), 0);
        assert_int_equal(store_ticket_add(f->store, &bare, &f->message), 0);
        assert_true(t.id > 0 && bare.id > t.id);

        fixture_open(f);
        assert_int_equal(store_tickets_load(f->store, 0, &loaded, &n, &f->message), 0);
        assert_int_equal(n, 2);
        assert_int_equal(loaded[0].id, t.id);
        assert_int_equal(loaded[0].factor_id, id);
        assert_int_equal(loaded[0].owner, (uid_t) -2);
        assert_int_equal(loaded[0].created, 1000);
        assert_int_equal(loaded[0].expires, USEC_INFINITY);
        assert_true(loaded[0].local);
        assert_string_equal(loaded[0].message, t.message);
        assert_string_equal(loaded[0].fields, t.fields);
        assert_int_equal(loaded[1].id, bare.id);
        assert_false(loaded[1].local);
        assert_null(loaded[1].message);
        assert_null(loaded[1].fields);
        for (size_t i = 0; i < n; i++)
                store_ticket_done(&loaded[i]);
        free(loaded);

        t.factor_id = 99;
        assert_int_equal(store_ticket_add(f->store, &t, &f->message), -ENOENT);
        fixture_message(f, "factor");
}

static void test_use(void **state) {
        Fixture *f = *state;
        StoreDecision first, second;
        int64_t factor, id, other, ids[8];

        fixture_open(f);
        factor = add_factor(f, "office", FACTOR_PUSH, SECRET_TEXT);
        id = add_ticket(f, factor, 2000);
        other = add_ticket(f, factor, 2000);
        assert_int_equal(decide(f, &first, SID_A, factor), 0);
        assert_int_equal(decide(f, &second, SID_B, factor), 0);
        assert_int_equal(store_ticket_use(f->store, id, first.id, &f->message), 0);
        assert_int_equal(store_ticket_use(f->store, id, second.id, &f->message), -ENOENT);
        fixture_message(f, "unused");
        assert_int_equal(store_ticket_use(f->store, 99, second.id, &f->message), -ENOENT);
        fixture_message(f, "99");
        assert_int_equal(store_ticket_remove(f->store, id, &f->message), -ENOENT);
        fixture_message(f, "unused");
        /* A ticket is used by a decision that there is. */
        assert_int_equal(store_ticket_use(f->store, other, "none", &f->message), -ENOENT);
        fixture_message(f, "FOREIGN KEY");
        assert_int_equal(load(f, 0, ids), 1);
        assert_int_equal(ids[0], other);
}

/* Decision and use are there together or not at all. */
static void test_use_rolled_back(void **state) {
        Fixture *f = *state;
        int64_t factor, id, ids[8];
        StoreDecision d;

        fixture_open(f);
        factor = add_factor(f, "office", FACTOR_PUSH, SECRET_TEXT);
        id = add_ticket(f, factor, 2000);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(store_begin(f->store, &f->message), 0);
                assert_int_equal(decide(f, &d, SID_A, factor), 0);
                assert_int_equal(store_ticket_use(f->store, id, d.id, &f->message), 0);
                if (i == 0)
                        store_rollback(f->store);
                else
                        fixture_close(f); /* as a crash does */
                fixture_open(f);
                assert_int_equal(load(f, 0, ids), 1);
                assert_int_equal(fixture_sql(f, "SELECT count(*) FROM decision"), 0);
        }
}

static void test_remove(void **state) {
        Fixture *f = *state;
        int64_t factor, id, ids[8];

        fixture_open(f);
        factor = add_factor(f, "office", FACTOR_PUSH, SECRET_TEXT);
        id = add_ticket(f, factor, 2000);
        assert_int_equal(store_ticket_remove(f->store, id, &f->message), 0);
        assert_int_equal(store_ticket_remove(f->store, id, &f->message), -ENOENT);
        fixture_message(f, "unused");
        /* Its id is not given again. */
        assert_true(add_ticket(f, factor, 2000) > id);
        assert_int_equal(store_factor_remove(f->store, factor, &f->message), 0);
        assert_int_equal(load(f, 0, ids), 0);
        assert_int_equal(fixture_sql(f, "SELECT count(*) FROM ticket"), 0);
}

static void test_old_ones(void **state) {
        Fixture *f = *state;
        int64_t factor, ids[8];
        StoreDecision d;

        fixture_open(f);
        factor = add_factor(f, "office", FACTOR_PUSH, SECRET_TEXT);
        for (usec_t expires = 1000; expires <= 3000; expires += 1000)
                (void) add_ticket(f, factor, expires);
        assert_int_equal(load(f, 1000, ids), 2);
        assert_int_equal(load(f, 2999, ids), 1);
        assert_int_equal(decide(f, &d, SID_A, factor), 0);
        assert_int_equal(store_ticket_use(f->store, ids[0] - 1, d.id, &f->message), 0);
        assert_int_equal(store_tickets_prune(f->store, 2000, &f->message), 0);
        assert_int_equal(fixture_sql(f, "SELECT count(*) FROM ticket"), 2);
        assert_int_equal(store_tickets_prune(f->store, 3000, &f->message), 0);
        assert_int_equal(fixture_sql(f, "SELECT count(*) FROM ticket"), 1);
        assert_int_equal(load(f, 0, ids), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        STORE_TEST(test_round_trip),
                        STORE_TEST(test_use),
                        STORE_TEST(test_use_rolled_back),
                        STORE_TEST(test_remove),
                        STORE_TEST(test_old_ones),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
