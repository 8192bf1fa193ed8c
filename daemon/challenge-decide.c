/* SPDX-License-Identifier: Apache-2.0 */
/* What a person or a rule decides: whether it stands, and what follows. */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "daemon/answer.h"
#include "daemon/challenge-change.h"
#include "daemon/challenge-wait.h"
#include "daemon/life.h"
#include "daemon/prompt.h"
#include "daemon/view.h"
#include "log/log.h"
#include "policy/policy.h"

/* Whether a rule has denied it or lets it expire, and this would be the contrary. */
static bool challenge_is_ruled_out(const Challenge *c, Verb verb) {
        ChallengeState s = c->view.state;

        return c->has_decision && !c->held_rule && c->decision.rule &&
               !streq(c->decision.rule, POLICY_RULE_DEFAULT) && c->decision.verb != VERB_APPROVE &&
               c->decision.verb != verb &&
               (s == CHALLENGE_ANSWERING || s == CHALLENGE_SUBMITTED || s == CHALLENGE_DENIED ||
                               s == CHALLENGE_IGNORED);
}

/* Whether rules have not had their say yet: nobody approves what they may deny. Answers call then.
 */
static bool challenge_is_with_policy(const Challenge *c, Verb verb, Call *call) {
        ChallengeState s = c->view.state;

        if (verb != VERB_APPROVE || (s != CHALLENGE_DISCOVERED && s != CHALLENGE_DECIDING))
                return false;
        if (c->decider || c->awaits_list || challenge_awaits_clock(c))
                (void) call_error(call, IPC_POLICY_DENIED, challenge_error_sid(c),
                                "Challenge %s is with %s, which comes first", c->view.sid,
                                c->decider ? "the decider of a rule" : "the policy");
        else
                (void) call_error(call, IPC_STORE_ERROR, NULL,
                                "Challenge %s could not be put to the policy yet; see factorctl "
                                "status",
                                c->view.sid);
        return true;
}

/* Whether a decision can stand now; answers call when not. */
static bool challenge_may_decide(Challenge *c, Verb verb, const char *digest, Call *call) {
        ChallengeState state = c->view.state;
        json_object *extra;

        if (verb == VERB_DENY && c->view.factor_type != FACTOR_PUSH) {
                (void) call_invalid(call, "sid",
                                "%s is a TOTP challenge, which cannot be denied; use ignore to let "
                                "it expire",
                                c->view.sid);
                return false;
        }
        if (state == CHALLENGE_EXPIRED ||
                        (!life_is_final(state) && !c->has_decision && challenge_is_expired(c))) {
                (void) call_error(call, IPC_EXPIRED, challenge_error_sid(c),
                                "Challenge %s has expired", c->view.sid);
                return false;
        }
        if (challenge_is_ruled_out(c, verb)) {
                (void) call_error(call, IPC_POLICY_DENIED, challenge_error_sid(c),
                                "Rule %s %s challenge %s, and nobody may override it",
                                c->decision.rule,
                                c->decision.verb == VERB_DENY ? "denied" : "ignored", c->view.sid);
                return false;
        }
        if (c->has_decision || life_is_final(state)) {
                extra = challenge_error_sid(c);
                view_add_string(extra, "state", challenge_state_to_string(state));
                (void) call_error(call, IPC_ALREADY_ANSWERED, extra, "Challenge %s is already %s",
                                c->view.sid, challenge_state_to_string(state));
                return false;
        }
        if (challenge_is_with_policy(c, verb, call))
                return false;
        if (digest && !streq(digest, c->view.digest)) {
                (void) call_error(call, IPC_STALE, challenge_error_sid(c),
                                "Challenge %s is not what was shown any more; look at it again",
                                c->view.sid);
                return false;
        }
        return true;
}

/* For a caller; the same words whatever could not be recorded, so that they tell no one whether a
 * value was right. */
static void decide_unrecorded(const Challenge *c, Call *call, const char *why) {
        log_error("Cannot record the decision on %s, so nothing is sent: %s", c->view.sid, why);
        (void) call_error(call, IPC_STORE_ERROR, NULL,
                        "The decision cannot be recorded, so nothing was sent: %s", why);
}

/* Answers call when memory is short. */
static bool decision_make(const Challenge *c,
                Verb verb,
                const Actor *actor,
                const char *rule,
                Call *call,
                StoreDecision *ret) {
        *ret = (StoreDecision){
                        .factor_id = c->factor->record.id,
                        .verb = verb,
                        .uid = actor->uid,
                        .made = api_now(c->host->api),
        };
        memcpy(ret->challenge_sid, c->view.sid, sizeof(ret->challenge_sid));
        memcpy(ret->digest, c->view.digest, sizeof(ret->digest));
        if (text_set(&ret->door, actor->door) >= 0 && text_set(&ret->rule, rule) >= 0)
                return true;
        (void) call_error(call, IPC_STORE_ERROR, NULL, "Out of memory");
        return false;
}

/* The last wrong value: from here on nobody's guess is taken. */
static void challenge_give_up(Challenge *c, const Actor *actor, Call *call) {
        _cleanup_(store_decision_done) StoreDecision d = {0};
        _cleanup_free_ char *why = NULL;
        int r;

        if (!decision_make(c, VERB_IGNORE, actor, NULL, call, &d))
                return;
        Change change = {
                        .to = CHALLENGE_IGNORED,
                        .reason = "too many wrong values were typed to approve it",
                        .decision = &d,
                        .mismatch = actor,
        };
        r = challenge_change(c, &change, &why);
        if (r < 0) {
                decide_unrecorded(c, call, error_text(why, r));
                return;
        }
        log_warning("Too many wrong values were typed to approve %s: it is ignored", c->view.sid);
        (void) call_error(call, IPC_POLICY_DENIED, challenge_error_sid(c),
                        "This was wrong value number %d, so challenge %s is now ignored",
                        CONFIRM_TRIES_MAX, c->view.sid);
        challenge_settle(c);
}

static void challenge_mismatch(Challenge *c, const Actor *actor, Call *call) {
        _cleanup_free_ char *why = NULL;
        int r;

        if (c->mismatches + 1 >= CONFIRM_TRIES_MAX) {
                challenge_give_up(c, actor, call);
                return;
        }
        r = challenge_note_mismatch(c, actor, &why);
        if (r < 0) {
                decide_unrecorded(c, call, error_text(why, r));
                return;
        }
        log_notice("A wrong value was typed to approve %s", c->view.sid);
        int left = CONFIRM_TRIES_MAX - (int) c->mismatches;
        (void) call_invalid(call, "confirm",
                        "This is not the value of \"%s\"; %d %s left, then challenge %s is ignored",
                        c->factor->record.match_field, left, left == 1 ? "try is" : "tries are",
                        c->view.sid);
}

/* Whether what was typed is what is wanted; answers call when not. */
static bool challenge_is_confirmed(
                Challenge *c, const char *typed, const Actor *actor, Call *call) {
        const char *label = c->factor->record.match_field;
        Confirm kind = prompt_confirm(c);

        if (confirm_fits(kind, &c->view, label, typed))
                return true;
        switch (kind) {
        case CONFIRM_SID:
                if (typed && c->host->unconfirmed)
                        c->host->unconfirmed(call, c->host->userdata);
                (void) call_invalid(call, "confirm",
                                "Too many challenges of factor %s came: to approve %s, confirm "
                                "with the last %d characters of its SID",
                                c->view.factor, c->view.sid, CONFIRM_SID_LEN);
                break;
        case CONFIRM_FIELD:
                if (typed && *typed)
                        challenge_mismatch(c, actor, call);
                else
                        (void) call_invalid(call, "confirm",
                                        "To approve %s, confirm with the value of \"%s\" as it "
                                        "stands where the challenge comes from",
                                        c->view.sid, label);
                break;
        case CONFIRM_NEVER:
                (void) call_error(call, IPC_POLICY_DENIED, challenge_error_sid(c),
                                "Challenge %s cannot be approved: its factor matches \"%s\", and "
                                "it does not have one such detail with a value",
                                c->view.sid, label);
                break;
        case CONFIRM_NONE:
        case _CONFIRM_MAX:
                break;
        }
        return false;
}

void challenge_decide(Challenge *c,
                Verb verb,
                const char *digest,
                const char *confirm,
                const Actor *actor,
                Call *call) {
        _cleanup_(store_decision_done) StoreDecision d = {0};
        _cleanup_free_ char *why = NULL;
        int r;

        if (!challenge_may_decide(c, verb, digest, call))
                return;
        if (verb == VERB_APPROVE && !challenge_is_confirmed(c, confirm, actor, call))
                return;
        if (!decision_make(c, verb, actor, NULL, call, &d))
                return;
        Change change = {
                        .to = verb == VERB_IGNORE ? CHALLENGE_IGNORED : CHALLENGE_ANSWERING,
                        .decision = &d,
        };
        r = challenge_change(c, &change, &why);
        if (r < 0) {
                decide_unrecorded(c, call, error_text(why, r));
                return;
        }
        if (verb == VERB_IGNORE) {
                if (call)
                        challenge_tell(c, call);
                challenge_settle(c);
                return;
        }
        if (call)
                challenge_wait(c, call);
        c->n_failures = 0;
        answer_attempt(c);
}

int challenge_decide_by_rule(Challenge *c, const Ruling *ruling) {
        _cleanup_(store_decision_done) StoreDecision d = {0};
        Actor actor = {.uid = (uid_t) -1, .door = DOOR_POLICY};
        _cleanup_free_ char *why = NULL;
        bool ignores = ruling->verb == VERB_IGNORE;
        int r;

        if (!decision_make(c, ruling->verb, &actor, ruling->rule, NULL, &d))
                return -ENOMEM;
        Change change = {
                        .to = ignores ? CHALLENGE_IGNORED : CHALLENGE_ANSWERING,
                        .reason = ignores ? ruling->reason : NULL,
                        .decision = &d,
                        .ticket = ruling->verb == VERB_APPROVE ? ruling->ticket : 0,
        };
        r = challenge_change(c, &change, &why);
        if (r < 0) {
                decide_unrecorded(c, NULL, error_text(why, r));
                return r;
        }
        if (c->host->ruled)
                c->host->ruled(c, ruling, c->host->userdata);
        if (ignores) {
                challenge_settle(c);
                return 0;
        }
        c->n_failures = 0;
        answer_attempt(c);
        return 0;
}
