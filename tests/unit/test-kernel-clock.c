/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/kernel-clock.h"

static KernelClock judge(long esterror, long maxerror, int status) {
        struct timex t = {.esterror = esterror, .maxerror = maxerror, .status = status};
        KernelClock k;

        kernel_clock_judge(&t, &k);
        return k;
}

static void test_judge(void **state) {
        KernelClock k = judge(1500, 20000, 0);

        assert_true(k.synchronized);
        assert_int_equal(k.error, 1500);
        assert_int_equal(k.maximum_error, 20000);
        /* That the RTC is left alone says nothing about the clock. */
        assert_true(judge(1500, 20000, STA_UNSYNC).synchronized);
        /* 16 s is the kernel's word for "no idea". */
        assert_true(judge(0, 15999999, 0).synchronized);
        assert_false(judge(0, 16000000, 0).synchronized);
        assert_false(judge(0, 16000000, STA_UNSYNC).synchronized);
        assert_false(judge(-1, -1, 0).synchronized);
        assert_true(judge(-1, 0, 0).error == USEC_INFINITY);
}

/* It only reads, so that anybody may; where even that is forbidden it says so. */
static void test_read(void **state) {
        KernelClock k = {.maximum_error = 42};
        int r = kernel_clock_read(&k);

        if (r < 0)
                assert_int_equal(k.maximum_error, 42);
        else
                assert_int_equal(k.synchronized, k.maximum_error < KERNEL_CLOCK_ERROR_MAX);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_judge),
                        cmocka_unit_test(test_read),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
