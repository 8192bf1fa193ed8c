#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* One-time passwords: HOTP (RFC 4226) and TOTP (RFC 6238). Pure; HMAC by OpenSSL EVP_MAC. */

#include "base/secret.h"

#define OTP_DIGITS_MIN 1
#define OTP_DIGITS_MAX 10
#define OTP_SECRET_MAX 1024 /* bytes */
#define OTP_CODE_SIZE (OTP_DIGITS_MAX + 1)

typedef enum OtpAlgorithm {
        OTP_SHA1,
        OTP_SHA256,
        OTP_SHA512,
        _OTP_ALGORITHM_MAX,
} OtpAlgorithm;

/* "sha1", "sha256", "sha512", as the Verify API writes them. from_string takes any case, and
 * "SHA-1"-like spellings; -EINVAL for another word. */
const char *otp_algorithm_to_string(OtpAlgorithm a);
int otp_algorithm_from_string(const char *s);

/* A prepared key: its HMAC context is keyed once and reused for each code. */
typedef struct OtpKey OtpKey;

/* Prepares a key. The secret is copied into OpenSSL's context and may be wiped after.
 * Returns 0, -EINVAL (empty secret, over OTP_SECRET_MAX, unknown algorithm), -ENOMEM or -EIO. */
int otp_key_new(OtpKey **ret, OtpAlgorithm algorithm, const Secret *secret);
/* Takes NULL, returns NULL. OpenSSL wipes the key. */
OtpKey *otp_key_free(OtpKey *k);
DEFINE_CLEANUP(OtpKey *, otp_key_free);

/* The HOTP value of counter (RFC 4226 §5.3), digits decimal digits (OTP_DIGITS_MIN..MAX; the ten
 * digits of a 31-bit number have a first digit of 0, 1 or 2), NUL-ended. Returns 0, -EINVAL or
 * -EIO. */
int otp_hotp(OtpKey *k, uint64_t counter, unsigned digits, char ret[static OTP_CODE_SIZE]);

/* The time step of unix_time (RFC 6238 §4.2): floor((unix_time - t0) / period), seconds.
 * Returns 0, or -ERANGE when unix_time is before t0 or period is 0. */
int otp_step(int64_t unix_time, int64_t t0, uint32_t period, uint64_t *ret);

/* The TOTP value at unix_time. Returns 0, -EINVAL, -ERANGE or -EIO. */
int otp_totp(OtpKey *k,
                int64_t unix_time,
                int64_t t0,
                uint32_t period,
                unsigned digits,
                char ret[static OTP_CODE_SIZE]);
