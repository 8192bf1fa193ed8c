#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Budget: how many prompts of a factor are too many. Pure: the time comes in, from a clock that
 * never goes back. */

#include "base/time.h"

/* A zeroed one is empty and valid. It holds no memory while nothing came lately, and a time for
 * each prompt in a span otherwise, at most the limit. */
typedef struct Budget {
        usec_t *times; /* a ring, the oldest at first */
        size_t allocated, first, n;
        usec_t last; /* prompt */
        bool cooling;
} Budget;

/* So many prompts in a span. */
typedef struct BudgetLimit {
        unsigned n; /* 1 or more */
        usec_t span;
} BudgetLimit;

/* Frees and zeroes. */
void budget_done(Budget *b);

/* Whether a prompt that comes now is one too many: with it a cool-down begins. Never while one
 * lasts. Makes room for it; without memory it is too many, too, as it can't be counted. */
bool budget_is_spent(Budget *b, const BudgetLimit *limit, usec_t now);
/* Counts a prompt that comes now. Returns whether a cool-down begins, as budget_is_spent() says. */
bool budget_add(Budget *b, const BudgetLimit *limit, usec_t now);
/* Lets time pass. Returns whether a cool-down ends: the span is over without another prompt. */
bool budget_pass(Budget *b, const BudgetLimit *limit, usec_t now);
/* When the cool-down that lasts ends, if no prompt comes. */
usec_t budget_until(const Budget *b, const BudgetLimit *limit);
