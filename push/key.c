/* SPDX-License-Identifier: Apache-2.0 */
#include "push/key.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "base/digest.h"

#define SCALAR_SIZE (PUSH_SIGNATURE_RAW_SIZE / 2)
#define POINT_SIZE (1 + 2 * SCALAR_SIZE) /* uncompressed */

/* The usual form of both kinds of key, with a named curve and an uncompressed point, is the same
 * for every key but for the numbers in it. OpenSSL's coders take ten times as long for it, and at
 * start each factor's key is read and its public half written. */
static const uint8_t pkcs8_before_scalar[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06,
                0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
                0x3d, 0x03, 0x01, 0x07, 0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
static const uint8_t pkcs8_before_point[] = {0xa1, 0x44, 0x03, 0x42, 0x00};
static const uint8_t spki_before_point[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
                0x03, 0x42, 0x00};

#define PKCS8_SCALAR_AT sizeof(pkcs8_before_scalar)
#define PKCS8_POINT_AT (PKCS8_SCALAR_AT + SCALAR_SIZE + sizeof(pkcs8_before_point))
#define PKCS8_SIZE (PKCS8_POINT_AT + POINT_SIZE)
#define SPKI_SIZE (sizeof(spki_before_point) + POINT_SIZE)

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

static bool is_usual_pkcs8(const Secret *der) {
        return der->len == PKCS8_SIZE &&
               memcmp(der->data, pkcs8_before_scalar, sizeof(pkcs8_before_scalar)) == 0 &&
               memcmp(der->data + PKCS8_SCALAR_AT + SCALAR_SIZE, pkcs8_before_point,
                               sizeof(pkcs8_before_point)) == 0 &&
               der->data[PKCS8_POINT_AT] == POINT_CONVERSION_UNCOMPRESSED;
}

/* OpenSSL wants a parameter's number in the machine's byte order. */
static int to_native(
                const uint8_t big_endian[static SCALAR_SIZE], uint8_t ret[static SCALAR_SIZE]) {
        BIGNUM *n = BN_bin2bn(big_endian, SCALAR_SIZE, NULL);
        int len = n ? BN_bn2nativepad(n, ret, SCALAR_SIZE) : -1;

        BN_clear_free(n);
        return len == SCALAR_SIZE ? 0 : -ENOMEM;
}

/* Returns NULL when OpenSSL does not take the numbers. */
static EVP_PKEY *read_usual_pkcs8(const Secret *der) {
        EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
        char group[] = "prime256v1";
        uint8_t scalar[SCALAR_SIZE];
        EVP_PKEY *pkey = NULL;

        OSSL_PARAM parameters[] = {
                        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, scalar, sizeof(scalar)),
                        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                        der->data + PKCS8_POINT_AT, POINT_SIZE),
                        OSSL_PARAM_construct_end(),
        };
        if (!c || to_native(der->data + PKCS8_SCALAR_AT, scalar) < 0 ||
                        EVP_PKEY_fromdata_init(c) != 1 ||
                        EVP_PKEY_fromdata(c, &pkey, EVP_PKEY_KEYPAIR, parameters) != 1)
                pkey = NULL;
        secret_wipe(scalar, sizeof(scalar));
        EVP_PKEY_CTX_free(c);
        return pkey;
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
 * (whole, compressed or both), and would give it to the provider, who takes one form only. */
static bool has_usual_form(const EVP_PKEY *pkey) {
        uint8_t *der = NULL;
        int len = i2d_PUBKEY(pkey, &der);
        bool usual = len == SPKI_SIZE &&
                     memcmp(der, spki_before_point, sizeof(spki_before_point)) == 0 &&
                     der[sizeof(spki_before_point)] == POINT_CONVERSION_UNCOMPRESSED;

        OPENSSL_free(der);
        return usual;
}

int push_key_from_pkcs8(PushKey **ret, const Secret *der) {
        bool usual = is_usual_pkcs8(der);
        EVP_PKEY *pkey = usual ? read_usual_pkcs8(der) : read_pkcs8(der);
        int r;

        if (!pkey || !is_p256(pkey) || !pair_matches(pkey) || !(usual || has_usual_form(pkey))) {
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
        uint8_t der[SPKI_SIZE], *point = mempcpy(der, spki_before_point, sizeof(spki_before_point));
        size_t len;
        int r;

        if (EVP_PKEY_get_octet_string_param(
                            k->pkey, OSSL_PKEY_PARAM_PUB_KEY, point, POINT_SIZE, &len) != 1)
                return crypto_failed(-EIO);
        if (len != POINT_SIZE || point[0] != POINT_CONVERSION_UNCOMPRESSED)
                return -EIO;
        r = base64_encode(BASE64_STANDARD, der, sizeof(der), ret);
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
