/* SPDX-License-Identifier: Apache-2.0 */
/* In a file of its own: a program that compares no secrets, such as factorctl, need not load
 * libcrypto, which would double its start. */
#include "base/secret.h"

#include <openssl/crypto.h>

bool secret_equal(const Secret *a, const Secret *b) {
        if (a->len != b->len)
                return false;
        return a->len == 0 || CRYPTO_memcmp(a->data, b->data, a->len) == 0;
}
