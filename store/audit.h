#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail: telling of what was committed, sealed checkpoints, retention, and checking it
 * all. Appending and reading stand in store/store.h.
 *
 * Two checkpoints are sealed under a key of their own: "start", the last record that retention
 * dropped, from which a check begins; and "head", the newest record when it was written, so that
 * cutting the end off is found. Who has the store key can make all of this anew; the heads that
 * went elsewhere (the journal) are what witnesses against that. */

#include "store/store.h"

#define STORE_NAME_SIZE 33
#define AUDIT_WITNESSES_MAX 4096
/* A record counts as this much beside its text. */
#define AUDIT_RECORD_OVERHEAD 100

/* What a store is called where its heads are kept: fixed by its key, tells nothing of it. */
const char *store_name(const Store *s);

/* Sets who is told of each record, once it is committed and in the order of the ids: no other
 * record is ever told of. The function may read the store, not write it. */
void store_on_audit(Store *s, void (*fn)(const AuditRecord *r, void *userdata), void *userdata);

/* As store_audit_each(), for each record before an id, newest first. */
int store_audit_each_back(Store *s,
                int64_t before,
                int (*each)(const AuditRecord *r, void *userdata),
                void *userdata,
                char **reterr_msg);

/* The end of the chain. */
typedef struct AuditHead {
        int64_t id; /* 0: there was never a record */
        char mac[SHA256_HEX_SIZE];
        uint64_t length; /* records kept */
} AuditHead;

/* The newest record as it is now. */
void store_audit_head(const Store *s, AuditHead *ret);
/* Seals the newest record as the checkpoint "head", in a transaction of its own; does nothing when
 * it is that already. */
int store_audit_seal(Store *s, char **reterr_msg);

/* How much is kept. */
typedef struct AuditRetention {
        usec_t now;
        usec_t keep;       /* records younger than this, unless there are too many */
        uint64_t max_size; /* bytes, about */
} AuditRetention;

/* Drops the oldest records, at most max, and seals both checkpoints, in one transaction. It stops
 * at the first record that is to be kept, or that is about a challenge that is not over. One whose
 * time is still to come goes when one that came after it does. Records that don't fit are dropped,
 * too, and that is remembered in the checkpoint. *ret_more: there may be more to drop. */
int store_audit_prune(Store *s,
                const AuditRetention *retention,
                size_t max,
                size_t *ret_dropped,
                bool *ret_more,
                char **reterr_msg);
/* What the kept records take, in bytes, about. */
uint64_t store_audit_size(const Store *s);

/* What can be wrong with a trail. The numbers stand in the store. */
typedef enum AuditFault {
        AUDIT_INTACT = 0,
        AUDIT_CHANGED = 1,    /* the record does not fit */
        AUDIT_MISSING = 2,    /* it and maybe some after it are not there, later ones are */
        AUDIT_MOVED = 3,      /* it stands elsewhere */
        AUDIT_INSERTED = 4,   /* what stands in its place is none of the trail's */
        AUDIT_CUT = 5,        /* it was there and is not, nor is any after it */
        AUDIT_CHECKPOINT = 6, /* a checkpoint was changed or removed */
        AUDIT_REMADE = 7,     /* it fits, but a witness saw another one */
} AuditFault;

/* A sentence about a fault, for people. *ret is new. Returns 0 or -ENOMEM. */
int audit_fault_describe(AuditFault fault, int64_t row, char **ret);
/* What was found wrong when the store was opened and since, without a check of all of it. */
AuditFault store_audit_fault(const Store *s, int64_t *ret_row);

/* A head that somebody noted at the time. */
typedef struct AuditWitness {
        int64_t id;
        uint8_t mac[SHA256_SIZE];
} AuditWitness;

typedef struct AuditVerdict {
        AuditFault fault;      /* the first one */
        int64_t row;           /* of the fault; 0 when it is a checkpoint's */
        AuditFault past_fault; /* found earlier; its traces may be gone: dropped, or written over */
        int64_t past_row;
        AuditHead head;     /* what was checked, up to the fault; length: records */
        uint64_t dropped;   /* by retention, in all */
        size_t n_witnesses; /* that were compared */
} AuditVerdict;

/* A check under way: a piece at a time, because a long trail takes a while. Nothing may be dropped
 * meanwhile; what is appended is checked, too. */
typedef struct AuditCheck AuditCheck;

/* witnesses: at most AUDIT_WITNESSES_MAX, copied; their ids need not be in order. Returns 0 or
 * -errno with a message. */
int audit_check_new(AuditCheck **ret,
                Store *s,
                const AuditWitness *witnesses,
                size_t n_witnesses,
                char **reterr_msg);
/* Takes NULL, returns NULL. */
AuditCheck *audit_check_free(AuditCheck *c);
DEFINE_CLEANUP(AuditCheck *, audit_check_free);
/* Checks at most max more records. Once *ret_done is true, verdict holds the result. Returns 0, or
 * -errno with a message when the store can't be read. */
int audit_check_step(AuditCheck *c, size_t max, bool *ret_done, char **reterr_msg);
const AuditVerdict *audit_check_verdict(const AuditCheck *c);

/* All of it at once. */
int store_audit_verify(Store *s, AuditVerdict *ret, char **reterr_msg);
