#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Strict base64 and base64url (RFC 4648 §4 and §5). */

#include "base/secret.h"

typedef enum Base64Kind {
        BASE64_STANDARD, /* + and /, padded */
        BASE64_URL,      /* - and _, unpadded */
} Base64Kind;

/* Encodes; *ret is a new NUL-ended string. Returns 0, -ENOMEM, or -EOVERFLOW. */
int base64_encode(Base64Kind kind, const void *data, size_t len, char **ret);
/* The length of the encoded text, without the NUL; SIZE_MAX when it would not fit a size_t. */
size_t base64_encoded_len(Base64Kind kind, size_t len);
/* Decodes exactly one encoding of the bytes: no white space, right padding (standard) or none
 * (url), unused bits zero. *ret is replaced on success. Returns 0, -EBADMSG or -ENOMEM. */
int base64_decode(Base64Kind kind, const char *text, size_t len, Secret *ret);
