/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/outcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json-member.h"
#include "base/text.h"
#include "ipc/operation.h"

void outcome_done(Outcome *o) {
        free(o->summary);
        free(o->text);
        *o = (Outcome){0};
}

static int tell(Outcome *ret,
                const char *what,
                const char *factor,
                const char *text,
                bool failed,
                DecisionEnd end) {
        Outcome o = {.failed = failed};

        if (asprintf(&o.summary, "%s: %s", what, factor) < 0) {
                o.summary = NULL;
                return -ENOMEM;
        }
        if (text && text_escape(text, &o.text) < 0) {
                outcome_done(&o);
                return -ENOMEM;
        }
        *ret = o;
        return (int) end;
}

static const char *not_done(ActionKind kind) {
        return kind == ACTION_APPROVE ? "Not approved"
               : kind == ACTION_DENY  ? "Not denied"
                                      : "Not ignored";
}

int outcome_of_failure(Outcome *ret, ActionKind kind, const char *factor, const char *why) {
        return tell(ret, not_done(kind), factor, why, true, DECISION_DONE);
}

int outcome_of_challenge(
                Outcome *ret, ActionKind kind, const char *factor, json_object *challenge) {
        const char *state = get_string(challenge, "state");
        const char *reason = get_string(challenge, "reason");
        int s = state ? challenge_state_from_string(state) : -EINVAL;

        if (s < 0)
                return tell(ret, "No answer", factor,
                                "What became of the decision is not known: ask where it came from.",
                                true, DECISION_DONE);
        switch ((ChallengeState) s) {
        case CHALLENGE_APPROVED:
                return tell(ret, "Approved", factor, NULL, false, DECISION_DONE);
        case CHALLENGE_DENIED:
                return tell(ret, "Denied", factor, NULL, false, DECISION_DONE);
        case CHALLENGE_IGNORED:
                return tell(ret, "Ignored", factor, NULL, false, DECISION_DONE);
        case CHALLENGE_EXPIRED:
                return tell(ret, "Expired", factor,
                                reason ? reason : "It expired before the answer was confirmed.",
                                true, DECISION_DONE);
        case CHALLENGE_SUPERSEDED:
                return tell(ret, "Answered elsewhere", factor, reason, true, DECISION_DONE);
        case CHALLENGE_FAILED:
                return tell(ret, "Failed", factor, reason, true, DECISION_DONE);
        case CHALLENGE_ASKING:
                return outcome_of_failure(ret, kind, factor, "It is asked again.");
        case CHALLENGE_DISCOVERED:
        case CHALLENGE_DECIDING:
        case CHALLENGE_ANSWERING:
        case CHALLENGE_SUBMITTED:
        case _CHALLENGE_STATE_MAX:
                break;
        }
        return DECISION_PENDING;
}

int outcome_of_reply(Outcome *ret,
                ActionKind kind,
                const char *factor,
                const char *error,
                json_object *o) {
        const char *message = get_string(o, "message");

        if (!error)
                return outcome_of_challenge(ret, kind, factor, get_object(o, "challenge"));
        if (streq(error, IPC_INTERFACE ".Unconfirmed"))
                return tell(ret, "Not confirmed yet", factor, message, true, DECISION_WAITS);
        return outcome_of_failure(ret, kind, factor, message ? message : error);
}
