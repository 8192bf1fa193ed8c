#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Factor: a stored factor at work, its key prepared, its credential at hand. */

#include <sys/queue.h>

#include "base/secret.h"
#include "daemon/budget.h"
#include "daemon/config.h"
#include "push/key.h"
#include "store/store.h"
#include "totp/otp.h"

/* An account of the configuration, and how the provider takes it. */
typedef struct Account {
        const ConfigAccount *config; /* borrowed */
        bool used;                   /* a reply has come */
        bool refused;                /* the last reply was 401 */
        char *error;                 /* why, or NULL */
} Account;

#define FINGERPRINT_SIZE 33 /* 16 bytes in hex, and NUL */

typedef struct Factor {
        unsigned n_ref;
        StoreFactor record; /* its secret is wiped: the prepared key stands for it */
        char fingerprint[FINGERPRINT_SIZE]; /* names the key without telling it */
        PushKey *push_key;                  /* push */
        OtpKey *otp_key;                    /* totp, hotp */
        Account *account;          /* borrowed; NULL when the configuration has no such account */
        bool on_bus;               /* it is an object of the session bus: bus-signal.c */
        bool removed;              /* no longer in the store: what is under way must not use it */
        bool detached;             /* enrolled at another BaseUrl: shown, not used */
        unsigned n_open;           /* its challenges that are not final */
        uint64_t sequence;         /* of its last change */
        struct PollTarget *target; /* the poller's */
        LIST_HEAD(, Challenge) challenges; /* the registry's: those it holds for it */
        unsigned n_held;                   /* of them */
        LIST_HEAD(, Ticket) tickets;       /* open ones: tickets.c */
        unsigned n_tickets;                /* of them */
        uint64_t crowded_round;            /* of the poll that named one there was no place for */
        bool crowded;                      /* that was the last one */
        usec_t active;        /* boot time when one of its challenges changed last; 0: never */
        bool examined;        /* the provider is being asked about it: examine.c */
        usec_t examine_at;    /* boot time: when it is asked again */
        usec_t last_poll;     /* wall time; 0: never */
        char *poll_error;     /* of the last poll, or NULL */
        Budget budget;        /* of prompts: prompt.c */
        usec_t cooling_until; /* server time; 0: it does not cool down */
        bool stray_said;      /* that its list named what is not its own */
        bool poll_error_said; /* in the log */
        Secret jwt;
        usec_t jwt_made; /* server time */
} Factor;

/* Takes the record (zeroed) and prepares its key. One whose key can't be used is made all the same,
 * with the reason in record.error, so that it can be seen and removed. Returns 0 or -ENOMEM. */
int factor_new(Factor **ret, StoreFactor *record);
Factor *factor_ref(Factor *f);
/* Takes NULL, returns NULL. */
Factor *factor_unref(Factor *f);
DEFINE_CLEANUP(Factor *, factor_unref);

/* The device JWT: signed once and reused for half its life. now: server time. *ret is borrowed
 * until the next call. Returns 0 or -errno. */
int factor_jwt(Factor *f, usec_t now, const Secret **ret);
/* Forgets the JWT: after a clock correction, or when it was refused. */
void factor_drop_jwt(Factor *f);
/* Whether its challenges are polled and can be answered. */
bool factor_is_active(const Factor *f);
/* What it is now: its record's status, or detached. */
FactorStatus factor_status(const Factor *f);
/* Whether what the provider names is this factor's own account (NULL: not named), service and
 * identity. */
bool factor_is_of(const Factor *f,
                const char *account_sid,
                const char *service_sid,
                const char *identity);

/* Takes the code of the step at now (server time) to send it: appended to ret, and noted in the
 * store that it left. -EEXIST: it left before, and *ret_wait is the time to the next step; or
 * -errno. TOTP only. */
int factor_take_code(Factor *f, Store *store, usec_t now, Secret *ret, usec_t *ret_wait);
/* How long the step at now still lasts. TOTP only. */
usec_t factor_step_left(const Factor *f, usec_t now);
