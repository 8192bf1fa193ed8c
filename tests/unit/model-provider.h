#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The model's provider: challenges as Verify keeps them, and its rules for an answer. */

#include "base/model.h"
#include "verify/request.h"

#define MODEL_ACCOUNT "AC0000000000000000000000000000000a"
#define MODEL_SERVICE "VA0000000000000000000000000000000b"
#define MODEL_IDENTITY "model-0001"
#define MODEL_PUSH_SID "YF030000000000000000000000000000a1"
#define MODEL_TOTP_SID "YF020000000000000000000000000000b2"
#define MODEL_CREDENTIAL "CR0000000000000000000000000000000c"
#define MODEL_SEED "12345678901234567890"
#define MODEL_DIGITS 8
#define MODEL_PERIOD 30
#define MODEL_REMOTES_MAX 3
#define MODEL_STEPS_MAX 64
#define MODEL_LONG 1000 /* versions from here on are too long to sign */

/* A challenge of the provider's. */
typedef struct Remote {
        unsigned index;
        char sid[SID_SIZE];
        FactorType type;
        ProviderStatus status;
        unsigned version; /* of what it asks */
        usec_t created, expires;
        char decision[64]; /* whose answer it took, "" for another device's */
        unsigned wrong;    /* codes */
        bool gone;
} Remote;

/* What was wrong with a reply's header. */
typedef enum HeaderFault {
        HEADER_GOOD,
        HEADER_MISSING,
        HEADER_WITHOUT_SID,
        HEADER_ABSENT_FIELD,
        HEADER_TWICE,
        _HEADER_MAX,
} HeaderFault;

typedef struct Reply {
        int status;
        char *body; /* owned */
        const char *signature_fields;
        bool header_good;
} Reply;

typedef struct Provider {
        int64_t offset; /* its clock minus boot time */
        Remote remotes[MODEL_REMOTES_MAX];
        unsigned n_remotes;
        uint64_t steps[MODEL_STEPS_MAX]; /* whose code was taken */
        unsigned n_steps;
        bool wrong_seed; /* takes no code at all */
        bool key_revoked, account_refused;
        VerifyRequest late[8]; /* updates that are still on their way */
        unsigned n_late;
} Provider;

extern Provider provider;

void provider_start(void);
void provider_done(void);
usec_t provider_now(void);
/* What has run out expires. */
void provider_tick(void);
Remote *provider_create(FactorType type, usec_t life, bool too_long);
Remote *provider_by_sid(const char *sid);
/* As a fetch gives it, or as an item of a list (with other white space). New. */
char *provider_body(const Remote *r, bool item);
/* Does what a request asks for. */
void provider_handle(const VerifyRequest *request, HeaderFault header, Reply *ret);
void reply_done(Reply *r);
/* An update that nobody waits for any more arrives some time, or never. Takes the request. */
void provider_delay(VerifyRequest *request);
void provider_late(void);

/* The two parameters of an update; new. */
void update_read(const VerifyRequest *request, char **ret_payload, char **ret_metadata);
/* A form's parameter: new, or NULL. */
char *decision_of(const char *metadata);
/* The payload of a JWS whose signature is the factor's own; new, or NULL. */
char *jws_open(const char *jws);
/* The version that a text speaks of. */
unsigned version_of(const char *text);
/* The code of a time step, by nobody's code but OpenSSL's. */
void code_of(uint64_t step, char ret[static MODEL_DIGITS + 1]);
/* PKCS#8 of the push factor's key. */
void provider_push_key(Secret *ret);
