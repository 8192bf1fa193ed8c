/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/challenge-change.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/challenge-wait.h"
#include "daemon/life.h"
#include "daemon/prompt.h"
#include "daemon/tickets.h"

void challenge_set_state(Challenge *c, ChallengeState to) {
        c->view.state = to;
        if (c->decider && to != CHALLENGE_DECIDING)
                c->host->cancel(c, c->host->userdata);
}

static int mismatch_audit(Challenge *c, const Actor *actor, usec_t now, char **reterr_msg) {
        AuditRecord a = {
                        .time = now,
                        .event = "mismatch",
                        .factor = c->view.factor,
                        .challenge = c->view.sid,
                        .digest = c->view.digest,
                        .door = actor->door,
                        .uid = (int64_t) actor->uid,
        };

        return store_audit_append(c->host->store, &a, reterr_msg);
}

/* like: of the decision that uses it. */
static int ticket_audit(Challenge *c, const AuditRecord *like, int64_t id, char **reterr_msg) {
        AuditRecord a = *like;
        char reason[64];

        (void) snprintf(reason, sizeof(reason), "ticket %" PRId64, id);
        a.event = "ticket-used";
        a.verb = NULL;
        a.reason = reason;
        return store_audit_append(c->host->store, &a, reterr_msg);
}

/* Which policy a decision is recorded with. The rules may have been read anew since one of them was
 * held back. */
static const char *policy_of_decision(const Challenge *c, const StoreDecision *d) {
        if (d->rule && c->held_rule)
                return c->held_policy;
        return c->host->policy_hash ? c->host->policy_hash(c->host->userdata) : NULL;
}

static int change_audit(Challenge *c, const Change *change, usec_t now, char **reterr_msg) {
        const StoreDecision *d = change->decision  ? change->decision
                                 : c->has_decision ? &c->decision
                                                   : NULL;
        AuditRecord a = {
                        .time = now,
                        .factor = c->view.factor,
                        .challenge = c->view.sid,
                        .digest = c->view.digest,
                        .decision = d ? d->id : NULL,
                        .verb = d ? verb_to_string(d->verb) : NULL,
                        .rule = d ? d->rule : NULL,
                        .door = d ? d->door : NULL,
                        .uid = d && !d->rule ? (int64_t) d->uid : -1,
        };
        int r;

        if (change->mismatch) {
                r = mismatch_audit(c, change->mismatch, now, reterr_msg);
                if (r < 0)
                        return r;
        }
        if (change->decision) {
                a.event = "decision";
                a.policy = policy_of_decision(c, change->decision);
                r = store_audit_append(c->host->store, &a, reterr_msg);
                if (r < 0)
                        return r;
                a.policy = NULL;
        }
        if (change->ticket) {
                r = ticket_audit(c, &a, change->ticket, reterr_msg);
                if (r < 0)
                        return r;
        }
        if (change->void_reason) {
                a.event = "void";
                a.reason = change->void_reason;
                return store_audit_append(c->host->store, &a, reterr_msg);
        }
        if (life_is_final(change->to)) {
                a.event = "outcome";
                a.outcome = challenge_state_to_string(change->to);
                return store_audit_append(c->host->store, &a, reterr_msg);
        }
        return 0;
}

static int change_write(Challenge *c,
                const Change *change,
                PromptEffect *effect,
                usec_t now,
                char **reterr_msg) {
        Store *store = c->host->store;
        int r;

        if (change->void_reason) {
                r = store_decision_void(store, c->view.sid, change->void_reason, now, reterr_msg);
                if (r < 0)
                        return r;
        }
        if (change->decision) {
                r = store_decision_add(store, change->decision, reterr_msg);
                if (r >= 0 && change->ticket)
                        r = tickets_consume(c->host->tickets, change->ticket, change->decision->id,
                                        reterr_msg);
                if (r < 0)
                        return r;
        }
        r = change_audit(c, change, now, reterr_msg);
        if (r < 0)
                return r;

        StoreChallenge row = {
                        .factor_id = c->factor->record.id,
                        .state = change->to,
                        .document = c->document,
                        .reason = (char *) (uintptr_t) change->reason,
                        .expires = c->view.expires,
                        .changed = now,
                        .attempts = c->attempts,
                        .mismatches = c->mismatches + (change->mismatch ? 1 : 0),
                        .asked = effect->prompted,
                        .held_rule = c->held_rule,
                        .held_verb = c->held_verb,
                        .held_policy = c->held_policy,
        };
        memcpy(row.sid, c->view.sid, sizeof(row.sid));
        r = store_challenge_put(store, &row, reterr_msg);
        if (r < 0)
                return r;
        c->sequence = row.sequence;
        return prompts_write(c->host->prompts, c, effect, now, reterr_msg);
}

static int change_commit(Challenge *c,
                const Change *change,
                PromptEffect *effect,
                usec_t now,
                char **reterr_msg) {
        Store *store = c->host->store;
        uint64_t sequence = c->sequence;
        int r;

        r = prompts_plan(c->host->prompts, c, change->to, effect);
        if (r < 0)
                return r;
        r = store_begin(store, reterr_msg);
        if (r >= 0)
                r = store_end(store, change_write(c, change, effect, now, reterr_msg), reterr_msg);
        if (r < 0) {
                c->sequence = sequence;
                prompts_drop(c->host->prompts, effect);
        }
        return r;
}

static void change_take(Challenge *c, const Change *change) {
        if (change->ticket)
                tickets_consumed(c->host->tickets, change->ticket);
        if (change->void_reason) {
                store_decision_done(&c->decision);
                c->has_decision = false;
        }
        if (change->decision) {
                c->decision = *change->decision;
                *change->decision = (StoreDecision){0};
                c->has_decision = true;
        }
        c->mismatches += change->mismatch ? 1 : 0;
        (void) text_set(&c->view.reason, change->reason);
}

int challenge_change(Challenge *c, const Change *change, char **reterr_msg) {
        Prompts *prompts = c->host->prompts;
        PromptEffect effect = {0};
        usec_t now = now_realtime();
        int r;

        assert(life_may_move(c->view.state, change->to));
        r = change_commit(c, change, &effect, now, reterr_msg);
        if (r < 0)
                return r;
        change_take(c, change);
        c->changed = now;
        challenge_set_state(c, change->to);
        prompts_apply(prompts, c, &effect, now);
        c->host->changed(c, c->host->userdata);
        prompts_tell(prompts, c, &effect);
        prompts_drop(prompts, &effect);
        return 0;
}

/* Makes what does not change its state durable, and what that means for others. */
static int change_again(Challenge *c, const Change *change, usec_t now, char **reterr_msg) {
        Prompts *prompts = c->host->prompts;
        PromptEffect effect = {0};
        int r;

        r = change_commit(c, change, &effect, now, reterr_msg);
        if (r < 0)
                return r;
        prompts_apply(prompts, c, &effect, now_realtime());
        prompts_tell(prompts, c, &effect);
        prompts_drop(prompts, &effect);
        return 0;
}

int challenge_note_mismatch(Challenge *c, const Actor *actor, char **reterr_msg) {
        Change change = {.to = c->view.state, .reason = c->view.reason, .mismatch = actor};
        usec_t now = now_realtime();
        int r;

        /* The whole row: there is none yet of one that could not be recorded when it came. */
        r = change_again(c, &change, now, reterr_msg);
        if (r < 0)
                return r;
        c->mismatches++;
        c->changed = now;
        return 0;
}

int challenge_record_end(Challenge *c) {
        Change change = {.to = c->view.state, .reason = c->view.reason};

        return change_again(c, &change, c->changed, NULL);
}

void challenge_settle(Challenge *c) {
        (void) sd_event_source_set_enabled(c->timer, SD_EVENT_OFF);
        c->call = api_call_free(c->call);
        challenge_waiters_tell(c);
}
