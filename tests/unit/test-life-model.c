/* SPDX-License-Identifier: Apache-2.0 */
/* A model check of a challenge's life: thousands of random interleavings of what a provider, a
 * network, people, a clock, a disk and a power cut may do, against the shipped code.
 *
 * FACTORD_MODEL_SEED and FACTORD_MODEL_RUNS repeat a run or make more of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#include "daemon/life.h"
#include "log/log.h"
#include "model-api.h"
#include "model-daemon.h"
#include "model-prompts.h"
#include "model-rules.h"
#include "model-sim.h"

#define SEED_DEFAULT 1
#define RUNS_DEFAULT 2500
#define RUNS_SLOW 300
#define RUNS_VALGRIND 12
#define STEPS_MAX 90
#define CRASH_AFTER_FETCH 5 /* durable points: two of the fetch, three of the transaction */
#define POLL_INTERVAL (15 * USEC_PER_SEC)
#define LONGEST_END (40 * USEC_PER_MINUTE)

#if defined(__SANITIZE_ADDRESS__)
#define SLOW true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOW true
#endif
#endif
#ifndef SLOW
#define SLOW false
#endif

/* What somebody was shown once. */
typedef struct Seen {
        char digest[SHA256_HEX_SIZE];
        unsigned version;
} Seen;

/* What may happen in a run: each run leaves some of it out, so that long stories come about, too.
 */
typedef struct Mix {
        bool faults, store, crashes, elsewhere, details, clock, late, refusals, configuration;
        bool wrong_seed, long_texts, headers, denials, lossy;
        Seen seen[MODEL_REMOTES_MAX];
} Mix;

static Mix mix;

static unsigned a_remote(void) {
        return provider.n_remotes > 0 ? sim_below(provider.n_remotes) : 0;
}

static FactorType a_type(void) {
        return sim_chance(55) ? FACTOR_PUSH : FACTOR_TOTP;
}

static void act_create(void) {
        if (provider.n_remotes < MODEL_REMOTES_MAX)
                (void) provider_create(a_type(), (20 + sim_below(280)) * USEC_PER_SEC,
                                mix.long_texts && sim_chance(30));
}

static void act_page(void) {
        if (!daemon_.has_page)
                daemon_ask_page(sim_chance(70));
        if (sim_chance(70))
                daemon_take_page();
}

static void act_look(void) {
        unsigned i = a_remote();
        const Challenge *c = daemon_.held[i];

        if (!c)
                return;
        memcpy(mix.seen[i].digest, c->view.digest, sizeof(c->view.digest));
        mix.seen[i].version = version_of(c->view.hidden_details);
}

static void act_decide(void) {
        static const Verb verbs[] = {
                        VERB_APPROVE, VERB_APPROVE, VERB_APPROVE, VERB_DENY, VERB_IGNORE};
        unsigned i = a_remote();
        Verb verb = verbs[sim_below(ELEMENTSOF(verbs))];
        const Seen *seen = &mix.seen[i];
        bool old = seen->version > 0 && sim_chance(mix.details ? 60 : 30);

        if (mix.denials && provider.remotes[i].type == FACTOR_PUSH && sim_chance(80))
                verb = VERB_DENY;
        else if (verb == VERB_IGNORE && sim_chance(60))
                verb = VERB_APPROVE;
        daemon_decide(i, verb, old ? seen->digest : NULL, seen->version);
        if (sim_chance(15) && !daemon_.dead)
                daemon_decide(i, VERB_APPROVE, NULL, 0);
}

static void act_decider(void) {
        daemon_decider_answers(a_remote());
}

static void act_network(void) {
        HeaderFault header = mix.headers && sim_chance(10) ? (HeaderFault) sim_below(_HEADER_MAX)
                                                           : HEADER_GOOD;

        /* The worst moment for a crash: between the fetch that says that the answer did not arrive,
         * and the next answer. */
        if (mix.lossy && sim_chance(70) && model_api_lose_update(daemon_.api)) {
                daemon_.crash_in = sim_chance(90) ? CRASH_AFTER_FETCH : 0;
                return;
        }
        if (mix.faults && sim_chance(25))
                (void) model_api_fail(daemon_.api, (Fault) sim_below(_FAULT_MAX));
        else if (sim_chance(50))
                (void) model_api_process(daemon_.api, header);
        else if (sim_chance(50)) {
                (void) model_api_process(daemon_.api, header);
                (void) model_api_deliver(daemon_.api);
        } else
                (void) model_api_deliver(daemon_.api);
}

static void pass(usec_t to) {
        sim_advance(to, daemon_is_dead);
        provider_tick();
        if (!daemon_.dead)
                model_api_time_out(daemon_.api);
        if (!daemon_.dead)
                rules_tick();
        daemon_check_callers(false);
}

static void act_time(void) {
        usec_t next = sim_next_timer();

        if (sim_chance(40))
                pass(sim.boot + sim_below(2000) * USEC_PER_MSEC);
        else if (sim_chance(60) && next != USEC_INFINITY && next < sim.boot + USEC_PER_HOUR)
                pass(next > sim.boot ? next : sim.boot);
        else if (sim_chance(85))
                pass(sim.boot + sim_below(15) * USEC_PER_SEC);
        else {
                const Remote *r = &provider.remotes[a_remote()];
                usec_t now = provider_now();
                if (r->expires > now && sim_chance(30))
                        pass(sim.boot + (r->expires - now) + sim_below(3000) * USEC_PER_MSEC -
                                        USEC_PER_SEC);
        }
}

static void act_elsewhere(void) {
        Remote *r = &provider.remotes[a_remote()];

        if (provider.n_remotes == 0 || r->status != PROVIDER_PENDING)
                return;
        r->status = sim_chance(60) || r->type == FACTOR_TOTP ? PROVIDER_APPROVED : PROVIDER_DENIED;
        (void) snprintf(r->decision, sizeof(r->decision), "%s",
                        sim_chance(50) ? "" : "0123456789abcdef0123456789abcdef");
        sim_trace("provider: %u is answered elsewhere", r->index);
}

static void act_details(void) {
        Remote *r = &provider.remotes[a_remote()];

        if (provider.n_remotes == 0 || r->status != PROVIDER_PENDING)
                return;
        r->version += 1;
        if (mix.long_texts && r->version < MODEL_LONG && sim_chance(20))
                r->version += MODEL_LONG;
        sim_trace("provider: %u asks something else, version %u", r->index, r->version);
}

static void act_clock(void) {
        int seconds = (int) sim_below(sim_chance(50) ? 8 : 200) - (int) sim_below(60);

        provider.offset += seconds * (int64_t) USEC_PER_SEC;
        sim_trace("provider: its clock moves by %d s", seconds);
}

static void act_refusal(void) {
        if (sim_chance(30) && provider.n_remotes > 0)
                provider.remotes[a_remote()].gone = true;
        else if (sim_chance(30))
                provider.key_revoked = true;
        else
                provider.account_refused = !provider.account_refused;
        sim_trace("provider: it refuses something");
}

static void act_store(void) {
        daemon_.fault = sim_chance(60) ? (StoreFault) sim_below(_STORE_FAULT_MAX) : STORE_WORKS;
        sim_trace("store: %d", (int) daemon_.fault);
}

static void act_crash(void) {
        if (sim_chance(60) && daemon_.crash_in == 0) {
                daemon_.crash_in = 1 + sim_below(sim_chance(50) ? 5 : 20);
                return;
        }
        if (mix.configuration) {
                daemon_.no_account = sim_chance(25);
                daemon_.detached = sim_chance(15);
                sim_trace("configuration: %s account, %s", daemon_.no_account ? "no" : "an",
                                daemon_.detached ? "another provider" : "this provider");
        }
        daemon_restart();
}

typedef struct Action {
        void (*act)(void);
        unsigned weight;
        const bool *only; /* where the mix has it */
} Action;

static const Action actions[] = {
                {act_create, 4, NULL},
                {act_page, 12, NULL},
                {act_look, 5, NULL},
                {act_decide, 13, NULL},
                {act_decider, 6, NULL},
                {act_network, 34, NULL},
                {act_time, 20, NULL},
                {act_elsewhere, 2, &mix.elsewhere},
                {act_details, 3, &mix.details},
                {act_clock, 2, &mix.clock},
                {provider_late, 4, &mix.late},
                {act_refusal, 2, &mix.refusals},
                {act_store, 6, &mix.store},
                {act_crash, 5, &mix.crashes},
};

/* An answer whose outcome is unknown arrives after all, while the next attempt is on its way. */
static bool is_overtaken(void) {
        bool answering = false;

        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++)
                answering |= daemon_.held[i] && daemon_.held[i]->view.state == CHALLENGE_ANSWERING;
        return answering && provider.n_late > 0 && sim_chance(60);
}

static void step(void) {
        unsigned total = 0, at;

        if (is_overtaken())
                provider_late();
        for (size_t i = 0; i < ELEMENTSOF(actions); i++)
                total += !actions[i].only || *actions[i].only ? actions[i].weight : 0;
        at = sim_below(total);
        for (size_t i = 0; i < ELEMENTSOF(actions); i++) {
                unsigned weight = !actions[i].only || *actions[i].only ? actions[i].weight : 0;
                if (at < weight) {
                        actions[i].act();
                        break;
                }
                at -= weight;
        }
        prompts_check();
        while (daemon_.dead) {
                daemon_restart();
        }
        sim.step++;
}

static bool all_ended(void) {
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++)
                if (daemon_.held[i] && !life_is_final(daemon_.held[i]->view.state))
                        return false;
        return true;
}

/* From here on nothing goes wrong any more, or everything does: either way it ends. */
static void settle(void) {
        bool silent = sim_chance(25) && api_clock(daemon_.api)->heard &&
                      !api_clock(daemon_.api)->has_candidate;
        usec_t until = sim.boot + LONGEST_END, at_least = sim.boot + 2 * USEC_PER_MINUTE;
        usec_t poll = sim.boot;

        daemon_.crash_in = 0;
        daemon_.fault = STORE_WORKS;
        sim_trace("the end: %s", silent ? "silence" : "all goes well");
        while (sim.boot < until && !(all_ended() && sim.boot >= at_least)) {
                usec_t next = sim_next_timer();

                if (silent)
                        while (model_api_fail(daemon_.api, (Fault) sim_below(FAULT_MALFORMED))) {
                        }
                else {
                        if (sim.boot >= poll) {
                                daemon_ask_page(true);
                                daemon_take_page();
                                poll = sim.boot + POLL_INTERVAL;
                        }
                        while (model_api_deliver(daemon_.api) ||
                                        model_api_process(daemon_.api, HEADER_GOOD)) {
                        }
                }
                if (next > sim.boot + POLL_INTERVAL)
                        next = sim.boot + POLL_INTERVAL;
                pass(next > sim.boot ? next : sim.boot);
        }
}

static void run(uint64_t seed) {
        sim_start(seed);
        sim.wall_offset = (int64_t) (1800000000 + sim_below(100)) * (int64_t) USEC_PER_SEC;
        if (sim_chance(30))
                sim.wall_offset -= sim_below(7200) * (int64_t) USEC_PER_SEC;
        provider_start();
        rules_start();
        mix = (Mix){
                        .faults = sim_chance(70),
                        .store = sim_chance(35),
                        .crashes = sim_chance(50),
                        .elsewhere = sim_chance(40),
                        .details = sim_chance(40),
                        .clock = sim_chance(25),
                        .late = sim_chance(50),
                        .refusals = sim_chance(30),
                        .configuration = sim_chance(20),
                        .wrong_seed = sim_chance(15),
                        .long_texts = sim_chance(10),
                        .headers = sim_chance(30),
                        .denials = sim_chance(40),
                        .lossy = sim_chance(20),
        };
        provider.wrong_seed = mix.wrong_seed;
        daemon_.policy = sim_chance(60) ? POLICY_ASK : (PolicyMode) sim_below(_POLICY_MAX);
        daemon_.match = sim_chance(30);
        daemon_.budget = (BudgetLimit){
                        .n = 1 + sim_below(3),
                        .span = (5 + sim_below(300)) * USEC_PER_SEC,
        };
        daemon_start();
        act_create();
        unsigned n = 10 + sim_below(STEPS_MAX - 10);
        for (unsigned i = 0; i < n; i++)
                step();
        settle();
        daemon_check_callers(true);
        rules_end();
        daemon_done();
        provider_done();
}

static uint64_t from_environment(const char *name, uint64_t otherwise) {
        const char *text = getenv(name);

        return text ? strtoull(text, NULL, 10) : otherwise;
}

/* Every move of the table is taken, but those that nothing leads to. */
static void check_moves(void) {
        static const struct {
                ChallengeState from, to;
        } never[] = {
                        {CHALLENGE_DISCOVERED, CHALLENGE_EXPIRED},
                        {CHALLENGE_DISCOVERED, CHALLENGE_SUPERSEDED},
                        {CHALLENGE_DISCOVERED, CHALLENGE_FAILED},
        };
        unsigned n_missing = 0;

        for (int from = 0; from < _CHALLENGE_STATE_MAX; from++)
                for (int to = 0; to < _CHALLENGE_STATE_MAX; to++) {
                        bool expected = __real_life_may_move(
                                        (ChallengeState) from, (ChallengeState) to);
                        for (size_t i = 0; i < ELEMENTSOF(never); i++)
                                expected &= never[i].from != (ChallengeState) from ||
                                            never[i].to != (ChallengeState) to;
                        if (getenv("FACTORD_MODEL_MOVES") && rules_moves[from][to] > 0)
                                print_message("%s -> %s: %u\n",
                                                challenge_state_to_string((ChallengeState) from),
                                                challenge_state_to_string((ChallengeState) to),
                                                rules_moves[from][to]);
                        if (!expected || rules_moves[from][to] > 0)
                                continue;
                        print_message("never taken: %s -> %s\n",
                                        challenge_state_to_string((ChallengeState) from),
                                        challenge_state_to_string((ChallengeState) to));
                        n_missing++;
                }
        assert_int_equal(n_missing, 0);
}

static void on_abort(int signal_number) {
        sim_dump();
        _exit(1);
}

static void test_interleavings(void **state) {
        uint64_t runs = RUNNING_ON_VALGRIND ? RUNS_VALGRIND : SLOW ? RUNS_SLOW : RUNS_DEFAULT;
        uint64_t seed = from_environment("FACTORD_MODEL_SEED", SEED_DEFAULT);

        log_open("factord", LOG_EMERG);
        (void) signal(SIGABRT, on_abort);
        runs = from_environment("FACTORD_MODEL_RUNS", runs);
        for (uint64_t i = 0; i < runs; i++)
                run(seed + i);
        if (runs >= RUNS_DEFAULT)
                check_moves();
}

static int setup(void **state) {
        daemon_prepare();
        return 0;
}

static int teardown(void **state) {
        rules_done();
        daemon_clean();
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_interleavings),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
