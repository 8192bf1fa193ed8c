/* SPDX-License-Identifier: Apache-2.0 */
#include "base/digest.h"

#include <errno.h>
#include <openssl/evp.h>

struct Digest {
        EVP_MD_CTX *context;
};

int digest_new(Digest **ret) {
        _cleanup_(digest_freep) Digest *d = calloc(1, sizeof(Digest));
        if (!d)
                return -ENOMEM;

        d->context = EVP_MD_CTX_new();
        if (!d->context)
                return -ENOMEM;
        if (EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1)
                return -EIO;

        *ret = TAKE_PTR(d);
        return 0;
}

Digest *digest_free(Digest *d) {
        if (d)
                EVP_MD_CTX_free(d->context);
        free(d);
        return NULL;
}

int digest_add_part(Digest *d, const void *data, size_t len) {
        uint8_t prefix[8];

        for (size_t i = 0; i < sizeof(prefix); i++)
                prefix[i] = (uint8_t) ((uint64_t) len >> (56 - 8 * i));

        if (EVP_DigestUpdate(d->context, prefix, sizeof(prefix)) != 1)
                return -EIO;
        if (len > 0 && EVP_DigestUpdate(d->context, data, len) != 1)
                return -EIO;
        return 0;
}

int digest_finish(Digest *d, uint8_t ret[static SHA256_SIZE]) {
        return EVP_DigestFinal_ex(d->context, ret, NULL) == 1 ? 0 : -EIO;
}

int digest_sha256(const void *data, size_t len, uint8_t ret[static SHA256_SIZE]) {
        return EVP_Digest(len > 0 ? data : "", len, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : -EIO;
}

void hex_encode(const uint8_t *data, size_t len, char *ret) {
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < len; i++) {
                *ret++ = digits[data[i] >> 4];
                *ret++ = digits[data[i] & 0xf];
        }
        *ret = '\0';
}
