#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Poller: asks for pending challenges, again and again. It knows when and whom to ask, and nothing
 * of what becomes of a challenge. What does not fit an account's budget waits in the queue of the
 * requests, where the poll that has been due for longest goes first. */

#include "daemon/api.h"

typedef struct Poller Poller;

/* Whom one list request is for: a push factor by its own credential, or all TOTP factors of an
 * account, service and identity together. */
typedef struct PollTarget PollTarget;

/* How often a target is polled. */
typedef enum PollPace {
        POLL_BUSY, /* something is pending or has just happened: Interval */
        POLL_IDLE, /* IdleInterval, stretched when a round of all does not fit the budget */
        POLL_RARE, /* its account is refused: it would only be refused again */
} PollPace;

#define POLL_RARE_INTERVAL (5 * USEC_PER_MINUTE)

typedef struct PollerHandler {
        /* A page of pending challenges. items are the handler's to take apart (what it does not
         * take is freed after). round rises with each round of a target. */
        void (*page)(PollTarget *t, VerifyChallengeList *page, uint64_t round, void *userdata);
        /* A round ended with all pages read: what was known before it and was not named in it is no
         * longer pending. */
        void (*complete)(PollTarget *t, uint64_t round, void *userdata);
        /* A round ended early, the n_failures-th in a row. reply is NULL when a good reply could
         * not be read; text says why. */
        void (*failed)(PollTarget *t,
                        const ApiReply *reply,
                        const char *text,
                        unsigned n_failures,
                        void *userdata);
        PollPace (*pace)(PollTarget *t, void *userdata);
        void *userdata;
} PollerHandler;

typedef struct PollerOptions {
        usec_t interval, idle_interval;
} PollerOptions;

/* References the event loop; borrows api. Returns 0 or -ENOMEM. */
int poller_new(Poller **ret,
                sd_event *event,
                Api *api,
                const PollerOptions *options,
                const PollerHandler *handler);
/* Cancels what is in flight. Takes NULL, returns NULL. */
Poller *poller_free(Poller *p);
DEFINE_CLEANUP(Poller *, poller_free);

/* Polls an active factor from now on, the first time at once. Harmless when it is there already. */
int poller_add(Poller *p, Factor *f);
/* Stops. Harmless when it is not there. */
void poller_remove(Poller *p, Factor *f);
/* Polls every target at once; a round that is under way is followed by another. Forgets back-off,
 * but not what the server asked for. */
void poller_poke(Poller *p);
/* Polls a factor's target at once. Harmless when it is not there. */
void poller_hurry(Poller *p, const Factor *f);

/* The target's factors, borrowed. */
Factor *const *poll_target_factors(const PollTarget *t, size_t *ret_n);
/* With which credential it is polled: the device's, or the account's. */
ApiWho poll_target_who(const PollTarget *t);

/* An account's targets, for status. */
typedef struct PollGroupView {
        const char *account_sid; /* borrowed */
        size_t n_targets;        /* list requests a round */
        usec_t idle_interval;    /* the effective one */
} PollGroupView;

/* Returns false past the last. */
bool poller_group(const Poller *p, size_t i, PollGroupView *ret);
