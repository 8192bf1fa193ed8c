/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/screen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/secret.h"
#include "base/text.h"
#include "cli/card.h"
#include "cli/rows.h"

/* Clears the screen, not what has scrolled out of it. */
#define CLEAR "\x1b[H\x1b[2J"

/* Text that is put together through a stream. */
typedef struct Page {
        FILE *out;
        char *text;
        size_t len;
} Page;

static void page_done(Page *p) {
        if (p->out)
                (void) fclose(p->out);
        secret_string_free(p->text);
}

static int page_open(Page *ret) {
        *ret = (Page){0};
        ret->out = open_memstream(&ret->text, &ret->len);
        return ret->out ? 0 : -ENOMEM;
}

static int page_end(Page *p) {
        int r = fclose(p->out) == 0 ? 0 : -ENOMEM;

        p->out = NULL;
        return r;
}

static int page_write(Page *p, Terminal *t) {
        int r = page_end(p);

        if (r >= 0)
                r = terminal_write(t, p->text, p->len);
        return r == -EINTR ? 0 : r;
}

void screen_done(Screen *s) {
        secret_string_free(s->rows);
        free(s->said);
        s->rows = s->said = NULL;
}

/* The last column stays free, as it does in the rows. */
static size_t columns(const Screen *s) {
        return s->terminal->columns - 1;
}

/* Lines come where the rows stood. */
static void begin_lines(Screen *s, Page *p) {
        if (s->rows)
                fputs(s->terminal->dumb ? "\n" : rows_erase, p->out);
        s->rows = secret_string_free(s->rows);
}

static void print_lines(const Screen *s, Page *p, const char *lines) {
        for (const char *end; *lines; lines = end + 1) {
                end = strchrnul(lines, '\n');
                _cleanup_free_ char *line = strndup(lines, (size_t) (end - lines));

                if (line)
                        wrap_print(p->out, "", "  ", line, columns(s));
                if (!*end)
                        break;
        }
}

int screen_say(Screen *s, const char *lines) {
        _cleanup_(page_done) Page p = {0};
        int r = page_open(&p);

        if (r < 0)
                return r;
        begin_lines(s, &p);
        print_lines(s, &p, lines);
        (void) text_set(&s->said, lines);
        return page_write(&p, s->terminal);
}

static size_t count_lines(const char *text) {
        size_t n = 0;

        while ((text = strchr(text, '\n'))) {
                text++;
                n++;
        }
        return n;
}

static int draw_challenge(const Screen *s, Page *p, const Prompter *prompter, usec_t now) {
        _cleanup_(page_done) Page card = {0};
        char text[128];
        size_t n;
        int r = page_open(&card);

        if (r < 0)
                return r;
        r = card_print(card.out, prompter_shown(prompter),
                        &(CardLook){.columns = columns(s), .styled = s->terminal->styled});
        if (r >= 0)
                r = page_end(&card);
        if (r < 0)
                return r;
        fprintf(p->out, "\n%s", card.text);
        n = count_lines(card.text);
        if (n + 3 > s->terminal->rows) {
                (void) snprintf(text, sizeof(text), "These were %zu lines: scroll up to see all.",
                                n);
                wrap_print(p->out, "", "  ", text, columns(s));
        }
        if (s->terminal->dumb) {
                char left[COUNTDOWN_SIZE], status[ROW_SIZE];

                fprintf(p->out, "%s left. %s\n", countdown_text(prompter_left(prompter, now), left),
                                rows_status(prompter, now, status));
        }
        wrap_print(p->out, "", "  ", prompter_words(prompter), columns(s));
        return 0;
}

int screen_draw(Screen *s, const Prompter *prompter, bool clear, usec_t now) {
        _cleanup_(page_done) Page p = {0};
        int r = page_open(&p);

        if (r < 0)
                return r;
        begin_lines(s, &p);
        if (clear && !s->terminal->dumb) {
                fputs(CLEAR, p.out);
                print_lines(s, &p, strempty(s->said));
        }
        if (prompter_shown(prompter))
                r = draw_challenge(s, &p, prompter, now);
        return r < 0 ? r : page_write(&p, s->terminal);
}

/* On a dumb terminal: the prompt alone, once input is taken. */
static void print_prompt(const Screen *s, Page *p, const Prompter *prompter, usec_t now) {
        char prompt[ROW_SIZE];

        (void) rows_prompt(prompter, now, 0, prompt);
        if (prompter_takes_input(prompter, now) || prompter_stage(prompter) == PROMPTER_ANSWERING)
                fputs(prompt, p->out);
}

int screen_rows(Screen *s, const Prompter *prompter, const char *typed, usec_t now) {
        _cleanup_(page_done) Page p = {0};
        char prompt[ROW_SIZE], status[ROW_SIZE];
        Terminal *t = s->terminal;
        int r = page_open(&p);

        if (r < 0)
                return r;
        if (t->dumb)
                print_prompt(s, &p, prompter, now);
        else
                rows_print(p.out, rows_prompt(prompter, now, t->columns, prompt), typed,
                                rows_status(prompter, now, status), t->rows, t->columns);
        r = page_end(&p);
        if (r < 0 || p.len == 0 || (s->rows && streq(s->rows, p.text)))
                return r;
        /* Lines of a dumb terminal can't be taken back. */
        if (t->dumb && s->rows)
                r = terminal_write(t, "\n", 1);
        secret_string_free(s->rows);
        s->rows = TAKE_PTR(p.text);
        if (r >= 0)
                r = terminal_write(t, s->rows, p.len);
        return r == -EINTR ? 0 : r;
}

int screen_entered(Screen *s, const char *typed) {
        _cleanup_(page_done) Page p = {0};
        int r;

        /* A dumb terminal has shown it, and its newline. */
        if (s->terminal->dumb) {
                s->rows = secret_string_free(s->rows);
                return 0;
        }
        r = page_open(&p);
        if (r < 0)
                return r;
        begin_lines(s, &p);
        wrap_print(p.out, "> ", "> ", typed, columns(s));
        return page_write(&p, s->terminal);
}

int screen_leave(Screen *s) {
        _cleanup_(page_done) Page p = {0};
        int r = page_open(&p);

        if (r < 0)
                return r;
        begin_lines(s, &p);
        return page_write(&p, s->terminal);
}
