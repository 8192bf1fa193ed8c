/* SPDX-License-Identifier: Apache-2.0 */
#include "store/seal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdio.h>
#include <string.h>

DEFINE_CLEANUP(EVP_KDF *, EVP_KDF_free);
DEFINE_CLEANUP(EVP_KDF_CTX *, EVP_KDF_CTX_free);
DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free);

#define PLACE_SIZE 128

int seal_derive(const Secret *key, const char *label, Secret *ret) {
        _cleanup_(secret_done) Secret derived = {0};
        _cleanup_(EVP_KDF_freep) EVP_KDF *kdf = NULL;
        _cleanup_(EVP_KDF_CTX_freep) EVP_KDF_CTX *context = NULL;
        char digest[] = "SHA256";
        _cleanup_free_ char *info = strdup(label); /* OSSL_PARAM wants what it could write to */
        OSSL_PARAM params[] = {
                        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key->data, key->len),
                        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, strlen(label)),
                        OSSL_PARAM_construct_end(),
        };
        int r;

        if (!info)
                return -ENOMEM;

        r = secret_resize(&derived, SEAL_KEY_SIZE);
        if (r < 0)
                return r;

        kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
        context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
        if (!context || EVP_KDF_derive(context, derived.data, derived.len, params) <= 0)
                return -EIO;

        secret_move(ret, &derived);
        return 0;
}

/* The associated data: a line each. None of the words holds a line's end. */
static int write_place(SealPlace place, char ret[static PLACE_SIZE], int *ret_len) {
        int n;

        n = snprintf(ret, PLACE_SIZE, "factord sealed %d\n%s\n%" PRId64 "\n%s", SEAL_VERSION,
                        place.table, place.row, place.type);
        if (n < 0 || n >= PLACE_SIZE)
                return -EINVAL;

        *ret_len = n;
        return 0;
}

/* A context with key, nonce and place set. encrypt is 1 or 0, as EVP_CipherInit_ex2() has it. */
static int cipher_new(EVP_CIPHER_CTX **ret,
                const Secret *key,
                const uint8_t nonce[static SEAL_NONCE_SIZE],
                SealPlace place,
                int encrypt) {
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = NULL;
        char text[PLACE_SIZE];
        int r, len, done;

        if (key->len != SEAL_KEY_SIZE)
                return -EINVAL;

        r = write_place(place, text, &len);
        if (r < 0)
                return r;

        context = EVP_CIPHER_CTX_new();
        if (!context)
                return -ENOMEM;

        if (EVP_CipherInit_ex2(context, EVP_aes_256_gcm(), key->data, nonce, encrypt, NULL) <= 0 ||
                        EVP_CipherUpdate(context, NULL, &done, (const uint8_t *) text, len) <= 0)
                return -EIO;

        *ret = TAKE_PTR(context);
        return 0;
}

int seal_wrap(const Secret *key, SealPlace place, const Secret *secret, Secret *ret) {
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = NULL;
        _cleanup_(secret_done) Secret sealed = {0};
        uint8_t *nonce, *text, *tag;
        int r, done;

        if (secret->len > INT_MAX - SEAL_OVERHEAD)
                return -E2BIG;

        r = secret_resize(&sealed, secret->len + SEAL_OVERHEAD);
        if (r < 0)
                return r;

        sealed.data[0] = SEAL_VERSION;
        nonce = sealed.data + 1;
        text = nonce + SEAL_NONCE_SIZE;
        tag = text + secret->len;

        r = random_bytes(nonce, SEAL_NONCE_SIZE);
        if (r < 0)
                return r;

        r = cipher_new(&context, key, nonce, place, 1);
        if (r < 0)
                return r;

        if (secret->len > 0 && EVP_CipherUpdate(context, text, &done, secret->data,
                                               (int) secret->len) <= 0)
                return -EIO;

        if (EVP_CipherFinal_ex(context, tag, &done) <= 0 ||
                        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, tag) <=
                                        0)
                return -EIO;

        secret_move(ret, &sealed);
        return 0;
}

int seal_unwrap(const Secret *key, SealPlace place, const Secret *sealed, Secret *ret) {
        _cleanup_(EVP_CIPHER_CTX_freep) EVP_CIPHER_CTX *context = NULL;
        _cleanup_(secret_done) Secret secret = {0};
        const uint8_t *nonce, *text;
        uint8_t tag[SEAL_TAG_SIZE], rest[SEAL_TAG_SIZE];
        size_t len;
        int r, done;

        if (sealed->len > INT_MAX)
                return -E2BIG;
        if (sealed->len < SEAL_OVERHEAD || sealed->data[0] != SEAL_VERSION)
                return -EBADMSG;

        len = sealed->len - SEAL_OVERHEAD;
        nonce = sealed->data + 1;
        text = nonce + SEAL_NONCE_SIZE;
        memcpy(tag, text + len, sizeof(tag));

        r = secret_resize(&secret, len);
        if (r < 0)
                return r;

        r = cipher_new(&context, key, nonce, place, 0);
        if (r < 0)
                return r;

        if (len > 0 && EVP_CipherUpdate(context, secret.data, &done, text, (int) len) <= 0)
                return -EIO;

        if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE, tag) <= 0)
                return -EIO;

        if (EVP_CipherFinal_ex(context, rest, &done) <= 0)
                return -EBADMSG;

        secret_move(ret, &secret);
        return 0;
}
