#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of an otpauth URI that both of its readers take apart. */

#include "totp/otpauth.h"

/* True when the text starts with prefix in any case (a scheme, a host). prefix is lower case. */
bool otpauth_has_prefix(const char *text, size_t len, const char *prefix);

/* Decodes percent escapes; plus: '+' is a space, as in a query that a form wrote. *ret is replaced.
 * Returns 0, -ENOMEM, or -EINVAL for a bad escape, a control character, or what is not UTF-8. */
int otpauth_percent_decode(const char *text, size_t len, bool plus, Secret *ret);

/* Sets a's issuer and account from decoded text: the issuer parameter (NULL or "": none), the
 * label's prefix (the same), the label's account. The parameter wins over the prefix. Returns 0,
 * -ENOMEM, or -EINVAL when the two differ in more than case. */
int otpauth_set_names(OtpAccount *a, const char *issuer, const char *prefix, const char *account);
