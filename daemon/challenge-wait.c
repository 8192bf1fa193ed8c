/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/challenge-wait.h"

#include <assert.h>
#include <time.h>

#include "base/text.h"
#include "daemon/view.h"

#define WAIT_ACCURACY (10 * USEC_PER_MSEC)

/* Somebody who decided and waits for the outcome. */
struct ChallengeWaiter {
        Challenge *challenge;
        ChallengeWaiter *next;
        Call *call;
        sd_event_source *timeout;
};

static ChallengeWaiter *challenge_waiter_free(ChallengeWaiter *w) {
        if (!w)
                return NULL;
        for (ChallengeWaiter **i = &w->challenge->waiters; *i; i = &(*i)->next)
                if (*i == w) {
                        *i = w->next;
                        break;
                }
        call_unref(w->call);
        sd_event_source_disable_unref(w->timeout);
        free(w);
        return NULL;
}

static int waiter_timed_out(sd_event_source *s, uint64_t usec, void *userdata) {
        ChallengeWaiter *w = userdata;
        const ChallengeView *v = &w->challenge->view;

        (void) call_error(w->call, IPC_UNCONFIRMED, NULL,
                        "The decision on %s is kept and goes on, but is not confirmed yet%s%s",
                        v->sid, v->reason ? ": " : "", strempty(v->reason));
        challenge_waiter_free(w);
        return 0;
}

void challenge_wait(Challenge *c, Call *call) {
        usec_t timeout = CHALLENGE_CONFIRM_TIMEOUT;
        ChallengeWaiter *w;

        /* A code may first have to wait for its step. */
        if (c->view.factor_type == FACTOR_TOTP)
                timeout += (usec_t) c->factor->record.period * USEC_PER_SEC;
        w = calloc(1, sizeof(ChallengeWaiter));
        if (!w || sd_event_add_time_relative(c->host->event, &w->timeout, CLOCK_BOOTTIME, timeout,
                                  WAIT_ACCURACY, waiter_timed_out, w) < 0) {
                free(w);
                (void) call_error(call, IPC_UNCONFIRMED, NULL, "The decision is kept and goes on");
                return;
        }
        w->challenge = c;
        w->call = call_ref(call);
        w->next = c->waiters;
        c->waiters = w;
}

json_object *challenge_error_sid(const Challenge *c) {
        return view_object_of_string("sid", c->view.sid);
}

/* Tells one caller how a final challenge ended. */
void challenge_tell(const Challenge *c, Call *call) {
        const ChallengeView *v = &c->view;
        json_object *extra;

        switch (v->state) {
        case CHALLENGE_APPROVED:
        case CHALLENGE_DENIED:
        case CHALLENGE_IGNORED:
                (void) call_reply(call, view_reply("challenge", view_challenge(c)));
                return;
        case CHALLENGE_EXPIRED:
                (void) call_error(call, IPC_EXPIRED, challenge_error_sid(c),
                                "Challenge %s has expired", v->sid);
                return;
        case CHALLENGE_SUPERSEDED:
                extra = challenge_error_sid(c);
                view_add_string(extra, "state", challenge_state_to_string(v->state));
                (void) call_error(call, IPC_ALREADY_ANSWERED, extra,
                                "Challenge %s was answered elsewhere", v->sid);
                return;
        case CHALLENGE_FAILED:
                (void) call_error(call, IPC_API_ERROR, view_api_error(c->http_status, c->code),
                                "Challenge %s failed: %s", v->sid, strempty(v->reason));
                return;
        case CHALLENGE_DISCOVERED:
        case CHALLENGE_DECIDING:
        case CHALLENGE_ASKING:
        case CHALLENGE_ANSWERING:
        case CHALLENGE_SUBMITTED:
        case _CHALLENGE_STATE_MAX:
                break;
        }
        assert(false);
}

void challenge_waiters_tell(Challenge *c) {
        while (c->waiters) {
                challenge_tell(c, c->waiters->call);
                challenge_waiter_free(c->waiters);
        }
}

void challenge_waiters_stale(Challenge *c) {
        while (c->waiters) {
                (void) call_error(c->waiters->call, IPC_STALE, challenge_error_sid(c),
                                "Challenge %s was changed after it was shown; look at it again",
                                c->view.sid);
                challenge_waiter_free(c->waiters);
        }
}

void challenge_waiters_dismiss(Challenge *c) {
        while (c->waiters) {
                (void) call_error(c->waiters->call, IPC_UNCONFIRMED, NULL,
                                "The decision is recorded, but factord no longer follows the "
                                "challenge: it stops, or the factor was removed");
                challenge_waiter_free(c->waiters);
        }
}
