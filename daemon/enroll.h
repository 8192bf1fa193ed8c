#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that enrol: parameters, a key or seed, the record that comes before anything is
 * sent. */

#include "daemon/manager.h"

void enroll_push(Manager *m, Call *call);
void enroll_totp(Manager *m, Call *call);
