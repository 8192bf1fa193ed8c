#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Poller: asks for pending challenges, again and again. It knows when and whom to ask, and nothing
 * of what becomes of a challenge. */

#include "daemon/api.h"

typedef struct Poller Poller;

/* Whom one list request is for: a push factor by its own credential, or all TOTP factors of an
 * account, service and identity together. */
typedef struct PollTarget PollTarget;

typedef struct PollerHandler {
        /* A page of pending challenges. items are the handler's to take apart (what it does not
         * take is freed after). round rises with each round of a target. */
        void (*page)(PollTarget *t, VerifyChallengeList *page, uint64_t round, void *userdata);
        /* A round ended with all pages read: what was known before it and was not named in it is no
         * longer pending. */
        void (*complete)(PollTarget *t, uint64_t round, void *userdata);
        /* A round ended early. reply is NULL when a good reply could not be read; text says why. */
        void (*failed)(PollTarget *t, const ApiReply *reply, const char *text, void *userdata);
        /* Whether something is going on, so that the short interval is used. */
        bool (*busy)(PollTarget *t, void *userdata);
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
/* Polls every target at once; a round that is under way is followed by another. */
void poller_poke(Poller *p);

/* Whether the factor is one of the target's. */
bool poll_target_has(const PollTarget *t, const Factor *f);
/* The target's factors, borrowed. */
Factor *const *poll_target_factors(const PollTarget *t, size_t *ret_n);
/* The account that asks, or NULL when a device does. */
Account *poll_target_account(const PollTarget *t);
