/* SPDX-License-Identifier: Apache-2.0 */
#include "store/store.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "store/database.h"

/* With the standing decision; in the order of read_challenge(). */
#define SELECT_CHALLENGE                                                                           \
        "SELECT c.sid, c.factor_id, c.state, c.document, c.reason, c.expires, c.changed, "         \
        "c.sequence, c.attempts, c.mismatches, c.asked, c.held_rule, c.held_verb, "                \
        "c.held_policy, "                                                                          \
        "d.id IS NOT NULL, d.id, d.digest, d.verb, d.uid, d.door, d.rule, d.made "                 \
        "FROM challenge c "                                                                        \
        "LEFT JOIN decision d ON d.challenge_sid = c.sid AND d.voided IS NULL "

void store_challenge_done(StoreChallenge *c) {
        free(c->document);
        free(c->reason);
        free(c->held_rule);
        free(c->held_policy);
        store_decision_done(&c->decision);
        *c = (StoreChallenge){0};
}

static bool state_is_final(ChallengeState state) {
        switch (state) {
        case CHALLENGE_APPROVED:
        case CHALLENGE_DENIED:
        case CHALLENGE_EXPIRED:
        case CHALLENGE_IGNORED:
        case CHALLENGE_SUPERSEDED:
        case CHALLENGE_FAILED:
                return true;
        case CHALLENGE_DISCOVERED:
        case CHALLENGE_DECIDING:
        case CHALLENGE_ASKING:
        case CHALLENGE_ANSWERING:
        case CHALLENGE_SUBMITTED:
        case _CHALLENGE_STATE_MAX:
                break;
        }

        return false;
}

/* The decision's challenge and factor are the row's own. */
static void read_decision(Statement *st, const StoreChallenge *c, StoreDecision *d) {
        (void) snprintf(d->challenge_sid, sizeof(d->challenge_sid), "%s", c->sid);
        d->factor_id = c->factor_id;
        column_copy(st, d->id, sizeof(d->id));
        column_copy(st, d->digest, sizeof(d->digest));
        d->verb = (Verb) column_word(st, verb_from_string);
        d->uid = (uid_t) column_int(st);
        d->door = column_text(st);
        d->rule = column_text(st);
        d->made = column_usec(st);
}

static void read_held(Statement *st, StoreChallenge *c) {
        _cleanup_free_ char *verb = NULL;

        c->held_rule = column_text(st);
        verb = column_text(st);
        /* Nothing else is held back. */
        c->held_verb = verb && verb_from_string(verb) == VERB_DENY ? VERB_DENY : VERB_IGNORE;
        c->held_policy = column_text(st);
}

static int read_challenge(Statement *st, StoreChallenge *c, char **reterr_msg) {
        column_copy(st, c->sid, sizeof(c->sid));
        c->factor_id = column_int(st);
        c->state = (ChallengeState) column_word(st, challenge_state_from_string);
        c->document = column_text(st);
        c->reason = column_text(st);
        c->expires = column_usec(st);
        c->changed = column_usec(st);
        c->sequence = (uint64_t) column_int(st);
        c->attempts = column_int(st);
        c->mismatches = column_int(st);
        c->asked = column_usec(st);
        read_held(st, c);
        c->has_decision = column_int(st) != 0;
        if (c->has_decision)
                read_decision(st, c, &c->decision);

        return statement_check(st, reterr_msg);
}

static int write_challenge(
                Store *s, const StoreChallenge *c, uint64_t sequence, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        "INSERT INTO challenge (sid, factor_id, state, final, document, reason, "
                        "expires, changed, sequence, attempts, mismatches, asked, held_rule, "
                        "held_verb, held_policy) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sid) DO "
                        "UPDATE "
                        "SET factor_id = excluded.factor_id, "
                        "state = excluded.state, final = excluded.final, "
                        "document = excluded.document, reason = excluded.reason, "
                        "expires = excluded.expires, changed = excluded.changed, "
                        "sequence = excluded.sequence, attempts = excluded.attempts, "
                        "mismatches = excluded.mismatches, asked = excluded.asked, "
                        "held_rule = excluded.held_rule, held_verb = excluded.held_verb, "
                        "held_policy = excluded.held_policy",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_text(&st, c->sid);
        bind_int(&st, c->factor_id);
        bind_text(&st, challenge_state_to_string(c->state));
        bind_int(&st, state_is_final(c->state));
        bind_text(&st, c->document);
        bind_text(&st, c->reason);
        bind_usec(&st, c->expires);
        bind_usec(&st, c->changed);
        bind_int(&st, (int64_t) sequence);
        bind_int(&st, c->attempts);
        bind_int(&st, c->mismatches);
        bind_usec(&st, c->asked);
        bind_text(&st, c->held_rule);
        bind_text(&st, c->held_rule ? verb_to_string(c->held_verb) : NULL);
        bind_text(&st, c->held_rule ? c->held_policy : NULL);

        r = statement_run(&st, reterr_msg);
        if (r == -ENOENT)
                return error_set(reterr_msg, r,
                                "Challenge %s is of a factor that the store does not hold", c->sid);

        return r;
}

int store_challenge_put(Store *s, StoreChallenge *c, char **reterr_msg) {
        _cleanup_(savepoint_done) Savepoint savepoint = {0};
        uint64_t sequence;
        int r;

        r = savepoint_begin(&savepoint, s, reterr_msg);
        if (r < 0)
                return r;

        r = store_sequence_next(s, &sequence, reterr_msg);
        if (r < 0)
                return r;

        r = write_challenge(s, c, sequence, reterr_msg);
        if (r < 0)
                return r;

        r = savepoint_release(&savepoint, reterr_msg);
        if (r < 0)
                return r;

        c->sequence = sequence;
        return 0;
}

typedef struct ChallengeArray {
        StoreChallenge *items;
        size_t n;
} ChallengeArray;

static void challenge_array_done(ChallengeArray *a) {
        for (size_t i = 0; i < a->n; i++)
                store_challenge_done(a->items + i);
        free(a->items);
}

static int read_all(Statement *st, StoreChallenge **ret, size_t *ret_n, char **reterr_msg) {
        _cleanup_(challenge_array_done) ChallengeArray a = {0};
        bool row;
        int r;

        for (;;) {
                r = statement_step(st, &row, reterr_msg);
                if (r < 0)
                        return r;
                if (!row)
                        break;

                StoreChallenge *items = array_grow(a.items, a.n, sizeof(*items));
                if (!items)
                        return -ENOMEM;
                a.items = items;
                a.items[a.n] = (StoreChallenge){0};

                r = read_challenge(st, a.items + a.n++, reterr_msg);
                if (r < 0)
                        return r;
        }

        *ret = TAKE_PTR(a.items);
        *ret_n = a.n;
        a.n = 0;
        return 0;
}

int store_challenges_load(
                Store *s, usec_t now, StoreChallenge **ret, size_t *ret_n, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        SELECT_CHALLENGE
                        "WHERE c.final = 0 OR (c.final = 1 AND c.expires > ?) "
                        "ORDER BY c.expires, c.sequence",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_usec(&st, now);
        return read_all(&st, ret, ret_n, reterr_msg);
}

int store_challenges_page(Store *s,
                uint64_t after,
                usec_t since,
                size_t max,
                StoreChallenge **ret,
                size_t *ret_n,
                char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s,
                        SELECT_CHALLENGE
                        "WHERE c.sequence > ? AND c.changed >= ? AND c.document IS NOT NULL "
                        "ORDER BY c.sequence LIMIT ?",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, (int64_t) after);
        bind_usec(&st, since);
        bind_int(&st, (int64_t) max);
        return read_all(&st, ret, ret_n, reterr_msg);
}

int store_challenge_get(Store *s, const char *sid, StoreChallenge *ret, char **reterr_msg) {
        _cleanup_(store_challenge_done) StoreChallenge c = {0};
        _cleanup_(statement_done) Statement st = {0};
        bool row;
        int r;

        r = statement_prepare(&st, s, SELECT_CHALLENGE "WHERE c.sid = ?", reterr_msg);
        if (r < 0)
                return r;

        bind_text(&st, sid);
        r = statement_step(&st, &row, reterr_msg);
        if (r < 0)
                return r;

        if (!row)
                return error_set(reterr_msg, -ENOENT, "The store holds no challenge %s", sid);

        r = read_challenge(&st, &c, reterr_msg);
        if (r < 0)
                return r;

        *ret = c;
        c = (StoreChallenge){0};
        return 0;
}

int store_digest(const Store *s, const char *digest, char ret[static SHA256_HEX_SIZE]) {
        uint8_t mac[SHA256_SIZE];
        size_t len;

        if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, s->digest_key.data, s->digest_key.len,
                            (const uint8_t *) digest, strlen(digest), mac, sizeof(mac), &len) ||
                        len != sizeof(mac))
                return -EIO;
        hex_encode(mac, sizeof(mac), ret);
        return 0;
}

uint64_t store_sequence(const Store *s) {
        return s->tail.sequence;
}

int store_sequence_take(Store *s, size_t n, uint64_t *ret_first, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int64_t value;
        bool found;
        int r;

        /* Kept apart from the rows that it numbers, so that it rises even when they are dropped. */
        r = statement_prepare(&st, s,
                        "UPDATE meta SET value = value + ? WHERE name = 'sequence' RETURNING value",
                        reterr_msg);
        if (r < 0)
                return r;

        bind_int(&st, (int64_t) n);
        r = statement_take_int(&st, &found, &value, reterr_msg);
        if (r < 0)
                return r;

        if (!found)
                return error_set(reterr_msg, -EUCLEAN, "%s lacks its sequence number", s->path);

        s->tail.sequence = (uint64_t) value;
        *ret_first = s->tail.sequence - n + 1;
        return 0;
}

int store_sequence_next(Store *s, uint64_t *ret, char **reterr_msg) {
        return store_sequence_take(s, 1, ret, reterr_msg);
}

static int prune(Store *s, const char *sql, usec_t before, char **reterr_msg) {
        _cleanup_(statement_done) Statement st = {0};
        int r;

        r = statement_prepare(&st, s, sql, reterr_msg);
        if (r < 0)
                return r;

        bind_usec(&st, before);
        return statement_run(&st, reterr_msg);
}

int store_challenges_prune(Store *s, usec_t text_before, usec_t row_before, char **reterr_msg) {
        _cleanup_(savepoint_done) Savepoint savepoint = {0};
        int r;

        r = savepoint_begin(&savepoint, s, reterr_msg);
        if (r < 0)
                return r;

        r = prune(s, "DELETE FROM challenge WHERE final = 1 AND changed < ?", row_before,
                        reterr_msg);
        if (r < 0)
                return r;

        r = prune(s,
                        "UPDATE challenge SET document = NULL, reason = NULL "
                        "WHERE final = 1 AND changed < ? AND document IS NOT NULL",
                        text_before, reterr_msg);
        if (r < 0)
                return r;

        r = savepoint_release(&savepoint, reterr_msg);
        if (r < 0)
                return r;

        /* The text is gone from the database, and with this from its log. Inside a transaction, or
         * while somebody reads, that waits for another time. */
        (void) sqlite3_wal_checkpoint_v2(s->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        return 0;
}
