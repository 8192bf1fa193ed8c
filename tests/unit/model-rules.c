/* SPDX-License-Identifier: Apache-2.0 */
#include "model-rules.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "daemon/life.h"
#include "model-api.h"
#include "model-daemon.h"
#include "model-sim.h"

#define ISSUED_MAX 64
#define CODES_MAX 3
#define WRONG_MAX 3
#define STEPS_MAX 16
#define STATEMENTS_MAX 32
#define AT_ONCE_MAX 3                        /* requests of a challenge at one instant */
#define RETRY_MIN (20 * USEC_PER_MSEC)       /* after a fault that may pass */
#define RETRY_MAX (30 * USEC_PER_SEC)        /* likewise */
#define END_MAX (10 * USEC_PER_MINUTE)       /* past its life */
#define SLACK (2 * USEC_PER_SEC + RETRY_MAX) /* clocks, and a last attempt */

/* Who decided what, on which version. */
typedef struct Issued {
        Verb verb;
        char digest[SHA256_HEX_SIZE];
        unsigned version;
} Issued;

/* What is known of a challenge from outside. */
typedef struct Watch {
        Issued issued[ISSUED_MAX];
        unsigned n_issued;
        uint64_t updated; /* the number of the last update that left */
        uint64_t fetched; /* the number of the fetch that said pending last */
        char *record;     /* what it said, to this daemon */
        bool header_good;
        unsigned n_codes;
        uint64_t steps[STEPS_MAX];
        unsigned n_spent;     /* of them, those that the provider may have looked at */
        const char *may_fail; /* a definite reason came */
        bool in_transient;    /* a reply that decides nothing is being told */
        uint64_t n_sent_before;
        ChallengeState state; /* in memory */
        ChallengeState durable;
        char standing[DECISION_ID_SIZE];
        usec_t at; /* of the last request */
        unsigned n_at_once;
        usec_t not_before, not_after; /* the next attempt */
} Watch;

MoveCounts rules_moves;
static Watch watches[MODEL_REMOTES_MAX];
static sqlite3 *database;
static uint64_t n_sent;
static ChallengeState moving_from;

void rules_start(void) {
        rules_done();
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++)
                watches[i] = (Watch){.not_after = USEC_INFINITY};
        n_sent = 0;
}

void rules_done(void) {
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++)
                free(TAKE_PTR(watches[i].record));
}

/* The database, as another connection sees it. */

/* Statements are told apart by their text's address: each stands once in this file. */
static struct {
        const char *sql;
        sqlite3_stmt *handle;
} statements[STATEMENTS_MAX];

static sqlite3_stmt *statement(const char *sql) {
        size_t i;

        for (i = 0; i < STATEMENTS_MAX && statements[i].sql; i++)
                if (statements[i].sql == sql)
                        return statements[i].handle;
        assert_true(i < STATEMENTS_MAX);
        if (sqlite3_prepare_v2(database, sql, -1, &statements[i].handle, NULL) != SQLITE_OK)
                fail_msg("%s: %s", sql, sqlite3_errmsg(database));
        statements[i].sql = sql;
        return statements[i].handle;
}

void rules_database(const char *path) {
        for (size_t i = 0; i < STATEMENTS_MAX; i++) {
                (void) sqlite3_finalize(statements[i].handle);
                statements[i].handle = NULL;
                statements[i].sql = NULL;
        }
        assert_int_equal(sqlite3_close(database), SQLITE_OK);
        database = NULL;
        if (path)
                assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL),
                                SQLITE_OK);
}

/* Runs a query with up to two parameters; the first row's columns go to text. */
static int64_t ask(const char *sql, const char *a, const char *b, char *text, size_t size) {
        sqlite3_stmt *st = statement(sql);
        int64_t value = 0;

        if (a)
                (void) sqlite3_bind_text(st, 1, a, -1, SQLITE_STATIC);
        if (b)
                (void) sqlite3_bind_text(st, 2, b, -1, SQLITE_STATIC);
        if (text)
                text[0] = '\0';
        if (sqlite3_step(st) == SQLITE_ROW) {
                value = sqlite3_column_int64(st, 0);
                const char *column = (const char *) sqlite3_column_text(st, 0);
                if (text && column)
                        (void) snprintf(text, size, "%s", column);
        }
        (void) sqlite3_reset(st);
        return value;
}

static int64_t count(const char *sql, const char *a, const char *b) {
        return ask(sql, a, b, NULL, 0);
}

static ChallengeState durable_state(const char *sid) {
        char word[32];

        (void) ask("SELECT state FROM challenge WHERE sid = ?", sid, NULL, word, sizeof(word));
        return word[0] ? (ChallengeState) challenge_state_from_string(word) : CHALLENGE_DISCOVERED;
}

static void standing_decision(const char *sid, char ret[static DECISION_ID_SIZE]) {
        (void) ask("SELECT id FROM decision WHERE challenge_sid = ? AND voided IS NULL", sid, NULL,
                        ret, DECISION_ID_SIZE);
}

/* Deciding. */

void rules_issue(const Remote *r, Verb verb, const char *digest, unsigned version, const char *by) {
        Watch *w = &watches[r->index];

        sim_trace("%s: %s %u, version %u", by, verb_to_string(verb), r->index, version);
        assert_true(w->n_issued < ISSUED_MAX);
        Issued *i = &w->issued[w->n_issued++];
        i->verb = verb;
        i->version = version;
        (void) snprintf(i->digest, sizeof(i->digest), "%s", digest);
        rules_progress(r);
}

static const Issued *issued_as(const Watch *w, Verb verb, const char *digest) {
        for (unsigned i = 0; i < w->n_issued; i++)
                if (w->issued[i].verb == verb && streq(w->issued[i].digest, digest))
                        return &w->issued[i];
        return NULL;
}

void rules_progress(const Remote *r) {
        watches[r->index].n_at_once = 0;
}

/* On the wire. */

/* What is signed is what the last fetch said, each field byte for byte, and nothing else. */
static void check_signed(const Watch *w, const Remote *r, const char *payload, Verb verb) {
        _cleanup_free_ char *text = jws_open(payload);
        _cleanup_(json_doc_freep) JsonDoc *signed_doc = NULL, *doc = NULL;
        JsonSlice a, b;

        if (!text || json_doc_parse(&signed_doc, text, strlen(text), NULL) < 0)
                sim_fail("%u: the signature is not the factor's", r->index);
        assert_int_equal(json_doc_parse(&doc, w->record, strlen(w->record), NULL), 0);
        for (size_t i = 0; i < json_doc_n_members(signed_doc); i++) {
                const char *name = json_doc_member_name(signed_doc, i);
                assert_true(json_doc_raw(signed_doc, name, &a));
                if (streq(name, "status")) {
                        const char *word = verb == VERB_APPROVE ? "\"approved\"" : "\"denied\"";
                        if (a.len != strlen(word) || memcmp(a.data, word, a.len) != 0)
                                sim_fail("%u: the wrong status is signed", r->index);
                } else if (!json_doc_raw(doc, name, &b) || a.len != b.len ||
                                memcmp(a.data, b.data, a.len) != 0)
                        sim_fail("%u: %s is signed but was not received so", r->index, name);
        }
        if (json_doc_n_members(signed_doc) != 10)
                sim_fail("%u: not the fields that the header names are signed", r->index);
}

static void check_code(Watch *w, const Remote *r, const char *code) {
        uint64_t step = api_now(daemon_.api) / USEC_PER_SEC / MODEL_PERIOD;
        char right[MODEL_DIGITS + 1];

        code_of(step, right);
        if (!streq(right, code))
                sim_fail("%u: the code is not this step's", r->index);
        if (w->n_spent == CODES_MAX)
                sim_fail("%u: a fourth code", r->index);
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++)
                for (unsigned j = 0; j < watches[i].n_codes; j++)
                        if (watches[i].steps[j] == step)
                                sim_fail("%u: the code of a step leaves again", r->index);
        assert_true(w->n_codes < STEPS_MAX);
        w->steps[w->n_codes++] = step;
        w->n_spent++;
}

static void check_update(Watch *w, const Remote *r, const VerifyRequest *request) {
        _cleanup_free_ char *payload = NULL, *metadata = NULL, *id = NULL;
        char standing[DECISION_ID_SIZE], digest[SHA256_HEX_SIZE], word[16];
        const Issued *issued;

        update_read(request, &payload, &metadata);
        id = decision_of(metadata);
        standing_decision(r->sid, standing);
        if (!id || !streq(id, standing))
                sim_fail("%u: an update without a durable decision", r->index);
        if (count("SELECT count(*) FROM audit WHERE event = 'decision' AND decision = ?", id,
                            NULL) != 1)
                sim_fail("%u: an update without its decision's audit record", r->index);
        if (durable_state(r->sid) != CHALLENGE_SUBMITTED)
                sim_fail("%u: an update that the store does not know of", r->index);
        (void) ask("SELECT digest FROM decision WHERE id = ?", id, NULL, digest, sizeof(digest));
        (void) ask("SELECT verb FROM decision WHERE id = ?", id, NULL, word, sizeof(word));
        issued = issued_as(w, (Verb) verb_from_string(word), digest);
        if (!issued)
                sim_fail("%u: nobody decided so", r->index);
        if (issued->verb != VERB_APPROVE && issued->verb != VERB_DENY)
                sim_fail("%u: an update to %s", r->index, word);
        if (!w->record || w->fetched <= w->updated)
                sim_fail("%u: an update without a fetch before it", r->index);
        if (issued->version != version_of(w->record))
                sim_fail("%u: version %u was shown, the provider has version %u", r->index,
                                issued->version, version_of(w->record));
        if (r->type == FACTOR_TOTP) {
                check_code(w, r, payload);
                return;
        }
        if (!w->header_good)
                sim_fail("%u: signed without a word on what to sign", r->index);
        check_signed(w, r, payload, issued->verb);
}

static void check_pace(Watch *w, const Remote *r) {
        w->n_at_once = w->at == sim.boot ? w->n_at_once + 1 : 1;
        w->at = sim.boot;
        if (w->n_at_once > AT_ONCE_MAX)
                sim_fail("%u: request after request at the same instant", r->index);
        if (sim.boot < w->not_before)
                sim_fail("%u: again after no time at all", r->index);
        w->not_before = 0;
        w->not_after = USEC_INFINITY;
}

uint64_t rules_sent(const Remote *r, const VerifyRequest *request, const ApiWho *who) {
        Watch *w = &watches[r->index];
        char path[256];

        (void) snprintf(path, sizeof(path),
                        "/v2/Services/" MODEL_SERVICE "/Entities/" MODEL_IDENTITY "/Challenges/%s",
                        r->sid);
        if (request->creates || request->method == VERIFY_DELETE || !streq(request->path, path))
                sim_fail("%u: an uncalled-for request, %s", r->index, request->path);
        if (r->type == FACTOR_PUSH ? !who->device || who->device->record.type != r->type
                                   : !who->account)
                sim_fail("%u: not with its factor's credential", r->index);
        if (life_is_final(w->state))
                sim_fail("%u: a request after its end", r->index);
        check_pace(w, r);
        n_sent++;
        if (request->method == VERIFY_POST) {
                check_update(w, r, request);
                w->updated = n_sent;
        }
        return n_sent;
}

static void note_record(Watch *w,
                const Remote *r,
                VerifyMethod method,
                uint64_t number,
                const ApiReply *reply,
                bool header_good) {
        _cleanup_(verify_challenge_done) VerifyChallenge record = {0};

        if (verify_challenge_read(&record, reply->body, reply->len, NULL) < 0 ||
                        method != VERIFY_GET)
                return;
        if (!streq(record.sid, r->sid)) {
                w->may_fail = "another challenge's record";
                return;
        }
        if (record.status != PROVIDER_PENDING)
                return;
        free(w->record);
        w->record = strdup(reply->body);
        w->fetched = number;
        w->header_good = header_good;
        if (!header_good && r->type == FACTOR_PUSH)
                w->may_fail = "no word on what to sign";
}

void rules_reply(const Remote *r,
                VerifyMethod method,
                uint64_t number,
                const ApiReply *reply,
                bool transient,
                bool header_good) {
        Watch *w = &watches[r->index];

        /* An account's credentials may be mended: that is no answer's end. */
        w->in_transient =
                        transient || (reply->outcome == API_UNAUTHORIZED && r->type == FACTOR_TOTP);
        w->n_sent_before = n_sent;
        if (method == VERIFY_POST && r->type == FACTOR_TOTP &&
                        (reply->outcome == API_NOT_SENT || reply->http_status == 429))
                w->n_spent--;
        if (reply->outcome == API_OK)
                note_record(w, r, method, number, reply, header_good);
        else if (reply->outcome == API_REFUSED ||
                        (reply->outcome == API_UNAUTHORIZED && r->type == FACTOR_PUSH))
                w->may_fail = "refused";
}

void rules_replied(const Remote *r, const ApiReply *reply, bool transient) {
        Watch *w = &watches[r->index];
        usec_t wait = reply->retry_after > RETRY_MAX ? reply->retry_after : RETRY_MAX;

        w->in_transient = false;
        if (!transient || daemon_.dead ||
                        (w->state != CHALLENGE_ANSWERING && w->state != CHALLENGE_SUBMITTED))
                return;
        /* An inquiry that a decision has waited for is followed at once. */
        if (n_sent != w->n_sent_before)
                return;
        w->not_before = sim.boot + RETRY_MIN;
        /* Nor before the provider's own word, as far as there is life. */
        if (reply->retry_after > 0 &&
                        api_now(daemon_.api) + reply->retry_after + 2 * USEC_PER_SEC < r->expires)
                w->not_before = sim.boot + reply->retry_after;
        w->not_after = usec_add(sim.boot, wait + USEC_PER_SEC);
}

void rules_revoked(FactorType type) {
        for (unsigned i = 0; i < provider.n_remotes; i++)
                if (provider.remotes[i].type == type)
                        watches[i].may_fail = "revoked";
}

/* Moving. */

bool __wrap_life_may_move(ChallengeState from, ChallengeState to) {
        moving_from = from;
        if (!__real_life_may_move(from, to))
                sim_fail("An illegal move from %s to %s", challenge_state_to_string(from),
                                challenge_state_to_string(to));
        return true;
}

static bool is_ours(const Remote *r, const Challenge *c) {
        return c->has_decision && streq(r->decision, c->decision.id);
}

static void check_end(const Watch *w, const Remote *r, const Challenge *c) {
        ProviderStatus wanted =
                        c->view.state == CHALLENGE_APPROVED ? PROVIDER_APPROVED : PROVIDER_DENIED;

        switch (c->view.state) {
        case CHALLENGE_APPROVED:
        case CHALLENGE_DENIED:
                if (r->status != wanted || !is_ours(r, c))
                        sim_fail("%u: %s, but the provider does not have it from us", r->index,
                                        challenge_state_to_string(c->view.state));
                return;
        case CHALLENGE_SUPERSEDED:
                if (!r->gone && (is_ours(r, c) || r->status == PROVIDER_PENDING))
                        sim_fail("%u: superseded by ourselves or by nobody", r->index);
                return;
        case CHALLENGE_EXPIRED:
                if (r->status != PROVIDER_EXPIRED && api_now(daemon_.api) < c->view.expires)
                        sim_fail("%u: expired before its time", r->index);
                return;
        case CHALLENGE_FAILED:
                if (w->in_transient)
                        sim_fail("%u: a fault that may pass ends it", r->index);
                if (!w->may_fail && c->attempts < CODES_MAX && r->version < MODEL_LONG)
                        sim_fail("%u: failed for no definite reason", r->index);
                return;
        case CHALLENGE_IGNORED:
                if (!c->has_decision || c->decision.verb != VERB_IGNORE)
                        sim_fail("%u: ignored by nobody", r->index);
                return;
        case CHALLENGE_DISCOVERED:
        case CHALLENGE_DECIDING:
        case CHALLENGE_ASKING:
        case CHALLENGE_ANSWERING:
        case CHALLENGE_SUBMITTED:
        case _CHALLENGE_STATE_MAX:
                return;
        }
}

/* The first decision stands until the provider has another version, and then it is voided. */
static void check_standing(Watch *w, const Remote *r) {
        char standing[DECISION_ID_SIZE], digest[SHA256_HEX_SIZE];

        standing_decision(r->sid, standing);
        if (w->standing[0] && !streq(w->standing, standing)) {
                if (count("SELECT count(*) FROM audit WHERE event = 'void' AND decision = ?",
                                    w->standing, NULL) != 1)
                        sim_fail("%u: a decision is gone without a record", r->index);
                (void) ask("SELECT digest FROM decision WHERE id = ?", w->standing, NULL, digest,
                                sizeof(digest));
                for (unsigned i = 0; i < w->n_issued; i++)
                        if (streq(w->issued[i].digest, digest) && w->record &&
                                        w->issued[i].version == version_of(w->record))
                                sim_fail("%u: a decision is voided that was not stale", r->index);
        }
        memcpy(w->standing, standing, sizeof(standing));
}

void rules_changed(const Challenge *c, bool faulted) {
        const Remote *r = provider_by_sid(c->view.sid);
        Watch *w = &watches[r->index];
        ChallengeState to = c->view.state, durable = durable_state(r->sid);

        sim_trace("%u: %s%s%s", r->index, challenge_state_to_string(to), c->view.reason ? ", " : "",
                        strempty(c->view.reason));
        if (life_is_final(w->durable) || (life_is_final(w->state) && to != w->state))
                sim_fail("%u: %s after its end", r->index, challenge_state_to_string(to));
        if (durable != to && (!life_is_final(to) || !faulted))
                sim_fail("%u: %s, but the store says %s", r->index, challenge_state_to_string(to),
                                challenge_state_to_string(durable));
        if (!life_is_final(w->state)) {
                if (w->state == CHALLENGE_DISCOVERED && moving_from == CHALLENGE_DECIDING)
                        rules_moves[CHALLENGE_DISCOVERED][CHALLENGE_DECIDING]++;
                rules_moves[moving_from][to]++;
                check_end(w, r, c);
        }
        check_standing(w, r);
        w->state = to;
        w->durable = durable;
        w->n_at_once = 0;
        if (life_is_final(to))
                w->not_after = USEC_INFINITY;
}

static void check_restored(Watch *w, const Remote *r) {
        const Challenge *c = daemon_.held[r->index];
        char standing[DECISION_ID_SIZE];

        standing_decision(r->sid, standing);
        if (w->standing[0] && !streq(w->standing, standing) &&
                        count("SELECT count(*) FROM audit WHERE event = 'void' AND decision = ?",
                                        w->standing, NULL) != 1)
                sim_fail("%u: a decision was forgotten", r->index);
        memcpy(w->standing, standing, sizeof(standing));
        if (life_is_final(w->durable) && w->state != w->durable)
                sim_fail("%u: %s before, %s after a restart", r->index,
                                challenge_state_to_string(w->durable),
                                challenge_state_to_string(w->state));
        w->durable = w->state;
        if (life_is_final(w->state) || w->state == CHALLENGE_DISCOVERED)
                return;
        if (!c || c->view.state != w->state || c->has_decision != (standing[0] != '\0') ||
                        (c->has_decision && !streq(c->decision.id, standing)))
                sim_fail("%u: not what it was before the restart", r->index);
        if (c->has_decision != (w->state == CHALLENGE_ANSWERING || w->state == CHALLENGE_SUBMITTED))
                sim_fail("%u: decided or not?", r->index);
}

void rules_restarted(void) {
        for (unsigned i = 0; i < provider.n_remotes; i++) {
                Watch *w = &watches[i];
                w->state = durable_state(provider.remotes[i].sid);
                free(TAKE_PTR(w->record));
                w->n_at_once = 0;
                w->not_before = 0;
                w->not_after = USEC_INFINITY;
                check_restored(w, &provider.remotes[i]);
        }
}

void rules_tick(void) {
        for (unsigned i = 0; i < provider.n_remotes; i++) {
                const Remote *r = &provider.remotes[i];
                const Watch *w = &watches[i];
                if (sim.boot > w->not_after)
                        sim_fail("%u: no attempt for too long", i);
                if (daemon_.held[i] && !life_is_final(w->state) && api_clock(daemon_.api)->heard &&
                                !api_clock(daemon_.api)->has_candidate &&
                                api_now(daemon_.api) > r->expires + END_MAX + SLACK)
                        sim_fail("%u: it never ends", i);
        }
}

static void check_records(const Remote *r) {
        const char *sid = r->sid;
        int64_t n_decisions =
                        count("SELECT count(*) FROM decision WHERE challenge_sid = ?", sid, NULL);
        int64_t n_voided =
                        count("SELECT count(*) FROM decision WHERE challenge_sid = ? AND voided "
                              "IS NOT NULL",
                                        sid, NULL);

        int64_t n_wrong =
                        count("SELECT count(*) FROM audit WHERE event = 'mismatch' AND "
                              "challenge = ?",
                                        sid, NULL);

        if (n_wrong > WRONG_MAX ||
                        (n_wrong == WRONG_MAX && durable_state(sid) != CHALLENGE_IGNORED) ||
                        count("SELECT mismatches FROM challenge WHERE sid = ?", sid, NULL) !=
                                        n_wrong)
                sim_fail("%u: %d wrong values", r->index, (int) n_wrong);
        if (count("SELECT count(*) FROM audit WHERE event = 'outcome' AND challenge = ?", sid,
                            NULL) != 1 ||
                        count("SELECT count(*) FROM audit WHERE event = 'outcome' AND challenge = "
                              "? AND outcome = ?",
                                        sid, challenge_state_to_string(durable_state(sid))) != 1)
                sim_fail("%u: not one audit record of its outcome", r->index);
        if (count("SELECT count(DISTINCT decision) FROM audit WHERE event = 'decision' AND "
                  "challenge = ?",
                            sid, NULL) != n_decisions ||
                        count("SELECT count(*) FROM audit WHERE event = 'decision' AND challenge "
                              "= ?",
                                        sid, NULL) != n_decisions)
                sim_fail("%u: not one audit record a decision", r->index);
        if (count("SELECT count(DISTINCT decision) FROM audit WHERE event = 'void' AND challenge "
                  "= ?",
                            sid, NULL) != n_voided ||
                        n_decisions > n_voided + 1)
                sim_fail("%u: decisions that were not voided", r->index);
}

void rules_end(void) {
        for (unsigned i = 0; i < provider.n_remotes; i++) {
                const Remote *r = &provider.remotes[i];
                if (!daemon_.held[i])
                        continue; /* it was never heard of */
                if (!life_is_final(watches[i].state))
                        sim_fail("%u: it has not ended", i);
                if (!life_is_final(durable_state(r->sid)))
                        sim_fail("%u: its end is not on record", i);
                check_records(r);
        }
}
