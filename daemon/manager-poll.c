/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/manager-poll.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "daemon/life.h"
#include "daemon/log.h"

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

static void manager_discover(Manager *m, Factor *f, VerifyChallenge *item, uint64_t round) {
        _cleanup_(challenge_freep) Challenge *c = NULL;
        Challenge *held;
        int r;

        if (manager_has_ended(m, item->sid))
                return;
        r = challenge_new(&c, &m->host, f, item);
        if (r >= 0)
                r = manager_hold(m, c);
        if (r == -ENOBUFS) {
                log_warning("Holding %i challenges already; ignoring the newer ones until some "
                            "have ended",
                                REGISTRY_CHALLENGES_MAX);
                return;
        }
        if (r < 0) {
                log_error("Cannot take up a challenge of factor %s: %s", f->record.name,
                                strerror(-r));
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
                        held->round = round;
                        continue;
                }
                /* An account's list names the challenges of other devices, too. */
                if (!f || !poll_target_has(t, f) || item->status != PROVIDER_PENDING)
                        continue;
                if (!factor_is_of(f, item->account_sid, item->service_sid, item->identity)) {
                        log_warning("The list for factor %s names a challenge of another service "
                                    "or identity, ignoring",
                                        f->record.name);
                        continue;
                }
                manager_discover(m, f, item, round);
        }
}

/* error: for status, may quote the provider. The log gets numbers alone. */
static void manager_note_poll(Manager *m, PollTarget *t, const ApiReply *reply, const char *error) {
        size_t n;
        Factor *const *factors = poll_target_factors(t, &n);

        m->last_poll = now_realtime();
        for (size_t i = 0; i < n; i++) {
                Factor *f = factors[i];
                /* Said once in the log, always in status. */
                if (error && !f->poll_error)
                        log_warning("Cannot poll factor %s (HTTP %i, code %" PRIi64
                                    "); factorctl list says why",
                                        f->record.name, reply ? reply->http_status : 0,
                                        reply ? reply->code : 0);
                else if (!error && f->poll_error)
                        log_info("Polling factor %s works again", f->record.name);
                if (!error)
                        f->last_poll = m->last_poll;
                (void) text_set(&f->poll_error, error);
        }
}

/* What a complete round did not name is no longer pending: the provider is asked what became of it.
 */
static void manager_on_complete(PollTarget *t, uint64_t round, void *userdata) {
        Manager *m = userdata;

        manager_note_poll(m, t, NULL, NULL);
        for (size_t i = 0; i < m->registry.n_challenges; i++) {
                Challenge *c = m->registry.challenges[i];
                if (c->round < round && poll_target_has(t, c->factor))
                        challenge_missed(c);
        }
}

static void manager_on_poll_failed(
                PollTarget *t, const ApiReply *reply, const char *text, void *userdata) {
        Manager *m = userdata;
        size_t n;
        Factor *const *factors = poll_target_factors(t, &n);

        manager_note_poll(m, t, reply, text);
        /* Twice 401 to a device's own JWT under a corrected clock. An account's 401 touches no
         * factor. */
        if (reply && reply->outcome == API_UNAUTHORIZED && !poll_target_account(t))
                manager_revoked(factors[0], text, m);
}

static bool manager_is_busy(PollTarget *t, void *userdata) {
        size_t n;
        Factor *const *factors = poll_target_factors(t, &n);

        for (size_t i = 0; i < n; i++)
                if (factors[i]->n_open > 0)
                        return true;
        return false;
}

PollerHandler manager_poll_handler(Manager *m) {
        return (PollerHandler){
                        .page = manager_on_page,
                        .complete = manager_on_complete,
                        .failed = manager_on_poll_failed,
                        .busy = manager_is_busy,
                        .userdata = m,
        };
}
