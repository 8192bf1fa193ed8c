#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on tickets. */

#include "daemon/manager.h"

void operation_expect(Manager *m, Call *call);
void operation_list_tickets(Manager *m, Call *call);
void operation_revoke_ticket(Manager *m, Call *call);
