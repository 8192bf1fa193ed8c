#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What a decider is told, and what its answer means. Pure. docs/policy.md describes both. */

#include "base/model.h"

#define DECIDER_ANSWER_MAX 64 /* bytes that a decider may write */

/* The question: one line of JSON with its newline, what the challenge says, all of it, and which
 * rule asks. *ret is new. Returns 0 or -ENOMEM. */
int decider_question(const ChallengeView *v, const char *rule, char **ret);

/* Reads an answer: one of the four verbs, alone, with one newline after it or none. Returns 0 or
 * -EINVAL. */
int decider_word(const void *data, size_t len, Verb *ret);
