/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets in memory: their time, their limits, and that they follow the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/tickets.h"
#include "store-fixture.h"

#define MINUTE (60 * USEC_PER_SEC)
#define SOON (1000000 * USEC_PER_SEC) /* a server's time, far from this machine's */

typedef struct World {
        Fixture *store;
        ServerClock clock;
        Registry registry;
        Tickets *tickets;
        Factor *office, *shop;
        Actor actor;
} World;

/* Server time is t now, as a server says or as this machine has it. */
static void set_clock(World *w, usec_t t, bool heard) {
        server_clock_init(&w->clock, t, now_boottime());
        w->clock.heard = heard;
}

static usec_t server_now(const World *w) {
        return server_clock_now(&w->clock, now_boottime());
}

static void load(World *w) {
        Fixture *f = w->store;
        StoreFactor *records;
        size_t n;

        fixture_open(f);
        assert_int_equal(store_factors_load(f->store, &records, &n, &f->message), 0);
        for (size_t i = 0; i < n; i++) {
                Factor *factor;
                assert_int_equal(factor_new(&factor, &records[i]), 0);
                assert_int_equal(registry_add_factor(&w->registry, factor), 0);
        }
        free_factors(records, n);
        w->office = registry_factor(&w->registry, "office");
        w->shop = registry_factor(&w->registry, "shop");
        assert_int_equal(tickets_new(&w->tickets, f->store, &w->clock), 0);
        assert_int_equal(tickets_load(w->tickets, &w->registry, &f->message), 0);
}

static void unload(World *w) {
        w->tickets = tickets_free(w->tickets);
        registry_done(&w->registry);
        w->registry = (Registry){0};
}

/* As after a start: no server was heard. local: this machine's time. */
static void restart(World *w, usec_t local) {
        unload(w);
        set_clock(w, local, false);
        load(w);
}

static int setup(void **state) {
        World *w = calloc(1, sizeof(*w));

        assert_non_null(w);
        (void) fixture_setup((void **) &w->store);
        fixture_open(w->store);
        (void) add_factor(w->store, "office", FACTOR_PUSH, SECRET_TEXT);
        (void) add_factor(w->store, "shop", FACTOR_TOTP, SECRET_TEXT);
        w->actor = (Actor){.uid = 1000, .door = "socket"};
        set_clock(w, SOON, true);
        load(w);
        *state = w;
        return 0;
}

static int teardown(void **state) {
        World *w = *state;

        unload(w);
        (void) fixture_teardown((void **) &w->store);
        free(w);
        return 0;
}

#define TICKETS_TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

static int try_add(World *w, Factor *f, usec_t life, const Ticket **ret) {
        DetailField fields[] = {{(char *) "Environment", (char *) "stag\"ing ü"},
                        {(char *) "", (char *) ""}};
        TicketRequest request = {life, "Deploy *", fields, ELEMENTSOF(fields)};

        return tickets_add(w->tickets, f, &request, &w->actor, ret, &w->store->message);
}

static int64_t add(World *w, Factor *f, usec_t life) {
        const Ticket *ticket;

        assert_int_equal(try_add(w, f, life, &ticket), 0);
        return ticket->row.id;
}

static size_t count(World *w, const Factor *f) {
        const PolicyTicket *tickets;

        return tickets_of_factor(w->tickets, f, server_now(w), &tickets);
}

static int64_t count_events(World *w, const char *event) {
        char sql[128];

        (void) snprintf(sql, sizeof(sql), "SELECT count(*) FROM audit WHERE event = '%s'", event);
        return fixture_sql(w->store, sql);
}

static void test_given_to_the_policy(void **state) {
        World *w = *state;
        const PolicyTicket *tickets;
        int64_t first, second;

        first = add(w, w->office, MINUTE);
        second = add(w, w->office, 2 * MINUTE);
        (void) add(w, w->shop, MINUTE);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(tickets_of_factor(w->tickets, w->office, server_now(w), &tickets),
                                2);
                assert_int_equal(tickets[0].id, first);
                assert_int_equal(tickets[1].id, second);
                assert_string_equal(tickets[0].factor, "office");
                assert_string_equal(tickets[0].message, "Deploy *");
                assert_int_equal(tickets[0].n_fields, 2);
                assert_string_equal(tickets[0].fields[0].label, "Environment");
                assert_string_equal(tickets[0].fields[0].value, "stag\"ing ü");
                assert_int_equal(tickets[0].expires - tickets[0].created, MINUTE);
                assert_in_range(tickets[0].created, SOON, SOON + 30 * USEC_PER_SEC);
                restart(w, SOON);
        }
        assert_int_equal(tickets_of_factor(w->tickets, w->office, SOON + 3 * MINUTE / 2, &tickets),
                        1);
        assert_int_equal(tickets[0].id, second);
        assert_int_equal(tickets_of_factor(w->tickets, w->office, SOON + 3 * MINUTE, &tickets), 0);
}

/* What a transaction did is true once it is committed. */
static void test_consumed(void **state) {
        World *w = *state;
        Store *store = w->store->store;
        int64_t id = add(w, w->office, MINUTE);
        char **msg = &w->store->message;

        for (int commits = 0; commits <= 1; commits++) {
                StoreDecision d = {.factor_id = w->office->record.id, .verb = VERB_APPROVE};
                (void) snprintf(d.challenge_sid, sizeof(d.challenge_sid), "%s", SID_A);
                assert_int_equal(store_begin(store, msg), 0);
                assert_int_equal(store_decision_add(store, &d, msg), 0);
                assert_int_equal(tickets_consume(w->tickets, id, d.id, msg), 0);
                assert_int_equal(tickets_consume(w->tickets, id, d.id, msg), -ENOENT);
                fixture_message(w->store, "unused");
                assert_int_equal(count(w, w->office), 1);
                if (commits) {
                        assert_int_equal(store_commit(store, msg), 0);
                        tickets_consumed(w->tickets, id);
                } else
                        store_rollback(store);
                assert_int_equal(count(w, w->office), commits ? 0 : 1);
        }
        assert_int_equal(tickets_consume(w->tickets, id, "x", msg), -ENOENT);
        fixture_message(w->store, "not open");
        assert_int_equal(tickets_revoke(w->tickets, id, &w->actor, msg), -ENOENT);
        fixture_message(w->store, "no open ticket");
        restart(w, SOON);
        assert_int_equal(count(w, w->office), 0);
}

static void test_revoked(void **state) {
        World *w = *state;
        int64_t id = add(w, w->office, MINUTE);
        char **msg = &w->store->message;

        (void) add(w, w->office, MINUTE);
        (void) add(w, w->shop, MINUTE);
        assert_int_equal(tickets_revoke(w->tickets, id, &w->actor, msg), 0);
        assert_null(tickets_find(w->tickets, id));
        assert_int_equal(count(w, w->office), 1);
        assert_int_equal(tickets_revoke_all(w->tickets, w->office, &w->actor, msg), 0);
        assert_int_equal(count(w, w->office), 0);
        assert_int_equal(count(w, w->shop), 1);
        assert_int_equal(count_events(w, "ticket"), 3);
        assert_int_equal(count_events(w, "ticket-revoked"), 2);
        tickets_forget(w->tickets, w->shop);
        assert_int_equal(count(w, w->shop), 0);
}

static void test_limits(void **state) {
        World *w = *state;
        const Ticket *ticket;

        for (size_t i = 0; i < TICKETS_OF_FACTOR_MAX; i++)
                (void) add(w, w->office, MINUTE);
        assert_int_equal(try_add(w, w->office, MINUTE, &ticket), -EDQUOT);
        fixture_message(w->store, "Factor office has 100");
        assert_int_equal(count(w, w->office), TICKETS_OF_FACTOR_MAX);
        /* Others have theirs, and room comes back. */
        (void) add(w, w->shop, MINUTE);
        set_clock(w, SOON + 2 * MINUTE, true);
        (void) add(w, w->office, MINUTE);
        assert_int_equal(count(w, w->office), 1);
}

/* Rows stay when nobody used them in time: however many there are, what is open is found again. */
static void test_restart_after_many(void **state) {
        World *w = *state;
        int64_t early = add(w, w->office, 10 * MINUTE), late;

        for (size_t i = 0; i < TICKETS_OF_FACTOR_MAX - 1; i++)
                (void) add(w, w->office, MINUTE);
        set_clock(w, SOON + 2 * MINUTE, true);
        late = add(w, w->office, MINUTE);
        assert_int_equal(count(w, w->office), 2);
        restart(w, SOON + 2 * MINUTE);
        assert_int_equal(count(w, w->office), 2);
        assert_non_null(tickets_find(w->tickets, early));
        assert_non_null(tickets_find(w->tickets, late));
        assert_int_equal(w->office->n_tickets, TICKETS_OF_FACTOR_MAX);
}

static void test_limit_of_a_user(void **state) {
        World *w = *state;
        const Ticket *ticket;
        char text[400];

        for (size_t i = 0; i < TICKETS_OF_UID_MAX / TICKETS_OF_FACTOR_MAX; i++) {
                (void) snprintf(text, sizeof(text), "factor-%zu", i);
                (void) add_factor(w->store, text, FACTOR_PUSH, SECRET_TEXT);
        }
        (void) snprintf(text, sizeof(text),
                        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n "
                        "WHERE i < %d) INSERT INTO ticket (factor_id, created, expires, owner) "
                        "SELECT 3 + i / %d, %llu, %llu, 1000 FROM n",
                        TICKETS_OF_UID_MAX - 1, TICKETS_OF_FACTOR_MAX, (unsigned long long) SOON,
                        (unsigned long long) (SOON + MINUTE));
        fixture_sql(w->store, text);
        restart(w, SOON);
        assert_int_equal(count(w, registry_factor(&w->registry, "factor-9")), 100);
        assert_int_equal(try_add(w, w->shop, MINUTE, &ticket), -EDQUOT);
        fixture_message(w->store, "User 1000 has 1000");
        w->actor.uid = 1001;
        (void) add(w, w->shop, MINUTE);
}

/* By this machine's clock, which turns out to be wrong: the ticket moves with it. */
static void test_made_before_a_server_was_heard(void **state) {
        static const int64_t off[] = {
                        -3600 * (int64_t) USEC_PER_SEC, 0, 3600 * (int64_t) USEC_PER_SEC};
        World *w = *state;
        const PolicyTicket *tickets;

        for (size_t i = 0; i < ELEMENTSOF(off); i++)
                for (int again = 0; again <= 1; again++) {
                        usec_t local = (usec_t) ((int64_t) SOON + off[i]);
                        set_clock(w, local, false);
                        (void) add(w, w->office, MINUTE);
                        if (again)
                                restart(w, local);
                        assert_int_equal(count(w, w->office), 1);
                        set_clock(w, SOON, true);
                        assert_int_equal(tickets_of_factor(w->tickets, w->office, server_now(w),
                                                         &tickets),
                                        1);
                        assert_in_range(tickets->created, SOON - USEC_PER_SEC,
                                        SOON + 30 * USEC_PER_SEC);
                        assert_int_equal(tickets_revoke(w->tickets, tickets->id, &w->actor, NULL),
                                        0);
                }
}

/* The provider's clock is set: its challenges have the new time, so the ticket keeps its own. */
static void test_server_moves(void **state) {
        World *w = *state;
        const PolicyTicket *tickets;

        (void) add(w, w->office, MINUTE);
        set_clock(w, SOON - 10 * MINUTE, true);
        assert_int_equal(tickets_of_factor(w->tickets, w->office, server_now(w), &tickets), 1);
        assert_true(tickets->created >= SOON);
        set_clock(w, SOON + 10 * MINUTE, true);
        assert_int_equal(count(w, w->office), 0);
}

/* Whatever clocks say, it dies in time. */
static void test_dies(void **state) {
        World *w = *state;

        (void) add(w, w->office, 1);
        for (int i = 0; i < 2; i++) {
                set_clock(w, SOON - 100 * MINUTE, i == 0);
                while (count(w, w->office) > 0)
                        ;
                restart(w, SOON - 100 * MINUTE);
        }
}

static void test_bad_row(void **state) {
        World *w = *state;

        (void) add(w, w->office, MINUTE);
        (void) add(w, w->shop, MINUTE);
        unload(w);
        fixture_close(w->store);
        fixture_sql(w->store, "UPDATE ticket SET fields = '[' WHERE id = 1");
        set_clock(w, SOON, false);
        load(w);
        assert_int_equal(count(w, w->office), 0);
        assert_int_equal(count(w, w->shop), 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        TICKETS_TEST(test_given_to_the_policy),
                        TICKETS_TEST(test_consumed),
                        TICKETS_TEST(test_revoked),
                        TICKETS_TEST(test_limits),
                        TICKETS_TEST(test_restart_after_many),
                        TICKETS_TEST(test_limit_of_a_user),
                        TICKETS_TEST(test_made_before_a_server_was_heard),
                        TICKETS_TEST(test_server_moves),
                        TICKETS_TEST(test_dies),
                        TICKETS_TEST(test_bad_row),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
