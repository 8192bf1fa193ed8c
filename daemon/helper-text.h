#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What a helper program is told, and what its answer means. Pure. */

#include "base/model.h"
#include "base/secret.h"

#define HELPER_OUTPUT_MAX 4096 /* bytes that a helper may write */

/* The question: ours line by line, with the provider's text escaped, so that no line of it is
 * anything but what it stands for. left: until it expires. typed: the label of the detail whose
 * value is to be typed (it is not shown), or NULL: to be said yes to. *ret is new. Returns 0 or
 * -ENOMEM. */
int helper_text(const ChallengeView *v, usec_t left, const char *typed, char **ret);

/* Whether output is a yes to a question, as ssh-add -c has it: an empty first line, or "yes" in any
 * case. */
bool helper_says_yes(const Secret *output);
/* The first line of output, what was typed; *ret is new (wiped by secret_string_free()), NULL when
 * the line is empty or no text. Returns 0 or -ENOMEM. */
int helper_typed(const Secret *output, char **ret);

/* The environment of a helper: environment without what the service manager told this daemon alone,
 * with FACTORD_CHALLENGE (unless sid is NULL), and SSH_ASKPASS_PROMPT=confirm when it asks for a
 * yes. *ret is new, a
 * NULL-ended array to free with environment_free(). Returns 0 or -ENOMEM. */
int helper_environment(char *const *environment, const char *sid, bool typed, char ***ret);
/* Takes NULL, returns NULL. */
char **environment_free(char **environment);
DEFINE_CLEANUP(char **, environment_free);
