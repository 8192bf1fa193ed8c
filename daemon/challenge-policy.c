/* SPDX-License-Identifier: Apache-2.0 */
/* A challenge before the policy, and what becomes of the policy's word. */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/challenge-change.h"
#include "log/log.h"
#include "push/payload.h"

#define CHALLENGE_LIST_TIMEOUT (20 * USEC_PER_SEC)
#define CHALLENGE_CLOCK_RETRY USEC_PER_SEC
/* When a denial that was held back could not be recorded: some times before it is too late. */
#define CHALLENGE_HELD_RETRY (CHALLENGE_HELD_MARGIN / 5)

void ruling_done(Ruling *r) {
        free(r->reason);
        *r = (Ruling){0};
}

/* Nobody has decided otherwise: the rule's word is the decision. */
void challenge_end_held(Challenge *c) {
        Ruling ruling = {.verb = c->held_verb, .rule = c->held_rule};
        int r = text_set(&ruling.reason, c->view.reason);

        if (r >= 0)
                r = challenge_decide_by_rule(c, &ruling);
        if (r < 0)
                challenge_schedule(c, ruling.verb == VERB_DENY ? CHALLENGE_HELD_RETRY
                                                               : CHALLENGE_STORE_RETRY);
        ruling_done(&ruling);
}

static int challenge_ask(Challenge *c, const char *reason) {
        _cleanup_free_ char *why = NULL;
        int r;

        r = challenge_move(c, CHALLENGE_ASKING, reason, &why);
        if (r < 0)
                log_error("Cannot ask about %s yet: %s", c->view.sid, error_text(why, r));
        else
                challenge_schedule_expiry(c);
        return r;
}

/* Whether there is time to wait for a person who decides otherwise. */
static bool challenge_may_hold(const Challenge *c, const Ruling *ruling) {
        usec_t left = usec_sub(c->view.expires, api_now(c->host->api));

        return ruling->may_override &&
               (ruling->verb == VERB_IGNORE ||
                               (ruling->verb == VERB_DENY && left > CHALLENGE_HELD_MARGIN));
}

/* A rule's word that a person may override waits, quietly, until there is no more time. */
static int challenge_hold(Challenge *c, const Ruling *ruling) {
        _cleanup_free_ char *reason = NULL;
        int r;

        if (asprintf(&reason, "rule '%s' %s it at the end, unless somebody decides otherwise",
                            ruling->rule, ruling->verb == VERB_DENY ? "denies" : "ignores") < 0) {
                reason = NULL;
                return -ENOMEM;
        }
        r = text_set(&c->held_policy,
                        c->host->policy_hash ? c->host->policy_hash(c->host->userdata) : NULL);
        if (r >= 0)
                r = text_set(&c->held_rule, ruling->rule);
        if (r < 0)
                return r;
        c->held_verb = ruling->verb;
        r = challenge_ask(c, reason);
        if (r < 0)
                (void) text_set(&c->held_rule, NULL);
        return r;
}

void challenge_ruled(Challenge *c, const Ruling *ruling) {
        assert(c->view.state == CHALLENGE_DECIDING && !c->decider);
        challenge_schedule(c, CHALLENGE_STORE_RETRY);
        if (challenge_is_expired(c))
                challenge_complete(c, CHALLENGE_EXPIRED, NULL);
        else if (challenge_may_hold(c, ruling))
                (void) challenge_hold(c, ruling);
        else if (ruling->verb != VERB_ASK)
                (void) challenge_decide_by_rule(c, ruling);
        else if (challenge_ask(c, ruling->reason) >= 0 && c->host->ruled)
                c->host->ruled(c, ruling, c->host->userdata);
}

/* A decider takes its time: from here on it is known to others that it is asked. */
static void challenge_await_decider(Challenge *c, const char *reason) {
        _cleanup_free_ char *why = NULL;
        int r = 0;

        if (c->view.state == CHALLENGE_DISCOVERED)
                r = challenge_move(c, CHALLENGE_DECIDING, reason, &why);
        else
                challenge_set_reason(c, reason);
        if (r >= 0) {
                challenge_schedule_expiry(c);
                return;
        }
        log_error("Cannot ask a decider about %s yet: %s", c->view.sid, error_text(why, r));
        c->host->cancel(c, c->host->userdata);
        challenge_set_state(c, CHALLENGE_DECIDING);
}

bool challenge_awaits_clock(const Challenge *c) {
        const ServerClock *clock = api_clock(c->host->api);

        return !clock->heard && server_clock_is_settling(clock, now_boottime());
}

/* discovered or restored → deciding → asking, ignored, answering. What can't be recorded is put to
 * the policy again in a while. */
void challenge_put_to_policy(Challenge *c) {
        _cleanup_(ruling_done) Ruling ruling = {0};
        int r;

        if (challenge_is_expired(c)) {
                challenge_complete(c, CHALLENGE_EXPIRED, NULL);
                return;
        }
        if (c->too_long) {
                challenge_complete(c, CHALLENGE_FAILED, push_refusal_text(PUSH_TOO_LONG));
                return;
        }
        (void) text_set(&c->held_rule, NULL); /* what it was about may have changed */
        if (challenge_awaits_clock(c)) {
                challenge_set_state(c, CHALLENGE_DECIDING);
                challenge_schedule(c, CHALLENGE_CLOCK_RETRY);
                return;
        }
        challenge_schedule(c, CHALLENGE_STORE_RETRY);
        r = c->host->policy(c, &ruling, c->host->userdata);
        if (r == -EINPROGRESS) {
                challenge_await_decider(c, ruling.reason);
                return;
        }
        if (c->view.state == CHALLENGE_DISCOVERED)
                challenge_set_state(c, CHALLENGE_DECIDING); /* a passing state: not worth a write */
        if (r >= 0)
                challenge_ruled(c, &ruling);
        else
                log_error("Cannot put %s to the policy yet: %s", c->view.sid, strerror(-r));
}

void challenge_ask_anew(Challenge *c) {
        assert(c->view.state == CHALLENGE_DECIDING);
        if (c->decider)
                c->host->cancel(c, c->host->userdata);
        challenge_put_to_policy(c);
}

/* A ticket that fits two challenges is for neither, so the policy has to see all of them at once.
 * When that takes too long it sees no ticket. */
void challenge_await_list(Challenge *c) {
        c->awaits_list = true;
        challenge_set_state(c, CHALLENGE_DECIDING);
        challenge_schedule_by(c, CHALLENGE_LIST_TIMEOUT, c->view.expires);
}

void challenge_list_complete(Challenge *c) {
        if (!c->awaits_list)
                return;
        c->awaits_list = false;
        if (c->view.state == CHALLENGE_DECIDING && !c->decider)
                challenge_put_to_policy(c);
}
