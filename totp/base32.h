#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Base32 (RFC 4648 §6), strict, and as people paste it. */

#include "base/secret.h"

/* Encodes without padding; the text holds what the bytes hold, so it is a Secret too.
 * *ret is replaced. Returns 0 or -ENOMEM. */
int base32_encode(const Secret *data, Secret *ret);
/* Decodes the canonical form: capitals and digits 2-7, padding whole or absent, unused bits zero.
 * *ret is replaced on success. Returns 0, -EBADMSG or -ENOMEM. */
int base32_decode(const char *text, size_t len, Secret *ret);
/* Decodes what a person pasted: lower case, spaces and dashes between groups, padding or none.
 * Unused bits are dropped, as phones do: services hand out random characters whose last one is not
 * full. Anything else is -EBADMSG. An empty secret is -EBADMSG as well. *ret is replaced on
 * success. Returns 0, -EBADMSG or -ENOMEM. */
int base32_decode_pasted(const char *text, size_t len, Secret *ret);
