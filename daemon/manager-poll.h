#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the manager does with what the poller brings. */

#include "daemon/manager.h"

PollerHandler manager_poll_handler(Manager *m);
