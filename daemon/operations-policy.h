#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The operations on the policy: reading it again, and why it says what it says. */

#include <json-c/json_types.h>

#include "daemon/manager.h"

void operation_reload(Manager *m, Call *call);
void operation_explain_policy(Manager *m, Call *call);
void operation_replay_policy(Manager *m, Call *call);

/* PolicyStatus of the interface file; a new object. */
json_object *view_policy(const Manager *m);
