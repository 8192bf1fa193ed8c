#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) over a sequence of parts, by OpenSSL. */

#include "base/macros.h"

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE (2 * SHA256_SIZE + 1)

typedef struct Digest Digest; /* opaque: an EVP_MD_CTX */

/* Starts a SHA-256 hash; *ret is new. Returns 0 or -ENOMEM. */
int digest_new(Digest **ret);
/* Takes NULL, returns NULL. */
Digest *digest_free(Digest *d);
DEFINE_CLEANUP(Digest *, digest_free);

/* Hashes the part's length (8 bytes, big endian) and then the part, so that no two sequences of
 * parts give the same input. data may be NULL with len 0. Returns 0 or -EIO. */
int digest_add_part(Digest *d, const void *data, size_t len);
/* Ends the hash. Returns 0 or -EIO. */
int digest_finish(Digest *d, uint8_t ret[static SHA256_SIZE]);

/* One-shot hash of plain bytes, no length prefix. Returns 0 or -EIO. */
int digest_sha256(const void *data, size_t len, uint8_t ret[static SHA256_SIZE]);

/* Lower-case hex of len bytes; ret holds 2 * len + 1. */
void hex_encode(const uint8_t *data, size_t len, char *ret);
