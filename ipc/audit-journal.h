#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon writes to the journal of its audit trail's head, and factorctl looks for there.
 */

#define AUDIT_FIELD_EVENT "FACTORD_EVENT"
#define AUDIT_EVENT_HEAD "head" /* its value for a head; no record of the trail has it */
#define AUDIT_FIELD_STORE "FACTORD_STORE"
#define AUDIT_FIELD_ID "FACTORD_AUDIT_ID"
#define AUDIT_FIELD_HEAD "FACTORD_HEAD"
