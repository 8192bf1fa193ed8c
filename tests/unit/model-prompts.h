#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What a person is shown and has to type, watched from outside: who leads whom, what is withheld.
 */

#include "model-daemon.h"

#define MODEL_LABEL "Number"
#define MODEL_TYPED_SIZE 64

/* What the person in front of a remote's own screen reads there; false: nothing. */
bool prompts_number(const Remote *r, char ret[static MODEL_TYPED_SIZE]);
/* What somebody types about a challenge, right or wrong; false: nothing. *ret_enough: whether an
 * approval may come of it. */
bool prompts_type(const Challenge *c, char ret[static MODEL_TYPED_SIZE], bool *ret_enough);
/* Between two steps: groups are what they should be, and nothing is shown that has to be typed. */
void prompts_check(void);
