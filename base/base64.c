/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <errno.h>
#include <string.h>

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char *const alphabets[] = {
                [BASE64_STANDARD] = ALPHANUMERIC "+/",
                [BASE64_URL] = ALPHANUMERIC "-_",
};

size_t base64_encoded_len(Base64Kind kind, size_t len) {
        static const size_t rest_padded[] = {0, 4, 4};
        static const size_t rest_bare[] = {0, 2, 3};

        if (len / 3 > (SIZE_MAX - 4) / 4)
                return SIZE_MAX;
        return len / 3 * 4 + (kind == BASE64_STANDARD ? rest_padded : rest_bare)[len % 3];
}

/* Writes the 2 to 4 characters of 1 to 3 bytes, padded to 4 when wanted. */
static char *encode_group(Base64Kind kind, const uint8_t *p, size_t n, char *out) {
        const char *alphabet = alphabets[kind];
        uint32_t bits = (uint32_t) p[0] << 16;

        if (n > 1)
                bits |= (uint32_t) p[1] << 8;
        if (n > 2)
                bits |= p[2];

        for (size_t i = 0; i < 4; i++) {
                if (i <= n)
                        *out++ = alphabet[bits >> (18 - 6 * i) & 0x3f];
                else if (kind == BASE64_STANDARD)
                        *out++ = '=';
        }
        return out;
}

int base64_encode(Base64Kind kind, const void *data, size_t len, char **ret) {
        size_t size = base64_encoded_len(kind, len);
        if (size == SIZE_MAX)
                return -EOVERFLOW;

        char *text = malloc(size + 1);
        if (!text)
                return -ENOMEM;

        const uint8_t *p = data;
        char *out = text;
        for (; len >= 3; len -= 3, p += 3)
                out = encode_group(kind, p, 3, out);
        if (len > 0)
                out = encode_group(kind, p, len, out);
        *out = '\0';

        *ret = text;
        return 0;
}

/* The value of a character, or 64 and more for one outside the alphabet. Without a table or a
 * branch on the value: keys come through here, and their bits are kept out of the cache's timing.
 */
static uint32_t character_value(Base64Kind kind, char character) {
        const uint32_t c = (uint8_t) character;
        const uint32_t c62 = (uint8_t) alphabets[kind][62], c63 = (uint8_t) alphabets[kind][63];
        uint32_t v = 0; /* 1 + the value, or 0 */

/* All ones when a <= c <= b. Both differences wrap to the top bit when the test fails. */
#define WITHIN(a, b) (((((c) - (a)) | ((b) - (c))) >> 31) - 1)
        v |= WITHIN('A', 'Z') & (c - 'A' + 1);
        v |= WITHIN('a', 'z') & (c - 'a' + 27);
        v |= WITHIN('0', '9') & (c - '0' + 53);
        v |= WITHIN(c62, c62) & 63;
        v |= WITHIN(c63, c63) & 64;
#undef WITHIN

        return v - 1;
}

/* Decodes 2 to 4 characters into 1 to 3 bytes. False for a foreign character or unused bits. */
static bool decode_group(Base64Kind kind, const char *text, size_t n, uint8_t *out) {
        uint32_t bits = 0, bad = 0;

        for (size_t i = 0; i < 4; i++) {
                uint32_t v = i < n ? character_value(kind, text[i]) : 0;
                bad |= v & ~UINT32_C(0x3f);
                bits = bits << 6 | (v & 0x3f);
        }
        for (size_t i = 0; i < n - 1; i++)
                out[i] = (uint8_t) (bits >> (16 - 8 * i));

        uint32_t unused = n == 4 ? 0 : n == 3 ? 0xff : 0xffff;
        return bad == 0 && (bits & unused) == 0;
}

/* The number of characters before the padding; false when the padding is not the right one. */
static bool strip_padding(Base64Kind kind, const char *text, size_t *len) {
        if (kind == BASE64_STANDARD) {
                if (*len % 4 != 0)
                        return false;
                for (int i = 0; i < 2 && *len > 0 && text[*len - 1] == '='; i++)
                        (*len)--;
        }
        return *len % 4 != 1;
}

int base64_decode(Base64Kind kind, const char *text, size_t len, Secret *ret) {
        _cleanup_(secret_done) Secret s = {0};
        bool good = true;

        if (!strip_padding(kind, text, &len))
                return -EBADMSG;

        int r = secret_resize(&s, len / 4 * 3 + (len % 4 > 0 ? len % 4 - 1 : 0));
        if (r < 0)
                return r;

        uint8_t *out = s.data;
        for (; len >= 4; len -= 4, text += 4, out += 3)
                good &= decode_group(kind, text, 4, out);
        if (len > 0)
                good &= decode_group(kind, text, len, out);
        if (!good)
                return -EBADMSG;

        secret_move(ret, &s);
        return 0;
}
