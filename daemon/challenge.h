#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Challenge: one challenge's life, from the list that named it to its one final state. */

#include "daemon/api.h"
#include "daemon/metadata.h"
#include "ipc/call.h"
#include "store/store.h"

typedef struct Challenge Challenge;
typedef struct ChallengeWaiter ChallengeWaiter;
typedef struct DeciderRun DeciderRun;
typedef struct PromptGroup PromptGroup;
typedef struct Prompts Prompts;
typedef struct Tickets Tickets;

#define CHALLENGE_CONFIRM_TIMEOUT (20 * USEC_PER_SEC) /* then a caller is told Unconfirmed */

/* A rule's denial that a person may override is sent so long before the challenge expires. */
#define CHALLENGE_HELD_MARGIN (10 * USEC_PER_SEC)

/* The policy's word on a challenge. */
typedef struct Ruling {
        Verb verb;
        const char *rule;  /* borrowed */
        bool may_override; /* a person may decide against its deny or ignore, as long as it lasts */
        int64_t ticket;    /* that an approval uses up; 0: none */
        char *reason;      /* for people, without the provider's text; or NULL */
} Ruling;

/* Frees and zeroes. */
void ruling_done(Ruling *r);

/* What a challenge's life needs from around it; borrowed, the same for all. */
typedef struct ChallengeHost {
        sd_event *event;
        Store *store;
        Api *api;
        Prompts *prompts;
        Tickets *tickets;
        const MetadataFacts *facts;
        /* What the policy says; *ret is freed with ruling_done(). Returns 0; -EINPROGRESS when a
         * decider is asked: the reason is all that *ret has, c->decider is set, and
         * challenge_ruled() or challenge_ask_anew() follow, never before this returns; another
         * -errno when it can't be told now. */
        int (*policy)(Challenge *c, Ruling *ret, void *userdata);
        /* What c->decider says counts no longer: frees and unsets it. */
        void (*cancel)(Challenge *c, void *userdata);
        /* A ruling is durable; or NULL. */
        void (*ruled)(Challenge *c, const Ruling *r, void *userdata);
        /* The hash of the policy in force (borrowed); or NULL. */
        const char *(*policy_hash)(void *userdata);
        /* After each durable change. */
        void (*changed)(Challenge *c, void *userdata);
        /* The provider refuses the factor for good. */
        void (*revoked)(Factor *f, const char *why, void *userdata);
        /* A call is about to be told that what it confirms with is wrong, which no record of the
         * challenge tells; or NULL. */
        void (*unconfirmed)(const Call *call, void *userdata);
        void *userdata;
} ChallengeHost;

struct Challenge {
        const ChallengeHost *host;
        Factor *factor;
        LIST_ENTRY(Challenge) of_factor;
        ChallengeView view;     /* view.state is assigned in one function: challenge_set_state() */
        char *document;         /* the provider's record as it came */
        bool too_long;          /* its answer could not be sent */
        bool on_bus;            /* it is an object of the session bus: bus-signal.c */
        StoreDecision decision; /* the standing one, when has_decision */
        bool has_decision;
        DeciderRun *decider; /* that is asked about it, or NULL */
        char *held_rule;     /* which decides it at the end unless a person does, or NULL */
        Verb held_verb;      /* and how: VERB_IGNORE, VERB_DENY */
        char *held_policy;   /* and the hash of the policy that it is a rule of */
        int64_t attempts;    /* TOTP codes sent for it */
        int64_t n_wrong;     /* of them, those that the provider refused since the start */
        int64_t mismatches;  /* wrong values typed to approve it */
        usec_t prompted;     /* server time when it was put before a person last; 0: never */
        PromptGroup *group;  /* of those that ask for the same, while it is asked about: prompt.c */
        size_t group_at;
        uint64_t sequence;
        usec_t changed;
        uint64_t round;         /* of the poll that named it last */
        bool asked;             /* what became of it, since a later one did not name it */
        bool awaits_list;       /* until the poll is complete: what else is pending matters */
        sd_event_source *timer; /* the next thing to do: expiry, a retry, a step's begin */
        ApiCall *call;          /* one request at a time */
        unsigned n_failures;    /* in a row, for back-off */
        int http_status;        /* of a refusal that ended it */
        int64_t code;
        ChallengeWaiter *waiters;
};

/* A new challenge from a list; the record is taken (zeroed). Nothing happens to it before
 * challenge_begin(). References the factor. Returns 0 or -errno. */
int challenge_new(Challenge **ret,
                const ChallengeHost *host,
                Factor *factor,
                VerifyChallenge *record);
/* One from the store, in the state that it was in; the row's document is read again. Returns 0,
 * -EBADMSG when it can't be read, -ENOMEM. */
int challenge_restore(Challenge **ret,
                const ChallengeHost *host,
                Factor *factor,
                const StoreChallenge *row,
                char **reterr_msg);
/* Cancels what is under way; callers who wait are told that the daemon stops. Takes NULL. */
Challenge *challenge_free(Challenge *c);
DEFINE_CLEANUP(Challenge *, challenge_free);

/* Sets it going: a new one is put before the policy, a restored one goes on where it was. While its
 * factor has tickets it waits for challenge_list_complete(). */
void challenge_begin(Challenge *c);
/* All that is pending at the provider is held: puts one that waits for this before the policy. */
void challenge_list_complete(Challenge *c);

/* A person's decision on what was shown (digest; NULL only for VERB_IGNORE). confirm: what was
 * typed to approve, or NULL. When it stands it is durable, the answer is on its way, and call is
 * answered when the provider has confirmed; otherwise call is answered with the reason at once.
 * call may be NULL. */
void challenge_decide(Challenge *c,
                Verb verb,
                const char *digest,
                const char *confirm,
                const Actor *actor,
                Call *call);

/* The policy's word on a challenge that is being decided: makes it durable and acts on it. What
 * can't be made durable is put to the policy again in a while. */
void challenge_ruled(Challenge *c, const Ruling *r);
/* Puts one that is being decided to the policy again: it is another one now, or the decider's word
 * does not settle it. */
void challenge_ask_anew(Challenge *c);

/* A complete list lacks it, or names it changed: asks the provider what became of it, unless an
 * answer's own fetch will tell. Returns whether it asked. */
bool challenge_missed(Challenge *c);

/* The digest that stands for the record's content in a view and in a decision. Returns 0 or -EIO.
 */
int challenge_digest(const Challenge *c,
                const VerifyChallenge *record,
                char ret[static SHA256_HEX_SIZE]);
/* Whether the record is what the challenge shows; true when that can't be told. */
bool challenge_shows(const Challenge *c, const VerifyChallenge *record);

/* What is shown of a record, and matched by rules, without its state and digest; takes the record's
 * texts. Returns 0, or -ENOMEM and has taken nothing. */
int challenge_view_take(ChallengeView *ret, VerifyChallenge *record, const StoreFactor *f);

/* For answer.c, challenge.c and challenge-decide.c. */

/* Makes a rule's decision (not VERB_ASK) durable, and acts on it. Returns 0, or -errno and has said
 * why: then nothing has changed. */
int challenge_decide_by_rule(Challenge *c, const Ruling *r);

/* Moves between states that are not final. Returns 0, or -errno with a message when the change
 * can't be made durable: then nothing has changed. */
int challenge_move(Challenge *c, ChallengeState to, const char *reason, char **reterr_msg);
/* The one way out: the final state, its audit record, and an answer to whoever waits. */
void challenge_complete(Challenge *c, ChallengeState outcome, const char *reason);
/* What was decided, asked or put to the policy is not what the provider has now: a decision is
 * voided, with an audit record, whoever waits is told Stale, and the new record (taken) is put
 * before the policy. Returns 0, or -errno with a message when that can't be made durable: then
 * nothing has changed. */
int challenge_stale(Challenge *c, VerifyChallenge *record, char **reterr_msg);
/* Says why it is not done yet, in the view; and to a caller whose time runs out. */
void challenge_set_reason(Challenge *c, const char *reason);
/* Sets the next thing to do, after delay; by: but no later than that (server time). */
void challenge_schedule(Challenge *c, usec_t delay);
void challenge_schedule_by(Challenge *c, usec_t delay, usec_t by);
/* Whether the provider's clock, as far as it is known, is past t: a local clock that no server's
 * Date has confirmed ends nothing. */
bool challenge_is_past(const Challenge *c, usec_t t);
/* Whether it has expired. */
bool challenge_is_expired(const Challenge *c);
