#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A challenge's life: the states and their legal moves, in one table. docs/challenge-life.md shows
 * the same table to people, and a test compares the two. */

#include "base/model.h"

/* Whether a challenge may go from one state to another. */
bool life_may_move(ChallengeState from, ChallengeState to);
/* Whether nothing leaves the state. */
bool life_is_final(ChallengeState s);
/* The final state that the provider's word means for a decision of ours: what we asked for when
 * ours is the decision that the provider's record names, else superseded or expired;
 * _CHALLENGE_STATE_MAX while it is pending or unknown. ours: metadata.decision equals our
 * decision's id. Pure. */
ChallengeState life_outcome(ProviderStatus status, bool ours);
