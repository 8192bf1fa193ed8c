#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The two rows of the prompter that stand below everything else and are drawn again in place: the
 * prompt with what is typed, and below it what else there is. Pure. */

#include <stdio.h>

#include "cli/prompter.h"

#define COUNTDOWN_SIZE 32
#define ROW_SIZE 160

/* "4:59", "1:02:03": what is left, begun seconds counted whole; "" for USEC_INFINITY. Written to
 * ret. */
const char *countdown_text(usec_t left, char ret[static COUNTDOWN_SIZE]);

/* What stands before the typed text. It ends in "> " while input is taken. columns: of the
 * terminal; 0: without what changes by itself, the time. Written to ret. */
const char *rows_prompt(const Prompter *p, usec_t now, size_t columns, char ret[static ROW_SIZE]);
/* "asked 3 times; 2 more wait", or "". Written to ret. */
const char *rows_status(const Prompter *p, usec_t now, char ret[static ROW_SIZE]);

/* Draws both rows: prompt and the end of what was typed (without anything that a terminal would
 * obey), and status unless it is empty or there is no room, each cut to its row. The cursor stays
 * behind the typed text, from where rows_erase takes both away. */
void rows_print(FILE *out,
                const char *prompt,
                const char *typed,
                const char *status,
                size_t rows,
                size_t columns);
extern const char rows_erase[];
