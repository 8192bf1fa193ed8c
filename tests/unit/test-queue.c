/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/queue.h"

#define A "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NOW (1000 * USEC_PER_SEC)
#define PLENTY 1000000 /* a budget that holds nothing back */

static QueueItem item(Queue *q, const char *account_sid, bool poll, usec_t since) {
        return (QueueItem){
                        .lane = queue_lane_make(q, account_sid),
                        .poll = poll,
                        .since = since,
        };
}

static QueueItem *next(Queue *q, usec_t now) {
        usec_t when;

        return queue_next(q, now, &when);
}

static void test_oldest_first(void **state) {
        static const usec_t since[] = {5, 3, 9, 1, 7, 3};
        QueueItem items[ELEMENTSOF(since)];
        Queue q;

        queue_init(&q, 100, PLENTY);
        for (size_t i = 0; i < ELEMENTSOF(since); i++) {
                items[i] = item(&q, A, true, since[i]);
                queue_add(&items[i]);
        }
        /* Of two of the same age the one that came first. */
        static const size_t order[] = {3, 1, 5, 0, 4, 2};
        for (size_t i = 0; i < ELEMENTSOF(order); i++)
                assert_ptr_equal(next(&q, NOW + i), &items[order[i]]);
        assert_null(next(&q, NOW));
        queue_done(&q);
}

/* However old the polls are. */
static void test_answers_before_polls(void **state) {
        QueueItem poll, answer, other;
        Queue q;

        queue_init(&q, 100, PLENTY);
        poll = item(&q, A, true, 1);
        answer = item(&q, A, false, NOW);
        other = item(&q, B, false, NOW - 1);
        queue_add(&poll);
        queue_add(&answer);
        queue_add(&other);
        QueueItem *first = next(&q, NOW), *second = next(&q, NOW);
        assert_true((first == &answer && second == &other) ||
                        (first == &other && second == &answer));
        assert_ptr_equal(next(&q, NOW), &poll);
        queue_done(&q);
}

static void test_limit_in_flight(void **state) {
        QueueItem items[40];
        Queue q;
        usec_t when;
        unsigned n = 0;

        queue_init(&q, 32, PLENTY);
        for (size_t i = 0; i < 40; i++) {
                items[i] = item(&q, A, true, i);
                queue_add(&items[i]);
        }
        while (queue_next(&q, NOW, &when))
                n++;
        /* A quarter is kept for answers. */
        assert_int_equal(n, 24);
        assert_int_equal(when, USEC_INFINITY);
        QueueItem answers[10];
        for (size_t i = 0; i < 10; i++) {
                answers[i] = item(&q, A, false, i);
                queue_add(&answers[i]);
        }
        for (n = 0; queue_next(&q, NOW, &when);)
                n++;
        assert_int_equal(n, 8);
        /* One that ends makes room for one: an answer again. */
        queue_remove(&q, &items[0]);
        assert_ptr_equal(next(&q, NOW), &answers[8]);
        assert_null(next(&q, NOW));
        queue_done(&q);
}

static void test_small_limits(void **state) {
        static const struct {
                unsigned limit, polls;
        } cases[] = {{1, 1}, {2, 1}, {3, 2}, {4, 3}, {5, 3}, {8, 6}};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Queue q;
                queue_init(&q, cases[i].limit, PLENTY);
                assert_int_equal(q.max_polls, cases[i].polls);
                queue_done(&q);
        }
}

/* An account without budget keeps no other from its turn. */
static void test_budget_of_each(void **state) {
        QueueItem a[3], b[3];
        Queue q;
        usec_t when;

        queue_init(&q, 100, 1);
        for (size_t i = 0; i < 3; i++) {
                a[i] = item(&q, A, true, i);
                b[i] = item(&q, B, true, 100 + i);
                queue_add(&a[i]);
                queue_add(&b[i]);
        }
        assert_ptr_equal(next(&q, NOW), &a[0]);
        assert_ptr_equal(next(&q, NOW), &b[0]);
        assert_null(queue_next(&q, NOW, &when));
        assert_int_equal(when, NOW + USEC_PER_SEC);
        assert_ptr_equal(next(&q, when), &a[1]);
        assert_ptr_equal(next(&q, when), &b[1]);
        queue_done(&q);
}

/* With one place only, two accounts take turns. */
static void test_accounts_take_turns(void **state) {
        QueueItem a[4], b[4];
        Queue q;

        queue_init(&q, 1, PLENTY);
        for (size_t i = 0; i < 4; i++) {
                a[i] = item(&q, A, true, i);
                b[i] = item(&q, B, true, 100 + i);
                queue_add(&a[i]);
                queue_add(&b[i]);
        }
        for (size_t i = 0; i < 4; i++) {
                assert_ptr_equal(next(&q, NOW + i), &a[i]);
                queue_remove(&q, &a[i]);
                assert_ptr_equal(next(&q, NOW + i), &b[i]);
                queue_remove(&q, &b[i]);
        }
        queue_done(&q);
}

/* After a failure of the account one poll at a time tries again, when the pause is over. */
static void test_probing(void **state) {
        QueueItem items[4], other, answer;
        Queue q;
        usec_t when;

        queue_init(&q, 100, PLENTY);
        for (size_t i = 0; i < 4; i++) {
                items[i] = item(&q, A, true, i);
                queue_add(&items[i]);
        }
        assert_ptr_equal(next(&q, NOW), &items[0]);
        assert_int_equal(queue_failed(&q, &items[0], QUEUE_FAULT_ACCOUNT, NOW, 0), 1);
        queue_remove(&q, &items[0]);
        assert_null(queue_next(&q, NOW, &when));
        assert_in_range(when, NOW + PACE_BACKOFF_FIRST / 10, NOW + PACE_BACKOFF_FIRST);
        /* The other account does not care, nor does an answer. */
        other = item(&q, B, true, 0);
        queue_add(&other);
        assert_ptr_equal(next(&q, NOW), &other);
        answer = item(&q, A, false, 0);
        queue_add(&answer);
        assert_ptr_equal(next(&q, NOW), &answer);

        assert_ptr_equal(next(&q, when), &items[1]);
        assert_null(next(&q, when));
        assert_int_equal(queue_passed(&q, &items[1]), 1);
        assert_ptr_equal(next(&q, when), &items[2]);
        assert_ptr_equal(next(&q, when), &items[3]);
        queue_done(&q);
}

/* A failure of the provider holds back the polls of all accounts. */
static void test_host(void **state) {
        QueueItem a, b, c;
        Queue q;
        usec_t when;

        queue_init(&q, 100, PLENTY);
        a = item(&q, A, true, 0);
        b = item(&q, B, true, 0);
        c = item(&q, A, true, 1);
        queue_add(&a);
        assert_ptr_equal(next(&q, NOW), &a);
        assert_int_equal(queue_failed(&q, &a, QUEUE_FAULT_HOST, NOW, 5 * USEC_PER_SEC), 1);
        queue_remove(&q, &a);
        queue_add(&b);
        queue_add(&c);
        assert_null(queue_next(&q, NOW, &when));
        assert_int_equal(when, NOW + 5 * USEC_PER_SEC);
        queue_hurry(&q);
        assert_null(next(&q, NOW));
        QueueItem *probe = next(&q, when);
        assert_non_null(probe);
        assert_null(next(&q, when));
        assert_int_equal(queue_passed(&q, probe), 1);
        assert_non_null(next(&q, when));
        queue_done(&q);
}

/* While requests fail, a poll whose own last one did not goes before those whose did, and needs not
 * wait for one of them that hangs. */
static void test_suspects_give_way(void **state) {
        QueueItem first, bad[2], good;
        Queue q;
        usec_t when;

        queue_init(&q, 100, PLENTY);
        first = item(&q, A, true, 0);
        queue_add(&first);
        assert_ptr_equal(next(&q, NOW), &first);
        for (size_t i = 0; i < 2; i++) {
                bad[i] = item(&q, A, true, 1 + i);
                bad[i].suspect = true;
                queue_add(&bad[i]);
        }
        good = item(&q, A, true, 9);
        queue_add(&good);
        assert_int_equal(queue_failed(&q, &first, QUEUE_FAULT_HOST, NOW, 0), 1);
        queue_remove(&q, &first);
        assert_null(queue_next(&q, NOW, &when));
        assert_in_range(when, NOW, NOW + PACE_BACKOFF_BRIEF);
        assert_ptr_equal(next(&q, when), &good);
        assert_null(next(&q, when));
        queue_remove(&q, &good);

        /* Nobody else is there: one suspect at a time. */
        assert_ptr_equal(next(&q, when), &bad[0]);
        assert_null(next(&q, when));
        good = item(&q, A, true, 10);
        queue_add(&good);
        assert_ptr_equal(next(&q, when), &good);
        /* When it works again all go, in their order. */
        assert_int_equal(queue_passed(&q, &good), 1);
        assert_ptr_equal(next(&q, when), &bad[1]);
        queue_done(&q);
}

static void test_dropped(void **state) {
        QueueItem a, b;
        Queue q;

        queue_init(&q, 1, PLENTY);
        a = item(&q, A, true, 0);
        b = item(&q, A, true, 1);
        queue_add(&a);
        queue_add(&b);
        assert_int_equal(queue_lane(&q, A)->n_waiting, 2);
        queue_remove(&q, &a);
        queue_remove(&q, &a);
        assert_int_equal(queue_lane(&q, A)->n_waiting, 1);
        assert_ptr_equal(next(&q, NOW), &b);
        assert_int_equal(q.n_running, 1);
        queue_remove(&q, &b);
        queue_remove(&q, &b);
        assert_int_equal(q.n_running, 0);
        assert_int_equal(queue_lane(&q, A)->n_polls, 0);
        assert_null(queue_lane(&q, B));
        queue_done(&q);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_oldest_first),
                        cmocka_unit_test(test_answers_before_polls),
                        cmocka_unit_test(test_limit_in_flight),
                        cmocka_unit_test(test_small_limits),
                        cmocka_unit_test(test_budget_of_each),
                        cmocka_unit_test(test_accounts_take_turns),
                        cmocka_unit_test(test_probing),
                        cmocka_unit_test(test_host),
                        cmocka_unit_test(test_suspects_give_way),
                        cmocka_unit_test(test_dropped),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
