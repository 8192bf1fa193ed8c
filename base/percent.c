/* SPDX-License-Identifier: Apache-2.0 */
#include "base/percent.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

static bool is_unreserved(uint8_t c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.' || c == '_' || c == '~';
}

int percent_encode(Secret *s, const void *data, size_t len) {
        static const char hex[] = "0123456789ABCDEF";
        const uint8_t *p = data;

        for (size_t i = 0; i < len; i++) {
                char escape[3] = {'%', hex[p[i] >> 4], hex[p[i] & 15]};
                int r = is_unreserved(p[i]) ? secret_append(s, p + i, 1)
                                            : secret_append(s, escape, sizeof(escape));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int hex_digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        if (c >= 'A' && c <= 'F')
                return c - 'A' + 10;
        return -1;
}

int percent_decode(const char *text, size_t len, bool plus, Secret *ret) {
        _cleanup_(secret_done) Secret decoded = {0};
        size_t n = 0;

        int r = secret_resize(&decoded, len);
        if (r < 0)
                return r;
        for (size_t i = 0; i < len; i++) {
                int c = (uint8_t) text[i];

                if (c == '%') {
                        int high = len - i > 2 ? hex_digit(text[i + 1]) : -1;
                        int low = len - i > 2 ? hex_digit(text[i + 2]) : -1;

                        if (high < 0 || low < 0)
                                return -EBADMSG;
                        c = high << 4 | low;
                        i += 2;
                } else if (plus && c == '+')
                        c = ' ';
                if (c == '\0')
                        return -EBADMSG;
                decoded.data[n++] = (uint8_t) c;
        }
        if (n < len) {
                decoded.data[n] = '\0';
                decoded.len = n;
        }
        if (!utf8_valid(secret_string(&decoded), n))
                return -EBADMSG;
        secret_move(ret, &decoded);
        return 0;
}

int percent_decode_string(const char *text, size_t len, bool plus, char **ret) {
        _cleanup_(secret_done) Secret decoded = {0};

        int r = percent_decode(text, len, plus, &decoded);
        if (r < 0)
                return r;
        char *copy = strdup(secret_string(&decoded));
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}
