/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/life.h"

#define TO(state) (1U << CHALLENGE_##state)

/* Which states may follow. docs/challenge-life.md says when. */
static const unsigned moves[_CHALLENGE_STATE_MAX] = {
                [CHALLENGE_DISCOVERED] = TO(DECIDING) | TO(EXPIRED) | TO(SUPERSEDED) | TO(FAILED),
                [CHALLENGE_DECIDING] = TO(ASKING) | TO(ANSWERING) | TO(IGNORED) | TO(EXPIRED) |
                                       TO(SUPERSEDED) | TO(FAILED),
                [CHALLENGE_ASKING] = TO(ANSWERING) | TO(DECIDING) | TO(IGNORED) | TO(EXPIRED) |
                                     TO(SUPERSEDED) | TO(FAILED),
                [CHALLENGE_ANSWERING] = TO(SUBMITTED) | TO(DECIDING) | TO(APPROVED) | TO(DENIED) |
                                        TO(EXPIRED) | TO(SUPERSEDED) | TO(FAILED),
                [CHALLENGE_SUBMITTED] = TO(APPROVED) | TO(DENIED) | TO(SUPERSEDED) | TO(EXPIRED) |
                                        TO(FAILED) | TO(ANSWERING),
};

static bool in_range(ChallengeState s) {
        return (unsigned) s < _CHALLENGE_STATE_MAX;
}

bool life_may_move(ChallengeState from, ChallengeState to) {
        return in_range(from) && in_range(to) && (moves[from] & 1U << to) != 0;
}

bool life_is_final(ChallengeState s) {
        return in_range(s) && moves[s] == 0;
}

ChallengeState life_outcome(ProviderStatus status, bool ours) {
        switch (status) {
        case PROVIDER_APPROVED:
                return ours ? CHALLENGE_APPROVED : CHALLENGE_SUPERSEDED;
        case PROVIDER_DENIED:
                return ours ? CHALLENGE_DENIED : CHALLENGE_SUPERSEDED;
        case PROVIDER_EXPIRED:
                return CHALLENGE_EXPIRED;
        case PROVIDER_PENDING:
        case PROVIDER_UNKNOWN:
        case _PROVIDER_STATUS_MAX:
                break;
        }
        return _CHALLENGE_STATE_MAX;
}
