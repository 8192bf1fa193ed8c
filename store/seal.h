#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets at rest: AES-256-GCM (NIST SP 800-38D) bound to the row they stand in, and the keys for
 * it and the rest, derived from the store key by HKDF-SHA-256 (RFC 5869). */

#include "base/secret.h"

/* What each derived key is for. A label is never used for anything else. */
#define SEAL_LABEL_SEAL "factord store 1: seal"
#define SEAL_LABEL_AUDIT "factord store 1: audit"
#define SEAL_LABEL_CHECK "factord store 1: check"
#define SEAL_LABEL_CHECKPOINT "factord store 1: audit checkpoint"
#define SEAL_LABEL_NAME "factord store 1: name"
#define SEAL_LABEL_DIGEST "factord store 1: digest"

#define SEAL_KEY_SIZE 32
#define SEAL_NONCE_SIZE 12
#define SEAL_TAG_SIZE 16
#define SEAL_VERSION 1
/* Sealed bytes: the version (1 byte), the nonce, as many bytes as the secret has, the tag. */
#define SEAL_OVERHEAD (1 + SEAL_NONCE_SIZE + SEAL_TAG_SIZE)

/* Where a sealed secret stands. It opens nowhere else. */
typedef struct SealPlace {
        const char *table;
        int64_t row;
        const char *type;
} SealPlace;

/* Derives a key of SEAL_KEY_SIZE bytes from key. Returns 0, -ENOMEM or -EIO. */
int seal_derive(const Secret *key, const char *label, Secret *ret);

/* Seals under a key of SEAL_KEY_SIZE bytes with a random nonce. Returns 0, -ENOMEM, -E2BIG, -EIO,
 * or -EINVAL for a key of another size. */
int seal_wrap(const Secret *key, SealPlace place, const Secret *secret, Secret *ret);
/* Opens. Returns 0; -EBADMSG when key, place or a single bit differs; or as seal_wrap(). */
int seal_unwrap(const Secret *key, SealPlace place, const Secret *sealed, Secret *ret);
