#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Text that came from elsewhere: UTF-8 checks, lengths, and escapes for a terminal; names and SIDs.
 */

#include "base/macros.h"

#define NAME_MAX_LEN 64
#define TEXT_SHOWN_MAX 64
#define SID_LEN 34
#define SID_SIZE (SID_LEN + 1)
#define SID_PREFIX_MIN 10 /* characters of a SID's beginning that may stand for it */
#define IDENTITY_MIN_LEN 8
#define IDENTITY_MAX_LEN 64

static inline bool streq(const char *a, const char *b) {
        return __builtin_strcmp(a, b) == 0;
}
/* Equal, or both NULL. */
static inline bool streq_ptr(const char *a, const char *b) {
        return a && b ? streq(a, b) : a == b;
}
static inline const char *strempty(const char *s) {
        return s ? s : "";
}

/* True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). NUL bytes are allowed.
 */
bool utf8_valid(const char *text, size_t len);
/* Decodes one code point at text[0..len), len > 0. Returns its length in bytes, or 0 when
 * malformed. */
size_t utf8_decode(const char *text, size_t len, uint32_t *ret);
/* Code points in well-formed UTF-8. */
size_t utf8_length(const char *text);
/* A control, format, bidi-control, line-separator or otherwise invisible code point: shown as an
 * escape and never sent to a terminal or a notification. */
bool codepoint_is_unsafe(uint32_t c);
/* A copy in which unsafe code points and malformed bytes stand as \n, \t, \xNN or \u{NNNN} and a
 * backslash as two. Safe on any terminal, one line. *ret is new. Returns 0 or -ENOMEM. */
int text_escape(const char *text, char **ret);
/* Whether text_escape() would have to change more than backslashes. */
bool text_is_unsafe(const char *text);
/* What stands in a file, for a message: escaped likewise, and cut (with "…") past TEXT_SHOWN_MAX
 * bytes, so that it is not longer than a glance. *ret is new. Returns 0 or -ENOMEM. */
int text_shown(const char *text, char **ret);

/* Replaces *text with a copy of value (NULL: none). Returns 0 or -ENOMEM: then *text stays. */
int text_set(char **text, const char *value);

/* "XX" and 32 hex digits. prefix is two letters. */
bool sid_valid(const char *sid, const char *prefix);
/* Any Twilio SID's form: two capital letters and 32 hex digits. */
bool sid_like(const char *text);
/* Names of factors, accounts and rules: [A-Za-z0-9][A-Za-z0-9._-]{0,63}, not of a SID's form. */
bool name_valid(const char *name);
/* A Verify identity: 8 to 64 letters and digits, in groups separated by single dashes. */
bool identity_valid(const char *identity);
