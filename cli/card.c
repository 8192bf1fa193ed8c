/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/card.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
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
        const CardLook *look;
        int indent;
} Card;

/* Under a mark: ':' for ours, '|' for a detail of the challenge's own; '>' where it goes on. */
static int print_marked(const Card *c, const char *key, char mark, const char *text) {
        _cleanup_free_ char *escaped = NULL;
        char first[64], next[64];

        if (text_escape(text, &escaped) < 0)
                return -ENOMEM;
        (void) snprintf(first, sizeof(first), "%*s%c ", c->indent, key, mark);
        (void) snprintf(next, sizeof(next), "%*s> ", c->indent, "");
        wrap_print(c->out, first, next, escaped, c->look->columns);
        return 0;
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

static void print_bold(const Card *c, bool on) {
        if (c->look->styled)
                fputs(on ? BOLD : PLAIN, c->out);
}

_printf_(2, 3) static int print_warning(const Card *c, const char *format, ...) {
        _cleanup_free_ char *text = NULL, *escaped = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return -ENOMEM;
        }
        if (text_escape(text, &escaped) < 0)
                return -ENOMEM;
        print_bold(c, true);
        wrap_print(c->out, "! ", "! ", escaped, c->look->columns);
        print_bold(c, false);
        return 0;
}

/* What an approval takes. */
static int print_confirm(const Card *c, json_object *o) {
        const char *confirm = strempty(get_string(o, "confirm"));
        const char *field = strempty(get_string(o, "confirm_field"));

        if (streq(confirm, "sid"))
                return print_warning(c,
                                "Approving takes the last four characters of the "
                                "challenge's SID.");
        if (streq(confirm, "field"))
                return print_warning(c,
                                "Approving takes the value of \"%s\" as it stands where the "
                                "challenge comes from.",
                                field);
        if (streq(confirm, "never"))
                return print_warning(c,
                                "It can't be approved: it has not one detail \"%s\" with a value, "
                                "which its factor wants typed.",
                                field);
        return 0;
}

static int print_warnings(const Card *c, json_object *o) {
        int r = 0;

        /* A repeat is quiet for another reason. */
        if (get_bool(o, "quiet") && !get_string(o, "repeat_of"))
                r = print_warning(c,
                                "This factor is being bombed: far more is asked than a person "
                                "asks for. Unless you have just asked for exactly this, "
                                "somebody else did.");
        return r < 0 ? r : print_confirm(c, o);
}

static const char *repeats_text(json_object *o, char ret[static 64]) {
        int64_t repeats = get_int(o, "repeats", 0);

        (void) snprintf(ret, 64, "%" PRId64 " more that ask for the same", repeats);
        return repeats > 0 ? ret : NULL;
}

static int print_keys(const Card *c, json_object *o) {
        const char *expires = get_string(o, "expires");
        char left[64], repeats[64];
        const struct {
                const char *key, *value;
                bool full; /* in a full card alone */
        } keys[] = {
                        {"factor", get_string(o, "factor"), false},
                        {"type", get_string(o, "factor_type"), false},
                        {"state", get_string(o, "state"), true},
                        {"reason", get_string(o, "reason"), true},
                        {"service", get_string(o, "service_sid"), false},
                        {"identity", get_string(o, "identity"), false},
                        {"created", get_string(o, "created"), false},
                        {"expires", expires, true},
                        {"time left", time_left(expires, c->look->now, left), true},
                        {"digest", get_string(o, "digest"), true},
                        {"repeat of", get_string(o, "repeat_of"), true},
                        {"repeats", repeats_text(o, repeats), true},
                        {"message", get_string(o, "message"), false},
        };
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(keys) && r >= 0; i++)
                if (keys[i].value && (c->look->full || !keys[i].full))
                        r = print_marked(c, keys[i].key, ':', keys[i].value);
        return r;
}

int card_print(FILE *out, json_object *o, const CardLook *look) {
        const Card c = {
                        .out = out,
                        .look = look,
                        .indent = look->columns >= COLUMNS_WIDE ? KEY_COLUMNS : 0,
        };
        json_object *fields = get_array(o, "fields");
        const char *sid = get_string(o, "sid");
        size_t n = count_items(fields);
        int r = 0;

        print_bold(&c, true);
        if (sid)
                r = print_marked(&c, "challenge", ':', sid);
        print_bold(&c, false);
        if (r >= 0)
                r = print_keys(&c, o);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = print_detail(&c, json_object_array_get_idx(fields, i));
        return r < 0 ? r : print_warnings(&c, o);
}
