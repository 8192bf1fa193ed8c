#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The whole configuration as the daemon needs it, at the start and at a reload. */

#include "daemon/config.h"

/* Reads it with its passwords, and checks what it names. Faults go to errors, all of them. Returns
 * 0, -EINVAL when there were faults, -ENOMEM. */
int configuration_load(
                Config **ret, const ConfigSource *source, ErrorList *errors, ErrorList *warnings);

/* Takes over what can change while the daemon runs: Default=, [Policy] Directory=, and of [Prompt]
 * ArmDelay=, Budget= and WhileLocked=. fresh keeps what was there instead. */
void configuration_take(Config *config, Config *fresh);
/* Adds the keys to notes that differ and do not. Returns 0 or -ENOMEM. */
int configuration_note_restart(const Config *config, const Config *fresh, ErrorList *notes);
