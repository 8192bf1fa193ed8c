#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Examining: asks the provider about a factor itself. A list of challenges does not tell that a
 * factor was deleted, nor that a refused one is taken again. */

#include "daemon/manager.h"

#define EXAMINE_INTERVAL USEC_PER_DAY               /* a TOTP factor at work */
#define EXAMINE_REVOKED_INTERVAL POLL_RARE_INTERVAL /* one that the provider refused */

/* Asks now, unless it is being asked already, or can't be: a factor elsewhere, or without a
 * credential. A 404 (or 401, twice, to its own key) marks it revoked; a verified one that was
 * revoked is at work again. */
void examine_factor(Manager *m, Factor *f);
/* Sets when it is asked for the first time: some time within its interval, at random. */
void examine_plan(Factor *f);
/* Asks about those whose time has come. */
void examine_due(Manager *m);
/* Asks about all that are revoked. */
void examine_revoked(Manager *m);
/* Cancels what is under way. */
void examine_cancel_all(Manager *m);
