/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/budget.h"

#define TIMES_FIRST 8

void budget_done(Budget *b) {
        free(b->times);
        *b = (Budget){0};
}

static usec_t time_at(const Budget *b, size_t i) {
        return b->times[(b->first + i) % b->allocated];
}

static bool is_over(usec_t t, const BudgetLimit *limit, usec_t now) {
        return usec_sub(now, t) >= limit->span;
}

/* Those kept are in order: how many of them are over. */
static size_t count_over(const Budget *b, const BudgetLimit *limit, usec_t now) {
        size_t low = 0, high = b->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (is_over(time_at(b, middle), limit, now))
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static void forget_times(Budget *b) {
        free(b->times);
        b->times = NULL;
        b->allocated = b->first = b->n = 0;
}

static void drop_over(Budget *b, const BudgetLimit *limit, usec_t now) {
        size_t n = count_over(b, limit, now);

        if (n == b->n) {
                forget_times(b);
                return;
        }
        b->first = (b->first + n) % b->allocated;
        b->n -= n;
}

static bool make_room(Budget *b, const BudgetLimit *limit) {
        size_t allocated = b->allocated > 0 ? 2 * b->allocated : TIMES_FIRST;
        usec_t *times;

        if (b->n < b->allocated)
                return true;
        if (allocated > limit->n)
                allocated = limit->n;
        times = reallocarray(NULL, allocated, sizeof(usec_t));
        if (!times)
                return false;
        for (size_t i = 0; i < b->n; i++)
                times[i] = time_at(b, i);
        free(b->times);
        b->times = times;
        b->allocated = allocated;
        b->first = 0;
        return true;
}

bool budget_is_spent(Budget *b, const BudgetLimit *limit, usec_t now) {
        if (b->cooling)
                return false;
        drop_over(b, limit, now);
        return b->n >= limit->n || !make_room(b, limit);
}

bool budget_add(Budget *b, const BudgetLimit *limit, usec_t now) {
        bool begins = budget_is_spent(b, limit, now);

        b->last = now;
        if (begins) {
                /* None of them counts when it ends. */
                forget_times(b);
                b->cooling = true;
        } else if (!b->cooling)
                b->times[(b->first + b->n++) % b->allocated] = now;
        return begins;
}

bool budget_pass(Budget *b, const BudgetLimit *limit, usec_t now) {
        if (b->cooling) {
                b->cooling = !is_over(b->last, limit, now);
                return !b->cooling;
        }
        drop_over(b, limit, now);
        return false;
}

usec_t budget_until(const Budget *b, const BudgetLimit *limit) {
        return usec_add(b->last, limit->span);
}
