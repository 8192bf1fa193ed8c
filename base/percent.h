#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Percent coding (RFC 3986 §2.1), of URIs, queries and forms. */

#include "base/secret.h"

/* Appends data with everything but the unreserved characters of RFC 3986 §2.3 as %XX. Returns 0 or
 * -ENOMEM. */
int percent_encode(Secret *s, const void *data, size_t len);
/* Undoes it; plus: '+' is a space, as in a form. *ret is replaced. Returns 0, -ENOMEM, or -EBADMSG
 * for a broken escape, a NUL byte or what is no UTF-8. */
int percent_decode(const char *text, size_t len, bool plus, Secret *ret);
/* Likewise, for what is no secret; *ret is new. */
int percent_decode_string(const char *text, size_t len, bool plus, char **ret);
