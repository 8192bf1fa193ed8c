#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Between creating a challenge and answering it. */

#include "sandbox/call.h"

/* Tries a code on a pending TOTP challenge: it becomes approved, or an attempt is counted. Returns
 * false with the reply set when this program could not do its job. */
bool challenge_try_code(Call *c, Challenge *challenge, Factor *f, const char *code);
