/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <limits.h>

#include "store/database.h"

void store_decision_done(StoreDecision *d) {
        free(d->door);
        free(d->rule);
        *d = (StoreDecision){0};
}

static int new_id(char ret[static DECISION_ID_SIZE]) {
        uint8_t bytes[(DECISION_ID_SIZE - 1) / 2];
        int r;

        r = random_bytes(bytes, sizeof(bytes));
        if (r < 0)
                return r;

        hex_encode(bytes, sizeof(bytes), ret);
        return 0;
}

int store_decision_add(Store *s, StoreDecision *d, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        if (d->verb == VERB_ASK)
                return error_set(reterr_msg, -EINVAL, "To ask is no decision");

        if (d->id[0] == '\0') {
                r = new_id(d->id);
                if (r < 0)
                        return r;
        }

        r = statement_prepare(&st, s,
                        "INSERT INTO decision (id, challenge_sid, digest, factor_id, verb, uid, "
                        "door, rule, made) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_text(&st, d->id);
        bind_text(&st, d->challenge_sid);
        bind_text(&st, d->digest);
        bind_int(&st, d->factor_id);
        bind_text(&st, verb_to_string(d->verb));
        bind_int(&st, d->uid);
        bind_text(&st, d->door);
        bind_text(&st, d->rule);
        bind_usec(&st, d->made);

        r = statement_run(&st, reterr_msg);
        if (r == -EEXIST)
                return error_set(
                                reterr_msg, r, "Challenge %s is decided already", d->challenge_sid);

        return r;
}

int store_decision_void(Store *s,
                const char *challenge_sid,
                const char *reason,
                usec_t now,
                char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "UPDATE decision SET voided = ?, void_reason = ? "
                        "WHERE challenge_sid = ? AND voided IS NULL",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_usec(&st, now);
        bind_text(&st, reason);
        bind_text(&st, challenge_sid);
        r = statement_run(&st, reterr_msg);
        if (r < 0)
                return r;

        if (sqlite3_changes(s->handle) == 0)
                return error_set(reterr_msg, -ENOENT, "The store holds no decision on challenge %s",
                                challenge_sid);

        return 0;
}

int store_decisions_count(Store *s,
                int64_t factor_id,
                const char *rule,
                usec_t after,
                usec_t until,
                unsigned *ret,
                char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int64_t n = 0;
        bool found;
        int r;

        r = statement_prepare(&st, s,
                        "SELECT count(*) FROM decision "
                        "WHERE factor_id = ? AND rule = ? AND made > ? AND made <= ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, factor_id);
        bind_text(&st, rule);
        bind_usec(&st, after);
        bind_usec(&st, until);
        r = statement_take_int(&st, &found, &n, reterr_msg);
        if (r < 0)
                return r;

        *ret = n > UINT_MAX ? UINT_MAX : (unsigned) n;
        return 0;
}
