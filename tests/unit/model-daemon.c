/* SPDX-License-Identifier: Apache-2.0 */
#include "model-daemon.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/challenge-wait.h"
#include "daemon/life.h"
#include "daemon/prompt.h"
#include "model-api.h"
#include "model-prompts.h"
#include "model-rules.h"
#include "model-sim.h"

#define REPLY_SLACK (USEC_PER_SEC / 10)
#define TEMPLATE_MAX (1024 * 1024)

Daemon daemon_;

/* Where the stores are, and the one that every run begins with. */
static char root[64], directory[96], key_path[96], database_path[128];
static uint8_t *template_data;
static size_t template_len;
static Account account;
static Factor *factors[2]; /* by type: FACTOR_PUSH, FACTOR_TOTP */
static ConfigAccount account_section = {.name = (char *) "model"};
static MetadataFacts facts;
static KeySource key;

bool daemon_is_dead(void) {
        return daemon_.dead;
}

bool daemon_point(const char *where) {
        if (!daemon_.dead && daemon_.crash_in > 0 && --daemon_.crash_in == 0) {
                sim_trace("CRASH %s", where);
                daemon_.dead = true;
        }
        return daemon_.dead;
}

/* The store, which may fail and beside which the daemon may crash. */

static bool store_fails(StoreFault fault) {
        if (daemon_.fault != fault)
                return false;
        if (!daemon_.faulted)
                sim_trace("the store can't be written");
        daemon_.faulted = true;
        return true;
}

static int no_space(char **reterr_msg) {
        return error_set(reterr_msg, -ENOSPC, "the disk is full");
}

int __wrap_store_begin(Store *s, char **reterr_msg) {
        if (daemon_point("before a transaction"))
                return error_set(reterr_msg, -EIO, "dead");
        return store_fails(STORE_NO_BEGIN) ? no_space(reterr_msg)
                                           : __real_store_begin(s, reterr_msg);
}

int __wrap_store_end(Store *s, int r, char **reterr_msg) {
        if (r >= 0 && daemon_point("before a commit"))
                r = error_set(reterr_msg, -EIO, "dead");
        if (r >= 0 && store_fails(STORE_NO_COMMIT))
                r = no_space(reterr_msg);
        r = __real_store_end(s, r, reterr_msg);
        if (r >= 0)
                (void) daemon_point("after a commit");
        return r;
}

int __wrap_store_audit_append(Store *s, const AuditRecord *a, char **reterr_msg) {
        if (store_fails(STORE_NO_WRITE))
                return no_space(reterr_msg);
        return __real_store_audit_append(s, a, reterr_msg);
}

int __wrap_store_challenge_put(Store *s, StoreChallenge *c, char **reterr_msg) {
        if (store_fails(STORE_NO_WRITE))
                return no_space(reterr_msg);
        return __real_store_challenge_put(s, c, reterr_msg);
}

int __wrap_store_code_take(
                Store *s, int64_t factor_id, uint64_t step, usec_t now, char **reterr_msg) {
        int r;

        if (daemon_point("before a code is taken"))
                return error_set(reterr_msg, -EIO, "dead");
        if (store_fails(STORE_NO_COMMIT) || store_fails(STORE_NO_BEGIN))
                return no_space(reterr_msg);
        r = __real_store_code_take(s, factor_id, step, now, reterr_msg);
        if (daemon_point("after a code is taken"))
                return error_set(reterr_msg, -EIO, "dead");
        return r;
}

/* What a challenge's life needs from around it. */

/* A decider that is asked is an address; what it says, and when, is the model's. */
static char a_decider;

static bool model_asks_decider(void) {
        return daemon_.policy == POLICY_DECIDER && sim_chance(75);
}

static Verb model_verb(const ChallengeView *v) {
        static const Verb push[] = {
                        VERB_ASK, VERB_ASK, VERB_ASK, VERB_APPROVE, VERB_DENY, VERB_IGNORE};
        static const Verb totp[] = {VERB_ASK, VERB_ASK, VERB_APPROVE, VERB_IGNORE};

        if (daemon_.policy == POLICY_APPROVE)
                return VERB_APPROVE;
        if (daemon_.policy == POLICY_ASK)
                return VERB_ASK;
        return v->factor_type == FACTOR_PUSH ? push[sim_below(ELEMENTSOF(push))]
                                             : totp[sim_below(ELEMENTSOF(totp))];
}

static void model_rule(const Challenge *c, Ruling *ret) {
        const ChallengeView *v = &c->view;

        *ret = (Ruling){.verb = model_verb(v), .rule = "rule"};
        ret->may_override = daemon_.policy == POLICY_OVERRIDE && sim_chance(60);
        if (!daemon_.dead)
                daemon_.holds[provider_by_sid(v->sid)->index] =
                                ret->may_override &&
                                (ret->verb == VERB_IGNORE || ret->verb == VERB_DENY);
        if (ret->verb != VERB_ASK && !daemon_.dead)
                rules_issue(provider_by_sid(v->sid), ret->verb, v->digest,
                                version_of(v->hidden_details), "a rule");
}

static int model_policy(Challenge *c, Ruling *ret, void *userdata) {
        if (c->decider)
                sim_fail("a decider is asked twice");
        if (!daemon_.dead && sim_chance(5)) {
                sim_trace("the policy can't be told");
                return -EIO;
        }
        if (model_asks_decider()) {
                sim_trace("a decider is asked");
                c->decider = (DeciderRun *) &a_decider;
                return -EINPROGRESS;
        }
        model_rule(c, ret);
        return 0;
}

static void model_cancel(Challenge *c, void *userdata) {
        c->decider = NULL;
}

void daemon_decider_answers(unsigned remote) {
        Challenge *c = daemon_.held[remote];
        Ruling ruling;

        if (!c || !c->decider)
                return;
        if (c->view.state != CHALLENGE_DECIDING)
                sim_fail("%u: a decider is asked although it is not being decided", remote);
        c->decider = NULL;
        if (sim_chance(15)) {
                challenge_ask_anew(c);
                return;
        }
        model_rule(c, &ruling);
        challenge_ruled(c, &ruling);
}

static void model_changed(Challenge *c, void *userdata) {
        if (!daemon_.dead)
                rules_changed(c, daemon_.faulted);
        daemon_.faulted = false;
}

static void model_revoked(Factor *f, const char *why, void *userdata) {
        if (daemon_.dead || daemon_.fault != STORE_WORKS)
                return; /* the next refusal tries again */
        if (f->record.type != FACTOR_PUSH)
                sim_fail("An account's refusal revokes a factor");
        sim_trace("the factor is revoked");
        daemon_.revoked = true;
        rules_revoked(f->record.type);
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++) {
                Challenge *c = daemon_.held[i];
                if (c && c->factor == f && !life_is_final(c->view.state))
                        challenge_complete(c, CHALLENGE_FAILED, "the provider refuses its factor");
        }
}

static void model_shown(Challenge *c, void *userdata) {
        sim_trace("%u is shown differently", provider_by_sid(c->view.sid)->index);
}

static void model_cooling(Factor *f, const Challenge *cause, void *userdata) {
        sim_trace("factor %s %s", f->record.name, cause ? "cools down" : "no longer cools down");
}

static ChallengeHost host = {
                .facts = &facts,
                .policy = model_policy,
                .cancel = model_cancel,
                .changed = model_changed,
                .revoked = model_revoked,
};

/* Callers. */

static int caller_reply(Call *call, const char *error, json_object *parameters, bool continues) {
        Caller *caller = call_door_data(call);
        const Remote *r = &provider.remotes[caller->remote];
        const Challenge *c = daemon_.held[caller->remote];

        if (daemon_.dead) {
                caller->gone = true;
                return -EPIPE;
        }
        caller->n_answers++;
        const char *name = error ? strrchr(error, '.') + 1 : "";
        (void) snprintf(caller->error, sizeof(caller->error), "%s", name);
        sim_trace("the caller about %u is told %s", r->index, error ? name : "done");
        if (continues)
                sim_fail("%u: an answer in parts", r->index);
        if (!error && c->view.state != CHALLENGE_APPROVED && c->view.state != CHALLENGE_DENIED &&
                        c->view.state != CHALLENGE_IGNORED)
                sim_fail("%u: told that it is done, and it is not", r->index);
        bool early = c->view.state == CHALLENGE_DECIDING && caller->verb == VERB_APPROVE;
        if (streq(name, "StoreError") && !early && !daemon_.faulted && daemon_.fault == STORE_WORKS)
                sim_fail("%u: a caller was dropped", r->index);
        return 0;
}

void daemon_decide(unsigned remote, Verb verb, const char *digest, unsigned version) {
        static const CallDoor door = {.name = "socket", .reply = caller_reply};
        static const CallPeer peer = {.uid = 1000};
        Challenge *c = daemon_.held[remote];
        char shown[SHA256_HEX_SIZE], typed[MODEL_TYPED_SIZE];
        Call *call = NULL;
        bool enough;

        if (!c || daemon_.n_callers == MODEL_CALLERS_MAX)
                return;
        (void) snprintf(shown, sizeof(shown), "%s", digest ? digest : c->view.digest);
        if (!digest)
                version = version_of(c->view.hidden_details);
        bool types = prompts_type(c, typed, &enough);
        if (verb != VERB_APPROVE || enough)
                rules_issue(&provider.remotes[remote], verb, shown, version, "a person");
        else
                sim_trace("a person: not what has to be typed to approve %u", remote);
        rules_progress(&provider.remotes[remote]);

        Caller *caller = &daemon_.callers[daemon_.n_callers++];
        *caller = (Caller){.remote = remote, .verb = verb, .asked = sim.boot};
        assert_int_equal(call_new(&call, &door, caller, &peer, OPERATION_APPROVE, NULL, false), 0);
        bool blind = verb == VERB_IGNORE && sim_chance(50), decided = c->has_decision;
        challenge_decide(c, verb, blind ? NULL : shown, types ? typed : NULL,
                        &(Actor){.uid = 1000, .door = "socket"}, call);
        if (!daemon_.dead && !decided && c->has_decision && !blind &&
                        !streq(c->decision.digest, shown))
                sim_fail("%u: decided on what was not shown", remote);
        if (!daemon_.dead && !decided && c->has_decision && verb == VERB_APPROVE &&
                        c->decision.verb == VERB_APPROVE && !enough)
                sim_fail("%u: approved without what has to be typed", remote);
        call_unref(call);
}

void daemon_check_callers(bool end) {
        if (daemon_.dead)
                return;
        for (unsigned i = 0; i < daemon_.n_callers; i++) {
                const Caller *c = &daemon_.callers[i];
                usec_t wait = CHALLENGE_CONFIRM_TIMEOUT + REPLY_SLACK;

                if (provider.remotes[c->remote].type == FACTOR_TOTP)
                        wait += MODEL_PERIOD * USEC_PER_SEC;
                if (c->n_answers > 1 || (c->gone && c->n_answers > 0))
                        sim_fail("%u: a caller is answered twice", c->remote);
                if (c->n_answers > 0 || c->gone)
                        continue;
                const Challenge *about = daemon_.held[c->remote];
                if (end || sim.boot > c->asked + wait ||
                                (about && life_is_final(about->view.state)))
                        sim_fail("%u: a caller waits for ever", c->remote);
        }
}

/* Starting and stopping. */

static void write_database(void) {
        static const char *const others[] = {"-wal", "-shm", "-journal"};
        int fd;

        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                char path[160];
                (void) snprintf(path, sizeof(path), "%s%s", database_path, others[i]);
                (void) unlink(path);
        }
        fd = open(database_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, template_data, template_len), (ssize_t) template_len);
        assert_int_equal(close(fd), 0);
}

static StoreFactor factor_record(FactorType type) {
        bool push = type == FACTOR_PUSH;

        return (StoreFactor){
                        .name = (char *) (push ? "phone" : "codes"),
                        .type = type,
                        .status = FACTOR_VERIFIED,
                        .owner = 1000,
                        .sid = (char *) (push ? MODEL_PUSH_SID : MODEL_TOTP_SID),
                        .account_sid = (char *) MODEL_ACCOUNT,
                        .service_sid = (char *) MODEL_SERVICE,
                        .identity = (char *) MODEL_IDENTITY,
                        .credential_sid = (char *) (push ? MODEL_CREDENTIAL : NULL),
                        .account = (char *) "model",
                        .algorithm = (char *) (push ? NULL : "sha1"),
                        .digits = push ? 0 : MODEL_DIGITS,
                        .period = push ? 0 : MODEL_PERIOD,
        };
}

/* Preparing the keys costs more than all else: once is enough. */
static void load_factors(Store *store) {
        _cleanup_free_ char *why = NULL;
        StoreFactor *records = NULL;
        size_t n = 0;

        assert_int_equal(store_factors_load(store, &records, &n, &why), 0);
        assert_int_equal(n, ELEMENTSOF(factors));
        for (size_t i = 0; i < n; i++) {
                FactorType type = records[i].type;
                assert_int_equal(factor_new(&factors[type], &records[i]), 0);
        }
        free(records);
}

static void reset_factors(void) {
        for (size_t i = 0; i < ELEMENTSOF(factors); i++) {
                Factor *f = factors[i];
                f->account = daemon_.no_account ? NULL : &account;
                f->detached = daemon_.detached;
                free(f->record.match_field);
                f->record.match_field = daemon_.match ? strdup(MODEL_LABEL) : NULL;
                budget_done(&f->budget);
                f->cooling_until = 0;
                f->record.status = i == FACTOR_PUSH && daemon_.revoked ? FACTOR_REVOKED
                                                                       : FACTOR_VERIFIED;
        }
}

static void make_template(void) {
        _cleanup_free_ char *why = NULL;
        Store *store = NULL;
        int fd;

        if (store_open(&store, directory, &key, &why) < 0)
                fail_msg("%s", why);
        for (int type = FACTOR_PUSH; type <= FACTOR_TOTP; type++) {
                StoreFactor f = factor_record((FactorType) type);
                if (type == FACTOR_PUSH)
                        provider_push_key(&f.secret);
                else
                        assert_int_equal(secret_append_string(&f.secret, MODEL_SEED), 0);
                assert_int_equal(store_factor_add(store, &f, &why), 0);
                secret_done(&f.secret);
        }
        load_factors(store);
        store_close(store);
        template_data = malloc(TEMPLATE_MAX);
        assert_non_null(template_data);
        fd = open(database_path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        ssize_t n = read(fd, template_data, TEMPLATE_MAX);
        assert_true(n > 0 && n < TEMPLATE_MAX);
        template_len = (size_t) n;
        assert_int_equal(close(fd), 0);
}

void daemon_prepare(void) {
        const char *base = access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";

        (void) snprintf(root, sizeof(root), "%s/factord-model.XXXXXX", base);
        assert_non_null(mkdtemp(root));
        (void) snprintf(directory, sizeof(directory), "%s/state", root);
        (void) snprintf(key_path, sizeof(key_path), "%s/key", root);
        (void) snprintf(database_path, sizeof(database_path), "%s/factord.db", directory);
        key = key_source_file(key_path);
        account.config = &account_section;
        make_template();
}

void daemon_clean(void) {
        static const char *const names[] = {"factord.db", "factord.db-wal", "factord.db-shm",
                        "factord.db-journal", "lock"};

        free(TAKE_PTR(template_data));
        for (size_t i = 0; i < ELEMENTSOF(factors); i++)
                factors[i] = factor_unref(factors[i]);
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char path[160];
                (void) snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
                (void) unlink(path);
        }
        (void) rmdir(directory);
        (void) unlink(key_path);
        assert_int_equal(rmdir(root), 0);
}

static Factor *factor_by_id(int64_t id) {
        return factors[factors[FACTOR_PUSH]->record.id == id ? FACTOR_PUSH : FACTOR_TOTP];
}

static void load_challenges(void) {
        _cleanup_free_ char *why = NULL;
        StoreChallenge *rows = NULL;
        size_t n = 0;

        assert_int_equal(store_challenges_load(
                                         daemon_.store, __wrap_now_realtime(), &rows, &n, &why),
                        0);
        for (size_t i = 0; i < n; i++) {
                const Remote *r = provider_by_sid(rows[i].sid);
                Factor *f = factors[r->type];
                if (challenge_restore(&daemon_.held[r->index], &host, f, &rows[i], &why) < 0)
                        sim_fail("%u: can't be restored: %s", r->index, why);
                LIST_INSERT_HEAD(&f->challenges, daemon_.held[r->index], of_factor);
                store_challenge_done(&rows[i]);
        }
        free(rows);
}

static void start_prompts(void) {
        PromptsOptions options = {
                        .store = daemon_.store,
                        .api = daemon_.api,
                        .limit = daemon_.budget,
                        .shown = model_shown,
                        .cooling = model_cooling,
        };
        StoreAsked *asked = NULL;
        size_t n = 0;

        assert_int_equal(prompts_new(&host.prompts, NULL, &options), 0);
        assert_int_equal(store_asked_load(daemon_.store,
                                         usec_sub(api_now(daemon_.api), daemon_.budget.span),
                                         daemon_.budget.span, &asked, &n, NULL),
                        0);
        for (size_t i = 0, end; i < n; i = end) {
                for (end = i + 1; end < n && asked[end].factor_id == asked[i].factor_id; end++)
                        ;
                prompts_resume_budget(
                                host.prompts, factor_by_id(asked[i].factor_id), asked + i, end - i);
        }
        free(asked);
}

void daemon_start(void) {
        _cleanup_free_ char *why = NULL;

        if (daemon_.n_restarts == 0)
                write_database();
        if (store_open(&daemon_.store, directory, &key, &why) < 0)
                sim_fail("the store does not open: %s", why);
        rules_database(database_path);
        daemon_.api = model_api_new();
        host.store = daemon_.store;
        host.api = daemon_.api;
        reset_factors();
        start_prompts();
        load_challenges();
        rules_restarted();
        for (unsigned i = 0; i < MODEL_REMOTES_MAX && !daemon_.dead; i++)
                if (daemon_.held[i])
                        challenge_begin(daemon_.held[i]);
}

static void daemon_drop(void) {
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++) {
                daemon_.held[i] = challenge_free(daemon_.held[i]);
                free(TAKE_PTR(daemon_.page[i]));
        }
        for (size_t i = 0; i < ELEMENTSOF(factors); i++)
                LIST_INIT(&factors[i]->challenges);
        host.prompts = prompts_free(host.prompts);
        daemon_.has_page = false;
        model_api_free(TAKE_PTR(daemon_.api));
        rules_database(NULL);
        daemon_.store = store_close(daemon_.store);
        if (sim_n_timers() != 0)
                sim_fail("a timer is left behind");
}

void daemon_restart(void) {
        sim_trace("RESTART");
        daemon_.dead = true;
        daemon_drop();
        daemon_.dead = false;
        daemon_.faulted = false;
        daemon_.n_restarts++;
        daemon_start();
}

void daemon_done(void) {
        daemon_.dead = true;
        daemon_drop();
        daemon_ = (Daemon){0};
}

/* The poller, as daemon/manager-poll.c goes about it. */

static bool is_polled(const Factor *f) {
        return factor_is_active(f) && (f->record.type == FACTOR_PUSH || f->account);
}

void daemon_ask_page(bool complete) {
        provider_tick();
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++) {
                const Remote *r = &provider.remotes[i];
                free(TAKE_PTR(daemon_.page[i]));
                /* Also a list that calls itself complete may be a little behind. */
                if (i < provider.n_remotes && r->status == PROVIDER_PENDING && !r->gone &&
                                sim_chance(complete ? 90 : 50))
                        daemon_.page[i] = provider_body(r, true);
        }
        daemon_.page_complete = complete;
        daemon_.has_page = true;
}

static bool has_ended(const char *sid) {
        StoreChallenge row = {0};
        bool ended;

        if (store_challenge_get(daemon_.store, sid, &row, NULL) < 0)
                return false;
        ended = life_is_final(row.state);
        store_challenge_done(&row);
        return ended;
}

static void take_item(unsigned i) {
        _cleanup_(verify_challenge_done) VerifyChallenge item = {0};
        const char *body = daemon_.page[i];
        Factor *f = factors[provider.remotes[i].type];

        if (daemon_.held[i] || !is_polled(f) || has_ended(provider.remotes[i].sid))
                return;
        assert_int_equal(verify_challenge_read(&item, body, strlen(body), NULL), 0);
        assert_int_equal(challenge_new(&daemon_.held[i], &host, f, &item), 0);
        LIST_INSERT_HEAD(&f->challenges, daemon_.held[i], of_factor);
        sim_trace("%u is discovered", i);
        challenge_begin(daemon_.held[i]);
}

void daemon_take_page(void) {
        if (!daemon_.has_page)
                return;
        sim_trace("a list comes%s", daemon_.page_complete ? "" : " in part");
        model_api_observe(daemon_.api);
        for (unsigned i = 0; i < MODEL_REMOTES_MAX && !daemon_.dead; i++)
                if (daemon_.page[i])
                        take_item(i);
        for (unsigned i = 0; i < MODEL_REMOTES_MAX && !daemon_.dead; i++) {
                Challenge *c = daemon_.held[i];
                if (!daemon_.page[i] && daemon_.page_complete && c && is_polled(c->factor))
                        challenge_missed(c);
        }
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++)
                free(TAKE_PTR(daemon_.page[i]));
        daemon_.has_page = false;
}
