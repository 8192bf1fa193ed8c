#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail's records and heads outside the store: in the journal with their fields, or as a
 * line on stderr. */

#include "store/audit.h"

/* An event of the trail, as it stands in its records. */
typedef struct AuditEvent {
        const char *name;
        const char *id; /* MESSAGE_ID= */
        int priority;
} AuditEvent;

/* All events that have a MESSAGE_ID of their own. */
const AuditEvent *audit_events(size_t *ret_n);

/* A record in one line, without its digests: "decision approve, factor office, …". *ret is new.
 * Returns 0 or -ENOMEM. Pure. */
int audit_record_text(const AuditRecord *r, char **ret);

void audit_log_record(const AuditRecord *r);
/* Only to the journal: it is there to be compared with. */
void audit_log_head(const char *store, const AuditHead *head);
void audit_log_fault(AuditFault fault, int64_t row);
