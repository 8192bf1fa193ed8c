#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The ten rules of docs/challenge-life.md, watched from outside: on the wire, and in what the
 * database holds for another connection, which sees nothing that is not committed. */

#include "daemon/api.h"
#include "daemon/challenge.h"
#include "model-provider.h"

typedef unsigned MoveCounts[_CHALLENGE_STATE_MAX][_CHALLENGE_STATE_MAX];

/* How often each move was taken, over all runs. */
extern MoveCounts rules_moves;

void rules_start(void);
void rules_done(void);
/* The database of the store that has just been opened; NULL: closed. */
void rules_database(const char *path);
/* A restarted daemon holds what the database does, and has decided nothing by itself. */
void rules_restarted(void);

/* Somebody (a door or a rule) was shown this version and decides. */
void rules_issue(const Remote *r, Verb verb, const char *digest, unsigned version, const char *by);
/* A request leaves. Returns its number. */
uint64_t rules_sent(const Remote *r, const VerifyRequest *request, const ApiWho *who);
/* A reply is about to be told; then has been told. number: of its request. */
void rules_reply(const Remote *r,
                VerifyMethod method,
                uint64_t number,
                const ApiReply *reply,
                bool transient,
                bool header_good);
void rules_replied(const Remote *r, const ApiReply *reply, bool transient);
/* The challenge has changed. faulted: the store could not be written meanwhile. */
void rules_changed(const Challenge *c, bool faulted);
/* Somebody acts: what follows at the same instant is no busy loop. */
void rules_progress(const Remote *r);
/* The provider refuses all of this factor's. */
void rules_revoked(FactorType type);
/* Time has passed. */
void rules_tick(void);
/* At the end of a run everything has ended and is on record. */
void rules_end(void);

bool __wrap_life_may_move(ChallengeState from, ChallengeState to);
bool __real_life_may_move(ChallengeState from, ChallengeState to);
