#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Checking what a device signed: ES256 by OpenSSL, and compact JWS (RFC 7515). */

#include <openssl/evp.h>

#include "base/json.h"
#include "base/secret.h"

#define ES256_RAW_SIZE 64

/* Reads a public key: base64 of a DER SubjectPublicKeyInfo on P-256.
 * Returns 0, -EBADMSG when it is none, or -ENOMEM. */
int es256_key_parse(EVP_PKEY **ret, const char *base64);

/* Whether sig is a DER ECDSA-SHA256 signature over data. A malformed one is a wrong one.
 * Returns 0, -ENOMEM or -EIO. */
int es256_verify_der(EVP_PKEY *key,
                const void *data,
                size_t len,
                const uint8_t *sig,
                size_t sig_len,
                bool *ret);

/* A compact JWS, taken apart. */
typedef struct Jws {
        JsonDoc *header;
        JsonDoc *payload;
        Secret signature;
        Secret signed_text; /* both first parts and the dot between them */
} Jws;

/* Takes a compact JWS apart: three parts of unpadded base64url, the first two JSON objects.
 * *ret must be zero. Returns 0, -EBADMSG or -ENOMEM. */
int jws_parse(Jws *ret, const char *text);
void jws_done(Jws *j);
/* Whether the header says ES256 and the raw 64-byte signature is the key's.
 * Returns 0, -ENOMEM or -EIO. */
int jws_verify(const Jws *j, EVP_PKEY *key, bool *ret);

/* A member that is a string, or NULL. Borrowed. */
const char *json_doc_string(const JsonDoc *d, const char *key);
/* A member that is an integer. Returns false when it is not. */
bool json_doc_integer(const JsonDoc *d, const char *key, int64_t *ret);
