#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy says of a challenge: a function of its arguments, the time among them. */

#include "policy/policy.h"

/* How long before its ticket the server may have created a challenge. */
#define POLICY_TICKET_GRACE (2 * USEC_PER_SEC)
/* No ticket is good for longer, whatever it says. */
#define POLICY_TICKET_LIFE_MAX (10 * USEC_PER_MINUTE)
/* A challenge that is so far ahead of the clock has no age that could be told. */
#define POLICY_AHEAD_MAX (30 * USEC_PER_SEC)
/* After so many regular expressions of an evaluation were given up, the others are, untried. */
#define POLICY_GIVEN_UP_MAX 16

/* A job's announcement. All times are the server's. */
typedef struct PolicyTicket {
        int64_t id; /* above 0 */
        const char *factor;
        usec_t created, expires;
        const char *message;       /* a glob over the whole message; NULL: any, or none */
        const DetailField *fields; /* each is there once, with exactly that value */
        size_t n_fields;
} PolicyTicket;

/* Tells how many durable decisions the rule has made for the factor after that time. Returns 0 or
 * -errno: then the rule asks. */
typedef int (*policy_count_t)(const char *rule, usec_t since, unsigned *ret, void *userdata);

typedef struct PolicyInput {
        const ChallengeView *challenge;
        const char *factor; /* its name */
        usec_t now;         /* the server's time */
        const PolicyTicket *tickets;
        size_t n_tickets;
        /* The pending challenges of the factor that nobody has decided. This one may be among
         * them. */
        const ChallengeView *const *pending;
        size_t n_pending;
        policy_count_t count; /* called at most once, for the rule that matches and has a Limit */
        void *userdata;       /* count's */
        Verb otherwise;       /* what no rule decides: VERB_ASK or VERB_IGNORE */
} PolicyInput;

typedef struct PolicyVerdict {
        Verb verb;             /* of no meaning with a decider */
        PolicyDecider decider; /* kind POLICY_DECIDER_NONE: the verb is the decision */
        const char *rule;      /* borrowed; POLICY_RULE_DEFAULT when none matches */
        bool may_override;     /* a person may decide against its deny or ignore */
        int64_t ticket;        /* to be consumed when this approves; 0: none */
        char *reason;          /* one line, safe for a terminal */
        ErrorList notes;       /* what went wrong in rules that then did not match; likewise */
        bool untold; /* the rule asks because a condition could not be told: the reason has the
                        challenge's text in it */
        const char *given_up; /* the first rule of which a regular expression was given up */
        const char *doubted; /* the first that could approve, but nothing approves this challenge */
} PolicyVerdict;

/* Decides. *ret is filled, and freed with policy_verdict_done(). Returns 0 or -ENOMEM. */
int policy_evaluate(const Policy *p, const PolicyInput *input, PolicyVerdict *ret);
/* Frees and zeroes. */
void policy_verdict_done(PolicyVerdict *v);

/* The decision as rules write it: "approve", "unix:/path". *ret is new. Returns 0 or -ENOMEM. */
int policy_verdict_decision(const PolicyVerdict *v, char **ret);

/* Whether a rule that may approve wants a ticket and is not about other factors. */
bool policy_wants_tickets(const Policy *p, const char *factor, FactorType type);

/* Limits of what a ticket names: what the provider allows of a detail. */
#define POLICY_TICKET_MESSAGE_MAX 4096 /* bytes, as of a pattern */
#define POLICY_TICKET_FIELDS_MAX 20
#define POLICY_TICKET_LABEL_MAX 36  /* characters */
#define POLICY_TICKET_VALUE_MAX 128 /* characters */

/* Whether a ticket for a factor of that type makes sense: that it can fit something, and not
 * anything. ticket-check.c. Returns 0; -EINVAL with the reason and, in *ret_what, what it is about:
 * "message" or "fields"; -ENOMEM. */
int policy_ticket_check(
                const PolicyTicket *t, FactorType type, const char **ret_what, char **reterr_msg);

/* Whether the ticket fits the challenge: its factor, its time, message and fields. Says nothing of
 * other challenges that it may fit as well. A ticket without factor, or with a faulty glob, fits
 * none. */
bool policy_ticket_fits(const PolicyTicket *t,
                const char *factor,
                const ChallengeView *challenge,
                usec_t now);
