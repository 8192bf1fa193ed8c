/* SPDX-License-Identifier: Apache-2.0 */
#include "push/key.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/digest.h"

#define SCALAR_SIZE (PUSH_SIGNATURE_RAW_SIZE / 2)
#define SPKI_SIZE 91 /* with a named curve and an uncompressed point */

struct PushKey {
        EVP_PKEY *pkey;
        EVP_PKEY_CTX *sign; /* set up once: EVP_DigestSign() would copy it for each signature */
};

PushKey *push_key_free(PushKey *k) {
        if (!k)
                return NULL;
        EVP_PKEY_CTX_free(k->sign);
        EVP_PKEY_free(k->pkey);
        free(k);
        return NULL;
}

/* Returns r, with the thread's queue of OpenSSL errors emptied: what stays in it would be taken for
 * the failure of whoever calls OpenSSL next. */
static int crypto_failed(int r) {
        ERR_clear_error();
        return r;
}

/* Takes over pkey, on failure too. */
static int push_key_new(PushKey **ret, EVP_PKEY *pkey) {
        _cleanup_(push_key_freep) PushKey *k = NULL;

        k = calloc(1, sizeof(*k));
        if (!k) {
                EVP_PKEY_free(pkey);
                return -ENOMEM;
        }
        k->pkey = pkey;
        k->sign = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
        if (!k->sign)
                return crypto_failed(-ENOMEM);
        if (EVP_PKEY_sign_init(k->sign) != 1)
                return crypto_failed(-EIO);
        *ret = TAKE_PTR(k);
        return 0;
}

int push_key_generate(PushKey **ret) {
        EVP_PKEY *pkey = EVP_EC_gen("P-256");

        if (!pkey)
                return crypto_failed(-EIO);
        return push_key_new(ret, pkey);
}

/* Reads DER, all of it. Returns NULL when it is no private key of any kind. */
static EVP_PKEY *read_pkcs8(const Secret *der) {
        const uint8_t *p = der->data;
        PKCS8_PRIV_KEY_INFO *info;
        EVP_PKEY *pkey = NULL;

        if (der->len == 0 || der->len > LONG_MAX)
                return NULL;
        info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long) der->len);
        if (info && p == der->data + der->len)
                pkey = EVP_PKCS82PKEY(info);
        PKCS8_PRIV_KEY_INFO_free(info); /* wipes its copy of the key */
        return pkey;
}

static bool is_p256(const EVP_PKEY *pkey) {
        char group[32];

        return EVP_PKEY_is_a(pkey, "EC") &&
               EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) == 1 &&
               strcmp(group, "prime256v1") == 0;
}

/* True when the private key is in range and the public key, which the file may carry along, is its
 * own: otherwise we would enrol a key that we can't sign with. */
static bool pair_matches(EVP_PKEY *pkey) {
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
        bool matches = c && EVP_PKEY_private_check(c) == 1 && EVP_PKEY_pairwise_check(c) == 1;

        EVP_PKEY_CTX_free(c);
        return matches;
}

/* OpenSSL keeps the form in which a file writes the curve (by name, or spelled out) and the point
 * (whole, or compressed), and would give it to the provider, who takes one form only. */
static bool has_usual_form(const EVP_PKEY *pkey) {
        return i2d_PUBKEY(pkey, NULL) == SPKI_SIZE;
}

int push_key_from_pkcs8(PushKey **ret, const Secret *der) {
        EVP_PKEY *pkey = read_pkcs8(der);
        int r;

        if (!pkey || !is_p256(pkey) || !pair_matches(pkey) || !has_usual_form(pkey)) {
                EVP_PKEY_free(pkey);
                return crypto_failed(-EBADMSG);
        }
        r = push_key_new(ret, pkey);
        return r == -EIO ? -EBADMSG : r;
}

int push_key_to_pkcs8(const PushKey *k, Secret *ret) {
        _cleanup_(secret_done) Secret der = {0};
        PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(k->pkey);
        uint8_t *p;
        int len, r;

        if (!info)
                return crypto_failed(-EIO);
        len = i2d_PKCS8_PRIV_KEY_INFO(info, NULL);
        r = len > 0 ? secret_resize(&der, (size_t) len) : -EIO;
        if (r == 0) {
                p = der.data;
                if (i2d_PKCS8_PRIV_KEY_INFO(info, &p) != len)
                        r = -EIO;
        }
        PKCS8_PRIV_KEY_INFO_free(info);
        if (r < 0)
                return crypto_failed(r);
        secret_move(ret, &der);
        return 0;
}

int push_key_public(const PushKey *k, char **ret) {
        uint8_t *der = NULL;
        int len, r;

        len = i2d_PUBKEY(k->pkey, &der);
        if (len < 0)
                return crypto_failed(-EIO);
        r = len == SPKI_SIZE ? base64_encode(BASE64_STANDARD, der, (size_t) len, ret) : -EIO;
        OPENSSL_free(der);
        return r == -EOVERFLOW ? -EIO : r;
}

int push_key_sign_der(PushKey *k,
                const void *data,
                size_t len,
                uint8_t ret[static PUSH_SIGNATURE_DER_MAX],
                size_t *ret_len) {
        size_t signature_len = PUSH_SIGNATURE_DER_MAX;
        uint8_t hash[SHA256_SIZE];
        int r;

        r = digest_sha256(data, len, hash);
        if (r < 0)
                return r;
        if (EVP_PKEY_sign(k->sign, ret, &signature_len, hash, sizeof(hash)) != 1)
                return crypto_failed(-EIO);
        *ret_len = signature_len;
        return 0;
}

int push_key_sign_raw(PushKey *k,
                const void *data,
                size_t len,
                uint8_t ret[static PUSH_SIGNATURE_RAW_SIZE]) {
        uint8_t der[PUSH_SIGNATURE_DER_MAX];
        size_t der_len;
        int r;

        r = push_key_sign_der(k, data, len, der, &der_len);
        if (r < 0)
                return r;
        return push_signature_der_to_raw(der, der_len, ret) < 0 ? -EIO : 0;
}

/* Takes a DER INTEGER that is positive, minimal and below 2^256, left-padded to its size.
 * Returns its length in DER, or 0. */
static size_t take_scalar(const uint8_t *der, size_t len, uint8_t ret[static SCALAR_SIZE]) {
        const uint8_t *value = der + 2;
        size_t n;

        if (len < 3 || der[0] != 0x02 || der[1] == 0 || der[1] > SCALAR_SIZE + 1)
                return 0;
        n = der[1];
        if (n > len - 2 || value[0] & 0x80)
                return 0;
        if (value[0] == 0) {
                /* Zero itself, or a zero that is there for another reason than the sign bit. */
                if (n == 1 || !(value[1] & 0x80))
                        return 0;
                value++;
                n--;
        }
        if (n > SCALAR_SIZE)
                return 0;
        memset(ret, 0, SCALAR_SIZE - n);
        memcpy(ret + SCALAR_SIZE - n, value, n);
        return 2 + (size_t) der[1];
}

int push_signature_der_to_raw(
                const uint8_t *der, size_t len, uint8_t ret[static PUSH_SIGNATURE_RAW_SIZE]) {
        uint8_t raw[PUSH_SIGNATURE_RAW_SIZE];
        size_t n;

        if (len < 2 || der[0] != 0x30 || der[1] != len - 2)
                return -EBADMSG;
        der += 2;
        len -= 2;
        n = take_scalar(der, len, raw);
        if (n == 0)
                return -EBADMSG;
        der += n;
        len -= n;
        n = take_scalar(der, len, raw + SCALAR_SIZE);
        if (n == 0 || n != len)
                return -EBADMSG;
        memcpy(ret, raw, sizeof(raw));
        return 0;
}
