#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* otpauth:// URIs (the Key Uri Format that authenticator apps share), both ways, and Google
 * Authenticator's otpauth-migration:// export. */

#include "base/error.h"
#include "totp/otp.h"

typedef enum OtpKind {
        OTP_TOTP,
        OTP_HOTP,
} OtpKind;

#define OTPAUTH_URI_MAX 4096
#define OTPAUTH_MIGRATION_URI_MAX (64 * 1024)

/* One account. issuer and account are UTF-8, decoded; issuer may be NULL. */
typedef struct OtpAccount {
        OtpKind kind;
        OtpAlgorithm algorithm;
        unsigned digits;  /* 1..10 */
        uint32_t period;  /* seconds, TOTP; 30 by default */
        uint64_t counter; /* HOTP */
        char *issuer;
        char *account;
        Secret secret; /* decoded bytes */
} OtpAccount;

/* Frees, wipes and zeroes. */
void otp_account_done(OtpAccount *a);

/* Reads "otpauth://totp/…" or "otpauth://hotp/…". Unknown parameters, and those of the other kind,
 * are passed over; a parameter that stands twice, a bad percent escape, a missing secret, a missing
 * counter (HOTP), an issuer that contradicts the label's prefix in more than case, a number out of
 * range are errors. The label splits at its first colon, or at its first "%3A" when it has none; in
 * the query '+' is a space. Returns 0, -EINVAL with a message that never holds the secret, or
 * -ENOMEM. */
int otpauth_parse(OtpAccount *ret, const char *uri, size_t len, char **reterr_msg);
/* Writes the URI, parameters in the order secret, issuer, algorithm, digits, period or counter,
 * label percent-encoded in UTF-8; otpauth_parse() gives the same account back (but for spaces
 * before its name). *ret is replaced. Returns 0, -EINVAL (a value out of range, a name with control
 * characters, a URI over OTPAUTH_URI_MAX) or -ENOMEM. */
int otpauth_format(const OtpAccount *a, Secret *ret);

/* Reads "otpauth-migration://offline?data=…" (a protobuf of accounts). One account that can't be
 * kept (MD5, no kind, an empty secret) refuses the whole export. *ret is a new array of at least
 * one element, each freed by otp_account_done(). Returns 0, -EINVAL with a message, or -ENOMEM. */
int otpauth_migration_parse(
                OtpAccount **ret, size_t *ret_n, const char *uri, size_t len, char **reterr_msg);
