#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What must survive: factors with sealed secrets, challenges, decisions, codes sent, the audit
 * trail. One SQLite file, WAL, synchronous=FULL. The time always comes in. */

#include "base/error.h"
#include "base/model.h"
#include "base/secret.h"
#include "base/text.h"
#include "store/key-source.h"

#define STORE_SCHEMA_VERSION 5
#define STORE_FACTORS_MAX 20000
#define STORE_CODE_KEPT USEC_PER_DAY /* how long a sent code's step is remembered */
#define DECISION_ID_SIZE 33          /* 16 random bytes in hex, and NUL */

typedef struct Store Store;

/* Opens the store in directory (0700, made when missing): takes an exclusive lock on
 * directory/lock, opens factord.db (0600), migrates it forward, checks the store key against the
 * recorded source and check value. A key is made only together with a new store. Returns 0; -EBUSY
 * when another process holds it; -ENOTSUP for an unknown newer schema; -ENOKEY and -EKEYREJECTED
 * for a missing and for a different key; -EPERM when others may read it; else -errno; always with a
 * message that names the file. What is refused is left as it is, never repaired. */
int store_open(Store **ret, const char *directory, const KeySource *key, char **reterr_msg);
/* Rolls back what is open, checkpoints, closes, wipes keys, drops the lock. Takes NULL, returns
 * NULL. */
Store *store_close(Store *s);
DEFINE_CLEANUP(Store *, store_close);

/* Transactions: what is between begin and commit is durable together when commit returns 0, or not
 * there at all. They don't nest. Every writing call below works inside one, or by itself in its
 * own. All errors are -errno with SQLite's reason in *reterr_msg; -ENOSPC, -EROFS where that is the
 * reason. */
int store_begin(Store *s, char **reterr_msg);
int store_commit(Store *s, char **reterr_msg);
void store_rollback(Store *s); /* harmless when nothing is open */
/* Ends a transaction by the result of what was written in it: commits when r is 0 or more, else
 * rolls back. Returns r when that is an error, or what store_commit() does. */
int store_end(Store *s, int r, char **reterr_msg);
/* Why the last transaction that store_end() ended could not be written, for people; NULL when it
 * could. Borrowed until the next one. */
const char *store_problem(const Store *s);

/* A factor. Strings may be NULL where it says so. */
typedef struct StoreFactor {
        int64_t id; /* row identity, set by store_factor_add() */
        char *name;
        FactorType type;
        FactorStatus status;
        uid_t owner;
        char *sid;            /* NULL before creation, and for local ones */
        char *account_sid;    /* likewise */
        char *service_sid;    /* NULL for local ones */
        char *identity;       /* NULL for local ones */
        char *credential_sid; /* push: the JWT's kid */
        char *account;        /* name of the configuration's account that serves it, or NULL */
        char *base_url;       /* where it was enrolled, or NULL */
        char *issuer;         /* what an imported secret belongs to, or NULL */
        char *label;          /* likewise: the account name; or the friendly name */
        char *algorithm;      /* TOTP, HOTP: "sha1" …; NULL for push */
        int64_t digits;
        int64_t period;  /* seconds */
        int64_t counter; /* HOTP: of the next code */
        usec_t created;
        char *error;       /* why it does not work, or NULL */
        char *match_field; /* label of the detail whose value Approve wants typed, or NULL */
        Secret secret;     /* push: PKCS#8 DER; TOTP, HOTP: the seed. Sealed in the file */
} StoreFactor;

/* Frees, wipes and zeroes. */
void store_factor_done(StoreFactor *f);

/* Adds a factor and sets f->id, which no other factor ever had. -EEXIST when the name is taken or
 * the SID is there already; -E2BIG past STORE_FACTORS_MAX. */
int store_factor_add(Store *s, StoreFactor *f, char **reterr_msg);
/* Writes all but the type, the secret and the counter of the row f->id. -ENOENT, -EEXIST as above.
 */
int store_factor_update(Store *s, const StoreFactor *f, char **reterr_msg);
/* Removes a factor, its challenges and codes; decisions and audit stay. -ENOENT. */
int store_factor_remove(Store *s, int64_t id, char **reterr_msg);
/* All factors by name, secrets opened. *ret is a new array; free each with store_factor_done().
 * -EBADMSG names the factor whose secret does not open (the row was moved or changed). */
int store_factors_load(Store *s, StoreFactor **ret, size_t *ret_n, char **reterr_msg);
/* Takes the HOTP counter of a factor: *ret is its value, the store holds one more, durably, when
 * this returns 0. -ENOENT when there is no such HOTP factor. */
int store_factor_take_counter(Store *s, int64_t id, uint64_t *ret, char **reterr_msg);

/* Notes that the code of a step leaves this machine. 0: it never did before; -EEXIST: it did;
 * -ENOENT: no such factor. Entries over STORE_CODE_KEPT old are dropped. now is only their age: any
 * monotonous enough wall clock. */
int store_code_take(Store *s, int64_t factor_id, uint64_t step, usec_t now, char **reterr_msg);

/* A decision: durable before anything is sent. Of a challenge's decisions at most one is not
 * voided. */
typedef struct StoreDecision {
        char id[DECISION_ID_SIZE]; /* random, travels in the answer's Metadata */
        char challenge_sid[SID_SIZE];
        char digest[SHA256_HEX_SIZE]; /* what was shown */
        int64_t factor_id;
        Verb verb;
        uid_t uid;
        char *door;
        char *rule;  /* the policy's rule, or NULL for a person */
        usec_t made; /* by the provider's clock, as far as it is known */
} StoreDecision;

void store_decision_done(StoreDecision *d);
/* Adds a decision; an empty d->id is filled with a new one. -EEXIST when another one stands,
 * -EINVAL for VERB_ASK. */
int store_decision_add(Store *s, StoreDecision *d, char **reterr_msg);
/* Voids the standing decision of a challenge (stale). -ENOENT. */
int store_decision_void(Store *s,
                const char *challenge_sid,
                const char *reason,
                usec_t now,
                char **reterr_msg);

/* How many decisions a rule has made for a factor after a time, and up to another one; those that
 * were voided count, too. */
int store_decisions_count(Store *s,
                int64_t factor_id,
                const char *rule,
                usec_t after,
                usec_t until,
                unsigned *ret,
                char **reterr_msg);

typedef struct StoreChallenge {
        char sid[SID_SIZE];
        int64_t factor_id;
        ChallengeState state;
        char *document; /* the provider's JSON object as last received, raw; NULL when dropped */
        char *reason;   /* NULL */
        usec_t expires;
        usec_t changed;
        uint64_t sequence;  /* of its last change; rises over all challenges and factors */
        int64_t attempts;   /* TOTP codes submitted for it */
        int64_t mismatches; /* wrong values typed for it */
        usec_t asked;       /* server time when it was put before a person last; 0: never */
        char *held_rule;    /* the rule that decides it at the end unless a person does, or NULL */
        Verb held_verb;     /* its word, with held_rule */
        char *held_policy;  /* the hash of its policy, with held_rule; or NULL */
        bool has_decision;
        StoreDecision decision; /* the standing one, when has_decision; put does not write it */
} StoreChallenge;

void store_challenge_done(StoreChallenge *c);
/* Inserts or replaces the row of c->sid and sets c->sequence to the next number. -ENOENT when the
 * store does not hold its factor. */
int store_challenge_put(Store *s, StoreChallenge *c, char **reterr_msg);
/* Challenges that are not final, and final ones that expire after now; oldest expiry first, with
 * their standing decisions. *ret is a new array. */
int store_challenges_load(
                Store *s, usec_t now, StoreChallenge **ret, size_t *ret_n, char **reterr_msg);
/* When a person was asked about challenges, by factor. */
typedef struct StoreAsked {
        int64_t factor_id;
        usec_t asked;
} StoreAsked;
/* The times of the factors that had one after since: each factor's, oldest first, from its last
 * pause of gap or more on. *ret is a new array. */
int store_asked_load(Store *s,
                usec_t since,
                usec_t gap,
                StoreAsked **ret,
                size_t *ret_n,
                char **reterr_msg);
/* The next at most max challenges after a sequence number whose text is kept and that changed at
 * that time or later, in the order of the numbers. *ret is a new array. */
int store_challenges_page(Store *s,
                uint64_t after,
                usec_t since,
                size_t max,
                StoreChallenge **ret,
                size_t *ret_n,
                char **reterr_msg);
/* One challenge by SID, or -ENOENT. */
int store_challenge_get(Store *s, const char *sid, StoreChallenge *ret, char **reterr_msg);
/* A digest of what a challenge says, as it is shown and recorded: under a key of the store's. A
 * plain one would tell whoever knows all but a short value which value it is. Returns 0 or -EIO. */
int store_digest(const Store *s, const char *digest, char ret[static SHA256_HEX_SIZE]);
/* The highest sequence number given out, and the next one, or the first of the next n (for changes
 * that are no challenge's row). A number is given out when its transaction is: a rollback takes it
 * back. */
uint64_t store_sequence(const Store *s);
int store_sequence_next(Store *s, uint64_t *ret, char **reterr_msg);
int store_sequence_take(Store *s, size_t n, uint64_t *ret_first, char **reterr_msg);
/* Drops provider text (documents) of final challenges that changed before text_before, and the rows
 * that changed before row_before. */
int store_challenges_prune(Store *s, usec_t text_before, usec_t row_before, char **reterr_msg);

/* The hash of the policy that was in force last, "" when none ever was; and another one. */
int store_policy_get(Store *s, char ret[static SHA256_HEX_SIZE], char **reterr_msg);
int store_policy_set(Store *s, const char *hash, char **reterr_msg);

/* One record of the audit trail: an HMAC-SHA-256 chain under a key derived from the store key
 * (HKDF, RFC 5869). No provider text, no secrets: SIDs, digests, names, words. What else can be
 * done with the trail stands in store/audit.h. */
typedef struct AuditRecord {
        int64_t id; /* given by the store */
        usec_t time;
        const char *event;     /* "decision", "void", "outcome", "enrolled", "removed", "owner",
                                  "import", "mismatch", "alarm", "match-field", … */
        const char *factor;    /* name, or NULL */
        const char *challenge; /* SID, or NULL */
        const char *decision;  /* id, or NULL */
        const char *digest;    /* or NULL */
        const char *verb;      /* or NULL */
        const char *rule;      /* or NULL */
        const char *outcome;   /* a state, or an error's name; NULL */
        const char *reason;    /* our own words, or NULL */
        const char *door;      /* or NULL */
        const char *policy;    /* hash of the policy in force, or NULL */
        int64_t uid;           /* -1: nobody */
} AuditRecord;

/* Appends a record to the chain. */
int store_audit_append(Store *s, const AuditRecord *r, char **reterr_msg);
/* Calls the function for each record after id since, oldest first, until it returns non-zero, which
 * is then returned. Strings are borrowed for the call. */
int store_audit_each(Store *s,
                int64_t since,
                int (*each)(const AuditRecord *r, void *userdata),
                void *userdata,
                char **reterr_msg);
