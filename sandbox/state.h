#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the server knows: services, entities, factors, challenges, access tokens. */

#include <json-c/json.h>
#include <openssl/evp.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/time.h"
#include "totp/otp.h"

/* The provider's limits. */
#define PUSH_FACTORS_MAX 20
#define TOTP_FACTORS_MAX 100
#define FACTOR_CREATIONS_PER_DAY 100
#define ENTITY_CREATIONS_PER_SECOND 40
#define ATTEMPTS_MAX 5
#define FRIENDLY_NAME_MAX 64

/* How far the clock may be set from the machine's, in seconds. */
#define CLOCK_OFFSET_MAX INT64_C(10000000000)

typedef struct Entity Entity;

typedef enum FactorKind {
        KIND_PUSH,
        KIND_TOTP,
        _KIND_MAX,
} FactorKind;

typedef enum ChallengeStatus {
        CHALLENGE_PENDING,
        CHALLENGE_EXPIRED,
        CHALLENGE_APPROVED,
        CHALLENGE_DENIED,
        _CHALLENGE_STATUS_MAX,
} ChallengeStatus;

/* What everything that has a SID begins with. seq numbers creation. */
typedef struct Record {
        char sid[SID_SIZE];
        uint64_t seq;
        usec_t created;
        usec_t updated;
} Record;

typedef struct RecordList {
        Record **items;
        size_t n;
        size_t allocated;
} RecordList;

typedef struct Service {
        Record record;
        char *friendly_name;
} Service;

typedef struct Factor {
        Record record;
        Entity *entity;
        FactorKind kind;
        bool verified;
        char *friendly_name;
        json_object *metadata;
        json_object *auth_payloads; /* array: what was received, and the verdict */
        unsigned attempts;          /* wrong verifications */
        /* push */
        char credential_sid[SID_SIZE];
        char *public_key; /* base64, as received */
        EVP_PKEY *key;
        char *sdk_version;
        char *app_id;
        char *platform;
        char *notification_token; /* NULL for none */
        /* totp */
        Secret secret; /* decoded */
        OtpAlgorithm algorithm;
        unsigned skew;
        unsigned code_length;
        unsigned time_step;
        int64_t last_step; /* of the last accepted code; -1 for none */
} Factor;

typedef struct Challenge {
        Record record;
        Entity *entity;
        char factor_sid[SID_SIZE]; /* the factor may be gone */
        FactorKind kind;
        ChallengeStatus status;
        usec_t responded; /* 0: not yet */
        usec_t expires;
        json_object *details; /* NULL for none, and so the next two */
        json_object *hidden_details;
        json_object *metadata;
        json_object *auth_payloads;
        unsigned attempts; /* wrong codes */
        unsigned updates;  /* how often an answer was accepted */
} Challenge;

struct Entity {
        Record record;
        Service *service;
        char *identity;
        char *key; /* its name in the table: service and lower-case identity */
        RecordList factors;
        RecordList challenges;
        usec_t *factor_creations; /* in the last day, deleted factors too */
        size_t n_factor_creations;
};

typedef struct AccessToken {
        Record record;
        Service *service;
        char *identity;
        char *friendly_name; /* NULL for none */
        char *token;
        unsigned ttl; /* seconds */
} AccessToken;

typedef struct State {
        char account_sid[SID_SIZE];
        char *auth_token;
        char api_key_sid[SID_SIZE];
        char *api_key_secret;
        int64_t clock_offset; /* microseconds, against the machine's clock */
        bool rate_limits;
        bool code_reuse;
        bool dirty; /* changed since it was saved */
        uint64_t last_seq;
        uint64_t n_odd_page_tokens; /* "pageToken" instead of "PageToken" */
        RecordList services;
        RecordList entities;
        RecordList tokens;
        struct lh_table *by_sid;        /* factors, challenges, access tokens */
        struct lh_table *by_credential; /* push factors */
        struct lh_table *by_identity;   /* entities */
        struct lh_table *by_token;      /* access tokens */
} State;

/* An empty state. Returns 0 or -ENOMEM. */
int state_new(State **ret);
/* Takes NULL, returns NULL. */
State *state_free(State *s);
DEFINE_CLEANUP(State *, state_free);
/* The server's clock. */
usec_t state_now(const State *s);

/* A fresh SID: prefix is two letters and may be followed by hex digits. Returns 0 or -errno. */
int sid_new(const char *prefix, char ret[static SID_SIZE]);
/* Random lower-case hex text of 2 * n digits. *ret is new. Returns 0 or -errno. */
int random_hex(size_t n, char **ret);

const char *factor_kind_to_string(FactorKind k);
int factor_kind_from_string(const char *s);
const char *challenge_status_to_string(ChallengeStatus s);
int challenge_status_from_string(const char *s);

/* Lookups: NULL for no such thing. Borrowed. */
Service *state_service(const State *s, const char *sid);
Entity *state_entity(const State *s, const Service *service, const char *identity);
Factor *state_factor(const State *s, const char *sid);
Factor *state_factor_by_credential(const State *s, const char *credential_sid);
Challenge *state_challenge(const State *s, const char *sid);
AccessToken *state_token(const State *s, const char *token);
AccessToken *state_token_by_sid(const State *s, const char *sid);

/* Each takes its object over on success only, and numbers it when its seq is 0. Factors and
 * challenges join the entity that they name. Return 0 or -ENOMEM. */
int state_add_service(State *s, Service *service);
int state_add_entity(State *s, Entity *e);
int state_add_factor(State *s, Factor *f);
int state_add_challenge(State *s, Challenge *c);
int state_add_token(State *s, AccessToken *t);
/* Remove and free; an entity goes with its factors and challenges. */
void state_remove_factor(State *s, Factor *f);
void state_remove_entity(State *s, Entity *e);

/* Makes an entity that is not in the state yet. Returns 0 or -errno. */
int entity_new(Entity **ret, Service *service, const char *identity, usec_t now);

/* Each takes NULL and returns NULL. */
Service *service_free(Service *s);
Entity *entity_free(Entity *e);
Factor *factor_free(Factor *f);
Challenge *challenge_free(Challenge *c);
AccessToken *access_token_free(AccessToken *t);
DEFINE_CLEANUP(Service *, service_free);
DEFINE_CLEANUP(Entity *, entity_free);
DEFINE_CLEANUP(Factor *, factor_free);
DEFINE_CLEANUP(Challenge *, challenge_free);
DEFINE_CLEANUP(AccessToken *, access_token_free);

/* Whether t lies in the span that ends now. What is in the future was written before the clock was
 * set back, and counts for nothing. */
static inline bool within(usec_t t, usec_t now, usec_t span) {
        return t <= now && t > usec_sub(now, span);
}

/* A pending challenge whose time is over becomes expired. */
void challenge_expire(State *s, Challenge *c, usec_t now);
/* Notes an AuthPayload that came in, and what was made of it. Returns 0 or -ENOMEM. */
int auth_payload_record(json_object **array, usec_t now, const char *payload, const char *verdict);
