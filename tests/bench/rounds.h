#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Interleaved rounds: each contestant runs a while in each round, so that what slows the machine
 * down slows all of them, and the median of the rounds is reported. */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/macros.h"

#define ROUNDS_MAX 64

typedef struct Contestant {
        const char *name;
        void (*run)(unsigned n); /* does the work n times; ends the process on a failure */
        double rates[ROUNDS_MAX];
} Contestant;

/* The time that this thread has had on a processor, in seconds: others' work does not count. */
static inline double thread_seconds(void) {
        struct timespec t;

        if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) < 0)
                abort();
        return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static inline int compare_rates(const void *a, const void *b) {
        return CMP(*(const double *) a, *(const double *) b);
}

/* Prints a line "name rate" for each, in runs a second. */
static inline void rounds_run(Contestant *c, size_t n_c, unsigned n_rounds, unsigned n) {
        for (size_t i = 0; i < n_c; i++)
                c[i].run(n / 4 + 1); /* warms up */
        for (unsigned round = 0; round < n_rounds; round++)
                for (size_t i = 0; i < n_c; i++) {
                        double start = thread_seconds();

                        c[i].run(n);
                        c[i].rates[round] = n / (thread_seconds() - start);
                }
        for (size_t i = 0; i < n_c; i++) {
                qsort(c[i].rates, n_rounds, sizeof(double), compare_rates);
                printf("%s %.0f\n", c[i].name, c[i].rates[n_rounds / 2]);
        }
}

/* Ends the process when a step of a benchmark failed. */
static inline void must(bool ok, const char *what) {
        if (ok)
                return;
        fprintf(stderr, "%s failed\n", what);
        exit(1);
}
