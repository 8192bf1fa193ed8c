#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Enrollment: from a stored key to a verified factor; rolled back on both sides, or gone on with
 * after a restart. */

#include "daemon/manager.h"

/* Sends the create (request is taken) of a factor that the store holds as enrolling, and goes on
 * from its reply; call is answered at the end. access_token (copied) or else the factor's account
 * signs it. */
void enrollment_begin(Manager *m,
                Factor *f,
                Call *call,
                VerifyRequest *request,
                const Secret *access_token);
/* Goes on with the factors that the store holds as enrolling or unverified. */
void enrollment_resume(Manager *m);
/* Cancels what is under way; the store knows where to go on. */
void enrollment_cancel_all(Manager *m);
