#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Helper: asks a person by a program of theirs, as ssh-add -c does: docs/helper.md. */

#include "daemon/challenge.h"

#define HELPER_RUNS_MAX 4 /* at a time; others wait, the oldest first; one a factor */

typedef struct Helper Helper;

typedef struct HelperHost {
        sd_event *event;
        const char *path; /* the program; borrowed */
        usec_t arm_delay; /* a yes that comes sooner is none */
        /* Whether a prompt may stand on the screen now. */
        bool (*may_show)(void *userdata);
        /* Somebody said yes to what was shown: the challenge had this digest; confirm is what was
         * typed, or NULL. */
        void (*approved)(Challenge *c, const char *digest, const char *confirm, void *userdata);
        void *userdata;
} HelperHost;

/* Whether the program can be trusted and run by this user. Returns 0 or -errno with a message that
 * says what to do. */
int helper_check(const char *path, char **reterr_msg);

/* The host is copied. Returns 0 or -ENOMEM. */
int helper_new(Helper **ret, const HelperHost *host);
/* Kills what runs; nothing is called any more. Takes NULL, returns NULL. */
Helper *helper_free(Helper *h);
DEFINE_CLEANUP(Helper *, helper_free);

/* Another delay from now on. Takes NULL. */
void helper_set_arm_delay(Helper *h, usec_t delay);

/* A challenge is there or has changed: asks about it, goes on asking, or no longer. To be called
 * after each change, its last one included. Takes a NULL helper: nothing happens. */
void helper_challenge(Helper *h, Challenge *c);
/* What may_show() says may have changed. Takes NULL. */
void helper_review(Helper *h);
