/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/manager-poll.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "daemon/examine.h"
#include "daemon/life.h"
#include "log/log.h"

/* After something happened more is likely to. */
#define POLL_LIVELY USEC_PER_MINUTE
/* Asked about in a round: a flood that is gone must not delay answers. */
#define MISSED_MAX 10

/* Whether it ended here before: the provider may still list what was ignored or has failed. */
static bool manager_has_ended(Manager *m, const char *sid) {
        StoreChallenge row = {0};
        bool ended;

        if (store_challenge_get(m->store, sid, &row, NULL) < 0)
                return false;
        ended = life_is_final(row.state);
        store_challenge_done(&row);
        return ended;
}

/* Said once, until half of the places are free again. */
static void manager_say_full(Manager *m, const Factor *f) {
        if (m->is_full)
                return;
        m->is_full = true;
        log_warning("Holding %zu challenges already; ignoring newer ones of factor %s and of "
                    "others that have many until some have ended",
                        m->registry.n_challenges, f->record.name);
}

static bool challenge_has_ended(const Challenge *c, void *userdata) {
        return life_is_final(c->view.state);
}

static void manager_discover(Manager *m, Factor *f, VerifyChallenge *item, uint64_t round) {
        _cleanup_(challenge_freep) Challenge *c = NULL;
        Challenge *held;
        int r;

        /* What has ended is in the store: only what is open needs a place. */
        if (!registry_has_place(&m->registry, f))
                registry_drop_challenges(&m->registry, challenge_has_ended, NULL);
        if (!registry_has_place(&m->registry, f)) {
                manager_say_full(m, f);
                f->crowded_round = round;
                return;
        }
        if (manager_has_ended(m, item->sid))
                return;
        r = challenge_new(&c, &m->host, f, item);
        if (r >= 0)
                r = manager_hold(m, c);
        if (r < 0) {
                log_error("Cannot take up a challenge of factor %s: %s", f->record.name,
                                strerror(-r));
                f->crowded_round = round;
                return;
        }
        held = TAKE_PTR(c);
        held->round = round;
        challenge_begin(held);
}

static void manager_on_page(
                PollTarget *t, VerifyChallengeList *page, uint64_t round, void *userdata) {
        Manager *m = userdata;

        for (size_t i = 0; i < page->n_items; i++) {
                VerifyChallenge *item = &page->items[i];
                Challenge *held = registry_challenge(&m->registry, item->sid);
                Factor *f = registry_factor(&m->registry, item->factor_sid);

                if (held) {
                        /* An account's list names the push challenges of the same identity, too:
                         * their own target's rounds count for them. */
                        if (held->factor->target != t)
                                continue;
                        held->round = round;
                        if (!challenge_shows(held, item))
                                challenge_missed(held); /* changed: a fetch says how */
                        continue;
                }
                /* An account's list names the challenges of other devices, too. */
                if (!f || f->target != t || item->status != PROVIDER_PENDING)
                        continue;
                if (!factor_is_of(f, item->account_sid, item->service_sid, item->identity)) {
                        if (!f->stray_said)
                                log_warning("The list for factor %s names a challenge of another "
                                            "service or identity, ignoring",
                                                f->record.name);
                        f->stray_said = true;
                        continue;
                }
                manager_discover(m, f, item, round);
        }
}

/* error: for status, may quote the provider. say: in the log, numbers alone. */
static void factor_note_poll(Factor *f, const ApiReply *reply, const char *error, bool say) {
        char summary[API_SUMMARY_SIZE];

        if (say && !f->poll_error_said)
                log_warning("Cannot poll factor %s (%s); factorctl list says why", f->record.name,
                                api_reply_summary(reply, summary));
        else if (!error && f->poll_error_said)
                log_info("Polling factor %s works again", f->record.name);
        f->poll_error_said = error && (say || f->poll_error_said);
        (void) text_set(&f->poll_error, error);
}

/* Those that were not asked about yet go first. */
static void manager_ask_missed(const Factor *f, uint64_t round) {
        unsigned n = 0;
        Challenge *c;

        for (int again = 0; again <= 1; again++) {
                LIST_FOREACH(c, &f->challenges, of_factor) {
                        if (n == MISSED_MAX)
                                return;
                        if (c->round < round && c->asked == again && challenge_missed(c)) {
                                c->asked = true;
                                n++;
                        }
                }
        }
}

/* Now that all which is pending is held: the oldest goes first. */
static void manager_begin_waiting(Manager *m, Factor *f, uint64_t round) {
        bool waits = false;
        Challenge *c;

        f->crowded = f->crowded_round == round;
        LIST_FOREACH(c, &f->challenges, of_factor)
        waits = waits || c->awaits_list;
        for (size_t i = 0; waits && i < m->registry.n_challenges; i++)
                if (m->registry.challenges[i]->factor == f)
                        challenge_list_complete(m->registry.challenges[i]);
}

/* What a complete round did not name is no longer pending: the provider is asked what became of it.
 */
static void manager_on_complete(PollTarget *t, uint64_t round, void *userdata) {
        Manager *m = userdata;
        size_t n;
        Factor *const *factors = poll_target_factors(t, &n);

        m->last_poll = now_realtime();
        for (size_t i = 0; i < n; i++) {
                factors[i]->last_poll = m->last_poll;
                factor_note_poll(factors[i], NULL, NULL, false);
                manager_begin_waiting(m, factors[i], round);
                manager_ask_missed(factors[i], round);
        }
}

static void manager_on_poll_failed(PollTarget *t,
                const ApiReply *reply,
                const char *text,
                unsigned n_failures,
                void *userdata) {
        Manager *m = userdata;
        size_t n;
        Factor *const *factors = poll_target_factors(t, &n);
        ApiWho who = poll_target_who(t);
        /* What ails all is said by the transport, once, and a passing fault need not be said. */
        bool transient = reply && api_outcome_is_transient(reply->outcome);
        bool say = !transient || (n_failures > 1 && !api_is_failing(m->api, &who));

        for (size_t i = 0; i < n; i++)
                factor_note_poll(factors[i], reply, text, say);
        if (!reply)
                return;
        /* Twice 401 to a device's own JWT under a corrected clock. An account's 401 touches no
         * factor. */
        if (reply->outcome == API_UNAUTHORIZED && who.device)
                manager_revoked(who.device, text, m);
        else if (reply->outcome == API_REFUSED && (n_failures & (n_failures - 1)) == 0)
                /* Less and less often: the list may be refused for another reason, for ever. */
                for (size_t i = n; i-- > 0;)
                        examine_factor(m, factors[i]);
}

static PollPace manager_pace(PollTarget *t, void *userdata) {
        size_t n;
        Factor *const *factors = poll_target_factors(t, &n);
        const Account *account = poll_target_who(t).account;
        usec_t now = now_boottime();

        if (account && account->refused)
                return POLL_RARE;
        for (size_t i = 0; i < n; i++) {
                const Factor *f = factors[i];
                if (f->n_open > 0 || (f->active > 0 && now < usec_add(f->active, POLL_LIVELY)))
                        return POLL_BUSY;
        }
        return POLL_IDLE;
}

PollerHandler manager_poll_handler(Manager *m) {
        return (PollerHandler){
                        .page = manager_on_page,
                        .complete = manager_on_complete,
                        .failed = manager_on_poll_failed,
                        .pace = manager_pace,
                        .userdata = m,
        };
}
