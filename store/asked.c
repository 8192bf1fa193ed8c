/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>

#include "store/database.h"

typedef struct AskedArray {
        StoreAsked *items;
        size_t n;
} AskedArray;

static void asked_array_done(AskedArray *a) {
        free(a->items);
}

static int asked_add(AskedArray *a, int64_t factor_id, usec_t asked) {
        StoreAsked *items = array_grow(a->items, a->n, sizeof(*items));

        if (!items)
                return -ENOMEM;
        a->items = items;
        a->items[a->n++] = (StoreAsked){factor_id, asked};
        return 0;
}

/* From its newest back to the last pause; then turned round. */
static int load_factor(Store *s, AskedArray *a, int64_t factor_id, usec_t gap, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        size_t first = a->n;
        bool row;
        int r;

        r = statement_prepare(&st, s,
                        "SELECT asked FROM challenge WHERE factor_id = ? AND asked > 0 "
                        "ORDER BY asked DESC",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, factor_id);
        for (;;) {
                usec_t asked;

                r = statement_step(&st, &row, reterr_msg);
                if (r < 0)
                        return r;
                if (!row)
                        break;

                asked = column_usec(&st);
                if (a->n > first && usec_sub(a->items[a->n - 1].asked, asked) >= gap)
                        break;
                r = asked_add(a, factor_id, asked);
                if (r < 0)
                        return r;
        }

        for (size_t i = first, j = a->n; i + 1 < j; i++) {
                StoreAsked swap = a->items[--j];

                a->items[j] = a->items[i];
                a->items[i] = swap;
        }
        return 0;
}

int store_asked_load(Store *s,
                usec_t since,
                usec_t gap,
                StoreAsked **ret,
                size_t *ret_n,
                char **reterr_msg) {
        _cleanup_(asked_array_done) AskedArray a = {0};
        _cleanup_(statement_done) Statement st = {0};
        bool row;
        int r;

        r = statement_prepare(&st, s,
                        "SELECT DISTINCT factor_id FROM challenge WHERE asked > 0 AND asked > ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_usec(&st, since);
        for (;;) {
                r = statement_step(&st, &row, reterr_msg);
                if (r < 0)
                        return r;
                if (!row)
                        break;

                r = load_factor(s, &a, column_int(&st), gap, reterr_msg);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(a.items);
        *ret_n = a.n;
        return 0;
}
