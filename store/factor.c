/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>

#include "base/text.h"
#include "store/database.h"
#include "store/seal.h"

/* What store_factor_update() may change, in the order of bind_factor() and read_factor(). */
#define CHANGEABLE                                                                                 \
        "name, status, owner, sid, account_sid, service_sid, identity, credential_sid, account, "  \
        "base_url, issuer, label, algorithm, digits, period, created, error, "                     \
        "match_field"
#define CHANGEABLE_VALUES "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"

void store_factor_done(StoreFactor *f) {
        free(f->name);
        free(f->sid);
        free(f->account_sid);
        free(f->service_sid);
        free(f->identity);
        free(f->credential_sid);
        free(f->account);
        free(f->base_url);
        free(f->issuer);
        free(f->label);
        free(f->algorithm);
        free(f->error);
        free(f->match_field);
        secret_done(&f->secret);
        *f = (StoreFactor){0};
}

static SealPlace place_of(int64_t id, FactorType type) {
        return (SealPlace){.table = "factor",
                        .row = id,
                        .type = strempty(factor_type_to_string(type))};
}

static void bind_factor(Statement *st, const StoreFactor *f) {
        bind_text(st, f->name);
        bind_text(st, factor_status_to_string(f->status));
        bind_int(st, f->owner);
        bind_text(st, f->sid);
        bind_text(st, f->account_sid);
        bind_text(st, f->service_sid);
        bind_text(st, f->identity);
        bind_text(st, f->credential_sid);
        bind_text(st, f->account);
        bind_text(st, f->base_url);
        bind_text(st, f->issuer);
        bind_text(st, f->label);
        bind_text(st, f->algorithm);
        bind_int(st, f->digits);
        bind_int(st, f->period);
        bind_usec(st, f->created);
        bind_text(st, f->error);
        bind_text(st, f->match_field);
}

static void read_factor(Statement *st, StoreFactor *f) {
        f->name = column_text(st);
        f->status = (FactorStatus) column_word(st, factor_status_from_string);
        f->owner = (uid_t) column_int(st);
        f->sid = column_text(st);
        f->account_sid = column_text(st);
        f->service_sid = column_text(st);
        f->identity = column_text(st);
        f->credential_sid = column_text(st);
        f->account = column_text(st);
        f->base_url = column_text(st);
        f->issuer = column_text(st);
        f->label = column_text(st);
        f->algorithm = column_text(st);
        f->digits = column_int(st);
        f->period = column_int(st);
        f->created = column_usec(st);
        f->error = column_text(st);
        f->match_field = column_text(st);
        f->id = column_int(st);
        f->type = (FactorType) column_word(st, factor_type_from_string);
        f->counter = column_int(st);
}

static int no_factor(int64_t id, char **reterr_msg) {
        return error_set(reterr_msg, -ENOENT, "The store holds no factor %" PRId64, id);
}

/* Runs a statement that binds a factor; says in our words what a unique key means. */
static int run_factor(Statement *st, const StoreFactor *f, char **reterr_msg) {
        int r;

        r = statement_run(st, reterr_msg);
        if (r == -EEXIST)
                return error_set(reterr_msg, -EEXIST,
                                "The store holds a factor with the name %s%s%s already", f->name,
                                f->sid ? " or the SID " : "", strempty(f->sid));

        return r;
}

static int check_room(Store *s, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int64_t n;
        bool found;
        int r;

        r = statement_prepare(&st, s, "SELECT count(*) FROM factor", reterr_msg);
        if (r < 0)
                return r;

        r = statement_take_int(&st, &found, &n, reterr_msg);
        if (r < 0)
                return r;

        if (n >= STORE_FACTORS_MAX)
                return error_set(reterr_msg, -E2BIG,
                                "The store holds %d factors and takes no more; remove some first",
                                STORE_FACTORS_MAX);

        return 0;
}

static int insert_factor(Store *s, const StoreFactor *f, int64_t *ret_id, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "INSERT INTO factor (" CHANGEABLE
                        ", type, counter, secret) "
                        "VALUES (" CHANGEABLE_VALUES ", ?, ?, x'')",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_factor(&st, f);
        bind_text(&st, factor_type_to_string(f->type));
        bind_int(&st, f->counter);

        r = run_factor(&st, f, reterr_msg);
        if (r < 0)
                return r;

        *ret_id = sqlite3_last_insert_rowid(s->handle);
        return 0;
}

/* The second step, as the place that a secret is sealed for is known only after the first. */
static int write_secret(Store *s, int64_t id, const StoreFactor *f, char **reterr_msg) {
        _cleanup_(secret_done) Secret sealed = {0};
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = seal_wrap(&s->seal_key, place_of(id, f->type), &f->secret, &sealed);
        if (r < 0)
                return error_wrap(reterr_msg, r, "Cannot seal the secret of factor %s", f->name);

        r = statement_prepare(&st, s, "UPDATE factor SET secret = ? WHERE id = ?", reterr_msg);
        if (r < 0)
                return r;

        bind_blob(&st, sealed.data, sealed.len);
        bind_int(&st, id);

        return statement_run(&st, reterr_msg);
}

int store_factor_add(Store *s, StoreFactor *f, char **reterr_msg) {
        _cleanup_(savepoint_done) Savepoint savepoint = {0};
        int64_t id;
        int r;

        r = savepoint_begin(&savepoint, s, reterr_msg);
        if (r < 0)
                return r;

        r = check_room(s, reterr_msg);
        if (r < 0)
                return r;

        r = insert_factor(s, f, &id, reterr_msg);
        if (r < 0)
                return r;

        r = write_secret(s, id, f, reterr_msg);
        if (r < 0)
                return r;

        r = savepoint_release(&savepoint, reterr_msg);
        if (r < 0)
                return r;

        f->id = id;
        return 0;
}

int store_factor_update(Store *s, const StoreFactor *f, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "UPDATE factor SET (" CHANGEABLE ") = (" CHANGEABLE_VALUES ") WHERE id = ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_factor(&st, f);
        bind_int(&st, f->id);

        r = run_factor(&st, f, reterr_msg);
        if (r < 0)
                return r;

        return sqlite3_changes(s->handle) > 0 ? 0 : no_factor(f->id, reterr_msg);
}

int store_factor_remove(Store *s, int64_t id, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        /* Challenges, codes and tickets go with it: ON DELETE CASCADE. */
        r = statement_prepare(&st, s, "DELETE FROM factor WHERE id = ?", reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, id);
        r = statement_run(&st, reterr_msg);
        if (r < 0)
                return r;

        return sqlite3_changes(s->handle) > 0 ? 0 : no_factor(id, reterr_msg);
}

static int load_factor(Statement *st, StoreFactor *f, char **reterr_msg) {
        _cleanup_(secret_done) Secret sealed = {0};
        int r;

        read_factor(st, f);
        column_blob(st, &sealed);
        r = statement_check(st, reterr_msg);
        if (r < 0)
                return r;

        r = seal_unwrap(&st->store->seal_key, place_of(f->id, f->type), &sealed, &f->secret);
        if (r == -EBADMSG)
                return error_set(reterr_msg, r,
                                "The secret of factor %s in %s does not open: its row was changed "
                                "or moved; put a copy of the file back",
                                strempty(f->name), st->store->path);
        if (r < 0)
                return error_wrap(reterr_msg, r, "Cannot open the secret of factor %s", f->name);

        return 0;
}

typedef struct FactorArray {
        StoreFactor *items;
        size_t n;
} FactorArray;

static void factor_array_done(FactorArray *a) {
        for (size_t i = 0; i < a->n; i++)
                store_factor_done(a->items + i);
        free(a->items);
}

int store_factors_load(Store *s, StoreFactor **ret, size_t *ret_n, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        _cleanup_(factor_array_done) FactorArray a = {0};
        bool row;
        int r;

        r = statement_prepare(&st, s,
                        "SELECT " CHANGEABLE
                        ", id, type, counter, secret FROM factor "
                        "ORDER BY name",
                        reterr_msg);
        if (r < 0)
                return r;

        for (;;) {
                r = statement_step(&st, &row, reterr_msg);
                if (r < 0)
                        return r;
                if (!row)
                        break;

                StoreFactor *items = array_grow(a.items, a.n, sizeof(*items));
                if (!items)
                        return -ENOMEM;
                a.items = items;
                a.items[a.n] = (StoreFactor){0};

                r = load_factor(&st, a.items + a.n++, reterr_msg);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(a.items);
        *ret_n = a.n;
        a.n = 0;
        return 0;
}

int store_factor_take_counter(Store *s, int64_t id, uint64_t *ret, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int64_t value;
        bool found;
        int r;

        r = statement_prepare(&st, s,
                        "UPDATE factor SET counter = counter + 1 "
                        "WHERE id = ? AND type = 'hotp' AND counter < 9223372036854775807 "
                        "RETURNING counter - 1",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, id);
        r = statement_take_int(&st, &found, &value, reterr_msg);
        if (r < 0)
                return r;

        if (!found)
                return error_set(reterr_msg, -ENOENT,
                                "The store holds no HOTP factor %" PRId64 " with a counter left",
                                id);

        *ret = (uint64_t) value;
        return 0;
}

/* By both: a wall clock that was set far ahead, or a server's, must not make us forget a step that
 * is still near. */
static int drop_old_codes(
                Store *s, int64_t factor_id, uint64_t step, usec_t now, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "DELETE FROM code_sent "
                        "WHERE factor_id = ? AND taken < ? AND abs(step - ?) > ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, factor_id);
        bind_usec(&st, usec_sub(now, STORE_CODE_KEPT));
        bind_int(&st, (int64_t) step);
        bind_int(&st, (int64_t) (STORE_CODE_KEPT / USEC_PER_SEC / 20));
        return statement_run(&st, reterr_msg);
}

static int insert_code(Store *s, int64_t factor_id, uint64_t step, usec_t now, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s, "INSERT INTO code_sent VALUES (?, ?, ?)", reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, factor_id);
        bind_int(&st, (int64_t) step);
        bind_usec(&st, now);

        r = statement_run(&st, reterr_msg);
        if (r == -EEXIST)
                return error_set(reterr_msg, r, "The code of step %" PRIu64 " was used", step);
        if (r == -ENOENT)
                return no_factor(factor_id, reterr_msg);

        return r;
}

int store_code_take(Store *s, int64_t factor_id, uint64_t step, usec_t now, char **reterr_msg) {
        _cleanup_(savepoint_done) Savepoint savepoint = {0};
        int r;

        r = savepoint_begin(&savepoint, s, reterr_msg);
        if (r < 0)
                return r;

        r = drop_old_codes(s, factor_id, step, now, reterr_msg);
        if (r < 0)
                return r;

        r = insert_code(s, factor_id, step, now, reterr_msg);
        if (r < 0)
                return r;

        return savepoint_release(&savepoint, reterr_msg);
}
