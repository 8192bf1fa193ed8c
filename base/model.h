#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The plain structs and enums that cross stages. */

#include <sys/types.h>

#include "base/digest.h"
#include "base/text.h"
#include "base/time.h"

typedef enum FactorType {
        FACTOR_PUSH,
        FACTOR_TOTP,
        FACTOR_HOTP, /* imported only: Verify has none */
        _FACTOR_TYPE_MAX,
} FactorType;

typedef enum FactorStatus {
        FACTOR_ENROLLING,  /* stored here, the create's reply is not known yet */
        FACTOR_UNVERIFIED, /* created at the provider, not verified yet */
        FACTOR_VERIFIED,   /* its challenges can be answered */
        FACTOR_LOCAL,      /* an imported secret without a Verify factor */
        FACTOR_REVOKED,    /* the provider refuses it */
        FACTOR_DETACHED,   /* enrolled at another BaseUrl: shown, not polled */
        _FACTOR_STATUS_MAX,
} FactorStatus;

/* The provider's word on a challenge. */
typedef enum ProviderStatus {
        PROVIDER_PENDING,
        PROVIDER_APPROVED,
        PROVIDER_DENIED,
        PROVIDER_EXPIRED,
        PROVIDER_UNKNOWN, /* a word that this version does not know */
        _PROVIDER_STATUS_MAX,
} ProviderStatus;

/* Ours: docs/challenge-life.md. */
typedef enum ChallengeState {
        CHALLENGE_DISCOVERED,
        CHALLENGE_DECIDING,
        CHALLENGE_ASKING,
        CHALLENGE_ANSWERING,
        CHALLENGE_SUBMITTED,
        CHALLENGE_APPROVED,
        CHALLENGE_DENIED,
        CHALLENGE_EXPIRED,
        CHALLENGE_IGNORED,
        CHALLENGE_SUPERSEDED,
        CHALLENGE_FAILED,
        _CHALLENGE_STATE_MAX,
} ChallengeState;

typedef enum Verb {
        VERB_APPROVE,
        VERB_DENY,
        VERB_IGNORE,
        VERB_ASK, /* a policy's word only, never a durable decision */
        _VERB_MAX,
} Verb;

/* Words for the enums, as they stand in the store, in JSON and in messages. to_string gives NULL
 * for a value out of range; from_string gives -EINVAL (negative) for an unknown word. */
const char *factor_type_to_string(FactorType t);
int factor_type_from_string(const char *s);
const char *factor_status_to_string(FactorStatus s);
int factor_status_from_string(const char *s);
const char *provider_status_to_string(ProviderStatus s);
/* PROVIDER_UNKNOWN for a word that is not known. */
ProviderStatus provider_status_from_string(const char *s);
const char *challenge_state_to_string(ChallengeState s);
int challenge_state_from_string(const char *s);
const char *verb_to_string(Verb v);
int verb_from_string(const char *s);

/* A detail of a challenge as the backend wrote it: untrusted text, exact. */
typedef struct DetailField {
        char *label;
        char *value;
} DetailField;

/* Frees the fields and their array. Takes NULL with 0. */
void detail_fields_done(DetailField *fields, size_t n);

/* What a person or a policy is shown of a challenge. */
typedef struct ChallengeView {
        char sid[SID_SIZE];
        char factor_sid[SID_SIZE];
        char digest[SHA256_HEX_SIZE]; /* binds a decision to what was shown */
        ChallengeState state;
        FactorType factor_type;
        char *factor; /* the factor's name here */
        char *service_sid;
        char *identity;
        char *message; /* NULL when there is none (TOTP) */
        DetailField *fields;
        size_t n_fields;
        char *hidden_details; /* raw JSON object, or NULL */
        char *reason;         /* why it ended, or why it waits; NULL */
        usec_t created;       /* server time */
        usec_t expires;       /* server time */
        uid_t owner;          /* who may decide */
} ChallengeView;

/* Frees what the view holds and zeroes it. */
void challenge_view_done(ChallengeView *v);

#define DOOR_POLICY "policy" /* nobody stands behind it */

/* Who decided: a person behind a door, or a rule. */
typedef struct Actor {
        uid_t uid;
        const char *door; /* "socket", DOOR_POLICY */
} Actor;
