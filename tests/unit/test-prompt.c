/* SPDX-License-Identifier: Apache-2.0 */
/* Which challenges ask for the same, and which of them leads: also where there are thousands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/text.h"
#include "daemon/prompt-group.h"
#include "daemon/registry.h"

#define MANY (REGISTRY_CHALLENGES_MAX - REGISTRY_RESERVE)
#define TIME_MAX                                                                                   \
        (5 * CLOCKS_PER_SEC) /* of the processor's, of what a hash and a heap do in milliseconds   \
                              */

static Factor office = {.record = {.id = 1}}, home = {.record = {.id = 2}};
static DetailField berlin[] = {{(char *) "City", (char *) "Berlin"}};
static DetailField bonn[] = {{(char *) "City", (char *) "Bonn"}};
static DetailField twice[] = {
                {(char *) "City", (char *) "Berlin"},
                {(char *) "City", (char *) "Berlin"},
};

static Challenge make(Factor *f, unsigned n, usec_t created, const char *message) {
        Challenge c = {.factor = f};

        c.view.created = created;
        c.view.message = (char *) (uintptr_t) message;
        c.view.fields = berlin;
        c.view.n_fields = 1;
        (void) snprintf(c.view.sid, sizeof(c.view.sid), "YC%032u", n);
        return c;
}

static PromptGroup *join(void **groups, Challenge *c) {
        PromptGroup *g;

        assert_int_equal(prompt_group_get(groups, c, &g), 0);
        prompt_group_add(g, c);
        assert_ptr_equal(c->group, g);
        return g;
}

static void leave(void **groups, Challenge *c) {
        PromptGroup *g = c->group;

        prompt_group_remove(g, c);
        assert_null(c->group);
        prompt_group_drop(groups, g);
}

/* Another factor, message, field or number of fields is another question; another SID is not. */
static void test_same_request(void **state) {
        Challenge c[8];
        void *groups = NULL;

        for (unsigned i = 0; i < ELEMENTSOF(c); i++)
                c[i] = make(&office, i, 5, "Sign in?");
        c[2].factor = &home;
        c[3].view.message = (char *) "sign in?";
        c[4].view.message = NULL;
        c[5].view.message = (char *) "";
        c[6].view.fields = bonn;
        c[7].view.fields = twice;
        c[7].view.n_fields = 2;
        for (size_t i = 0; i < ELEMENTSOF(c); i++)
                (void) join(&groups, &c[i]);
        assert_ptr_equal(c[0].group, c[1].group);
        assert_int_equal(c[0].group->n, 2);
        for (size_t i = 2; i < ELEMENTSOF(c); i++) {
                assert_int_equal(c[i].group->n, 1);
                for (size_t j = 0; j < i; j++)
                        assert_ptr_not_equal(c[i].group, c[j].group);
        }
        for (size_t i = 0; i < ELEMENTSOF(c); i++)
                leave(&groups, &c[i]);
        assert_null(groups);
}

/* A group that nobody came into is dropped again, and one with members is not. */
static void test_not_joined(void **state) {
        Challenge c = make(&office, 1, 1, "a"), other = make(&office, 2, 1, "a");
        void *groups = NULL;
        PromptGroup *g;

        assert_int_equal(prompt_group_get(&groups, &c, &g), 0);
        prompt_group_drop(&groups, g);
        assert_null(groups);
        (void) join(&groups, &c);
        assert_int_equal(prompt_group_get(&groups, &other, &g), 0);
        prompt_group_drop(&groups, g);
        assert_int_equal(c.group->n, 1);
        leave(&groups, &c);
        assert_null(groups);
}

/* Of one second: whoever was asked about first leads, whatever their SIDs. */
static void test_same_second(void **state) {
        Challenge first = make(&office, 2, 5, "a"), later = make(&office, 1, 5, "a");
        Challenge older = make(&office, 3, 4, "a");
        void *groups = NULL;
        PromptGroup *g;

        assert_int_equal(prompt_group_get(&groups, &first, &g), 0);
        assert_true(prompt_group_would_lead(g, &first, 10));
        first.prompted = 10;
        prompt_group_add(g, &first);
        assert_false(prompt_group_would_lead(g, &later, 11));
        later.prompted = 11;
        assert_ptr_equal(join(&groups, &later), g);
        assert_ptr_equal(g->members[0], &first);
        assert_true(prompt_group_would_lead(g, &older, 12));
        older.prompted = 12;
        assert_ptr_equal(join(&groups, &older), g);
        assert_ptr_equal(g->members[0], &older);
        leave(&groups, &older);
        assert_ptr_equal(g->members[0], &first);
        leave(&groups, &first);
        leave(&groups, &later);
        assert_null(groups);
}

static unsigned spread(unsigned i) {
        return i * 7919u % MANY; /* in no order that means anything */
}

/* Whoever leads ends, and the next oldest leads, to the last one. */
static void lead_and_end(void **groups, Challenge *c) {
        PromptGroup *g = c->group;

        for (unsigned n = MANY; n > 0; n--) {
                Challenge *leader = g->members[0];
                assert_int_equal(g->n, n);
                assert_int_equal(leader->view.created, (MANY - n) / 3);
                leave(groups, leader);
                if (n > 1)
                        assert_true(prompt_is_older(leader, g->members[0]));
        }
}

static void test_many(void **state) {
        Challenge *c = calloc(MANY, sizeof(Challenge));
        clock_t before = clock();
        char(*texts)[16] = calloc(MANY, sizeof(*texts));
        void *groups = NULL;

        assert_non_null(c);
        assert_non_null(texts);
        for (unsigned i = 0; i < MANY; i++) {
                /* Three at each instant: the SID decides. */
                c[i] = make(&office, spread(i), spread(i) / 3, "again");
                (void) join(&groups, &c[i]);
        }
        lead_and_end(&groups, c);
        assert_null(groups);

        for (unsigned i = 0; i < MANY; i++) {
                (void) snprintf(texts[i], sizeof(texts[i]), "%u", i);
                c[i].view.message = texts[i];
                (void) join(&groups, &c[i]);
                assert_int_equal(c[i].group->n, 1);
        }
        for (unsigned i = 0; i < MANY; i++)
                leave(&groups, &c[spread(i)]);
        assert_null(groups);
        assert_true(clock() - before < TIME_MAX);
        free(texts);
        free(c);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_same_request),
                        cmocka_unit_test(test_not_joined),
                        cmocka_unit_test(test_same_second),
                        cmocka_unit_test(test_many),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
