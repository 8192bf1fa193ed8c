#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* AuditTrail: what happens to the audit trail beside records being appended. It tells of them (in
 * the log and to readers), seals its head, drops what is old, and records refusals. */

#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "daemon/api.h"
#include "daemon/config.h"
#include "daemon/refusals.h"
#include "ipc/call.h"
#include "store/audit.h"

#define AUDIT_HEAD_RECORDS 100 /* the head is sealed and logged after so many … */
#define AUDIT_HEAD_INTERVAL USEC_PER_HOUR
#define AUDIT_HEAD_INTERVAL_IDLE USEC_PER_DAY /* … when there is none */
#define AUDIT_PRUNE_INTERVAL USEC_PER_HOUR
#define AUDIT_BATCH 500 /* records that are read, checked or dropped at once */
#define AUDIT_PAUSE (2 * USEC_PER_MSEC)

typedef struct AuditReader AuditReader;
typedef struct AuditVerifier AuditVerifier;

/* A refusal that is not recorded yet. */
typedef struct Refusal {
        usec_t time;
        uid_t uid;
        const char *door;
        OperationId operation;
        IpcError error;
        char factor[NAME_MAX_LEN + 1]; /* what it was about, as the caller named it; "" */
        char challenge[SID_SIZE];
} Refusal;

typedef struct AuditTrail {
        sd_event *event;
        Store *store;
        Api *api;
        usec_t keep;
        uint64_t max_size;
        sd_event_source *timer;
        bool hurried;          /* it is due at once */
        unsigned n_since_head; /* records */
        usec_t head_at;        /* boot time */
        usec_t pruned_at;      /* boot time; 0: never */
        bool failed;           /* that it can't be written was said */
        bool stuck;            /* it is too large, and nothing of it can go */
        AuditFault seen;       /* by the last check, in the records themselves */
        int64_t seen_row;
        Refusals refusals;
        Refusal waiting[REFUSALS_OF_ALL];
        size_t n_waiting;
        LIST_HEAD(, AuditReader) readers;
        LIST_HEAD(, AuditVerifier) verifiers; /* nothing is dropped while there is one */
} AuditTrail;

/* Takes the store's trail in hand. All are borrowed. Returns 0 or -errno. */
int audit_trail_new(
                AuditTrail **ret, sd_event *event, Store *store, Api *api, const Config *config);
/* Seals and logs the head; readers are told that the daemon stops. Takes NULL, returns NULL. */
AuditTrail *audit_trail_free(AuditTrail *t);
DEFINE_CLEANUP(AuditTrail *, audit_trail_free);

/* Notes that a caller was refused something: recorded soon, unless there are too many. */
void audit_trail_refused(AuditTrail *t, const Call *call, IpcError error);
/* Adds what is wrong with the trail, for status. */
void audit_trail_problems(const AuditTrail *t, json_object *list);

/* What a reader wants. Strings are NULL for any. */
typedef struct AuditFilter {
        char *factor;    /* name */
        char *challenge; /* SID, or a SID's beginning */
        char *event;
        usec_t since;
} AuditFilter;

bool audit_filter_matches(const AuditFilter *f, const AuditRecord *r);

/* Streams records after an id to the call: the newest limit of them (-1: all), then, with follow,
 * each new one. The filter's strings are taken on success. Returns 0 or -errno. */
int audit_reader_new(AuditTrail *t,
                Call *call,
                AuditFilter *filter,
                int64_t after,
                int64_t limit,
                bool follow);
/* A record was committed. */
void audit_readers_tell(AuditTrail *t, const AuditRecord *record);
/* The daemon stops. */
void audit_readers_end(AuditTrail *t);

/* Checks all of the trail and answers the call. Returns 0 or -errno with a message. */
int audit_verifier_new(AuditTrail *t,
                Call *call,
                const AuditWitness *witnesses,
                size_t n_witnesses,
                char **reterr_msg);
void audit_verifiers_end(AuditTrail *t);
