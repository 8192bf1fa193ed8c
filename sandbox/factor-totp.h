#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What is particular to TOTP factors. */

#include "sandbox/call.h"

/* As their namesakes in factor-push.h. A secret is made when the request has none. */
bool totp_read_binding(Call *c, Factor *f);
bool totp_read_config(Call *c, Factor *f);
json_object *totp_config_to_json(const Factor *f);
/* The secret and its otpauth URI. */
json_object *totp_binding_to_json(const Factor *f);

/* The secret in Base32. *ret is new. Returns 0 or -ENOMEM. */
int totp_secret_text(const Factor *f, char **ret);

/* Whether code is right at the time now, within the skew, and of a later step than the last one
 * that was accepted (unless the server lets codes be used again). A right code's step is
 * remembered. Returns 0, -ENOMEM or -EIO. */
int totp_check_code(State *s, Factor *f, usec_t now, const char *code, bool *ret);
/* A code has 3 to 8 characters. Returns false with the reply set. */
bool totp_check_code_length(Call *c, const char *code);
