/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/card.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"

#define KEY_COLUMNS 14
/* Below it keys do not line up. */
#define COLUMNS_WIDE 48
#define BOLD "\x1b[1m"
#define PLAIN "\x1b[0m"

size_t row_length(const char *text, size_t columns, size_t *ret_break) {
        size_t len = strlen(text), used = 0, i = 0;

        *ret_break = 0;
        while (i < len) {
                char c[8] = {0};
                uint32_t codepoint;
                size_t n = utf8_decode(text + i, len - i, &codepoint);

                n = n > 0 ? n : 1;
                memcpy(c, text + i, n);
                used += text_columns(c);
                if (used > columns && i > 0)
                        break;
                i += n;
                if (*c == ' ')
                        *ret_break = i;
        }
        return i;
}

void wrap_print(FILE *out, const char *first, const char *next, const char *text, size_t columns) {
        const char *mark = first;

        columns = columns < COLUMNS_MIN ? COLUMNS_MIN : columns;
        do {
                size_t taken = text_columns(mark), n, word;

                n = row_length(text, columns > taken + 4 ? columns - taken : 4, &word);
                /* Between words, unless that leaves most of the row empty. */
                if (text[n] && word > n / 2)
                        n = word;
                fprintf(out, "%s%.*s\n", mark, (int) n, text);
                text += n;
                mark = next;
        } while (*text);
}

typedef struct Card {
        FILE *out;
        size_t columns;
        int indent;
        bool styled;
} Card;

/* Under a mark: ':' for ours, '|' for a detail of the challenge's own; '>' where it goes on. */
static int print_marked(const Card *c, const char *key, char mark, const char *text) {
        _cleanup_free_ char *escaped = NULL;
        char first[64], next[64];

        if (text_escape(text, &escaped) < 0)
                return -ENOMEM;
        (void) snprintf(first, sizeof(first), "%*s%c ", c->indent, key, mark);
        (void) snprintf(next, sizeof(next), "%*s> ", c->indent, "");
        wrap_print(c->out, first, next, escaped, c->columns);
        return 0;
}

static int print_key(const Card *c, const char *key, const char *value) {
        return value ? print_marked(c, key, ':', value) : 0;
}

static int print_detail(const Card *c, json_object *field) {
        _cleanup_free_ char *text = NULL;
        const char *value = get_string(field, "value");

        if (asprintf(&text, "%s: %s", strempty(get_string(field, "label")),
                            value ? value : "(to be typed)") < 0) {
                text = NULL;
                return -ENOMEM;
        }
        return print_marked(c, "", '|', text);
}

static void print_warning(const Card *c, const char *text) {
        fputs(c->styled ? BOLD : "", c->out);
        wrap_print(c->out, "! ", "! ", text, c->columns);
        fputs(c->styled ? PLAIN : "", c->out);
}

static void print_warnings(const Card *c, json_object *o) {
        const char *confirm = strempty(get_string(o, "confirm"));

        if (get_bool(o, "quiet"))
                print_warning(c, "This factor is being bombed: far more is asked than a person "
                                 "asks for. Unless you have just asked for exactly this, somebody "
                                 "else did.");
        if (streq(confirm, "sid"))
                print_warning(c,
                                "Approving takes the last four characters of the challenge's SID.");
        if (streq(confirm, "never"))
                print_warning(c, "It can't be approved: it has not one such detail, with a value, "
                                 "as "
                                 "its factor wants typed.");
}

static int print_keys(const Card *c, json_object *o) {
        const char *type = get_string(o, "factor_type");
        int r;

        r = print_key(c, "factor", get_string(o, "factor"));
        if (r >= 0 && type && !streq(type, "push"))
                r = print_key(c, "type", type);
        if (r >= 0)
                r = print_key(c, "service", get_string(o, "service_sid"));
        if (r >= 0)
                r = print_key(c, "identity", get_string(o, "identity"));
        if (r >= 0)
                r = print_key(c, "created", get_string(o, "created"));
        if (r >= 0)
                r = print_key(c, "message", get_string(o, "message"));
        return r;
}

int card_print(FILE *out, json_object *o, size_t columns, bool styled) {
        const Card c = {
                        .out = out,
                        .columns = columns,
                        .indent = columns >= COLUMNS_WIDE ? KEY_COLUMNS : 0,
                        .styled = styled,
        };
        json_object *fields = get_array(o, "fields");
        size_t n = count_items(fields);
        int r;

        fputs(styled ? BOLD : "", out);
        r = print_key(&c, "challenge", get_string(o, "sid"));
        fputs(styled ? PLAIN : "", out);
        if (r >= 0)
                r = print_keys(&c, o);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = print_detail(&c, json_object_array_get_idx(fields, i));
        if (r >= 0)
                print_warnings(&c, o);
        return r;
}
