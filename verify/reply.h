#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Verify v2 replies: bytes in, structs out. Pure. A malformed reply is -EBADMSG with the reason. */

#include "base/json.h"
#include "base/model.h"
#include "base/secret.h"

#define VERIFY_REPLY_MAX (4 * 1024 * 1024) /* bytes of a reply's body */
#define VERIFY_LIST_MAX 1000               /* items of one page */
#define VERIFY_PAGE_TOKEN_MAX 2048

/* What a reply means for the one who sent the request. */
typedef enum VerifyOutcome {
        VERIFY_OK,           /* 2xx */
        VERIFY_UNAUTHORIZED, /* 401 with a JSON error body */
        VERIFY_REFUSED,      /* another definite API error: a JSON body with 4xx */
        VERIFY_TRANSIENT, /* 408, 429 without a Verify code that is definite, 5xx, an error without
                             JSON */
        _VERIFY_OUTCOME_MAX,
} VerifyOutcome;

/* Error codes of the provider that change what we do. */
enum {
        VERIFY_CODE_ATTEMPTS_EXHAUSTED = 60308,        /* challenge: five wrong TOTP codes */
        VERIFY_CODE_FACTOR_ATTEMPTS_EXHAUSTED = 60310, /* factor verification, likewise */
        VERIFY_CODE_FACTOR_VERIFICATION_FAILED = 60311,
        VERIFY_CODE_CHALLENGE_LIMIT = 60312, /* too many challenges created */
        VERIFY_CODE_DUPLICATE_BINDING = 60317,
        VERIFY_CODE_FACTOR_UNVERIFIED = 60318,
        VERIFY_CODE_ALREADY_RESPONDED = 60322,
        VERIFY_CODE_EXPIRED = 60323,
        VERIFY_CODE_VERIFICATION_FAILED = 60324,
};

typedef struct VerifyError {
        int http_status;
        int64_t code;  /* 0 when the body had none */
        char *message; /* provider text, untrusted; or NULL */
} VerifyError;

void verify_error_done(VerifyError *e);

/* Sorts a reply by its status and body; fills *ret for anything but VERIFY_OK. 429 with code 60308,
 * 60310 or 60312 is VERIFY_REFUSED: waiting does not help. A redirect (3xx) is VERIFY_TRANSIENT
 * with a message that says BaseUrl may be wrong. Out of memory leaves message NULL. */
VerifyOutcome verify_reply_classify(
                int http_status, const char *body, size_t len, VerifyError *ret);

/* A challenge as the provider describes it. */
typedef struct VerifyChallenge {
        char *sid, *service_sid, *identity, *factor_sid;
        char *account_sid; /* may be NULL */
        char *factor_type; /* "push", "totp"; may be NULL */
        ProviderStatus status;
        usec_t created, expires; /* server time */
        char *message;           /* details.message, or NULL */
        DetailField *fields;
        size_t n_fields;
        char *hidden_details; /* raw JSON, or NULL when null or absent */
        char *decision;       /* metadata.decision: which of our decisions did it, or NULL */
        char digest[SHA256_HEX_SIZE]; /* over SID, factor SID, service, identity, dates, details
                                       * and hidden details */
        JsonDoc *doc;                 /* the whole object, raw bytes kept: what is signed */
} VerifyChallenge;

void verify_challenge_done(VerifyChallenge *c);

/* Reads one challenge. SIDs are checked against their patterns, dates must be RFC 3339. details may
 * be null or lack a message (TOTP). The digest is over the raw details and hidden_details without
 * the white space outside strings (a list indents them deeper than a fetch does). */
int verify_challenge_read(VerifyChallenge *ret, const char *body, size_t len, char **reterr_msg);

typedef struct VerifyChallengeList {
        VerifyChallenge *items;
        size_t n_items;
        size_t n_malformed;  /* items that could not be read and were left out */
        char *malformed_why; /* the first of them: the reason, or NULL */
        char *page_token;    /* of meta.next_page_url, decoded; NULL on the last page */
        int64_t next_page;   /* its Page, or -1 */
} VerifyChallengeList;

void verify_challenge_list_done(VerifyChallengeList *l);

/* Reads a page. One malformed item costs only itself. next_page_url is never followed: its
 * PageToken and Page are taken out of it; one without a PageToken, or over VERIFY_PAGE_TOKEN_MAX,
 * is malformed. */
int verify_challenge_list_read(
                VerifyChallengeList *ret, const char *body, size_t len, char **reterr_msg);

typedef struct VerifyFactor {
        char *sid, *account_sid, *service_sid, *identity;
        char *friendly_name;
        char *factor_type;
        bool verified;
        char *credential_sid;                 /* config.credential_sid (push), or NULL */
        char *alg;                            /* config.alg (TOTP), or NULL */
        int64_t code_length, time_step, skew; /* TOTP; 0, 0, -1 when absent */
        char *metadata;                       /* raw JSON object, or NULL */
} VerifyFactor;

/* Frees and zeroes. */
void verify_factor_done(VerifyFactor *f);
/* Reads one factor. *ret owns what it holds: verify_factor_done(). A status
 * other than verified reads as not verified. Returns 0, -EBADMSG with a message, or -ENOMEM. */
int verify_factor_read(VerifyFactor *ret, const char *body, size_t len, char **reterr_msg);

typedef struct VerifyFactorList {
        VerifyFactor *items;
        size_t n_items;
        char *page_token; /* as in VerifyChallengeList */
        int64_t next_page;
} VerifyFactorList;

/* Frees the items and the token, and zeroes. */
void verify_factor_list_done(VerifyFactorList *l);
/* Reads a page; one malformed item makes the page malformed. *ret owns its items and token:
 * verify_factor_list_done(). Returns 0, -EBADMSG with a message, or -ENOMEM. */
int verify_factor_list_read(VerifyFactorList *ret, const char *body, size_t len, char **reterr_msg);

typedef struct VerifyAccessToken {
        char *sid;
        Secret token;
        int64_t ttl;
} VerifyAccessToken;

/* Frees, wipes and zeroes. */
void verify_access_token_done(VerifyAccessToken *t);
/* Reads a new access token. *ret owns it: verify_access_token_done(). Returns 0, -EBADMSG with a
 * message, which has nothing of the token, or -ENOMEM. */
int verify_access_token_read(
                VerifyAccessToken *ret, const char *body, size_t len, char **reterr_msg);
