#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* polkit: asks it over the system bus, on a connection of its own, whether somebody may do a thing.
 * Nothing waits meanwhile. */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "base/time.h"

#define POLKIT_TIMEOUT (5 * USEC_PER_SEC)
#define POLKIT_TIMEOUT_INTERACTIVE (2 * USEC_PER_MINUTE) /* somebody types a password */

typedef struct Polkit Polkit;
typedef struct PolkitQuestion PolkitQuestion;

typedef enum PolkitAnswer {
        POLKIT_YES,
        POLKIT_NO,        /* a definite one */
        POLKIT_CHALLENGE, /* not without a password, and nobody can be asked for one */
        POLKIT_ABSENT,    /* this machine has no polkit, or no system bus */
        POLKIT_FAILED,    /* it does not answer, or what it says is no answer */
} PolkitAnswer;

/* Who is asked about. A caller on the bus is its unique name. One behind the socket has none; it is
 * its uid that polkit decides about, as the kernel vouched for it: the pid only lets polkit find
 * the session that it belongs to. */
typedef struct PolkitSubject {
        const char *bus_name; /* or NULL: then uid and pid */
        uid_t uid;
        pid_t pid;
        bool interactive; /* polkit may ask somebody for a password */
} PolkitSubject;

/* Connects when something is asked. Returns 0 or -ENOMEM. */
int polkit_new(Polkit **ret, sd_event *event);
/* Every question must be freed before. Takes NULL, returns NULL. */
Polkit *polkit_free(Polkit *p);
DEFINE_CLEANUP(Polkit *, polkit_free);

/* Asks whether the subject may do the action; factor (NULL: none) and operation are told to rules
 * as details. answered is called once, from the event loop and never before this returns, unless
 * the question is freed first; it may free the question. Returns 0 or -ENOMEM. */
int polkit_ask(PolkitQuestion **ret,
                Polkit *p,
                const PolkitSubject *subject,
                const char *action,
                const char *operation,
                const char *factor,
                void (*answered)(PolkitAnswer answer, void *userdata),
                void *userdata);
/* Drops the question. Takes NULL, returns NULL. */
PolkitQuestion *polkit_question_free(PolkitQuestion *q);
