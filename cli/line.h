#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* One line that a person types, byte by byte: editing without a terminal. Pure. */

#include "base/macros.h"

/* Bytes of a line: the value of the longest detail fits, 128 characters. */
#define LINE_BYTES_MAX 512

typedef enum LineResult {
        LINE_SAME,    /* nothing that shows */
        LINE_EDITED,  /* the text is another */
        LINE_ENTERED, /* Enter: the text is whole; clear it after use */
        LINE_ENDED,   /* Ctrl-D while there is no text */
        LINE_REDRAW,  /* Ctrl-L */
} LineResult;

/* A zero-initialised line is empty. Its text is well-formed UTF-8 and holds nothing that a terminal
 * would obey. */
typedef struct Line {
        char text[LINE_BYTES_MAX + 1];
        size_t len;
        bool too_long; /* more was typed than fits: the text is no answer */

        char partial[4]; /* the beginning of a character */
        size_t n_partial;
        enum {
                LINE_PLAIN,
                LINE_ESCAPE,  /* ESC came */
                LINE_CONTROL, /* ESC [ and perhaps its parameters */
                LINE_SHIFT,   /* ESC O */
        } sequence;
} Line;

/* Takes one byte as a terminal in raw mode sends it. Backspace, Ctrl-W and Ctrl-U delete a
 * character, a word, all; sequences of cursor and function keys, other control characters,
 * invisible characters and malformed bytes are passed over. */
LineResult line_feed(Line *l, uint8_t byte);
/* What was typed, NULL when that was too long. Borrowed. */
const char *line_text(const Line *l);
/* Wipes it. */
void line_clear(Line *l);
