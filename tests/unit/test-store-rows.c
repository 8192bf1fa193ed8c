/* SPDX-License-Identifier: Apache-2.0 */
/* Factors, codes, decisions, challenges and their numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "store-fixture.h"

static void assert_factor_equal(const StoreFactor *a, const StoreFactor *b) {
        assert_int_equal(a->id, b->id);
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->status, b->status);
        assert_int_equal(a->owner, b->owner);
        assert_true(streq_ptr(a->sid, b->sid));
        assert_true(streq_ptr(a->account_sid, b->account_sid));
        assert_true(streq_ptr(a->service_sid, b->service_sid));
        assert_true(streq_ptr(a->identity, b->identity));
        assert_true(streq_ptr(a->credential_sid, b->credential_sid));
        assert_true(streq_ptr(a->account, b->account));
        assert_true(streq_ptr(a->base_url, b->base_url));
        assert_true(streq_ptr(a->issuer, b->issuer));
        assert_true(streq_ptr(a->label, b->label));
        assert_true(streq_ptr(a->algorithm, b->algorithm));
        assert_int_equal(a->digits, b->digits);
        assert_int_equal(a->period, b->period);
        assert_int_equal(a->counter, b->counter);
        assert_int_equal(a->created, b->created);
        assert_true(streq_ptr(a->error, b->error));
        assert_true(streq_ptr(a->match_field, b->match_field));
        assert_true(secret_equal(&a->secret, &b->secret));
}

static void test_factor_round_trip(void **state) {
        Fixture *f = *state;
        StoreFactor *loaded, bare = {.name = "bare", .type = FACTOR_PUSH};
        StoreFactor full = sample_factor("full", FACTOR_HOTP, SECRET_TEXT);
        size_t n;

        full.status = FACTOR_DETACHED;
        full.owner = (uid_t) -2;
        full.sid = "YF0000000000000000000000000000000a";
        full.account_sid = "AC0000000000000000000000000000000a";
        full.service_sid = "VA0000000000000000000000000000000a";
        full.identity = "identity-1";
        full.credential_sid = "CR0000000000000000000000000000000a";
        full.account = "main";
        full.base_url = "https://verify.twilio.com";
        full.issuer = "ACMÉ";
        full.label = "";
        full.algorithm = "sha256";
        full.counter = INT64_MAX - 1;
        full.created = USEC_INFINITY;
        full.match_field = "Nummer №";
        full.error = "it's \"broken\"; DROP TABLE factor";

        fixture_open(f);
        assert_int_equal(store_factor_add(f->store, &full, &f->message), 0);
        assert_int_equal(store_factor_add(f->store, &bare, &f->message), 0);
        assert_true(full.id > 0 && bare.id > full.id);

        for (int i = 0; i < 2; i++) {
                assert_int_equal(store_factors_load(f->store, &loaded, &n, &f->message), 0);
                assert_int_equal(n, 2);
                assert_factor_equal(loaded, &bare);
                assert_factor_equal(loaded + 1, &full);
                free_factors(loaded, n);
                fixture_open(f);
        }
}

static void test_factor_update(void **state) {
        Fixture *f = *state;
        StoreFactor *loaded, factor = sample_factor("office", FACTOR_HOTP, SECRET_TEXT);
        StoreFactor changed;
        size_t n;

        fixture_open(f);
        factor.sid = "YF0000000000000000000000000000000a";
        factor.counter = 5;
        assert_int_equal(store_factor_add(f->store, &factor, &f->message), 0);
        add_factor(f, "shop", FACTOR_TOTP, SECRET_TEXT);

        changed = factor;
        changed.name = "bureau";
        changed.status = FACTOR_REVOKED;
        changed.owner = 1;
        changed.sid = NULL;
        changed.error = "why";
        changed.match_field = "Number";
        changed.digits = 8;
        changed.counter = 77;
        changed.type = FACTOR_PUSH;
        changed.secret = (Secret){0};
        assert_int_equal(store_factor_update(f->store, &changed, &f->message), 0);

        changed.counter = factor.counter;
        changed.type = factor.type;
        changed.secret = factor.secret;
        assert_int_equal(store_factors_load(f->store, &loaded, &n, &f->message), 0);
        assert_int_equal(n, 2);
        assert_factor_equal(loaded, &changed);
        free_factors(loaded, n);

        changed.name = "shop";
        assert_int_equal(store_factor_update(f->store, &changed, &f->message), -EEXIST);
        fixture_message(f, "shop");
        changed.name = "new";
        changed.id = 99;
        assert_int_equal(store_factor_update(f->store, &changed, &f->message), -ENOENT);
        fixture_message(f, "99");
}

static void test_factor_exists(void **state) {
        Fixture *f = *state;
        StoreFactor factor = sample_factor("office", FACTOR_TOTP, SECRET_TEXT);

        fixture_open(f);
        factor.sid = "YF0000000000000000000000000000000a";
        assert_int_equal(store_factor_add(f->store, &factor, &f->message), 0);

        factor.id = 0;
        factor.name = "shop";
        assert_int_equal(store_factor_add(f->store, &factor, &f->message), -EEXIST);
        fixture_message(f, factor.sid);
        assert_int_equal(factor.id, 0);

        factor.name = "office";
        factor.sid = "YF0000000000000000000000000000000b";
        assert_int_equal(store_factor_add(f->store, &factor, &f->message), -EEXIST);
        fixture_message(f, "office");
        assert_int_equal(count_factors(f), 1);
}

static void test_factor_limit(void **state) {
        Fixture *f = *state;
        StoreFactor more = sample_factor("more", FACTOR_TOTP, SECRET_TEXT);

        fixture_open(f);
        fixture_close(f);
        fixture_sql(f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
                       "i < 19999) INSERT INTO factor (name, type, status, owner, digits, period, "
                       "counter, created, secret) SELECT 'f' || i, 'totp', 'local', 0, 6, 30, 0, "
                       "0, x'' FROM n");
        fixture_open(f);
        add_factor(f, "last", FACTOR_TOTP, SECRET_TEXT);
        assert_int_equal(store_factor_add(f->store, &more, &f->message), -E2BIG);
        fixture_message(f, "20000");
}

static StoreDecision sample_decision(const char *sid, int64_t factor_id, Verb verb) {
        StoreDecision d = {.factor_id = factor_id,
                        .verb = verb,
                        .uid = 1000,
                        .door = "socket",
                        .made = 123};

        (void) snprintf(d.challenge_sid, sizeof(d.challenge_sid), "%s", sid);
        memset(d.digest, 'd', sizeof(d.digest) - 1);
        return d;
}

static void test_factor_remove(void **state) {
        Fixture *f = *state;
        StoreChallenge c = {0};
        StoreDecision d;
        int64_t id;

        fixture_open(f);
        id = add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        put_challenge(f, SID_A, id, CHALLENGE_ANSWERING);
        d = sample_decision(SID_A, id, VERB_APPROVE);
        assert_int_equal(store_decision_add(f->store, &d, &f->message), 0);
        assert_int_equal(store_code_take(f->store, id, 1, 1, &f->message), 0);

        assert_int_equal(store_factor_remove(f->store, id, &f->message), 0);
        assert_int_equal(count_factors(f), 0);
        assert_int_equal(store_challenge_get(f->store, SID_A, &c, &f->message), -ENOENT);
        fixture_message(f, SID_A);
        assert_int_equal(store_factor_remove(f->store, id, &f->message), -ENOENT);
        fixture_message(f, "no factor");

        /* A number never comes again, and the decision stays. */
        assert_true(add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT) > id);
        fixture_close(f);
        assert_int_equal(fixture_sql(f, "SELECT count(*) FROM decision"), 1);
        assert_int_equal(fixture_sql(f, "SELECT count(*) FROM code_sent"), 0);
}

static void test_take_counter(void **state) {
        Fixture *f = *state;
        StoreFactor factor = sample_factor("token", FACTOR_HOTP, SECRET_TEXT);
        uint64_t counter;
        int64_t id;

        fixture_open(f);
        factor.counter = 5;
        assert_int_equal(store_factor_add(f->store, &factor, &f->message), 0);
        assert_int_equal(store_factor_take_counter(f->store, factor.id, &counter, &f->message), 0);
        assert_int_equal(counter, 5);
        fixture_open(f);
        assert_int_equal(store_factor_take_counter(f->store, factor.id, &counter, &f->message), 0);
        assert_int_equal(counter, 6);

        id = add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        assert_int_equal(store_factor_take_counter(f->store, id, &counter, &f->message), -ENOENT);
        fixture_message(f, "HOTP");

        factor.name = "spent";
        factor.counter = INT64_MAX;
        assert_int_equal(store_factor_add(f->store, &factor, &f->message), 0);
        assert_int_equal(store_factor_take_counter(f->store, factor.id, &counter, &f->message),
                        -ENOENT);
        fixture_message(f, "HOTP");
}

static void test_code_take(void **state) {
        const usec_t now = 1700000000 * USEC_PER_SEC;
        Fixture *f = *state;
        int64_t a, b;

        fixture_open(f);
        a = add_factor(f, "a", FACTOR_TOTP, SECRET_TEXT);
        b = add_factor(f, "b", FACTOR_TOTP, SECRET_TEXT);

        assert_int_equal(store_code_take(f->store, a, 100, now, &f->message), 0);
        assert_int_equal(store_code_take(f->store, a, 100, now, &f->message), -EEXIST);
        fixture_message(f, "100");

        /* Another factor's, and a lower step after a clock that was set back, are others. */
        assert_int_equal(store_code_take(f->store, b, 100, now, &f->message), 0);
        assert_int_equal(store_code_take(f->store, a, 99, now - USEC_PER_HOUR, &f->message), 0);
        assert_int_equal(store_code_take(f->store, a, UINT64_MAX, now, &f->message), 0);
        assert_int_equal(store_code_take(f->store, a, UINT64_MAX, now, &f->message), -EEXIST);
        fixture_message(f, "18446744073709551615");

        fixture_open(f);
        assert_int_equal(store_code_take(f->store, a, 100, now + STORE_CODE_KEPT, &f->message),
                        -EEXIST);
        fixture_message(f, "100");
        /* A wall clock that is set ahead forgets nothing, unless the steps are far away, too. */
        assert_int_equal(store_code_take(f->store, a, 100, now + STORE_CODE_KEPT + 1, &f->message),
                        -EEXIST);
        fixture_message(f, "100");
        assert_int_equal(store_code_take(f->store, a, 9000, now + STORE_CODE_KEPT + 1, &f->message),
                        0);
        assert_int_equal(store_code_take(f->store, a, 100, now + STORE_CODE_KEPT + 1, &f->message),
                        0);
        assert_int_equal(store_code_take(f->store, b, 100, now + STORE_CODE_KEPT + 1, &f->message),
                        -EEXIST);
        fixture_message(f, "100");

        assert_int_equal(store_code_take(f->store, 99, 1, now, &f->message), -ENOENT);
        fixture_message(f, "99");
}

static void test_decision(void **state) {
        Fixture *f = *state;
        StoreChallenge c = {0};
        StoreDecision first, second;
        int64_t id;

        fixture_open(f);
        id = add_factor(f, "office", FACTOR_PUSH, SECRET_TEXT);
        put_challenge(f, SID_A, id, CHALLENGE_ANSWERING);

        first = sample_decision(SID_A, id, VERB_ASK);
        assert_int_equal(store_decision_add(f->store, &first, &f->message), -EINVAL);
        fixture_message(f, "no decision");

        first = sample_decision(SID_A, id, VERB_APPROVE);
        assert_int_equal(store_decision_add(f->store, &first, &f->message), 0);
        assert_int_equal(strlen(first.id), DECISION_ID_SIZE - 1);
        assert_int_equal(strspn(first.id, "0123456789abcdef"), DECISION_ID_SIZE - 1);

        second = sample_decision(SID_A, id, VERB_DENY);
        second.rule = "night";
        assert_int_equal(store_decision_add(f->store, &second, &f->message), -EEXIST);
        fixture_message(f, SID_A);

        fixture_open(f);
        assert_int_equal(store_challenge_get(f->store, SID_A, &c, &f->message), 0);
        assert_true(c.has_decision);
        assert_string_equal(c.decision.id, first.id);
        assert_string_equal(c.decision.challenge_sid, SID_A);
        assert_string_equal(c.decision.digest, first.digest);
        assert_int_equal(c.decision.factor_id, id);
        assert_int_equal(c.decision.verb, VERB_APPROVE);
        assert_int_equal(c.decision.uid, 1000);
        assert_string_equal(c.decision.door, "socket");
        assert_null(c.decision.rule);
        assert_int_equal(c.decision.made, 123);
        store_challenge_done(&c);

        assert_int_equal(store_decision_void(f->store, SID_A, "stale", 200, &f->message), 0);
        assert_int_equal(store_decision_void(f->store, SID_A, "stale", 200, &f->message), -ENOENT);
        fixture_message(f, SID_A);
        assert_int_equal(store_challenge_get(f->store, SID_A, &c, &f->message), 0);
        assert_false(c.has_decision);
        store_challenge_done(&c);

        assert_int_equal(store_decision_add(f->store, &second, &f->message), 0);
        assert_string_not_equal(second.id, first.id);
        assert_int_equal(store_challenge_get(f->store, SID_A, &c, &f->message), 0);
        assert_string_equal(c.decision.id, second.id);
        assert_int_equal(c.decision.verb, VERB_DENY);
        assert_string_equal(c.decision.rule, "night");
        store_challenge_done(&c);
}

static void free_challenges(StoreChallenge *challenges, size_t n) {
        for (size_t i = 0; i < n; i++)
                store_challenge_done(challenges + i);
        free(challenges);
}

/* The SIDs that the store loads at a time are these, in this order. */
static void assert_loaded(Fixture *f, usec_t now, const char *const *sids, size_t n_sids) {
        StoreChallenge *found;
        size_t n;

        assert_int_equal(store_challenges_load(f->store, now, &found, &n, &f->message), 0);
        assert_int_equal(n, n_sids);
        for (size_t i = 0; i < n; i++)
                assert_string_equal(found[i].sid, sids[i]);
        free_challenges(found, n);
}

static void test_challenge_round_trip(void **state) {
        Fixture *f = *state;
        StoreChallenge c, found = {0};

        fixture_open(f);
        c = sample_challenge(SID_A, add_factor(f, "a", FACTOR_PUSH, SECRET_TEXT), CHALLENGE_ASKING);
        c.document = "{\"sid\" : \"" SID_A "\"}";
        c.reason = "asked";
        c.expires = USEC_INFINITY;
        c.attempts = 3;
        c.mismatches = 2;
        c.asked = 1700000000 * USEC_PER_SEC;
        c.held_rule = "quiet";
        c.held_verb = VERB_DENY;
        c.held_policy = "abc";
        assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);

        fixture_open(f);
        assert_int_equal(store_challenge_get(f->store, SID_A, &found, &f->message), 0);
        assert_string_equal(found.sid, c.sid);
        assert_int_equal(found.factor_id, c.factor_id);
        assert_int_equal(found.state, c.state);
        assert_string_equal(found.document, c.document);
        assert_string_equal(found.reason, c.reason);
        assert_int_equal(found.expires, USEC_INFINITY);
        assert_int_equal(found.changed, c.changed);
        assert_int_equal(found.sequence, c.sequence);
        assert_int_equal(found.attempts, 3);
        assert_int_equal(found.mismatches, 2);
        assert_int_equal(found.asked, c.asked);
        assert_string_equal(found.held_rule, "quiet");
        assert_int_equal(found.held_verb, VERB_DENY);
        assert_string_equal(found.held_policy, "abc");
        assert_false(found.has_decision);
        store_challenge_done(&found);

        c.state = CHALLENGE_FAILED;
        c.document = NULL;
        c.reason = c.held_rule = NULL;
        assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);
        assert_int_equal(store_challenge_get(f->store, SID_A, &found, &f->message), 0);
        assert_int_equal(found.state, CHALLENGE_FAILED);
        assert_null(found.document);
        assert_null(found.reason);
        assert_null(found.held_rule);
        assert_null(found.held_policy);
        assert_int_equal(found.sequence, c.sequence);
        store_challenge_done(&found);

        /* Nothing else is ever held back, whatever the file says. */
        fixture_sql(f, "UPDATE challenge SET held_rule = 'x', held_verb = 'approve'");
        assert_int_equal(store_challenge_get(f->store, SID_A, &found, &f->message), 0);
        assert_int_equal(found.held_verb, VERB_IGNORE);
        store_challenge_done(&found);

        assert_int_equal(store_challenge_get(f->store, SID_B, &found, &f->message), -ENOENT);
        fixture_message(f, SID_B);
}

static void test_challenges_load(void **state) {
        static const ChallengeState pending[] = {
                        CHALLENGE_DISCOVERED,
                        CHALLENGE_DECIDING,
                        CHALLENGE_ASKING,
                        CHALLENGE_ANSWERING,
                        CHALLENGE_SUBMITTED,
        };
        static const ChallengeState final[] = {
                        CHALLENGE_APPROVED,
                        CHALLENGE_DENIED,
                        CHALLENGE_EXPIRED,
                        CHALLENGE_IGNORED,
                        CHALLENGE_SUPERSEDED,
                        CHALLENGE_FAILED,
        };
        static const char *const all[] = {SID_B, SID_C, SID_A}, *const only_a[] = {SID_A};
        Fixture *f = *state;
        StoreChallenge c;
        int64_t id;

        fixture_open(f);
        id = add_factor(f, "a", FACTOR_PUSH, SECRET_TEXT);
        assert_loaded(f, 0, NULL, 0);

        c = sample_challenge(SID_A, id, CHALLENGE_ASKING);
        c.expires = 300;
        assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);
        for (size_t i = 0; i < ELEMENTSOF(final); i++) {
                c = sample_challenge(SID_B, id, final[i]);
                c.expires = 100;
                assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);
                c = sample_challenge(SID_C, id, final[i]);
                c.expires = 200;
                assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);

                assert_loaded(f, 99, all, 3);
                assert_loaded(f, 100, all + 1, 2);
                assert_loaded(f, 1000, only_a, 1);
        }

        for (size_t i = 0; i < ELEMENTSOF(pending); i++) {
                put_challenge(f, SID_A, id, pending[i]);
                assert_loaded(f, 100000, only_a, 1);
        }
}

static void test_sequence_outlives_rows(void **state) {
        Fixture *f = *state;
        uint64_t last, next;
        int64_t id;

        fixture_open(f);
        assert_int_equal(store_sequence(f->store), 0);
        id = add_factor(f, "a", FACTOR_PUSH, SECRET_TEXT);
        assert_int_equal(store_sequence_next(f->store, &last, &f->message), 0);
        assert_int_equal(last, 1);
        last = put_challenge(f, SID_A, id, CHALLENGE_EXPIRED);
        assert_int_equal(last, 2);

        assert_int_equal(
                        store_challenges_prune(f->store, USEC_INFINITY, USEC_INFINITY, &f->message),
                        0);
        assert_loaded(f, 0, NULL, 0);
        fixture_open(f);
        assert_int_equal(store_sequence(f->store), last);
        assert_int_equal(store_sequence_next(f->store, &next, &f->message), 0);
        assert_int_equal(next, last + 1);
        assert_int_equal(put_challenge(f, SID_A, id, CHALLENGE_ASKING), last + 2);
}

static void test_sequence_take(void **state) {
        Fixture *f = *state;
        uint64_t first;

        fixture_open(f);
        assert_int_equal(store_sequence_take(f->store, 5, &first, &f->message), 0);
        assert_int_equal(first, 1);
        assert_int_equal(store_sequence(f->store), 5);
        assert_int_equal(store_begin(f->store, &f->message), 0);
        assert_int_equal(store_sequence_take(f->store, 2, &first, &f->message), 0);
        assert_int_equal(first, 6);
        store_rollback(f->store);
        assert_int_equal(store_sequence_take(f->store, 1, &first, &f->message), 0);
        assert_int_equal(first, 6);
}

static void put_asked(Fixture *f, int64_t factor_id, unsigned n, usec_t asked) {
        StoreChallenge c = sample_challenge(SID_A, factor_id, CHALLENGE_EXPIRED);

        (void) snprintf(c.sid, sizeof(c.sid), "YC%032u", n);
        c.asked = asked;
        assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);
}

/* Each factor that was asked about lately, from its last pause on, oldest first. */
static void test_asked_load(void **state) {
        static const usec_t times[] = {0, 50, 100, 199, 250, 300, 399};
        Fixture *f = *state;
        StoreAsked *found;
        int64_t a, b, c;
        size_t n;

        fixture_open(f);
        a = add_factor(f, "a", FACTOR_PUSH, SECRET_TEXT);
        b = add_factor(f, "b", FACTOR_PUSH, SECRET_TEXT);
        c = add_factor(f, "c", FACTOR_PUSH, SECRET_TEXT);
        for (unsigned i = 0; i < ELEMENTSOF(times); i++)
                put_asked(f, a, i, times[i]);
        put_asked(f, b, 100, 300);
        put_asked(f, c, 200, 400);
        put_asked(f, c, 201, 300);

        /* b's last one is not after 300; c's pause is as long as the gap. */
        assert_int_equal(store_asked_load(f->store, 300, 100, &found, &n, &f->message), 0);
        assert_int_equal(n, 7);
        for (size_t i = 0; i < 6; i++) {
                assert_int_equal(found[i].factor_id, a);
                assert_int_equal(found[i].asked, times[i + 1]);
        }
        assert_int_equal(found[6].factor_id, c);
        assert_int_equal(found[6].asked, 400);
        free(found);

        assert_int_equal(store_asked_load(f->store, 300, 99, &found, &n, &f->message), 0);
        assert_int_equal(n, 2);
        assert_int_equal(found[0].asked, 399);
        free(found);
        assert_int_equal(store_asked_load(f->store, 400, 100, &found, &n, &f->message), 0);
        assert_int_equal(n, 0);
        assert_null(found);
}

static void put_document(
                Fixture *f, const char *sid, int64_t factor_id, ChallengeState state, usec_t at) {
        StoreChallenge c = sample_challenge(sid, factor_id, state);

        c.document = "{}";
        c.changed = at;
        assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);
}

static void assert_document(Fixture *f, const char *sid, const char *document) {
        StoreChallenge c = {0};

        assert_int_equal(store_challenge_get(f->store, sid, &c, &f->message), 0);
        assert_true(streq_ptr(c.document, document));
        store_challenge_done(&c);
}

static void test_prune(void **state) {
        Fixture *f = *state;
        StoreChallenge c = {0};
        int64_t id;

        fixture_open(f);
        id = add_factor(f, "a", FACTOR_PUSH, SECRET_TEXT);
        put_document(f, SID_A, id, CHALLENGE_ASKING, 1); /* never, while it is not final */
        put_document(f, SID_B, id, CHALLENGE_APPROVED, 100);
        put_document(f, SID_C, id, CHALLENGE_APPROVED, 50);

        assert_int_equal(store_challenges_prune(f->store, 100, 50, &f->message), 0);
        assert_document(f, SID_A, "{}");
        assert_document(f, SID_B, "{}");
        assert_document(f, SID_C, NULL);

        assert_int_equal(store_begin(f->store, &f->message), 0);
        assert_int_equal(store_challenges_prune(f->store, 101, 51, &f->message), 0);
        assert_int_equal(store_commit(f->store, &f->message), 0);
        assert_document(f, SID_A, "{}");
        assert_document(f, SID_B, NULL);
        assert_int_equal(store_challenge_get(f->store, SID_C, &c, &f->message), -ENOENT);
        fixture_message(f, SID_C);
}

/* Words that this version does not write don't become some enum's value. */
static void test_unknown_words(void **state) {
        Fixture *f = *state;
        StoreFactor *factors;
        StoreChallenge c = {0};
        size_t n;

        fixture_open(f);
        put_challenge(f, SID_A, add_factor(f, "a", FACTOR_PUSH, SECRET_TEXT), CHALLENGE_ASKING);
        fixture_close(f);
        fixture_sql(f, "UPDATE challenge SET state = 'thinking'");
        fixture_sql(f, "UPDATE factor SET status = 'odd'");

        fixture_open(f);
        assert_int_equal(store_challenge_get(f->store, SID_A, &c, &f->message), -EBADMSG);
        fixture_message(f, f->database);
        assert_int_equal(store_factors_load(f->store, &factors, &n, &f->message), -EBADMSG);
        fixture_message(f, f->database);
        fixture_close(f);

        fixture_sql(f, "UPDATE challenge SET state = 'asking', sid = sid || 'longer'");
        fixture_open(f);
        assert_int_equal(store_challenge_get(f->store, SID_A "longer", &c, &f->message), -EBADMSG);
        fixture_message(f, f->database);
}

static void add_decision(Fixture *f, const char *sid, int64_t factor, char *rule, usec_t made) {
        StoreDecision d = sample_decision(sid, factor, VERB_APPROVE);

        d.rule = rule;
        d.made = made;
        assert_int_equal(store_decision_add(f->store, &d, &f->message), 0);
}

static unsigned count(Fixture *f, int64_t factor, const char *rule, usec_t after, usec_t until) {
        unsigned n = 99;

        assert_int_equal(store_decisions_count(
                                         f->store, factor, rule, after, until, &n, &f->message),
                        0);
        return n;
}

/* Of one rule and one factor, after one time and up to another; voided ones as well. */
static void test_decisions_count(void **state) {
        static char rule[] = "rule", other[] = "Rule";
        Fixture *f = *state;

        fixture_open(f);
        add_decision(f, "YC1", 1, rule, 100);
        add_decision(f, "YC2", 1, rule, 200);
        add_decision(f, "YC3", 1, rule, 300);
        add_decision(f, "YC4", 2, rule, 200);
        add_decision(f, "YC5", 1, other, 200);
        add_decision(f, "YC6", 1, NULL, 200);
        assert_int_equal(store_decision_void(f->store, "YC2", "stale", 250, &f->message), 0);
        assert_int_equal(count(f, 1, "rule", 0, USEC_INFINITY), 3);
        assert_int_equal(count(f, 1, "rule", 100, USEC_INFINITY), 2);
        assert_int_equal(count(f, 1, "rule", 99, 200), 2);
        assert_int_equal(count(f, 1, "rule", 300, USEC_INFINITY), 0);
        assert_int_equal(count(f, 2, "rule", 0, USEC_INFINITY), 1);
        assert_int_equal(count(f, 1, "none", 0, USEC_INFINITY), 0);
}

/* A piece at a time, without those whose text has gone. */
static void test_challenges_page(void **state) {
        static const char *const sids[] = {SID_A, SID_B, "YC3", "YC4"};
        Fixture *f = *state;
        StoreChallenge *rows;
        int64_t id;
        size_t n;

        fixture_open(f);
        id = add_factor(f, "a", FACTOR_PUSH, SECRET_TEXT);
        for (size_t i = 0; i < ELEMENTSOF(sids); i++) {
                StoreChallenge c = sample_challenge(sids[i], id, CHALLENGE_ASKING);

                c.document = i == 1 ? NULL : "{}";
                c.changed = 100 * (i + 1);
                assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);
        }
        assert_int_equal(store_challenges_page(f->store, 0, 0, 2, &rows, &n, &f->message), 0);
        assert_int_equal(n, 2);
        assert_string_equal(rows[0].sid, SID_A);
        assert_string_equal(rows[1].sid, "YC3");
        uint64_t after = rows[1].sequence;
        store_challenge_done(&rows[0]);
        store_challenge_done(&rows[1]);
        free(rows);
        assert_int_equal(store_challenges_page(f->store, after, 0, 2, &rows, &n, &f->message), 0);
        assert_int_equal(n, 1);
        assert_string_equal(rows[0].sid, "YC4");
        store_challenge_done(&rows[0]);
        free(rows);
        assert_int_equal(store_challenges_page(f->store, 0, 401, 9, &rows, &n, &f->message), 0);
        assert_int_equal(n, 0);
        free(rows);
}

static void test_policy(void **state) {
        char hash[SHA256_HEX_SIZE] = "x", one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE];
        Fixture *f = *state;

        memset(one, '1', sizeof(one));
        memset(two, '2', sizeof(two));
        one[SHA256_HEX_SIZE - 1] = two[SHA256_HEX_SIZE - 1] = '\0';
        fixture_open(f);
        assert_int_equal(store_policy_get(f->store, hash, &f->message), 0);
        assert_string_equal(hash, "");
        assert_int_equal(store_policy_set(f->store, one, &f->message), 0);
        assert_int_equal(store_policy_set(f->store, two, &f->message), 0);
        fixture_close(f);
        fixture_open(f);
        assert_int_equal(store_policy_get(f->store, hash, &f->message), 0);
        assert_string_equal(hash, two);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        STORE_TEST(test_factor_round_trip),
                        STORE_TEST(test_factor_update),
                        STORE_TEST(test_factor_exists),
                        STORE_TEST(test_factor_limit),
                        STORE_TEST(test_factor_remove),
                        STORE_TEST(test_take_counter),
                        STORE_TEST(test_code_take),
                        STORE_TEST(test_decision),
                        STORE_TEST(test_decisions_count),
                        STORE_TEST(test_policy),
                        STORE_TEST(test_challenge_round_trip),
                        STORE_TEST(test_challenges_page),
                        STORE_TEST(test_challenges_load),
                        STORE_TEST(test_sequence_outlives_rows),
                        STORE_TEST(test_sequence_take),
                        STORE_TEST(test_asked_load),
                        STORE_TEST(test_prune),
                        STORE_TEST(test_unknown_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
