#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The model's daemon: the shipped life of challenges on a real store, what stands round it, and the
 * ways in which it may be stopped. */

#include "daemon/challenge.h"
#include "model-provider.h"

#define MODEL_CALLERS_MAX 64

/* Somebody who decided. */
typedef struct Caller {
        unsigned remote;
        Verb verb;
        usec_t asked;
        unsigned n_answers;
        bool gone; /* a crash cut the connection */
        char error[64];
        char state[16];
} Caller;

/* How the store fails. */
typedef enum StoreFault {
        STORE_WORKS,
        STORE_NO_BEGIN,
        STORE_NO_WRITE,
        STORE_NO_COMMIT,
        _STORE_FAULT_MAX,
} StoreFault;

/* What the policy says in this run. */
typedef enum PolicyMode {
        POLICY_ASK,
        POLICY_MIXED,
        POLICY_APPROVE,
        POLICY_DECIDER,  /* mostly a decider is asked */
        POLICY_OVERRIDE, /* a person may decide otherwise */
        _POLICY_MAX,
} PolicyMode;

typedef struct Daemon {
        bool dead;         /* crashed: nothing it does now leaves a trace */
        unsigned crash_in; /* durable points from now; 0: never */
        StoreFault fault;
        bool faulted; /* since the last change */
        Store *store;
        Api *api;
        bool revoked; /* the push factor, durably */
        bool detached, no_account;
        PolicyMode policy;
        bool match;                         /* the factors match a detail */
        BudgetLimit budget;                 /* of prompts */
        Challenge *held[MODEL_REMOTES_MAX]; /* as the provider's */
        bool holds[MODEL_REMOTES_MAX];      /* what a rule said last may be overridden */
        Caller callers[MODEL_CALLERS_MAX];
        unsigned n_callers;
        char *page[MODEL_REMOTES_MAX]; /* a list that is on its way */
        bool page_complete, has_page;
        unsigned n_restarts;
} Daemon;

extern Daemon daemon_;

/* Makes the folder and the store that every run begins with; removes it. */
void daemon_prepare(void);
void daemon_clean(void);
void daemon_start(void);
/* Ends a run. */
void daemon_done(void);
/* A crash, unless it is dead already, and a start on what is durable. */
void daemon_restart(void);
/* A point at which a crash makes a difference; true: it has crashed. */
bool daemon_point(const char *where);

/* The poller asks for a list; it comes, whole or in part. */
void daemon_ask_page(bool complete);
void daemon_take_page(void);
/* Somebody decides; digest NULL: what is shown now. */
void daemon_decide(unsigned remote, Verb verb, const char *digest, unsigned version);
/* A decider that is asked about it says something. */
void daemon_decider_answers(unsigned remote);
/* Whoever waits is answered in time. */
void daemon_check_callers(bool end);
bool daemon_is_dead(void);

int __wrap_store_begin(Store *s, char **reterr_msg);
int __real_store_begin(Store *s, char **reterr_msg);
int __wrap_store_end(Store *s, int r, char **reterr_msg);
int __real_store_end(Store *s, int r, char **reterr_msg);
int __wrap_store_audit_append(Store *s, const AuditRecord *r, char **reterr_msg);
int __real_store_audit_append(Store *s, const AuditRecord *r, char **reterr_msg);
int __wrap_store_challenge_put(Store *s, StoreChallenge *c, char **reterr_msg);
int __real_store_challenge_put(Store *s, StoreChallenge *c, char **reterr_msg);
int __wrap_store_code_take(
                Store *s, int64_t factor_id, uint64_t step, usec_t now, char **reterr_msg);
int __real_store_code_take(
                Store *s, int64_t factor_id, uint64_t step, usec_t now, char **reterr_msg);
