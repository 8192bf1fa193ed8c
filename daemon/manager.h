#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Manager: owns the stages and is the one place that knows their order. */

#include "daemon/audit-trail.h"
#include "daemon/bus.h"
#include "daemon/clock-watch.h"
#include "daemon/config.h"
#include "daemon/helper.h"
#include "daemon/monitor.h"
#include "daemon/poller.h"
#include "daemon/prompt.h"
#include "daemon/registry.h"
#include "daemon/tickets.h"
#include "ipc/server.h"
#include "ipc/session-lock.h"

typedef struct Authorization Authorization;
typedef struct Deciders Deciders;
typedef struct Enrollment Enrollment;
typedef struct Examination Examination;
typedef struct PolicyReplay PolicyReplay;
typedef struct Polkit Polkit;
typedef struct ProviderCall ProviderCall;
typedef struct Rules Rules;

struct Manager {
        sd_event *event;
        Config *config;
        const ConfigSource *source; /* where it came from */
        usec_t started;
        Store *store;
        AuditTrail *audit;
        Rules *rules;
        Deciders *deciders;
        Api *api;
        Poller *poller;
        Account *accounts; /* one for each of the configuration's */
        Registry registry;
        MetadataFacts facts;
        ChallengeHost host;
        Prompts *prompts;
        Tickets *tickets;
        Monitor *monitor;
        Enrollment *enrollments;      /* under way */
        ProviderCall *provider_calls; /* under way */
        LIST_HEAD(, Examination) examinations;
        VarlinkServer *server;
        SessionLock *session_lock;                 /* NULL with Bus=none: nothing is locked */
        Helper *helper;                            /* NULL without one */
        Bus *bus;                                  /* or NULL: the configuration wants none */
        Polkit *polkit;                            /* on the system bus; or NULL: it is not asked */
        LIST_HEAD(, Authorization) authorizations; /* calls that wait for its answer */
        sd_event_source *tidy;
        ClockWatch *clock_watch;
        ErrorList problems;                /* of the start, for status */
        ErrorList faults;                  /* of the configuration, at the last reload */
        LIST_HEAD(, PolicyReplay) replays; /* under way */
        usec_t last_poll;
        usec_t pruned;   /* boot time when the store was */
        unsigned n_open; /* challenges that are not final */
        bool is_full;    /* that no more challenges are held was said */
};

typedef struct ManagerOptions {
        Config *config;             /* borrowed; a reload changes it; its passwords are loaded */
        const ConfigSource *source; /* borrowed */
        int listen_fd;              /* a socket that is listened on already, or -1 */
        const ErrorList *warnings;  /* of the configuration */
} ManagerOptions;

/* Opens the store, loads what is in it, prepares the transport and listens; nothing is polled
 * before manager_start(). *ret_exit is the exit status that fits a failure (73 socket or store in
 * use, 74 store, 78 configuration, 1 else). Returns 0 or -errno with a message. */
int manager_new(Manager **ret,
                sd_event *event,
                const ManagerOptions *options,
                int *ret_exit,
                char **reterr_msg);
/* Goes on with what was under way when the last run ended, and starts polling. */
void manager_start(Manager *m);
/* Cancels what is in flight (decisions are durable), closes the doors and the store. Takes NULL. */
Manager *manager_free(Manager *m);
DEFINE_CLEANUP(Manager *, manager_free);

/* The account of that name, or NULL. */
Account *manager_account(Manager *m, const char *name);
/* The factor of a name or SID if the caller may see it; else answers NoSuchFactor and returns NULL.
 */
Factor *manager_visible_factor(Manager *m, Call *call, const char *name_or_sid);

/* The challenge of a SID or of its beginning, if the caller may see it; NULL when the call is
 * answered: operations.c. */
Challenge *manager_visible_challenge(Manager *m, Call *call, const char *sid);

/* The factor of a row of the store, or NULL. */
Factor *manager_factor_by_id(Manager *m, int64_t id);
/* Adds a stored factor to those at work: takes the record. Returns 0 or -errno with a message. */
int manager_add_factor(Manager *m, StoreFactor *record, Factor **ret, char **reterr_msg);
/* Writes a changed record, with an audit record of the event by actor (NULL: none, nobody); polls
 * the factor or no longer, and tells the watchers. Returns 0 or -errno with a message: then nothing
 * is written. */
int manager_update_factor(
                Manager *m, Factor *f, const char *event, const Actor *actor, char **reterr_msg);
/* Likewise, after its match field has changed: its challenges are shown differently. */
int manager_update_match_field(Manager *m, Factor *f, const Actor *actor, char **reterr_msg);
/* Tells the watchers of a factor's change ("factor", "removed"), which has its sequence number. */
void manager_tell_factor(Manager *m, Factor *f, const char *type);
/* Polls an active factor from now on, another no longer. */
void manager_poll_factor(Manager *m, Factor *f);
/* Removes a factor from the store and from memory, with an audit record by actor. */
int manager_drop_factor(Manager *m, Factor *f, const Actor *actor, char **reterr_msg);
/* The provider refuses the factor for good: it is marked, and asked about rarely. */
void manager_revoked(Factor *f, const char *why, void *userdata);
/* The provider takes it again. */
void manager_restored(Manager *m, Factor *f);
/* STATUS= for the service manager: how many are held and how many wait for an answer. */
void manager_notify_status(Manager *m);
/* Polls everything now: somebody asked, or the machine was asleep. */
void manager_poke(Manager *m);
/* manager-prompt.c. Once the store is open: returns 0 or -errno. */
int manager_prepare_prompts(Manager *m);
/* Budgets go on where they were, once factors are loaded. Returns 0 or -errno with a message. */
int manager_resume_budgets(Manager *m, char **reterr_msg);
/* After a restart each factor, whose number is in no row, and each challenge that is asked about,
 * which may be shown differently, gets a number of its own. */
void manager_number_anew(Manager *m);
/* Forgets what is long over. */
void manager_tidy_prompts(Manager *m);
/* Takes a challenge up. Returns 0, -ENOMEM, or -ENOBUFS when too many are held. */
int manager_hold(Manager *m, Challenge *c);
/* Who asks, for decisions and the audit trail. */
Actor manager_actor(const Call *call);
/* Runs an operation: operations.c. */
void manager_dispatch(Call *call, void *userdata);
