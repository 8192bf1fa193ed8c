/* SPDX-License-Identifier: Apache-2.0 */
/* Which policy was in force last, so that a change is found that was made while nobody looked. */

#include "store/store.h"

#include <stdio.h>

#include "store/database.h"

int store_policy_get(Store *s, char ret[static SHA256_HEX_SIZE], char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        bool row;
        int r;

        r = statement_prepare(&st, s, "SELECT value FROM meta WHERE name = 'policy'", reterr_msg);
        if (r < 0)
                return r;

        r = statement_step(&st, &row, reterr_msg);
        if (r < 0)
                return r;

        ret[0] = '\0';
        if (row)
                column_copy(&st, ret, SHA256_HEX_SIZE);
        return statement_check(&st, reterr_msg);
}

int store_policy_set(Store *s, const char *hash, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "INSERT INTO meta VALUES ('policy', ?) ON CONFLICT (name) DO UPDATE "
                        "SET value = excluded.value",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_text(&st, hash);
        return statement_run(&st, reterr_msg);
}
