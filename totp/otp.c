/* SPDX-License-Identifier: Apache-2.0 */
#include "totp/otp.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

struct OtpKey {
        EVP_MAC_CTX *mac; /* keyed once; started again without a key for each code */
};

static const struct {
        const char *name;   /* the Verify API's word */
        const char *digest; /* OpenSSL's */
} algorithms[_OTP_ALGORITHM_MAX] = {
                [OTP_SHA1] = {"sha1", "SHA1"},
                [OTP_SHA256] = {"sha256", "SHA256"},
                [OTP_SHA512] = {"sha512", "SHA512"},
};

static bool algorithm_valid(OtpAlgorithm a) {
        return (unsigned) a < _OTP_ALGORITHM_MAX;
}

const char *otp_algorithm_to_string(OtpAlgorithm a) {
        return algorithm_valid(a) ? algorithms[a].name : NULL;
}

int otp_algorithm_from_string(const char *s) {
        const char *bits;

        if (strncasecmp(s, "sha", 3) != 0)
                return -EINVAL;
        bits = s + 3;
        if (*bits == '-')
                bits++;
        for (int a = 0; a < _OTP_ALGORITHM_MAX; a++)
                if (strcmp(bits, algorithms[a].name + 3) == 0)
                        return a;
        return -EINVAL;
}

OtpKey *otp_key_free(OtpKey *k) {
        if (!k)
                return NULL;
        EVP_MAC_CTX_free(k->mac);
        free(k);
        return NULL;
}

static EVP_MAC_CTX *hmac_context_new(void) {
        EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        EVP_MAC_CTX *c = hmac ? EVP_MAC_CTX_new(hmac) : NULL;

        EVP_MAC_free(hmac); /* the context holds its own reference */
        return c;
}

int otp_key_new(OtpKey **ret, OtpAlgorithm algorithm, const Secret *secret) {
        _cleanup_(otp_key_freep) OtpKey *k = NULL;
        char digest[16];
        OSSL_PARAM params[2];

        if (!algorithm_valid(algorithm) || secret->len == 0 || secret->len > OTP_SECRET_MAX)
                return -EINVAL;
        k = calloc(1, sizeof(*k));
        if (!k)
                return -ENOMEM;
        k->mac = hmac_context_new();
        if (!k->mac)
                return -ENOMEM;
        /* OpenSSL's parameters are not const, so the name is copied. */
        stpcpy(digest, algorithms[algorithm].digest);
        params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
        params[1] = OSSL_PARAM_construct_end();
        if (EVP_MAC_init(k->mac, secret->data, secret->len, params) != 1)
                return -EIO;
        *ret = TAKE_PTR(k);
        return 0;
}

/* RFC 4226 §5.3, "dynamic truncation": 31 bits of the MAC, at the place its last nibble names. */
static uint32_t truncate_mac(const uint8_t *mac, size_t len) {
        uint32_t word;

        memcpy(&word, mac + (mac[len - 1] & 0x0f), sizeof(word));
        return be32toh(word) & 0x7fffffff;
}

int otp_hotp(OtpKey *k, uint64_t counter, unsigned digits, char ret[static OTP_CODE_SIZE]) {
        uint64_t message = htobe64(counter);
        uint8_t mac[EVP_MAX_MD_SIZE];
        size_t len;
        uint32_t value;

        if (digits < OTP_DIGITS_MIN || digits > OTP_DIGITS_MAX)
                return -EINVAL;
        if (EVP_MAC_init(k->mac, NULL, 0, NULL) != 1 ||
                        EVP_MAC_update(k->mac, (const uint8_t *) &message, sizeof(message)) != 1 ||
                        EVP_MAC_final(k->mac, mac, &len, sizeof(mac)) != 1)
                return -EIO;
        value = truncate_mac(mac, len);
        ret[digits] = '\0';
        for (unsigned i = digits; i-- > 0; value /= 10)
                ret[i] = (char) ('0' + value % 10);
        return 0;
}

int otp_step(int64_t unix_time, int64_t t0, uint32_t period, uint64_t *ret) {
        uint64_t elapsed;

        if (unix_time < t0 || period == 0)
                return -ERANGE;
        /* Unsigned, so that the two ends of the range can be subtracted. */
        elapsed = (uint64_t) unix_time - (uint64_t) t0;
        /* A division by 64 bits costs a good part of what a code does besides its HMAC. */
        *ret = elapsed <= UINT32_MAX ? (uint32_t) elapsed / period : elapsed / period;
        return 0;
}

int otp_totp(OtpKey *k,
                int64_t unix_time,
                int64_t t0,
                uint32_t period,
                unsigned digits,
                char ret[static OTP_CODE_SIZE]) {
        uint64_t step;
        int r;

        r = otp_step(unix_time, t0, period, &step);
        if (r < 0)
                return r;
        return otp_hotp(k, step, digits, ret);
}
