/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "daemon/registry.h"

#define SID_A "YF0000000000000000000000000000000a"
#define SID_B "YF0000000000000000000000000000000b"

/* A factor of the registry's; sid may be NULL. */
static Factor *factor_make(const char *name, const char *sid) {
        StoreFactor record = {.type = FACTOR_TOTP, .digits = 6, .period = 30};
        Factor *f = NULL;

        assert_int_equal(text_set(&record.name, name), 0);
        assert_int_equal(text_set(&record.sid, sid), 0);
        assert_int_equal(text_set(&record.algorithm, "sha1"), 0);
        assert_int_equal(secret_append_string(&record.secret, "12345678901234567890"), 0);
        assert_int_equal(factor_new(&f, &record), 0);
        assert_non_null(f->otp_key);
        assert_int_equal(f->record.secret.len, 0);
        return f;
}

static void test_found_by_name_and_sid(void **state) {
        static const char *const names[] = {"m", "a", "z", "b"};
        Registry r = {0};

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_int_equal(registry_add_factor(
                                                 &r, factor_make(names[i], i == 0 ? SID_A : NULL)),
                                0);
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_string_equal(registry_factor(&r, names[i])->record.name, names[i]);
        for (size_t i = 1; i < r.n_factors; i++)
                assert_true(strcmp(r.factors[i - 1]->record.name, r.factors[i]->record.name) < 0);
        assert_string_equal(registry_factor(&r, SID_A)->record.name, "m");
        assert_null(registry_factor(&r, SID_B));
        assert_null(registry_factor(&r, ""));
        registry_done(&r);
}

/* The second factor with a SID gets none of the first one's place, and takes nothing with it. */
static void test_one_factor_a_sid(void **state) {
        Factor *first = factor_make("first", SID_A), *second = factor_make("second", NULL);
        Registry r = {0};

        assert_int_equal(registry_add_factor(&r, first), 0);
        assert_int_equal(registry_add_factor(&r, second), 0);
        assert_int_equal(text_set(&second->record.sid, SID_A), 0);
        assert_int_equal(registry_index_factor(&r, second), -EEXIST);
        registry_remove_factor(&r, second);
        assert_ptr_equal(registry_factor(&r, SID_A), first);
        registry_remove_factor(&r, first);
        assert_null(registry_factor(&r, SID_A));
        assert_int_equal(r.n_factors, 0);
        registry_done(&r);
}

/* Who still holds a removed factor can see that it is one. */
static void test_removed_is_marked(void **state) {
        Registry r = {0};
        Factor *f = factor_make("one", SID_A);

        assert_int_equal(registry_add_factor(&r, f), 0);
        factor_ref(f);
        f->record.status = FACTOR_VERIFIED;
        registry_remove_factor(&r, f);
        assert_true(f->removed);
        assert_false(factor_is_active(f));
        factor_unref(f);
        registry_done(&r);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_found_by_name_and_sid),
                        cmocka_unit_test(test_one_factor_a_sid),
                        cmocka_unit_test(test_removed_is_marked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
