/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/jws-verify.h"

#include <errno.h>
#include <json-c/json.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>

#include "base/base64.h"
#include "base/text.h"

static void evp_pkey_freep(EVP_PKEY **k) {
        EVP_PKEY_free(*k);
}

static void evp_md_ctx_freep(EVP_MD_CTX **c) {
        EVP_MD_CTX_free(*c);
}

static void ecdsa_sig_freep(ECDSA_SIG **s) {
        ECDSA_SIG_free(*s);
}

static void openssl_freep(uint8_t **p) {
        OPENSSL_free(*p);
}

int es256_key_parse(EVP_PKEY **ret, const char *base64) {
        _cleanup_(evp_pkey_freep) EVP_PKEY *key = NULL;
        _cleanup_(secret_done) Secret der = {0};
        const unsigned char *p;
        char group[32] = "";
        int r;

        r = base64_decode(BASE64_STANDARD, base64, strlen(base64), &der);
        if (r < 0)
                return r;
        p = der.data;
        key = der.len > 0 ? d2i_PUBKEY(NULL, &p, (long) der.len) : NULL;
        if (!key || p != der.data + der.len || !EVP_PKEY_is_a(key, "EC") ||
                        EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME, group,
                                        sizeof(group), NULL) != 1 ||
                        !streq(group, "prime256v1")) {
                ERR_clear_error();
                return -EBADMSG;
        }
        *ret = TAKE_PTR(key);
        return 0;
}

int es256_verify_der(EVP_PKEY *key,
                const void *data,
                size_t len,
                const uint8_t *sig,
                size_t sig_len,
                bool *ret) {
        _cleanup_(evp_md_ctx_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

        if (!ctx)
                return -ENOMEM;
        if (EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, key, NULL) != 1)
                return -EIO;
        *ret = EVP_DigestVerify(ctx, sig, sig_len, data, len) == 1;
        ERR_clear_error();
        return 0;
}

static int raw_to_der(const uint8_t *raw, uint8_t **ret, size_t *ret_len) {
        _cleanup_(ecdsa_sig_freep) ECDSA_SIG *sig = ECDSA_SIG_new();
        BIGNUM *half[2] = {
                        BN_bin2bn(raw, ES256_RAW_SIZE / 2, NULL),
                        BN_bin2bn(raw + ES256_RAW_SIZE / 2, ES256_RAW_SIZE / 2, NULL),
        };
        uint8_t *der = NULL;
        int n;

        if (!sig || !half[0] || !half[1] || ECDSA_SIG_set0(sig, half[0], half[1]) != 1) {
                BN_free(half[0]);
                BN_free(half[1]);
                return -ENOMEM;
        }
        n = i2d_ECDSA_SIG(sig, &der);
        if (n < 0)
                return -ENOMEM;
        *ret = der;
        *ret_len = (size_t) n;
        return 0;
}

static int part_decode(const char *part, size_t len, JsonDoc **ret) {
        _cleanup_(secret_done) Secret text = {0};
        int r;

        r = base64_decode(BASE64_URL, part, len, &text);
        if (r < 0)
                return r;
        return json_doc_parse(ret, secret_string(&text), text.len, NULL);
}

int jws_parse(Jws *ret, const char *text) {
        const char *first, *second;
        Jws j = {0};
        int r;

        first = strchr(text, '.');
        second = first ? strchr(first + 1, '.') : NULL;
        if (!second || strchr(second + 1, '.'))
                return -EBADMSG;
        r = part_decode(text, (size_t) (first - text), &j.header);
        if (r >= 0)
                r = part_decode(first + 1, (size_t) (second - first - 1), &j.payload);
        if (r >= 0)
                r = base64_decode(BASE64_URL, second + 1, strlen(second + 1), &j.signature);
        if (r >= 0)
                r = secret_append(&j.signed_text, text, (size_t) (second - text));
        if (r < 0) {
                jws_done(&j);
                return r;
        }
        *ret = j;
        return 0;
}

void jws_done(Jws *j) {
        json_doc_free(j->header);
        json_doc_free(j->payload);
        secret_done(&j->signature);
        secret_done(&j->signed_text);
        *j = (Jws){0};
}

int jws_verify(const Jws *j, EVP_PKEY *key, bool *ret) {
        _cleanup_(openssl_freep) uint8_t *der = NULL;
        const char *alg = json_doc_string(j->header, "alg");
        size_t len = 0;
        int r;

        if (!alg || !streq(alg, "ES256") || j->signature.len != ES256_RAW_SIZE) {
                *ret = false;
                return 0;
        }
        r = raw_to_der(j->signature.data, &der, &len);
        if (r < 0)
                return r;
        return es256_verify_der(key, j->signed_text.data, j->signed_text.len, der, len, ret);
}

const char *json_doc_string(const JsonDoc *d, const char *key) {
        json_object *v = json_doc_value(d, key);

        return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

bool json_doc_integer(const JsonDoc *d, const char *key, int64_t *ret) {
        json_object *v = json_doc_value(d, key);

        if (!json_object_is_type(v, json_type_int))
                return false;
        *ret = json_object_get_int64(v);
        return true;
}
