/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rows.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "base/text.h"
#include "cli/card.h"
#include "cli/output.h"

#define COLUMNS_SHORT 40 /* below it only the time stands before what is typed */

const char rows_erase[] = "\r\x1b[J";

const char *countdown_text(usec_t left, char ret[static COUNTDOWN_SIZE]) {
        usec_t s = left / USEC_PER_SEC + (left % USEC_PER_SEC != 0);

        if (left == USEC_INFINITY)
                *ret = '\0';
        else if (s >= 3600)
                (void) snprintf(ret, COUNTDOWN_SIZE, "%" PRIu64 ":%02u:%02u", s / 3600,
                                (unsigned) (s / 60 % 60), (unsigned) (s % 60));
        else
                (void) snprintf(ret, COUNTDOWN_SIZE, "%u:%02u", (unsigned) (s / 60),
                                (unsigned) (s % 60));
        return ret;
}

/* The end of text that fits into so many columns. */
static const char *tail(const char *text, size_t columns) {
        while (text_columns(text) > columns) {
                uint32_t c;
                size_t n = utf8_decode(text, strlen(text), &c);

                text += n > 0 ? n : 1;
        }
        return text;
}

void rows_print(FILE *out,
                const char *prompt,
                const char *typed,
                const char *status,
                size_t rows,
                size_t columns) {
        /* The last column stays free: a cursor behind it is not everywhere in the same place. */
        size_t room = columns > COLUMNS_MIN ? columns - 1 : COLUMNS_MIN - 1, word, column;
        _cleanup_free_ char *head = strndup(prompt, row_length(prompt, room - 4, &word));
        const char *end;

        if (!head)
                return;
        column = text_columns(head);
        end = tail(typed, room - column);
        column += text_columns(end);
        fprintf(out, "%s%s%s", rows_erase, head, end);
        if (rows < 3 || !*status)
                return;
        fprintf(out, "\n%.*s\x1b[A\r", (int) row_length(status, room, &word), status);
        if (column > 0)
                fprintf(out, "\x1b[%zuC", column);
}

static const char *answering_word(const Prompter *p) {
        const char *operation = prompter_decision(p).operation;

        return streq(operation, "Approve") ? "approving"
               : streq(operation, "Deny")  ? "denying"
                                           : "ignoring";
}

static const char *confirming_word(const Prompter *p) {
        bool sid = streq_ptr(get_string(prompter_shown(p), "confirm"), "sid");

        return sid ? "end of the SID" : "value";
}

/* "4:59 left", or "" when there is no telling. */
static void time_text(const Prompter *p, usec_t now, bool is_short, char ret[static ROW_SIZE]) {
        char countdown[COUNTDOWN_SIZE];
        usec_t left = prompter_left(p, now);

        *ret = '\0';
        if (prompter_stage(p) == PROMPTER_ANSWERING)
                (void) countdown_text(now - prompter_answering_since(p), ret);
        else if (left != USEC_INFINITY)
                (void) snprintf(ret, ROW_SIZE, "%s%s", countdown_text(left, countdown),
                                is_short ? "" : " left");
}

const char *rows_prompt(const Prompter *p, usec_t now, size_t columns, char ret[static ROW_SIZE]) {
        bool is_short = columns > 0 && columns < COLUMNS_SHORT;
        char time[ROW_SIZE] = "";
        const char *word = "";

        if (columns > 0)
                time_text(p, now, is_short, time);
        switch (prompter_stage(p)) {
        case PROMPTER_APART:
                word = is_short ? "connecting" : "connecting to the daemon";
                break;
        case PROMPTER_IDLE:
                word = "nothing waits";
                break;
        case PROMPTER_ASKING:
                break;
        case PROMPTER_CONFIRMING:
                word = is_short ? "" : confirming_word(p);
                break;
        case PROMPTER_ANSWERING:
                word = answering_word(p);
                break;
        }
        (void) snprintf(ret, ROW_SIZE, "%.32s%s%s%s%s ", time, *time && *word ? ", " : "", word,
                        *time || *word ? " " : "", prompter_takes_input(p, now) ? ">" : "...");
        return ret;
}

const char *rows_status(const Prompter *p, usec_t now, char ret[static ROW_SIZE]) {
        int64_t repeats = get_int(prompter_shown(p), "repeats", 0);
        size_t others = prompter_n_others(p, now);
        char asked[64] = "", wait[64] = "";

        if (repeats > 0)
                (void) snprintf(asked, sizeof(asked), "asked %" PRId64 " times", repeats + 1);
        if (others > 0)
                (void) snprintf(wait, sizeof(wait), "%zu more %s", others,
                                others == 1 ? "waits" : "wait");
        (void) snprintf(ret, ROW_SIZE, "%s%s%s", asked, *asked && *wait ? "; " : "", wait);
        return ret;
}
