#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The prompter's state, for its own files alone. */

#include "base/secret.h"
#include "cli/prompter.h"
#include "cli/waiting.h"

struct Prompter {
        PrompterStage stage;
        bool parted; /* the daemon was there before */
        WaitingList list;
        Waiting *shown; /* not NULL from PROMPTER_ASKING on */
        uint64_t serial;
        int64_t epoch; /* the provider's clock when the machine was started, microseconds */
        usec_t arm_delay;
        usec_t armed_at; /* USEC_INFINITY until it is drawn */
        usec_t answering_since;
        unsigned n_decided;

        const char *operation;
        char *digest; /* of what was decided on */
        char *confirm;
        Secret notices;
};

/* A line for the person, escaped. Without memory for it there is none. */
void prompter_notice(Prompter *p, const char *format, ...) _printf_(2, 3);
/* Nothing is shown any more; what is next shows in prompter_tick(). */
void prompter_withdraw(Prompter *p);
/* Forgets what was decided on. */
void prompter_decision_done(Prompter *p);
