#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail's inside: records as rows, the MACs of the chain, its checkpoints. */

#include "store/database.h"

/* The columns of a record, in the order that audit_read() takes them. */
#define AUDIT_COLUMNS                                                                              \
        "id, time, uid, event, factor, challenge, decision, digest, verb, rule, outcome, reason, " \
        "door, policy, layout, mac"

/* The MAC's layout of new records; the first one lacked the policy. */
#define AUDIT_LAYOUT 2

/* A row of the table. */
typedef struct AuditRow {
        AuditRecord record; /* borrowed until the statement's next step */
        int64_t layout;
        AuditLink link; /* as it stands there */
} AuditRow;

int audit_read(Statement *st, AuditRow *ret, char **reterr_msg);
int audit_insert(Store *s, const AuditRow *row, char **reterr_msg);
void audit_read_mac(Statement *st, uint8_t ret[static SHA256_SIZE]);
/* A copy whose strings are its own, and freeing them. Returns 0 or -ENOMEM. */
int audit_copy(AuditRecord *ret, const AuditRecord *r);
void audit_copy_done(AuditRecord *r);
/* Room that a record takes, about. */
uint64_t audit_record_size(const AuditRecord *r);

/* What MACs are made of: parts that tell their own length. Return 0, -ENOMEM or -EIO. */
int audit_put_number(Secret *to, uint64_t value);
int audit_put_text(Secret *to, const char *text);
int audit_mac(const Secret *key, const Secret *bytes, uint8_t ret[static SHA256_SIZE]);
/* The link that the row makes after the previous one, under the id that comes next. Returns 0,
 * -ENOMEM or -EIO, with a message. */
int audit_link(const Store *s,
                const AuditLink *previous,
                const AuditRow *row,
                AuditLink *ret,
                char **reterr_msg);
/* Whether the row, whatever its id, holds what came after previous. */
int audit_follows(const Store *s,
                const AuditLink *previous,
                const AuditRow *row,
                bool *ret,
                char **reterr_msg);

/* Makes the first checkpoints of a trail, in the open transaction. */
int audit_begin(Store *s, char **reterr_msg);
/* Takes the trail up from an opened database. */
int audit_open(Store *s, char **reterr_msg);
/* Reads the checkpoint "start" or "head". *ret_fits is false when it is not there or not sealed. */
int audit_checkpoint_read(Store *s,
                const char *name,
                AuditCheckpoint *ret,
                bool *ret_fits,
                char **reterr_msg);
/* Seals and writes one, in the open transaction. */
int audit_checkpoint_write(Store *s, const char *name, const AuditCheckpoint *c, char **reterr_msg);
/* The checkpoint "head" as it would be sealed now. */
AuditCheckpoint audit_present_head(const Store *s);
/* Remembers a fault, if it is the first. */
void audit_note_fault(Store *s, AuditFault fault, int64_t row);

/* After a commit: tells of the records in it. */
void audit_hand_over(Store *s);
/* After a rollback: forgets them, and the rest that came after tail. */
void audit_take_back(Store *s, const StoreTail *tail);
/* When the store closes. */
void audit_drop_fresh(Store *s);
