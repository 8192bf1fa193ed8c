#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on one factor: its code, its owner, what it matches, its end. */

#include "daemon/manager.h"

void operation_get_code(Manager *m, Call *call);
void operation_set_owner(Manager *m, Call *call);
void operation_set_match_field(Manager *m, Call *call);
void operation_remove(Manager *m, Call *call);
