#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A push factor's P-256 key (FIPS 186-4, secp256r1), by OpenSSL EVP. */

#include "base/secret.h"

#define PUSH_SIGNATURE_RAW_SIZE 64 /* r || s, RFC 7518 §3.4 */
#define PUSH_SIGNATURE_DER_MAX 72

typedef struct PushKey PushKey;

/* Makes a new key pair. Returns 0, -ENOMEM or -EIO. */
int push_key_generate(PushKey **ret);
/* Reads an unencrypted PKCS#8 PrivateKeyInfo in DER (RFC 5208); it must hold a P-256 key, its curve
 * by name, and nothing after it. A public key in it must be the private one's, and uncompressed.
 * Returns 0, -EBADMSG or -ENOMEM. */
int push_key_from_pkcs8(PushKey **ret, const Secret *der);
/* Writes PKCS#8 DER. Returns 0, -ENOMEM or -EIO. */
int push_key_to_pkcs8(const PushKey *k, Secret *ret);
/* Takes NULL, returns NULL. */
PushKey *push_key_free(PushKey *k);
DEFINE_CLEANUP(PushKey *, push_key_free);

/* The public key as Verify's Binding.PublicKey wants it: SubjectPublicKeyInfo (RFC 5480,
 * uncompressed point, 91 bytes of DER) in padded base64. *ret is new. Returns 0, -ENOMEM or -EIO.
 */
int push_key_public(const PushKey *k, char **ret);

/* Signs SHA-256 of data with ECDSA. DER form (RFC 3279 §2.2.3): *ret_len <= PUSH_SIGNATURE_DER_MAX.
 * Returns 0, -ENOMEM or -EIO. */
int push_key_sign_der(PushKey *k,
                const void *data,
                size_t len,
                uint8_t ret[static PUSH_SIGNATURE_DER_MAX],
                size_t *ret_len);
/* The same as r || s, each left-padded to 32 bytes (RFC 7518 §3.4). */
int push_key_sign_raw(PushKey *k,
                const void *data,
                size_t len,
                uint8_t ret[static PUSH_SIGNATURE_RAW_SIZE]);
/* DER ECDSA-Sig-Value to r || s. Pure. Returns 0 or -EBADMSG (not two positive integers below
 * 2^256, or bytes after them). */
int push_signature_der_to_raw(
                const uint8_t *der, size_t len, uint8_t ret[static PUSH_SIGNATURE_RAW_SIZE]);
