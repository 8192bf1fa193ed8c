/* SPDX-License-Identifier: Apache-2.0 */
/* P-256 keys: reading, writing, signing; DER to raw. Signatures are verified by OpenSSL. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#include "tests/unit/push-verify.h"

#define SIGNATURES 10000

static void test_public_text(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        _cleanup_free_ char *text = NULL;

        assert_int_equal(push_key_public(k, &text), 0);
        assert_string_equal(text, RFC6979_PUBLIC);
}

static void test_generate(void **state) {
        _cleanup_(push_key_freep) PushKey *a = NULL, *b = NULL;
        _cleanup_free_ char *a_text = NULL, *b_text = NULL;
        _cleanup_(secret_done) Secret der = {0};
        static const char prefix[] = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";

        assert_int_equal(push_key_generate(&a), 0);
        assert_int_equal(push_key_generate(&b), 0);
        assert_int_equal(push_key_public(a, &a_text), 0);
        assert_int_equal(push_key_public(b, &b_text), 0);
        assert_string_not_equal(a_text, b_text);
        assert_int_equal(strlen(a_text), 124);
        assert_memory_equal(a_text, prefix, sizeof(prefix) - 1);
        assert_int_equal(base64_decode(BASE64_STANDARD, a_text, strlen(a_text), &der), 0);
        assert_int_equal(der.len, 91);
        assert_int_equal(der.data[26], 0x04);
}

static void test_pkcs8_round_trip(void **state) {
        for (int i = 0; i < 50; i++) {
                _cleanup_(push_key_freep) PushKey *k = NULL, *again = NULL;
                _cleanup_(secret_done) Secret der = {0}, der_again = {0};
                _cleanup_free_ char *text = NULL, *text_again = NULL;
                EVP_PKEY *pkey;
                uint8_t signature[PUSH_SIGNATURE_DER_MAX];
                size_t len;

                assert_int_equal(push_key_generate(&k), 0);
                assert_int_equal(push_key_to_pkcs8(k, &der), 0);
                assert_int_equal(push_key_from_pkcs8(&again, &der), 0);
                assert_int_equal(push_key_to_pkcs8(again, &der_again), 0);
                assert_true(secret_equal(&der, &der_again));
                assert_int_equal(push_key_public(k, &text), 0);
                assert_int_equal(push_key_public(again, &text_again), 0);
                assert_string_equal(text, text_again);
                assert_int_equal(push_key_sign_der(again, "data", 4, signature, &len), 0);
                pkey = public_key(text);
                assert_true(verify_der(pkey, "data", 4, signature, len));
                EVP_PKEY_free(pkey);
        }
}

static void assert_refused(const void *der, size_t len) {
        _cleanup_(secret_done) Secret s = {0};
        PushKey *k = NULL;

        assert_int_equal(secret_append(&s, der, len), 0);
        assert_int_equal(push_key_from_pkcs8(&k, &s), -EBADMSG);
        assert_null(k);
        assert_int_equal(ERR_peek_error(), 0);
}

/* PKCS#8 of any key; freed by OPENSSL_free(). Takes over pkey. */
static int pkcs8_of(EVP_PKEY *pkey, uint8_t **ret) {
        PKCS8_PRIV_KEY_INFO *info;
        int len;

        assert_non_null(pkey);
        info = EVP_PKEY2PKCS8(pkey);
        assert_non_null(info);
        *ret = NULL;
        len = i2d_PKCS8_PRIV_KEY_INFO(info, ret);
        assert_true(len > 0);
        PKCS8_PRIV_KEY_INFO_free(info);
        EVP_PKEY_free(pkey);
        return len;
}

static void assert_kind_refused(EVP_PKEY *pkey) {
        uint8_t *der;
        int len = pkcs8_of(pkey, &der);

        assert_refused(der, (size_t) len);
        OPENSSL_free(der);
}

static void test_other_kinds_are_refused(void **state) {
        EVP_PKEY *spelled_out = EVP_EC_gen("P-256");

        assert_kind_refused(EVP_EC_gen("P-384"));
        assert_kind_refused(EVP_EC_gen("secp256k1"));
        assert_kind_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
        assert_kind_refused(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"));
        assert_kind_refused(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t) 2048));
        assert_int_equal(EVP_PKEY_set_utf8_string_param(
                                         spelled_out, OSSL_PKEY_PARAM_EC_ENCODING, "explicit"),
                        1);
        assert_kind_refused(spelled_out);
}

/* A point may also be written whole and with the compressed form's sign (X9.62's hybrid form). */
static void test_hybrid_point_is_refused(void **state) {
        _cleanup_(push_key_freep) PushKey *k = NULL;
        _cleanup_(secret_done) Secret der = {0};
        uint8_t *point;

        assert_int_equal(push_key_generate(&k), 0);
        assert_int_equal(push_key_to_pkcs8(k, &der), 0);
        point = der.data + der.len - 65;
        assert_int_equal(*point, POINT_CONVERSION_UNCOMPRESSED);
        *point = POINT_CONVERSION_HYBRID | (der.data[der.len - 1] & 1);
        const uint8_t *p = der.data;
        EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &p, (long) der.len);
        assert_non_null(pkey); /* it is a good key to OpenSSL */
        EVP_PKEY_free(pkey);
        assert_refused(der.data, der.len);
}

/* Another scalar or point is refused. What OpenSSL passes over (the versions, the count of unused
 * bits) makes no other key. */
static void test_changed_pkcs8(void **state) {
        static const size_t scalar_at = 36, point_at = 73;
        _cleanup_(push_key_freep) PushKey *k = NULL;
        _cleanup_(secret_done) Secret der = {0};
        _cleanup_free_ char *text = NULL;

        assert_int_equal(push_key_generate(&k), 0);
        assert_int_equal(push_key_to_pkcs8(k, &der), 0);
        assert_int_equal(push_key_public(k, &text), 0);
        for (size_t i = 0; i < der.len; i++) {
                _cleanup_(push_key_freep) PushKey *changed = NULL;
                _cleanup_free_ char *text_changed = NULL;
                bool number = (i >= scalar_at && i < scalar_at + 32) || i >= point_at;

                der.data[i] ^= 1;
                if (number || push_key_from_pkcs8(&changed, &der) < 0)
                        assert_refused(der.data, der.len);
                else {
                        assert_int_equal(push_key_public(changed, &text_changed), 0);
                        assert_string_equal(text, text_changed);
                }
                der.data[i] ^= 1;
        }
}

/* The same key with its point whole and compressed: the provider takes the first only. */
static void test_compressed_point_is_refused(void **state) {
        static const char compressed[] =
                        "\x30\x67\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08"
                        "\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x4d\x30\x4b\x02\x01\x01\x04"
                        "\x20" RFC6979_SCALAR
                        "\xa1\x24\x03\x22\x00\x03\x60\xfe\xd4\xba\x25\x5a\x9d\x31\xc9\x61\xeb\x74"
                        "\xc6\x35\x6d\x68\xc0\x49\xb8\x92\x3b\x61\xfa\x6c\xe6\x69\x62\x2e\x60\xf2"
                        "\x9f\xb6";
        const uint8_t *p = (const uint8_t *) compressed;
        EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &p, sizeof(compressed) - 1);

        assert_non_null(pkey); /* it is a good key to OpenSSL */
        EVP_PKEY_free(pkey);
        assert_refused(compressed, sizeof(compressed) - 1);
}

static void test_malformed_pkcs8_is_refused(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        _cleanup_(secret_done) Secret der = {0};
        static const char pem[] = "-----BEGIN PRIVATE KEY-----\n";

        assert_int_equal(push_key_to_pkcs8(k, &der), 0);
        assert_refused("", 0);
        assert_refused(pem, sizeof(pem) - 1);
        /* The ECPrivateKey inside (SEC 1) by itself. */
        assert_refused(der.data + 29, der.len - 29);
        for (size_t len = 0; len < der.len; len++)
                assert_refused(der.data, len);
        assert_int_equal(secret_append(&der, "", 1), 0);
        assert_refused(der.data, der.len);
}

static void test_scalars_out_of_range_are_refused(void **state) {
        static const uint8_t zero[32];
        static const uint8_t order[32] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff,
                        0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e,
                        0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
        uint8_t below[32];
        _cleanup_(push_key_freep) PushKey *k = NULL;

        assert_int_equal(key_from_scalar(&k, zero), -EBADMSG);
        assert_int_equal(key_from_scalar(&k, order), -EBADMSG);
        assert_null(k);
        memcpy(below, order, sizeof(below));
        below[31]--;
        assert_int_equal(key_from_scalar(&k, below), 0);
}

/* The file carries a public key that is not the private one's. */
static void test_foreign_public_key_is_refused(void **state) {
        _cleanup_(push_key_freep) PushKey *a = NULL, *b = NULL;
        _cleanup_(secret_done) Secret a_der = {0}, b_der = {0};

        assert_int_equal(push_key_generate(&a), 0);
        assert_int_equal(push_key_generate(&b), 0);
        assert_int_equal(push_key_to_pkcs8(a, &a_der), 0);
        assert_int_equal(push_key_to_pkcs8(b, &b_der), 0);
        assert_int_equal(a_der.len, b_der.len);
        /* The point stands at the end. */
        memcpy(a_der.data + a_der.len - 64, b_der.data + b_der.len - 64, 64);
        assert_refused(a_der.data, a_der.len);
}

static void test_public_vector_verifies(void **state) {
        static const char sid[] = "YF0123456789abcdef0123456789abcdef";
        static const char text[] =
                        "MEQCIHY8Idr5k7eVJ0r5/qKurqgztYe3O17R5Fs1sOVgI9WvAiBtrgyXLUiZG"
                        "Rb53Tyjj7TDYvHKvUFVp1fwASkTc11jJA==";
        _cleanup_(secret_done) Secret der = {0};
        EVP_PKEY *pkey = public_key(RFC6979_PUBLIC);
        uint8_t raw[PUSH_SIGNATURE_RAW_SIZE];

        assert_int_equal(base64_decode(BASE64_STANDARD, text, strlen(text), &der), 0);
        assert_true(verify_der(pkey, sid, strlen(sid), der.data, der.len));
        assert_false(verify_der(pkey, sid, strlen(sid) - 1, der.data, der.len));
        assert_int_equal(push_signature_der_to_raw(der.data, der.len, raw), 0);
        assert_true(verify_raw(pkey, sid, strlen(sid), raw));
        EVP_PKEY_free(pkey);
}

/* RFC 6979 A.2.5, SHA-256, messages "sample" and "test": r and s as the text has them. */
static void test_rfc6979_signatures(void **state) {
        static const struct {
                const char *message;
                uint8_t raw[64];
        } vectors[] = {
                        {"sample", {0xef, 0xd4, 0x8b, 0x2a, 0xac, 0xb6, 0xa8, 0xfd, 0x11, 0x40,
                                                   0xdd, 0x9c, 0xd4, 0x5e, 0x81, 0xd6, 0x9d, 0x2c,
                                                   0x87, 0x7b, 0x56, 0xaa, 0xf9, 0x91, 0xc3, 0x4d,
                                                   0x0e, 0xa8, 0x4e, 0xaf, 0x37, 0x16, 0xf7, 0xcb,
                                                   0x1c, 0x94, 0x2d, 0x65, 0x7c, 0x41, 0xd4, 0x36,
                                                   0xc7, 0xa1, 0xb6, 0xe2, 0x9f, 0x65, 0xf3, 0xe9,
                                                   0x00, 0xdb, 0xb9, 0xaf, 0xf4, 0x06, 0x4d, 0xc4,
                                                   0xab, 0x2f, 0x84, 0x3a, 0xcd, 0xa8}},
                        {"test", {0xf1, 0xab, 0xb0, 0x23, 0x51, 0x83, 0x51, 0xcd, 0x71, 0xd8, 0x81,
                                                 0x56, 0x7b, 0x1e, 0xa6, 0x63, 0xed, 0x3e, 0xfc,
                                                 0xf6, 0xc5, 0x13, 0x2b, 0x35, 0x4f, 0x28, 0xd3,
                                                 0xb0, 0xb7, 0xd3, 0x83, 0x67, 0x01, 0x9f, 0x41,
                                                 0x13, 0x74, 0x2a, 0x2b, 0x14, 0xbd, 0x25, 0x92,
                                                 0x6b, 0x49, 0xc6, 0x49, 0x15, 0x5f, 0x26, 0x7e,
                                                 0x60, 0xd3, 0x81, 0x4b, 0x4c, 0x0c, 0xc8, 0x42,
                                                 0x50, 0xe4, 0x6f, 0x00, 0x83}},
        };
        EVP_PKEY *pkey = public_key(RFC6979_PUBLIC);

        for (size_t i = 0; i < ELEMENTSOF(vectors); i++) {
                uint8_t der[PUSH_SIGNATURE_DER_MAX] = {0x30}, raw[64];
                size_t n = 2;

                assert_true(verify_raw(pkey, vectors[i].message, strlen(vectors[i].message),
                                vectors[i].raw));
                /* Both integers written by hand: these have all 32 bytes. */
                for (int half = 0; half < 2; half++) {
                        const uint8_t *value = vectors[i].raw + 32 * half;

                        der[n++] = 0x02;
                        der[n++] = (uint8_t) (32 + (value[0] >> 7));
                        if (value[0] >> 7)
                                der[n++] = 0;
                        memcpy(der + n, value, 32);
                        n += 32;
                }
                der[1] = (uint8_t) (n - 2);
                assert_int_equal(push_signature_der_to_raw(der, n, raw), 0);
                assert_memory_equal(raw, vectors[i].raw, 64);
        }
        EVP_PKEY_free(pkey);
}

static void test_padding(void **state) {
        static const uint8_t der[] = {0x30, 0x43, 0x02, 0x1e, 0x53, 0x5f, 0x19, 0x0b, 0xb0, 0xa7,
                        0x6d, 0xcc, 0xf4, 0x84, 0x8b, 0x15, 0xc8, 0x38, 0x9d, 0x84, 0xa9, 0x25,
                        0xd9, 0x12, 0xd3, 0x34, 0xe5, 0xb1, 0xa9, 0xdb, 0xb5, 0x24, 0x99, 0x63,
                        0x02, 0x21, 0x00, 0xc5, 0xc9, 0xb3, 0xc4, 0xa4, 0x4c, 0x46, 0x73, 0x63,
                        0x2c, 0x42, 0x0d, 0x92, 0x5c, 0xd2, 0xd1, 0xab, 0xa5, 0x1c, 0x86, 0x05,
                        0x78, 0xb3, 0xb3, 0x8d, 0x43, 0x45, 0xe1, 0x2c, 0x6d, 0x73, 0x5f};
        static const uint8_t want[64] = {0x00, 0x00, 0x53, 0x5f, 0x19, 0x0b, 0xb0, 0xa7, 0x6d, 0xcc,
                        0xf4, 0x84, 0x8b, 0x15, 0xc8, 0x38, 0x9d, 0x84, 0xa9, 0x25, 0xd9, 0x12,
                        0xd3, 0x34, 0xe5, 0xb1, 0xa9, 0xdb, 0xb5, 0x24, 0x99, 0x63, 0xc5, 0xc9,
                        0xb3, 0xc4, 0xa4, 0x4c, 0x46, 0x73, 0x63, 0x2c, 0x42, 0x0d, 0x92, 0x5c,
                        0xd2, 0xd1, 0xab, 0xa5, 0x1c, 0x86, 0x05, 0x78, 0xb3, 0xb3, 0x8d, 0x43,
                        0x45, 0xe1, 0x2c, 0x6d, 0x73, 0x5f};
        EVP_PKEY *pkey = public_key(RFC6979_PUBLIC);
        uint8_t raw[64];

        assert_int_equal(sizeof(der), 69);
        assert_true(verify_der(pkey, "pad-test-2868", 13, der, sizeof(der)));
        assert_int_equal(push_signature_der_to_raw(der, sizeof(der), raw), 0);
        assert_memory_equal(raw, want, 64);
        assert_true(verify_raw(pkey, "pad-test-2868", 13, raw));
        for (size_t len = 0; len < sizeof(der); len++)
                assert_int_equal(push_signature_der_to_raw(der, len, raw), -EBADMSG);
        EVP_PKEY_free(pkey);
}

#define ONES_32                                                                                    \
        "\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"                         \
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
#define BYTES(literal) literal, sizeof(literal) - 1

static const struct {
        const char *der;
        size_t len;
        int r;
} der_forms[] = {
                {BYTES("\x30\x06\x02\x01\x01\x02\x01\x7f"), 0},
                {BYTES("\x30\x07\x02\x02\x00\x80\x02\x01\x01"), 0},
                {BYTES("\x30\x25\x02\x20" ONES_32 "\x02\x01\x01"), 0},
                {BYTES("\x30\x26\x02\x21\x00\xff" ONES_32 "\x02\x01\x01"), -EBADMSG}, /* cut */
                {BYTES("\x30\x26\x02\x21\x7f" ONES_32 "\x02\x01\x01"), -EBADMSG}, /* above 2^256 */
                {BYTES("\x30\x26\x02\x21\x00" ONES_32 "\x02\x01\x01"),
                                -EBADMSG},                             /* a zero too many */
                {BYTES("\x30\x06\x02\x01\x00\x02\x01\x01"), -EBADMSG}, /* r = 0 */
                {BYTES("\x30\x06\x02\x01\x01\x02\x01\x00"), -EBADMSG}, /* s = 0 */
                {BYTES("\x30\x06\x02\x01\x80\x02\x01\x01"), -EBADMSG}, /* negative */
                {BYTES("\x30\x07\x02\x02\x00\x01\x02\x01\x01"), -EBADMSG},
                {BYTES("\x30\x05\x02\x00\x02\x01\x01"), -EBADMSG},
                {BYTES("\x30\x05\x02\x01\x01\x02\x00"), -EBADMSG},
                {BYTES("\x30\x07\x02\x01\x01\x02\x01\x01\x00"), -EBADMSG}, /* bytes after s */
                {BYTES("\x30\x06\x02\x01\x01\x02\x01\x01\x00"),
                                -EBADMSG}, /* bytes after the whole */
                {BYTES("\x30\x81\x06\x02\x01\x01\x02\x01\x01"), -EBADMSG}, /* a long length */
                {BYTES("\x30\x80\x02\x01\x01\x02\x01\x01\x00\x00"), -EBADMSG},
                {BYTES("\x30\x07\x02\x81\x01\x01\x02\x01\x01"), -EBADMSG},
                {BYTES("\x31\x06\x02\x01\x01\x02\x01\x01"), -EBADMSG},
                {BYTES("\x30\x06\x03\x01\x01\x02\x01\x01"), -EBADMSG},
                {BYTES("\x30\x06\x02\x01\x01\x04\x01\x01"), -EBADMSG},
                {BYTES("\x30\x06\x02\x01\x01\x02\x02\x01"), -EBADMSG},
                {BYTES("\x30\x03\x02\x01\x01"), -EBADMSG},
                {BYTES("\x30\x00"), -EBADMSG},
                {BYTES(""), -EBADMSG},
};

static void test_der_forms(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(der_forms); i++) {
                uint8_t raw[64], untouched[64];
                _cleanup_free_ uint8_t *exact = malloc(der_forms[i].len + 1);
                int r;

                assert_non_null(exact);
                memcpy(exact + 1, der_forms[i].der, der_forms[i].len);
                memset(raw, 0xee, sizeof(raw));
                memset(untouched, 0xee, sizeof(untouched));
                r = push_signature_der_to_raw(exact + 1, der_forms[i].len, raw);
                if (r != der_forms[i].r)
                        fail_msg("form %zu gave %d", i, r);
                if (r < 0)
                        assert_memory_equal(raw, untouched, sizeof(raw));
        }
}

/* Short integers come up by chance (one in 256 for each missing byte): the raw form never shortens,
 * and one in ten is verified, in both forms. */
static void test_many_signatures(void **state) {
        _cleanup_(push_key_freep) PushKey *k = NULL;
        _cleanup_free_ char *text = NULL;
        EVP_PKEY *pkey;
        unsigned short_scalars = 0;

        assert_int_equal(push_key_generate(&k), 0);
        assert_int_equal(push_key_public(k, &text), 0);
        pkey = public_key(text);
        for (int i = 0; i < SIGNATURES; i++) {
                uint8_t der[PUSH_SIGNATURE_DER_MAX], raw[64], message[40];
                size_t len, message_len = (size_t) i % sizeof(message);

                assert_int_equal(random_bytes(message, sizeof(message)), 0);
                assert_int_equal(push_key_sign_der(k, message, message_len, der, &len), 0);
                assert_true(len <= PUSH_SIGNATURE_DER_MAX);
                memset(raw, 0xee, sizeof(raw));
                assert_int_equal(push_signature_der_to_raw(der, len, raw), 0);
                short_scalars += raw[0] == 0 || raw[32] == 0;
                if (i % 10 == 0) {
                        assert_true(verify_raw(pkey, message, message_len, raw));
                        assert_true(verify_der(pkey, message, message_len, der, len));
                }
        }
        /* About 78 are expected; none at all would mean that padding was never tried. */
        assert_in_range(short_scalars, 1, SIGNATURES / 10);
        EVP_PKEY_free(pkey);
}

static void test_sign_raw(void **state) {
        _cleanup_(push_key_freep) PushKey *k = rfc6979_key();
        EVP_PKEY *pkey = public_key(RFC6979_PUBLIC);

        for (int i = 0; i < 100; i++) {
                uint8_t raw[64];

                assert_int_equal(push_key_sign_raw(k, "some data", 9, raw), 0);
                assert_true(verify_raw(pkey, "some data", 9, raw));
                assert_false(verify_raw(pkey, "some date", 9, raw));
        }
        EVP_PKEY_free(pkey);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_public_text),
                        cmocka_unit_test(test_generate),
                        cmocka_unit_test(test_pkcs8_round_trip),
                        cmocka_unit_test(test_other_kinds_are_refused),
                        cmocka_unit_test(test_hybrid_point_is_refused),
                        cmocka_unit_test(test_changed_pkcs8),
                        cmocka_unit_test(test_compressed_point_is_refused),
                        cmocka_unit_test(test_malformed_pkcs8_is_refused),
                        cmocka_unit_test(test_scalars_out_of_range_are_refused),
                        cmocka_unit_test(test_foreign_public_key_is_refused),
                        cmocka_unit_test(test_public_vector_verifies),
                        cmocka_unit_test(test_rfc6979_signatures),
                        cmocka_unit_test(test_padding),
                        cmocka_unit_test(test_der_forms),
                        cmocka_unit_test(test_many_signatures),
                        cmocka_unit_test(test_sign_raw),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
