/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/challenge-change.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "daemon/life.h"

/* The one place that assigns a state. */
void challenge_set_state(Challenge *c, ChallengeState to) {
        c->view.state = to;
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

int challenge_note_mismatch(Challenge *c, const Actor *actor, char **reterr_msg) {
        Store *store = c->host->store;
        int r;

        r = store_begin(store, reterr_msg);
        if (r < 0)
                return r;
        r = store_challenge_set_mismatches(store, c->view.sid, c->mismatches + 1, reterr_msg);
        if (r >= 0)
                r = mismatch_audit(c, actor, now_realtime(), reterr_msg);
        r = store_end(store, r, reterr_msg);
        if (r >= 0)
                c->mismatches++;
        return r;
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
                r = store_audit_append(c->host->store, &a, reterr_msg);
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

static int change_write(Challenge *c, const Change *change, usec_t now, char **reterr_msg) {
        Store *store = c->host->store;
        int r;

        if (change->void_reason) {
                r = store_decision_void(store, c->view.sid, change->void_reason, now, reterr_msg);
                if (r < 0)
                        return r;
        }
        if (change->decision) {
                r = store_decision_add(store, change->decision, reterr_msg);
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
                        .asked = c->prompted,
        };
        memcpy(row.sid, c->view.sid, sizeof(row.sid));
        r = store_challenge_put(store, &row, reterr_msg);
        if (r < 0)
                return r;
        c->sequence = row.sequence;
        return 0;
}

int challenge_commit(Challenge *c, const Change *change, usec_t now, char **reterr_msg) {
        int r;

        r = store_begin(c->host->store, reterr_msg);
        if (r < 0)
                return r;
        r = change_write(c, change, now, reterr_msg);
        return store_end(c->host->store, r, reterr_msg);
}

int challenge_change(Challenge *c, const Change *change, char **reterr_msg) {
        usec_t now = now_realtime();
        int r;

        assert(life_may_move(c->view.state, change->to));
        r = challenge_commit(c, change, now, reterr_msg);
        if (r < 0)
                return r;
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
        c->changed = now;
        challenge_set_state(c, change->to);
        c->host->changed(c, c->host->userdata);
        return 0;
}
