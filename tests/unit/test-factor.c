/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "daemon/factor.h"
#include "push/payload.h"
#include "store-fixture.h"

#define S USEC_PER_SEC
#define NOW (1800000000 * S) /* the beginning of a step of 20, 30 and 60 s */
#define HALF_LIFE (PUSH_JWT_LIFETIME / 2 * S)

static void record_new(StoreFactor *s, const char *name, FactorType type) {
        *s = (StoreFactor){.type = type, .status = FACTOR_VERIFIED, .digits = 6, .period = 30};
        assert_int_equal(text_set(&s->name, name), 0);
        assert_int_equal(text_set(&s->account_sid, "AC0000000000000000000000000000000a"), 0);
        assert_int_equal(text_set(&s->credential_sid, "CR0000000000000000000000000000000a"), 0);
        if (type != FACTOR_PUSH)
                assert_int_equal(text_set(&s->algorithm, "sha1"), 0);
}

static Factor *push_new(const char *name) {
        _cleanup_(push_key_freep) PushKey *key = NULL;
        StoreFactor record;
        Factor *f = NULL;

        record_new(&record, name, FACTOR_PUSH);
        assert_int_equal(push_key_generate(&key), 0);
        assert_int_equal(push_key_to_pkcs8(key, &record.secret), 0);
        assert_int_equal(factor_new(&f, &record), 0);
        return f;
}

static char *jwt(Factor *f, usec_t now) {
        const Secret *s = NULL;

        assert_int_equal(factor_jwt(f, now, &s), 0);
        return strdup(secret_string(s));
}

static void assert_same(Factor *f, usec_t a, usec_t b, bool expected) {
        _cleanup_free_ char *one = jwt(f, a), *two = jwt(f, b);

        assert_int_equal(streq(one, two), expected);
}

static void test_jwt_is_reused(void **state) {
        _cleanup_(factor_unrefp) Factor *f = push_new("push");
        _cleanup_free_ char *first = jwt(f, NOW);

        /* A round of polls every three seconds. */
        for (usec_t at = 0; at < HALF_LIFE; at += 3 * S) {
                _cleanup_free_ char *again = jwt(f, NOW + at);
                assert_string_equal(again, first);
        }
        assert_same(f, NOW, NOW + HALF_LIFE - 1, true);
        assert_same(f, NOW, NOW + HALF_LIFE, false);
}

static void test_jwt_after_the_clock_was_set(void **state) {
        _cleanup_(factor_unrefp) Factor *f = push_new("push");

        assert_same(f, NOW, NOW - 1, false);
        assert_same(f, NOW, NOW - 3600 * S, false);
        assert_same(f, NOW, NOW + 3600 * S, false);
        assert_same(f, NOW, 3600 * S, false);
        assert_same(f, NOW, 4102444800 * S, false);
}

static void test_jwt_is_dropped(void **state) {
        _cleanup_(factor_unrefp) Factor *f = push_new("push");
        _cleanup_free_ char *before = jwt(f, NOW), *after = NULL;

        factor_drop_jwt(f);
        factor_drop_jwt(f);
        after = jwt(f, NOW);
        /* The signature has a random part: what is signed anew differs. */
        assert_string_not_equal(before, after);
}

/* Of the same name, as after a removal and an enrolment: another key, another JWT. */
static void test_jwt_is_a_factors_own(void **state) {
        _cleanup_(factor_unrefp) Factor *f = push_new("push"), *g = push_new("push");
        _cleanup_free_ char *one = jwt(f, NOW), *two = jwt(g, NOW), *again = jwt(f, NOW);

        assert_string_not_equal(one, two);
        assert_string_equal(one, again);
}

/* A TOTP factor in a store. */
static Factor *totp_new(Fixture *fixture, const char *name, int64_t period) {
        StoreFactor record;
        Factor *f = NULL;

        record_new(&record, name, FACTOR_TOTP);
        record.period = period;
        assert_int_equal(secret_append_string(&record.secret, SECRET_TEXT), 0);
        assert_int_equal(store_begin(fixture->store, NULL), 0);
        assert_int_equal(store_factor_add(fixture->store, &record, NULL), 0);
        assert_int_equal(store_end(fixture->store, 0, NULL), 0);
        assert_int_equal(factor_new(&f, &record), 0);
        return f;
}

static int take(Fixture *fixture, Factor *f, usec_t now, char ret[static 16], usec_t *ret_wait) {
        _cleanup_(secret_done) Secret code = {0};
        int r = factor_take_code(f, fixture->store, now, &code, ret_wait);

        if (r >= 0)
                assert_int_equal(snprintf(ret, 16, "%s", secret_string(&code)), 6);
        else
                assert_int_equal(code.len, 0);
        return r;
}

/* RFC 6238 appendix B, cut to six digits. */
static void test_code(void **state) {
        Fixture *fixture = *state;
        static const struct {
                usec_t when;
                const char *code;
        } vectors[] = {
                        {59, "287082"},
                        {1111111109, "081804"},
                        {1111111111, "050471"},
                        {1234567890, "005924"},
                        {2000000000, "279037"},
        };

        fixture_open(fixture);
        _cleanup_(factor_unrefp) Factor *f = totp_new(fixture, "totp", 30);
        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                char code[16];
                usec_t wait;

                assert_int_equal(take(fixture, f, vectors[i].when * S, code, &wait), 0);
                assert_string_equal(code, vectors[i].code);
        }
}

static void test_code_is_taken_once(void **state) {
        Fixture *fixture = *state;
        char first[16], code[16];
        usec_t wait = 0;

        fixture_open(fixture);
        _cleanup_(factor_unrefp) Factor *f = totp_new(fixture, "totp", 20);
        assert_int_equal(take(fixture, f, NOW + 3 * S, first, &wait), 0);
        assert_int_equal(take(fixture, f, NOW + 5 * S, code, &wait), -EEXIST);
        assert_int_equal(wait, 15 * S);
        assert_int_equal(take(fixture, f, NOW + 20 * S - 1, code, &wait), -EEXIST);
        assert_int_equal(wait, 1);
        assert_int_equal(take(fixture, f, NOW + 20 * S, code, &wait), 0);
        assert_string_not_equal(code, first);

        /* A clock set back finds the steps that were used, and those that were not. */
        assert_int_equal(take(fixture, f, NOW, code, &wait), -EEXIST);
        assert_int_equal(take(fixture, f, NOW - 1, code, &wait), 0);
        assert_int_equal(take(fixture, f, NOW - 86400 * S, code, &wait), 0);

        /* Another factor has steps of its own; a restart forgets none. */
        _cleanup_(factor_unrefp) Factor *other = totp_new(fixture, "other", 20);
        assert_int_equal(take(fixture, other, NOW, code, &wait), 0);
        fixture_open(fixture);
        assert_int_equal(take(fixture, f, NOW + 1, code, &wait), -EEXIST);
        assert_int_equal(take(fixture, other, NOW + 1, code, &wait), -EEXIST);
}

static void test_step_left(void **state) {
        Fixture *fixture = *state;

        fixture_open(fixture);
        _cleanup_(factor_unrefp) Factor *f = totp_new(fixture, "totp", 60);
        assert_int_equal(factor_step_left(f, NOW), 60 * S);
        assert_int_equal(factor_step_left(f, NOW + 1), 60 * S - 1);
        assert_int_equal(factor_step_left(f, NOW - 1), 1);
        assert_int_equal(factor_step_left(f, 0), 60 * S);
}

/* A code that could not be noted is not given out. */
static void test_no_code_without_the_store(void **state) {
        Fixture *fixture = *state;
        char code[16];
        usec_t wait = 0;

        fixture_open(fixture);
        _cleanup_(factor_unrefp) Factor *f = totp_new(fixture, "totp", 30);
        f->record.id = 4711;
        assert_int_equal(take(fixture, f, NOW, code, &wait), -ENOENT);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_jwt_is_reused),
                        cmocka_unit_test(test_jwt_after_the_clock_was_set),
                        cmocka_unit_test(test_jwt_is_dropped),
                        cmocka_unit_test(test_jwt_is_a_factors_own),
                        STORE_TEST(test_code),
                        STORE_TEST(test_code_is_taken_once),
                        STORE_TEST(test_step_left),
                        STORE_TEST(test_no_code_without_the_store),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
