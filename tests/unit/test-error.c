/* SPDX-License-Identifier: Apache-2.0 */
/* Errors with text: setting, wrapping, listing. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

static void test_set(void **state) {
        _cleanup_free_ char *msg = NULL;

        assert_int_equal(error_set(&msg, -EINVAL, "%s:%d: wrong", "file", 7), -EINVAL);
        assert_string_equal(msg, "file:7: wrong");
        assert_int_equal(error_set(&msg, -EPERM, "other"), -EPERM);
        assert_string_equal(msg, "other");
}

static void test_set_from_its_own_text(void **state) {
        _cleanup_free_ char *msg = NULL;

        error_set(&msg, -EINVAL, "inner");
        assert_int_equal(error_set(&msg, -EIO, "outer (%s)", msg), -EIO);
        assert_string_equal(msg, "outer (inner)");
}

static void test_nobody_listens(void **state) {
        assert_int_equal(error_set(NULL, -ENOENT, "%s", "text"), -ENOENT);
        assert_int_equal(error_wrap(NULL, -ENOENT, "%s", "text"), -ENOENT);
}

static void test_wrap(void **state) {
        _cleanup_free_ char *msg = NULL;

        error_set(&msg, -EINVAL, "no such key");
        assert_int_equal(error_wrap(&msg, -EINVAL, "line %d", 3), -EINVAL);
        assert_string_equal(msg, "line 3: no such key");
        assert_int_equal(error_wrap(&msg, -EINVAL, "factord.conf"), -EINVAL);
        assert_string_equal(msg, "factord.conf: line 3: no such key");
}

static void test_wrap_without_text(void **state) {
        _cleanup_free_ char *msg = NULL;

        assert_int_equal(error_wrap(&msg, -ENOENT, "key.pem"), -ENOENT);
        assert_string_equal(msg, "key.pem: No such file or directory");
}

static void test_text(void **state) {
        assert_string_equal(error_text("a reason", -EIO), "a reason");
        assert_string_equal(error_text(NULL, -EACCES), "Permission denied");
}

static void test_list(void **state) {
        _cleanup_(error_list_done) ErrorList list = {0};

        assert_int_equal(error_list_add(&list, "%s:%d", "a", 1), 0);
        assert_int_equal(error_list_add(&list, "b"), 0);
        assert_int_equal(list.n, 2);
        assert_string_equal(list.messages[0], "a:1");
        assert_string_equal(list.messages[1], "b");

        error_list_done(&list);
        assert_int_equal(list.n, 0);
        assert_null(list.messages);
        error_list_done(&list);
}

static void test_long_list(void **state) {
        _cleanup_(error_list_done) ErrorList list = {0};
        char expected[16];

        for (int i = 0; i < 1000; i++)
                assert_int_equal(error_list_add(&list, "fault %d", i), 0);
        assert_int_equal(list.n, 1000);
        for (int i = 0; i < 1000; i++) {
                snprintf(expected, sizeof(expected), "fault %d", i);
                assert_string_equal(list.messages[i], expected);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_set),
                        cmocka_unit_test(test_set_from_its_own_text),
                        cmocka_unit_test(test_nobody_listens),
                        cmocka_unit_test(test_wrap),
                        cmocka_unit_test(test_wrap_without_text),
                        cmocka_unit_test(test_text),
                        cmocka_unit_test(test_list),
                        cmocka_unit_test(test_long_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
