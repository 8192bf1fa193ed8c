/* SPDX-License-Identifier: Apache-2.0 */
#include "totp/base32.h"

#include <errno.h>

/* Eight characters of five bits each stand for five bytes. */
#define GROUP_CHARS 8
#define GROUP_BYTES 5

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

int base32_encode(const Secret *data, Secret *ret) {
        _cleanup_(secret_done) Secret text = {0};
        uint32_t buffer = 0;
        unsigned bits = 0;
        size_t n = 0;
        int r;

        r = secret_resize(&text, (data->len * 8 + 4) / 5);
        if (r < 0)
                return r;
        for (size_t i = 0; i < data->len; i++) {
                buffer = buffer << 8 | data->data[i];
                for (bits += 8; bits >= 5; bits -= 5)
                        text.data[n++] = (uint8_t) alphabet[buffer >> (bits - 5) & 31];
        }
        if (bits > 0)
                text.data[n++] = (uint8_t) alphabet[buffer << (5 - bits) & 31];
        secret_wipe(&buffer, sizeof(buffer));
        secret_move(ret, &text);
        return 0;
}

static int character_value(char c) {
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= '2' && c <= '7')
                return c - '2' + 26;
        return -1;
}

/* Drops whole padding (up to the end of a group of eight); padding of another length stays in,
 * where it is no character of the alphabet. */
static size_t length_without_padding(const char *text, size_t len) {
        size_t n = len;

        if (len % GROUP_CHARS != 0)
                return len;
        while (n > 0 && len - n < GROUP_CHARS - 2 && text[n - 1] == '=')
                n--;
        return n;
}

/* Decodes text without padding; *ret_rest gets the bits that are left over. */
static int decode_characters(const char *text, size_t len, Secret *ret, unsigned *ret_rest) {
        _cleanup_(secret_done) Secret data = {0};
        uint32_t buffer = 0;
        unsigned bits = 0;
        size_t n = 0;
        int r;

        /* 1, 3 and 6 characters in the last group would hold a whole one that adds no byte. */
        if (len % GROUP_CHARS == 1 || len % GROUP_CHARS == 3 || len % GROUP_CHARS == 6)
                return -EBADMSG;
        r = secret_resize(&data, len / GROUP_CHARS * GROUP_BYTES + len % GROUP_CHARS * 5 / 8);
        if (r < 0)
                return r;
        for (size_t i = 0; i < len; i++) {
                int value = character_value(text[i]);

                if (value < 0)
                        return -EBADMSG;
                buffer = buffer << 5 | (uint32_t) value;
                bits += 5;
                if (bits >= 8) {
                        bits -= 8;
                        data.data[n++] = (uint8_t) (buffer >> bits);
                }
        }
        *ret_rest = buffer & ((1U << bits) - 1);
        secret_wipe(&buffer, sizeof(buffer));
        secret_move(ret, &data);
        return 0;
}

int base32_decode(const char *text, size_t len, Secret *ret) {
        _cleanup_(secret_done) Secret data = {0};
        unsigned rest;
        int r;

        r = decode_characters(text, length_without_padding(text, len), &data, &rest);
        if (r < 0)
                return r;
        if (rest != 0)
                return -EBADMSG;
        secret_move(ret, &data);
        return 0;
}

int base32_decode_pasted(const char *text, size_t len, Secret *ret) {
        _cleanup_(secret_done) Secret bare = {0};
        unsigned rest;
        size_t n = 0;
        int r;

        r = secret_resize(&bare, len);
        if (r < 0)
                return r;
        for (size_t i = 0; i < len; i++) {
                char c = text[i];

                if (c == ' ' || c == '-')
                        continue;
                bare.data[n++] = (uint8_t) (c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
        }
        n = length_without_padding((const char *) bare.data, n);
        if (n == 0)
                return -EBADMSG;
        return decode_characters((const char *) bare.data, n, ret, &rest);
}
