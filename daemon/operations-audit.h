#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on the audit trail. */

#include "daemon/manager.h"

void operation_read_audit(Manager *m, Call *call);
void operation_verify_audit(Manager *m, Call *call);
