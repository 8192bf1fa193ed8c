/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/line.h"

#include <string.h>

#include "base/text.h"

#define CTRL(c) ((c) &0x1f)
#define DEL 0x7f
#define ESC 0x1b

static void cut(Line *l, size_t len) {
        explicit_bzero(l->text + len, l->len - len);
        l->len = len;
}

static LineResult delete_character(Line *l) {
        size_t len = l->len;

        if (len == 0)
                return LINE_SAME;
        do
                len--;
        while (len > 0 && ((uint8_t) l->text[len] & 0xc0) == 0x80);
        cut(l, len);
        return LINE_EDITED;
}

static LineResult delete_word(Line *l) {
        size_t len = l->len;

        while (len > 0 && l->text[len - 1] == ' ')
                len--;
        while (len > 0 && l->text[len - 1] != ' ')
                len--;
        cut(l, len);
        return LINE_EDITED;
}

static LineResult append(Line *l, const char *character, size_t n) {
        if (l->len + n > LINE_BYTES_MAX) {
                l->too_long = true;
                return LINE_SAME;
        }
        memcpy(l->text + l->len, character, n);
        l->len += n;
        return LINE_EDITED;
}

static LineResult feed_control(Line *l, uint8_t byte) {
        switch (byte) {
        case '\n':
        case '\r':
                return LINE_ENTERED;
        case CTRL('D'):
                return l->len == 0 && !l->too_long ? LINE_ENDED : LINE_SAME;
        case CTRL('H'):
        case DEL:
                return delete_character(l);
        case CTRL('L'):
                return LINE_REDRAW;
        case CTRL('U'):
                line_clear(l);
                return LINE_EDITED;
        case CTRL('W'):
                return delete_word(l);
        case ESC:
                l->sequence = LINE_ESCAPE;
                return LINE_SAME;
        default:
                return LINE_SAME;
        }
}

/* The rest of what a key beyond the characters sends. */
static void feed_sequence(Line *l, uint8_t byte) {
        if (l->sequence == LINE_ESCAPE && byte == '[')
                l->sequence = LINE_CONTROL;
        else if (l->sequence == LINE_ESCAPE && byte == 'O')
                l->sequence = LINE_SHIFT;
        else if (l->sequence != LINE_CONTROL || byte >= 0x40)
                l->sequence = LINE_PLAIN;
}

/* The bytes of the character that begins so; 0: none does. */
static size_t character_length(uint8_t first) {
        if (first < 0x80)
                return 1;
        if (first >= 0xc2 && first <= 0xdf)
                return 2;
        if (first >= 0xe0 && first <= 0xef)
                return 3;
        return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

static LineResult feed_character(Line *l, uint8_t byte) {
        uint32_t c;
        size_t n;

        if (l->n_partial > 0 && (byte & 0xc0) != 0x80)
                l->n_partial = 0;
        if (l->n_partial == 0 && character_length(byte) == 0)
                return LINE_SAME;
        l->partial[l->n_partial++] = (char) byte;
        n = character_length((uint8_t) l->partial[0]);
        if (l->n_partial < n)
                return LINE_SAME;
        l->n_partial = 0;
        if (utf8_decode(l->partial, n, &c) == 0 || codepoint_is_unsafe(c))
                return LINE_SAME;
        return append(l, l->partial, n);
}

LineResult line_feed(Line *l, uint8_t byte) {
        if (byte < 0x20 || byte == DEL) {
                l->sequence = LINE_PLAIN;
                l->n_partial = 0;
                return feed_control(l, byte);
        }
        if (l->sequence == LINE_PLAIN)
                return feed_character(l, byte);
        feed_sequence(l, byte);
        return LINE_SAME;
}

const char *line_text(const Line *l) {
        return l->too_long ? NULL : l->text;
}

void line_clear(Line *l) {
        explicit_bzero(l, sizeof(*l));
}
