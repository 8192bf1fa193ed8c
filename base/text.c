/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static bool is_capital(char c) {
        return c >= 'A' && c <= 'Z';
}

static bool is_alphanumeric(char c) {
        return is_digit(c) || is_capital(c) || (c >= 'a' && c <= 'z');
}

static bool is_hex(char c) {
        return is_digit(c) || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

size_t utf8_decode(const char *text, size_t len, uint32_t *ret) {
        /* The lowest code point that needs a form of so many bytes. */
        static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
        const uint8_t *p = (const uint8_t *) text;
        uint32_t c = p[0];
        size_t n;

        if (c < 0x80) {
                *ret = c;
                return 1;
        }
        if (c >= 0xc2 && c <= 0xdf)
                n = 2, c &= 0x1f;
        else if (c >= 0xe0 && c <= 0xef)
                n = 3, c &= 0x0f;
        else if (c >= 0xf0 && c <= 0xf4)
                n = 4, c &= 0x07;
        else
                return 0;

        if (n > len)
                return 0;
        for (size_t i = 1; i < n; i++) {
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (p[i] & 0x3f);
        }
        if (c < lowest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                return 0;

        *ret = c;
        return n;
}

bool utf8_valid(const char *text, size_t len) {
        uint32_t c;

        for (size_t n; len > 0; text += n, len -= n) {
                n = utf8_decode(text, len, &c);
                if (n == 0)
                        return false;
        }
        return true;
}

size_t utf8_length(const char *text) {
        size_t n = 0;

        for (; *text; text++)
                n += ((uint8_t) *text & 0xc0) != 0x80;
        return n;
}

bool codepoint_is_unsafe(uint32_t c) {
        /* Sorted. Variation selectors U+FE00..FE0F are not here: emoji in honest text have them,
         * and they change a glyph without hiding one. */
        static const struct {
                uint32_t first, last;
        } ranges[] = {
                        {0x0000, 0x001f},   /* C0 */
                        {0x007f, 0x009f},   /* DEL, C1 */
                        {0x00ad, 0x00ad},   /* soft hyphen */
                        {0x034f, 0x034f},   /* combining grapheme joiner */
                        {0x061c, 0x061c},   /* Arabic letter mark */
                        {0x115f, 0x1160},   /* Hangul fillers */
                        {0x17b4, 0x17b5},   /* Khmer inherent vowels */
                        {0x180b, 0x180f},   /* Mongolian selectors and vowel separator */
                        {0x200b, 0x200f},   /* zero width, direction marks */
                        {0x2028, 0x202e},   /* separators, bidi embeddings and overrides */
                        {0x2060, 0x206f},   /* invisible operators, bidi isolates, deprecated */
                        {0x2800, 0x2800},   /* blank Braille pattern */
                        {0x3164, 0x3164},   /* Hangul filler */
                        {0xfdd0, 0xfdef},   /* noncharacters */
                        {0xfeff, 0xfeff},   /* byte order mark */
                        {0xffa0, 0xffa0},   /* halfwidth Hangul filler */
                        {0xfff0, 0xfffb},   /* unassigned, annotations */
                        {0x1bca0, 0x1bca3}, /* shorthand format controls */
                        {0x1d173, 0x1d17a}, /* musical format controls */
                        {0xe0000, 0xe0fff}, /* tags, more selectors, unassigned format characters */
                        {0x110000, UINT32_MAX}, /* no code points */
        };

        for (size_t i = 0; i < ELEMENTSOF(ranges) && c >= ranges[i].first; i++)
                if (c <= ranges[i].last)
                        return true;

        /* The last two of each plane are noncharacters. */
        return (c & 0xfffe) == 0xfffe;
}

/* Bytes at most that one byte of input becomes: a 2-byte code point is \u{NNNN}. */
#define ESCAPE_GROWTH 4

/* Writes one code point (n bytes at p; n is 0 for a malformed byte) in its safe form. */
static char *escape_one(char *out, const char *p, size_t n, uint32_t c) {
        if (n == 0)
                return out + sprintf(out, "\\x%02x", (uint8_t) *p);
        if (c == '\\')
                return stpcpy(out, "\\\\");
        if (c == '\n')
                return stpcpy(out, "\\n");
        if (c == '\t')
                return stpcpy(out, "\\t");
        if (codepoint_is_unsafe(c))
                return out + sprintf(out, c < 0x80 ? "\\x%02x" : "\\u{%04x}", c);
        return mempcpy(out, p, n);
}

int text_escape(const char *text, char **ret) {
        size_t left = strlen(text);

        if (left > (SIZE_MAX - 1) / ESCAPE_GROWTH)
                return -ENOMEM;
        char *escaped = malloc(ESCAPE_GROWTH * left + 1);
        if (!escaped)
                return -ENOMEM;

        char *out = escaped;
        while (left > 0) {
                uint32_t c = 0;
                size_t n = utf8_decode(text, left, &c);
                size_t step = n > 0 ? n : 1;

                out = escape_one(out, text, n, c);
                text += step;
                left -= step;
        }
        *out = '\0';

        /* Most text has nothing to escape: give the room back. */
        char *fitted = realloc(escaped, (size_t) (out - escaped) + 1);
        *ret = fitted ? fitted : escaped;
        return 0;
}

bool text_is_unsafe(const char *text) {
        for (size_t left = strlen(text), n; left > 0; text += n, left -= n) {
                uint32_t c;

                n = utf8_decode(text, left, &c);
                if (n == 0 || codepoint_is_unsafe(c))
                        return true;
        }
        return false;
}

int text_shown(const char *text, char **ret) {
        size_t len = strnlen(text, TEXT_SHOWN_MAX + 1);
        bool cut = len > TEXT_SHOWN_MAX;

        if (cut) {
                len = TEXT_SHOWN_MAX;
                while (len > 0 && ((uint8_t) text[len] & 0xc0) == 0x80)
                        len--;
        }

        _cleanup_free_ char *head = strndup(text, len), *safe = NULL;
        if (!head)
                return -ENOMEM;
        int r = text_escape(head, &safe);
        if (r < 0)
                return r;
        return asprintf(ret, "%s%s", safe, cut ? "…" : "") < 0 ? -ENOMEM : 0;
}

int text_set(char **text, const char *value) {
        _cleanup_free_ char *copy = NULL;

        if (value) {
                copy = strdup(value);
                if (!copy)
                        return -ENOMEM;
        }
        free(*text);
        *text = TAKE_PTR(copy);
        return 0;
}

bool sid_valid(const char *sid, const char *prefix) {
        if (strlen(sid) != SID_LEN || sid[0] != prefix[0] || sid[1] != prefix[1])
                return false;
        for (size_t i = 2; i < SID_LEN; i++)
                if (!is_hex(sid[i]))
                        return false;
        return true;
}

bool sid_like(const char *text) {
        return is_capital(text[0]) && is_capital(text[1]) && sid_valid(text, text);
}

bool name_valid(const char *name) {
        size_t len = strlen(name);

        if (len == 0 || len > NAME_MAX_LEN || !is_alphanumeric(name[0]))
                return false;
        for (size_t i = 1; i < len; i++)
                if (!is_alphanumeric(name[i]) && !strchr("._-", name[i]))
                        return false;
        return !sid_like(name);
}

bool identity_valid(const char *identity) {
        size_t len = strlen(identity);
        char before = '-';

        if (len < IDENTITY_MIN_LEN || len > IDENTITY_MAX_LEN)
                return false;
        for (size_t i = 0; i < len; before = identity[i++])
                if (!is_alphanumeric(identity[i]) && (identity[i] != '-' || before == '-'))
                        return false;
        return before != '-';
}
