#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Verify v2 requests: parameters in, method, path and form body out. Pure.
 *
 * Each builder checks its parameters against the provider's specification before anything is sent
 * and returns -EINVAL with one message that names the parameter, what it was and the limit; values
 * that are secret are never in a message. Optional strings are NULL when absent. Builders take a
 * zeroed *ret. */

#include "base/error.h"
#include "base/model.h"
#include "base/secret.h"
#include "base/time.h"

/* Limits of the provider's specification (characters are code points). */
#define VERIFY_MESSAGE_MAX 256
#define VERIFY_FIELDS_MAX 20
#define VERIFY_FIELD_LABEL_MAX 36
#define VERIFY_FIELD_VALUE_MAX 128
#define VERIFY_HIDDEN_DETAILS_MAX 1024
#define VERIFY_METADATA_MAX 1024
#define VERIFY_TOTP_PAYLOAD_MIN 3
#define VERIFY_TOTP_PAYLOAD_MAX 8
#define VERIFY_PUSH_PAYLOAD_MAX 5456
#define VERIFY_EXPIRATION_MAX (60 * USEC_PER_MINUTE)
#define VERIFY_PAGE_SIZE_MIN 1
#define VERIFY_PAGE_SIZE_MAX 1000
#define VERIFY_FRIENDLY_NAME_MAX 64
#define VERIFY_APP_ID_MAX 100
#define VERIFY_NOTIFICATION_TOKEN_MIN 32
#define VERIFY_NOTIFICATION_TOKEN_MAX 255
#define VERIFY_TIME_STEP_MIN 20
#define VERIFY_TIME_STEP_MAX 60
#define VERIFY_SKEW_MAX 2
#define VERIFY_CODE_LENGTH_MIN 3
#define VERIFY_CODE_LENGTH_MAX 8
#define VERIFY_TOKEN_TTL_MIN 60
#define VERIFY_TOKEN_TTL_MAX 300

typedef enum VerifyMethod {
        VERIFY_GET,
        VERIFY_POST,
        VERIFY_DELETE,
} VerifyMethod;

typedef struct VerifyRequest {
        VerifyMethod method;
        char *path;   /* "/v2/Services/…" with its query, percent-encoded */
        Secret body;  /* application/x-www-form-urlencoded; POST only */
        bool creates; /* makes something new: never repeated, not even after a 401 */
} VerifyRequest;

/* Frees, wipes and zeroes. */
void verify_request_done(VerifyRequest *r);

/* An entity of a service: what every path starts with. */
typedef struct VerifyEntity {
        const char *service_sid;
        const char *identity;
} VerifyEntity;

typedef struct VerifyChallengeCreate {
        const char *factor_sid;
        const char *expiration_date; /* RFC 3339 as given */
        const char *message;
        const DetailField *fields;
        size_t n_fields;
        const char *hidden_details; /* JSON object of strings */
        const Secret *auth_payload; /* TOTP code: 3 to 8 characters */
} VerifyChallengeCreate;

/* now: server time, against which expiration_date is checked (after now, at most
 * VERIFY_EXPIRATION_MAX ahead, with five seconds of grace for clocks). */
int verify_challenge_create(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyChallengeCreate *p,
                usec_t now,
                char **reterr_msg);
int verify_challenge_fetch(VerifyRequest *ret,
                const VerifyEntity *entity,
                const char *challenge_sid,
                char **reterr_msg);

typedef struct VerifyList {
        const char *factor_sid; /* challenges only */
        const char *status;     /* challenges only: pending, expired, approved, denied */
        const char *order;      /* challenges only: asc, desc */
        int64_t page_size;      /* 0: the provider's default */
        int64_t page;           /* -1: absent */
        const char *page_token;
} VerifyList;

int verify_challenge_list(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyList *p,
                char **reterr_msg);

typedef struct VerifyChallengeUpdate {
        const char *challenge_sid;
        const Secret *auth_payload; /* 3 to 5456 characters */
        const char *metadata;       /* JSON object of strings */
} VerifyChallengeUpdate;

int verify_challenge_update(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyChallengeUpdate *p,
                char **reterr_msg);

/* NotificationPlatform is "none" for push: this client polls. */
typedef struct VerifyFactorCreatePush {
        const char *friendly_name;
        const char *public_key; /* base64 of DER SubjectPublicKeyInfo */
        const char *app_id;
        const char *sdk_version;
        const char *metadata;
} VerifyFactorCreatePush;

int verify_factor_create_push(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyFactorCreatePush *p,
                char **reterr_msg);

typedef struct VerifyFactorCreateTotp {
        const char *friendly_name;
        const Secret *secret; /* Base32 */
        int64_t time_step;    /* 0: absent */
        int64_t skew;         /* -1: absent */
        int64_t code_length;  /* 0: absent */
        const char *alg;      /* sha1, sha256, sha512 */
        const char *metadata;
} VerifyFactorCreateTotp;

int verify_factor_create_totp(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyFactorCreateTotp *p,
                char **reterr_msg);

typedef struct VerifyFactorUpdate {
        const char *factor_sid;
        const Secret *auth_payload; /* verifies the factor */
        const char *friendly_name;
        const char *notification_token;
        const char *notification_platform;
        const char *sdk_version;
        int64_t time_step;   /* 0: absent */
        int64_t skew;        /* -1: absent */
        int64_t code_length; /* 0: absent */
        const char *alg;
} VerifyFactorUpdate;

/* Verify is an update with an AuthPayload. At least one parameter must be there. */
int verify_factor_update(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyFactorUpdate *p,
                char **reterr_msg);
int verify_factor_fetch(VerifyRequest *ret,
                const VerifyEntity *entity,
                const char *factor_sid,
                char **reterr_msg);
int verify_factor_list(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyList *p,
                char **reterr_msg);
int verify_factor_delete(VerifyRequest *ret,
                const VerifyEntity *entity,
                const char *factor_sid,
                char **reterr_msg);

typedef struct VerifyAccessTokenCreate {
        const char *service_sid;
        const char *identity;
        const char *factor_friendly_name;
        int64_t ttl; /* seconds; 0: the provider's default */
} VerifyAccessTokenCreate;

int verify_access_token_create(
                VerifyRequest *ret, const VerifyAccessTokenCreate *p, char **reterr_msg);
int verify_access_token_fetch(VerifyRequest *ret,
                const char *service_sid,
                const char *token_sid,
                char **reterr_msg);

/* Checks a JSON object with string values only, at most max characters: Metadata, HiddenDetails. */
int verify_check_string_map(const char *parameter, const char *json, size_t max, char **reterr_msg);
