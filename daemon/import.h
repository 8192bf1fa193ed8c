#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Import: secrets from elsewhere, all of a file or none. */

#include "daemon/manager.h"

void import_accounts(Manager *m, Call *call);
