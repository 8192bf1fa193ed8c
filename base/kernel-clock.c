/* SPDX-License-Identifier: Apache-2.0 */
#include "base/kernel-clock.h"

#include <errno.h>

int kernel_clock_read(KernelClock *ret) {
        struct timex t = {.modes = 0};

        if (adjtimex(&t) < 0)
                return -errno;
        kernel_clock_judge(&t, ret);
        return 0;
}

void kernel_clock_judge(const struct timex *t, KernelClock *ret) {
        usec_t maximum = t->maxerror < 0 ? USEC_INFINITY : (usec_t) t->maxerror;

        /* STA_UNSYNC does not count: it is also set to keep the kernel from writing the RTC. */
        *ret = (KernelClock){
                        .synchronized = maximum < KERNEL_CLOCK_ERROR_MAX,
                        .error = t->esterror < 0 ? USEC_INFINITY : (usec_t) t->esterror,
                        .maximum_error = maximum,
        };
}
