#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on the terminal: lines that scroll by, and below them the two rows that are drawn in
 * place. On a dumb terminal the prompt is written once, and again after anything else was.
 *
 * Each function returns 0, or -errno when the terminal is gone. What could not be written because a
 * signal waits is lost: every such signal has all of it drawn again, or ends the program. */

#include <json-c/json_types.h>

#include "cli/prompter.h"
#include "cli/terminal.h"

typedef struct Screen {
        Terminal *terminal;
        char *rows; /* as they stand there; NULL: they do not */
        char *said; /* the lines that were printed last */
} Screen;

void screen_done(Screen *s);
/* Prints lines (safe, each with its newline), wrapped. */
int screen_say(Screen *s, const char *lines);
/* Draws a challenge: after what was said last, on an empty screen, when clear. */
int screen_draw(Screen *s, const Prompter *p, bool clear, usec_t now);
/* Draws the rows, if they are others than those that stand there. */
int screen_rows(Screen *s, const Prompter *p, const char *typed, usec_t now);
/* Enter: what was typed stays, the rows below it do not. */
int screen_entered(Screen *s, const char *typed);
/* Takes the rows away. */
int screen_leave(Screen *s);
