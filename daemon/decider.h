#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Deciders: services and programs that rules leave a decision to. Each is asked about one challenge
 * at a time and is given its rule's Timeout=; so many are asked at once, the others wait. */

#include <systemd/sd-event.h>

#include "daemon/challenge.h"
#include "policy/policy.h"

#define DECIDER_RUNS_MAX 16 /* at a time */
/* Of the same path: one that hangs holds up its own kind only. */
#define DECIDER_RUNS_OF_ONE_MAX 8

typedef struct Deciders Deciders;

/* What came of it. */
typedef struct DeciderAnswer {
        const char *rule;  /* that asked; borrowed */
        Verb verb;         /* without a fault */
        const char *fault; /* why there is no answer, for people and logs; or NULL. Borrowed */
} DeciderAnswer;

/* Called once, from the event loop; the run is freed afterwards. */
typedef void (*decider_answered_t)(Challenge *c, const DeciderAnswer *a, void *userdata);

/* Returns 0 or -errno. */
int deciders_new(Deciders **ret, sd_event *event, decider_answered_t answered, void *userdata);
/* Ends those that run; nothing is called any more. Takes NULL, returns NULL. */
Deciders *deciders_free(Deciders *d);
DEFINE_CLEANUP(Deciders *, deciders_free);

/* Asks about a challenge, which is borrowed: decider_cancel() before it goes. decider is copied.
 * Returns 0 or -ENOMEM. */
int decider_ask(Deciders *d,
                DeciderRun **ret,
                Challenge *c,
                const PolicyDecider *decider,
                const char *rule);
/* Nobody waits for the answer any more. Takes NULL, returns NULL. */
DeciderRun *decider_cancel(DeciderRun *run);

typedef struct DecidersView {
        size_t n_running, n_waiting;
        uint64_t n_asked, n_failed; /* since the start; asked: those that were started */
} DecidersView;

DecidersView deciders_view(const Deciders *d);
