#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the push tests share: keys from a scalar, and signatures verified by OpenSSL alone. Included
 * after cmocka.h. */

#include <string.h>

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/base64.h"
#include "push/key.h"

/* The P-256 key of RFC 6979 A.2.5. */
#define RFC6979_SCALAR                                                                             \
        "\xc9\xaf\xa9\xd8\x45\xba\x75\x16\x6b\x5c\x21\x57\x67\xb1\xd6\x93"                         \
        "\x4e\x50\xc3\xdb\x36\xe8\x9b\x12\x7b\x8a\x62\x2b\x12\x0f\x67\x21"
#define RFC6979_PUBLIC                                                                             \
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5"         \
        "A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ=="

/* PKCS#8 of a P-256 key that leaves out the public key; the scalar follows. */
#define PKCS8_PREFIX                                                                               \
        "\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48"     \
        "\xce\x3d\x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20"

static inline int key_from_scalar(PushKey **ret, const void *scalar) {
        _cleanup_(secret_done) Secret der = {0};

        assert_int_equal(secret_append(&der, PKCS8_PREFIX, sizeof(PKCS8_PREFIX) - 1), 0);
        assert_int_equal(secret_append(&der, scalar, 32), 0);
        return push_key_from_pkcs8(ret, &der);
}

static inline PushKey *rfc6979_key(void) {
        PushKey *k = NULL;

        assert_int_equal(key_from_scalar(&k, RFC6979_SCALAR), 0);
        return k;
}

/* The public key of a Binding.PublicKey text. */
static inline EVP_PKEY *public_key(const char *base64) {
        _cleanup_(secret_done) Secret der = {0};
        const uint8_t *p;
        EVP_PKEY *pkey;

        assert_int_equal(base64_decode(BASE64_STANDARD, base64, strlen(base64), &der), 0);
        p = der.data;
        pkey = d2i_PUBKEY(NULL, &p, (long) der.len);
        assert_non_null(pkey);
        assert_ptr_equal(p, der.data + der.len);
        return pkey;
}

static inline bool verify_der(
                EVP_PKEY *pkey, const void *data, size_t len, const uint8_t *der, size_t der_len) {
        EVP_MD_CTX *c = EVP_MD_CTX_new();
        int r;

        assert_non_null(c);
        assert_int_equal(EVP_DigestVerifyInit_ex(c, NULL, "SHA256", NULL, NULL, pkey, NULL), 1);
        r = EVP_DigestVerify(c, der, der_len, data, len);
        EVP_MD_CTX_free(c);
        return r == 1;
}

static inline bool verify_raw(
                EVP_PKEY *pkey, const void *data, size_t len, const uint8_t raw[static 64]) {
        ECDSA_SIG *signature = ECDSA_SIG_new();
        BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
        uint8_t *der = NULL;
        int der_len;
        bool ok;

        assert_non_null(signature);
        assert_int_equal(ECDSA_SIG_set0(signature, r, s), 1);
        der_len = i2d_ECDSA_SIG(signature, &der);
        assert_true(der_len > 0);
        ok = verify_der(pkey, data, len, der, (size_t) der_len);
        OPENSSL_free(der);
        ECDSA_SIG_free(signature);
        return ok;
}

/* Verifies a compact ES256 JWS. */
static inline bool verify_jws(const char *public_base64, const char *jws, size_t len) {
        _cleanup_(secret_done) Secret signature = {0};
        const char *dot = memrchr(jws, '.', len);
        EVP_PKEY *pkey = public_key(public_base64);
        bool ok;

        assert_non_null(dot);
        ok = base64_decode(BASE64_URL, dot + 1, (size_t) (jws + len - dot - 1), &signature) == 0 &&
             signature.len == 64 && verify_raw(pkey, jws, (size_t) (dot - jws), signature.data);
        EVP_PKEY_free(pkey);
        return ok;
}
