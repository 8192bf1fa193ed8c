#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions of the people who decide: whether they are locked, and the helper that asks there.
 */

#include "daemon/manager.h"

/* Watches logind unless Bus=none, and makes the helper when one is configured. Returns 0 or -errno.
 */
int manager_watch_sessions(Manager *m);
/* Whether that user's sessions are locked, so that nothing can be approved by them. */
bool manager_is_locked(const Manager *m, uid_t uid);
