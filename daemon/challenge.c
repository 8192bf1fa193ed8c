/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/challenge.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "daemon/answer.h"
#include "daemon/challenge-change.h"
#include "daemon/challenge-wait.h"
#include "daemon/life.h"
#include "daemon/prompt.h"
#include "log/log.h"
#include "push/payload.h"

#define CHALLENGE_ACCURACY (10 * USEC_PER_MSEC)
#define CHALLENGE_RECHECK USEC_PER_SEC               /* past expiry, while the clock is not sure */
#define CHALLENGE_RECHECK_UNSURE (30 * USEC_PER_SEC) /* before expiry, likewise */

/* A payload that can't be sent is known from the list: the fields that the provider is known to ask
 * for are all in it. */
static bool record_is_too_long(const VerifyChallenge *record) {
        _cleanup_free_ char *payload = NULL;
        PushRefusal refusal;
        size_t len = 0;

        if (push_challenge_payload(record->doc, push_usual_fields, "approved", &payload, &len,
                            &refusal) < 0 ||
                        refusal != PUSH_OK)
                return false; /* only a fetch can tell */
        return push_challenge_jws_len(len) > PUSH_PAYLOAD_MAX;
}

int challenge_digest(const Challenge *c,
                const VerifyChallenge *record,
                char ret[static SHA256_HEX_SIZE]) {
        return store_digest(c->host->store, record->digest, ret);
}

bool challenge_shows(const Challenge *c, const VerifyChallenge *record) {
        char digest[SHA256_HEX_SIZE];

        return challenge_digest(c, record, digest) < 0 || streq(digest, c->view.digest);
}

int challenge_view_take(ChallengeView *ret, VerifyChallenge *record, const StoreFactor *f) {
        _cleanup_free_ char *name = strdup(f->name);

        if (!name)
                return -ENOMEM;
        *ret = (ChallengeView){
                        .factor_type = f->type,
                        .factor = TAKE_PTR(name),
                        .service_sid = TAKE_PTR(record->service_sid),
                        .identity = TAKE_PTR(record->identity),
                        .message = TAKE_PTR(record->message),
                        .fields = TAKE_PTR(record->fields),
                        .n_fields = record->n_fields,
                        .hidden_details = TAKE_PTR(record->hidden_details),
                        .created = record->created,
                        .expires = record->expires,
                        .owner = f->owner,
        };
        memcpy(ret->sid, record->sid, SID_SIZE);
        memcpy(ret->factor_sid, record->factor_sid, SID_SIZE);
        record->n_fields = 0;
        return 0;
}

/* Makes record what is shown and decided on; takes it. What is kept is the text and the parts that
 * are shown: with thousands of challenges a parsed document each would be most of the memory. The
 * state stays. */
static int challenge_adopt(Challenge *c, VerifyChallenge *record) {
        const StoreFactor *f = &c->factor->record;
        JsonSlice text = json_doc_text(record->doc);
        _cleanup_free_ char *document = strndup(text.data, text.len);
        char digest[SHA256_HEX_SIZE];
        ChallengeView v;
        int r;

        if (!document)
                return -ENOMEM;
        r = challenge_digest(c, record, digest);
        if (r >= 0)
                r = challenge_view_take(&v, record, f);
        if (r < 0)
                return r;
        v.state = c->view.state;
        memcpy(v.digest, digest, sizeof(v.digest));
        challenge_view_done(&c->view);
        c->view = v;
        free(c->document);
        c->document = TAKE_PTR(document);
        c->too_long = f->type == FACTOR_PUSH && record_is_too_long(record);
        verify_challenge_done(record);
        return 0;
}

static int challenge_due(sd_event_source *s, uint64_t usec, void *userdata);

int challenge_new(Challenge **ret,
                const ChallengeHost *host,
                Factor *factor,
                VerifyChallenge *record) {
        _cleanup_(challenge_freep) Challenge *c = NULL;
        int r;

        c = calloc(1, sizeof(Challenge));
        if (!c)
                return -ENOMEM;
        c->host = host;
        c->factor = factor_ref(factor);
        r = challenge_adopt(c, record);
        if (r < 0)
                return r;
        r = sd_event_add_time(host->event, &c->timer, CLOCK_BOOTTIME, USEC_INFINITY,
                        CHALLENGE_ACCURACY, challenge_due, c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

int challenge_restore(Challenge **ret,
                const ChallengeHost *host,
                Factor *factor,
                const StoreChallenge *row,
                char **reterr_msg) {
        _cleanup_(verify_challenge_done) VerifyChallenge record = {0};
        _cleanup_(challenge_freep) Challenge *c = NULL;
        int r;

        if (!row->document)
                return error_set(reterr_msg, -EBADMSG, "Its text is no longer kept");
        r = verify_challenge_read(&record, row->document, strlen(row->document), reterr_msg);
        if (r < 0)
                return r;
        r = challenge_new(&c, host, factor, &record);
        if (r < 0)
                return r;
        challenge_set_state(c, row->state);
        c->attempts = row->attempts;
        c->mismatches = row->mismatches;
        c->prompted = row->asked;
        c->held_verb = row->held_verb;
        c->sequence = row->sequence;
        c->changed = row->changed;
        r = text_set(&c->view.reason, row->reason);
        if (r >= 0)
                r = text_set(&c->held_rule, row->held_rule);
        if (r >= 0)
                r = text_set(&c->held_policy, row->held_policy);
        if (r >= 0 && row->has_decision) {
                c->decision = row->decision;
                c->decision.door = c->decision.rule = NULL;
                r = text_set(&c->decision.door, row->decision.door);
                if (r >= 0)
                        r = text_set(&c->decision.rule, row->decision.rule);
                c->has_decision = true;
        }
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

Challenge *challenge_free(Challenge *c) {
        if (!c)
                return NULL;
        challenge_waiters_dismiss(c);
        if (c->decider)
                c->host->cancel(c, c->host->userdata);
        prompts_forget(c->host->prompts, c);
        api_call_free(c->call);
        sd_event_source_disable_unref(c->timer);
        store_decision_done(&c->decision);
        challenge_view_done(&c->view);
        free(c->document);
        free(c->held_rule);
        free(c->held_policy);
        factor_unref(c->factor);
        free(c);
        return NULL;
}

void challenge_schedule(Challenge *c, usec_t delay) {
        (void) sd_event_source_set_time(c->timer, usec_add(now_boottime(), delay));
        (void) sd_event_source_set_enabled(c->timer, SD_EVENT_ONESHOT);
}

void challenge_schedule_by(Challenge *c, usec_t delay, usec_t by) {
        usec_t left = usec_add(usec_sub(by, api_now(c->host->api)), CHALLENGE_RECHECK);

        challenge_schedule(c, delay < left ? delay : left);
}

static bool challenge_clock_is_sure(const Challenge *c) {
        const ServerClock *clock = api_clock(c->host->api);

        return clock->heard && !clock->has_candidate;
}

bool challenge_is_past(const Challenge *c, usec_t t) {
        return challenge_clock_is_sure(c) && api_now(c->host->api) >= t;
}

bool challenge_is_expired(const Challenge *c) {
        return challenge_is_past(c, c->view.expires);
}

/* When something becomes of it by itself: it expires, or a rule's denial that was held back is
 * sent. */
usec_t challenge_end(const Challenge *c) {
        return c->held_rule && c->held_verb == VERB_DENY
                               ? usec_sub(c->view.expires, CHALLENGE_HELD_MARGIN)
                               : c->view.expires;
}

/* The timer of a challenge that nobody has decided yet is its end. A clock that is not sure yet,
 * and may be hours behind, makes it due earlier, and again. */
void challenge_schedule_expiry(Challenge *c) {
        usec_t left = usec_sub(challenge_end(c), api_now(c->host->api));

        if (!challenge_clock_is_sure(c) && left > CHALLENGE_RECHECK_UNSURE)
                left = CHALLENGE_RECHECK_UNSURE;
        challenge_schedule(c, left > 0 ? left : CHALLENGE_RECHECK);
}

/* The store could not be written when it came. */
static void challenge_try_end(Challenge *c) {
        if (challenge_record_end(c) < 0)
                challenge_schedule(c, CHALLENGE_STORE_RETRY);
}

static int challenge_due(sd_event_source *s, uint64_t usec, void *userdata) {
        Challenge *c = userdata;

        if (c->view.state == CHALLENGE_ANSWERING || c->view.state == CHALLENGE_SUBMITTED)
                answer_attempt(c);
        else if (life_is_final(c->view.state))
                challenge_try_end(c);
        else if (challenge_is_expired(c))
                challenge_complete(c, CHALLENGE_EXPIRED, NULL);
        else if (c->view.state == CHALLENGE_DECIDING && !c->decider)
                challenge_put_to_policy(c); /* the store could not be written the last time */
        else if (c->held_rule && challenge_is_past(c, challenge_end(c)))
                challenge_end_held(c);
        else
                challenge_schedule_expiry(c);
        return 0;
}

int challenge_move(Challenge *c, ChallengeState to, const char *reason, char **reterr_msg) {
        return challenge_change(c, &(Change){.to = to, .reason = reason}, reterr_msg);
}

static void challenge_complete_change(Challenge *c, const Change *change) {
        _cleanup_free_ char *why = NULL;
        int r;

        r = challenge_change(c, change, &why);
        if (r < 0) {
                /* The provider's record stands whether or not ours can be written: after a restart
                 * a fetch finds the same end. */
                log_error("Cannot record yet that %s is %s: %s", c->view.sid,
                                challenge_state_to_string(change->to), error_text(why, r));
                (void) text_set(&c->view.reason, change->reason);
                c->changed = now_realtime();
                challenge_set_state(c, change->to);
                c->host->changed(c, c->host->userdata);
        }
        challenge_settle(c);
        if (r < 0)
                challenge_schedule(c, CHALLENGE_STORE_RETRY);
}

void challenge_complete(Challenge *c, ChallengeState outcome, const char *reason) {
        /* The reason may be the view's own, or part of a request that ends here. */
        _cleanup_free_ char *copy = reason ? strdup(reason) : NULL;

        assert(life_is_final(outcome));
        if (outcome == CHALLENGE_EXPIRED && c->view.state == CHALLENGE_ASKING && c->held_rule &&
                        c->held_verb == VERB_IGNORE) {
                challenge_end_held(c); /* as the rule wanted it to */
                return;
        }
        challenge_complete_change(c, &(Change){.to = outcome, .reason = copy});
}

void challenge_set_reason(Challenge *c, const char *reason) {
        (void) text_set(&c->view.reason, reason);
}

void challenge_begin(Challenge *c) {
        switch (c->view.state) {
        case CHALLENGE_DISCOVERED:
        case CHALLENGE_DECIDING:
                if (c->factor->n_tickets > 0)
                        challenge_await_list(c);
                else
                        challenge_put_to_policy(c);
                return;
        case CHALLENGE_ASKING:
                if (!c->held_rule && prompts_resume(c->host->prompts, c) < 0)
                        log_warning("Cannot tell whose repeat %s is: out of memory; ignoring",
                                        c->view.sid);
                challenge_schedule_expiry(c);
                return;
        case CHALLENGE_ANSWERING:
        case CHALLENGE_SUBMITTED:
                answer_attempt(c);
                return;
        case CHALLENGE_APPROVED:
        case CHALLENGE_DENIED:
        case CHALLENGE_EXPIRED:
        case CHALLENGE_IGNORED:
        case CHALLENGE_SUPERSEDED:
        case CHALLENGE_FAILED:
        case _CHALLENGE_STATE_MAX:
                return;
        }
}

int challenge_stale(Challenge *c, VerifyChallenge *record, char **reterr_msg) {
        static const char reason[] = "the challenge was changed after it was shown";
        int r;

        Change change = {
                        .to = CHALLENGE_DECIDING,
                        .reason = reason,
                        .void_reason = c->has_decision ? reason : NULL,
        };
        /* A decider was asked about what it was: nothing of that is on record. */
        r = c->view.state == CHALLENGE_DECIDING ? 0 : challenge_change(c, &change, reterr_msg);
        if (r < 0)
                return r;
        challenge_waiters_stale(c);
        c->n_failures = 0;
        r = challenge_adopt(c, record);
        if (r < 0) {
                challenge_complete(c, CHALLENGE_FAILED, strerror(-r));
                return 0;
        }
        challenge_ask_anew(c);
        return 0;
}

bool challenge_missed(Challenge *c) {
        /* A request that is under way will tell, and an answer that waits for its next attempt
         * begins that with a fetch: asking here, too, would get round the provider's Retry-After.
         */
        if (c->call || c->has_decision || life_is_final(c->view.state))
                return false;
        answer_inquire(c);
        return true;
}
