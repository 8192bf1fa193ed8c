#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says about its own wall clock. Reads only. */

#include <sys/timex.h>

#include "base/time.h"

typedef struct KernelClock {
        bool synchronized; /* something such as NTP keeps it, to within KERNEL_CLOCK_ERROR_MAX */
        usec_t error;      /* estimated */
        usec_t maximum_error;
} KernelClock;

/* The kernel's word for an error that nobody bounds: what timedatectl goes by, too. */
#define KERNEL_CLOCK_ERROR_MAX (16 * USEC_PER_SEC)

/* Asks the kernel. Returns 0 or -errno (a container may forbid it). */
int kernel_clock_read(KernelClock *ret);
/* Pure: what the kernel's answer means. */
void kernel_clock_judge(const struct timex *t, KernelClock *ret);
