#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Prompts: what whoever asks a person about a challenge has to know of it. */

#include "daemon/challenge.h"
#include "daemon/confirm.h"

/* The challenge that stands for this one; NULL when it stands for itself. */
const Challenge *prompt_leader(const Challenge *c);
/* How many it stands for, beside itself. */
size_t prompt_repeats(const Challenge *c);
/* Whether it is not to be popped up. */
bool prompt_is_quiet(const Challenge *c);
/* What Approve wants typed; CONFIRM_NONE once it is decided or has ended. */
Confirm prompt_confirm(const Challenge *c);
/* Whether the value of a detail with that label may not be shown. */
bool prompt_withholds(const Challenge *c, const char *label);
