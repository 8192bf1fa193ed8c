/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json-scan.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

typedef struct Scanner {
        const char *start, *p, *end;
        unsigned depth;
        size_t n_members;
        JsonItem *items; /* of the outermost value */
        size_t n_items;
        const char *fault; /* static text; p is where */
} Scanner;

static int scan_value(Scanner *s);

static int fail(Scanner *s, const char *fault) {
        s->fault = fault;
        return -EBADMSG;
}

/* The next byte, or -1 at the end. */
static int peek(const Scanner *s) {
        return s->p < s->end ? (uint8_t) *s->p : -1;
}

static bool accept(Scanner *s, char c) {
        if (peek(s) != c)
                return false;
        s->p++;
        return true;
}

static void skip_space(Scanner *s) {
        while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
                s->p++;
}

static bool is_digit(int c) {
        return c >= '0' && c <= '9';
}

/* Reads the four digits of \uXXXX. */
static int scan_hex(Scanner *s, uint32_t *ret) {
        uint32_t value = 0;

        for (int i = 0; i < 4; i++, s->p++) {
                int c = peek(s);

                if (is_digit(c))
                        value = value << 4 | (uint32_t) (c - '0');
                else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
                        value = value << 4 | (uint32_t) ((c | 0x20) - 'a' + 10);
                else
                        return fail(s, "four hex digits are wanted after \\u");
        }
        *ret = value;
        return 0;
}

/* Reads what follows \u: one code unit, or two that make a surrogate pair. */
static int scan_unicode_escape(Scanner *s) {
        uint32_t high, low;

        int r = scan_hex(s, &high);
        if (r < 0)
                return r;
        if (high == 0)
                return fail(s, "U+0000 is not allowed in a string");
        if (high < 0xd800 || high > 0xdfff)
                return 0;

        if (high > 0xdbff || !accept(s, '\\') || !accept(s, 'u'))
                return fail(s, "a surrogate stands alone in a string");
        r = scan_hex(s, &low);
        if (r < 0)
                return r;
        if (low < 0xdc00 || low > 0xdfff)
                return fail(s, "a surrogate stands alone in a string");
        return 0;
}

static int scan_escape(Scanner *s) {
        int c = peek(s);

        if (c < 0 || !memchr("\"\\/bfnrtu", c, STRLEN("\"\\/bfnrtu")))
                return fail(s, "an unknown escape in a string");
        s->p++;
        return c == 'u' ? scan_unicode_escape(s) : 0;
}

/* Reads a string from its opening quote to its closing one. */
static int scan_string(Scanner *s) {
        s->p++;
        for (;;) {
                int c = peek(s);

                if (c < 0)
                        return fail(s, "the text ends within a string");
                if (c < 0x20)
                        return fail(s, "a control character in a string must be escaped");
                if (c >= 0x80) {
                        uint32_t code;
                        size_t n = utf8_decode(s->p, (size_t) (s->end - s->p), &code);
                        if (n == 0)
                                return fail(s, "malformed UTF-8");
                        s->p += n;
                        continue;
                }

                s->p++;
                if (c == '"')
                        return 0;
                if (c == '\\') {
                        int r = scan_escape(s);
                        if (r < 0)
                                return r;
                }
        }
}

static int scan_digits(Scanner *s) {
        if (!is_digit(peek(s)))
                return fail(s, "a digit is wanted here");
        while (is_digit(peek(s)))
                s->p++;
        return 0;
}

static int scan_number(Scanner *s) {
        (void) accept(s, '-');
        if (accept(s, '0')) {
                if (is_digit(peek(s)))
                        return fail(s, "a number must not begin with 0");
        } else {
                int r = scan_digits(s);
                if (r < 0)
                        return r;
        }
        if (accept(s, '.')) {
                int r = scan_digits(s);
                if (r < 0)
                        return r;
        }
        if (accept(s, 'e') || accept(s, 'E')) {
                if (!accept(s, '+'))
                        (void) accept(s, '-');
                return scan_digits(s);
        }
        return 0;
}

static int scan_word(Scanner *s, const char *word) {
        for (; *word; word++)
                if (!accept(s, *word))
                        return fail(s, "a value is wanted here");
        return 0;
}

/* Keeps an item of the outermost value. */
static int keep_item(Scanner *s, JsonItem item) {
        JsonItem *items = array_grow(s->items, s->n_items, sizeof(JsonItem));
        if (!items)
                return -ENOMEM;

        s->items = items;
        s->items[s->n_items++] = item;
        return 0;
}

/* Reads one member, or one element when in an array, with the white space round it. */
static int scan_item(Scanner *s, bool in_object) {
        JsonItem item = {0};
        size_t n_before;
        int r;

        skip_space(s);
        if (in_object) {
                item.name.data = s->p;
                if (peek(s) != '"')
                        return fail(s, "a member's name in double quotes is wanted here");
                r = scan_string(s);
                if (r < 0)
                        return r;
                item.name.len = (size_t) (s->p - item.name.data);
                s->n_members++;

                skip_space(s);
                if (!accept(s, ':'))
                        return fail(s, "a colon is wanted here");
                skip_space(s);
        }

        n_before = s->n_members;
        item.value.data = s->p;
        r = scan_value(s);
        if (r < 0)
                return r;
        item.value.len = (size_t) (s->p - item.value.data);
        item.n_members = s->n_members - n_before;
        skip_space(s);

        return s->depth == 1 ? keep_item(s, item) : 0;
}

/* Reads an object or an array, from its opening bracket to its closing one. */
static int scan_container(Scanner *s) {
        bool in_object = *s->p++ == '{';
        char close = in_object ? '}' : ']';

        if (++s->depth > JSON_DEPTH_MAX)
                return fail(s, "too many objects and arrays within each other");

        skip_space(s);
        if (!accept(s, close))
                for (;;) {
                        int r = scan_item(s, in_object);
                        if (r < 0)
                                return r;
                        if (accept(s, close))
                                break;
                        if (!accept(s, ','))
                                return fail(s, "a comma or a closing bracket is wanted here");
                }
        s->depth--;
        return 0;
}

static int scan_value(Scanner *s) {
        switch (peek(s)) {
        case '{':
        case '[':
                return scan_container(s);
        case '"':
                return scan_string(s);
        case 't':
                return scan_word(s, "true");
        case 'f':
                return scan_word(s, "false");
        case 'n':
                return scan_word(s, "null");
        case '-':
                return scan_number(s);
        default:
                if (is_digit(peek(s)))
                        return scan_number(s);
                return fail(s, "a value is wanted here");
        }
}

static int scan_text(Scanner *s, char open) {
        skip_space(s);
        if (peek(s) != open)
                return fail(s, open == '{' ? "an object is wanted here"
                                           : "an array is wanted here");
        int r = scan_container(s);
        if (r < 0)
                return r;
        skip_space(s);
        return s->p == s->end ? 0 : fail(s, "there is more after the end");
}

int json_scan(JsonSlice text, char open, JsonItem **ret, size_t *ret_n, char **reterr_msg) {
        Scanner s = {.start = text.data, .p = text.data, .end = text.data + text.len};

        int r = scan_text(&s, open);
        if (r < 0) {
                free(s.items);
                if (r == -EBADMSG)
                        error_set(reterr_msg, r, "JSON, byte %zu: %s", (size_t) (s.p - s.start),
                                        s.fault);
                return r;
        }

        *ret = s.items;
        *ret_n = s.n_items;
        return 0;
}
