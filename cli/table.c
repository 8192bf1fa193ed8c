/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "base/text.h"

#define GAP 2

struct Table {
        size_t n_columns;
        char **cells; /* the headers first */
        size_t n_cells;
        bool failed;
};

int table_new(Table **ret, const char *const *headers, size_t n_columns) {
        Table *t = calloc(1, sizeof(*t));

        if (!t)
                return complain(EXIT_FAILURE, "out of memory");
        t->n_columns = n_columns;
        for (size_t i = 0; i < n_columns; i++)
                table_add(t, headers[i]);
        *ret = t;
        return 0;
}

Table *table_free(Table *t) {
        if (!t)
                return NULL;
        for (size_t i = 0; i < t->n_cells; i++)
                free(t->cells[i]);
        free(t->cells);
        free(t);
        return NULL;
}

/* Takes the text; NULL: memory was short. */
static void add_cell(Table *t, char *text) {
        char **cells = text ? array_grow(t->cells, t->n_cells, sizeof(*cells)) : NULL;

        if (!cells) {
                free(text);
                t->failed = true;
                return;
        }
        t->cells = cells;
        t->cells[t->n_cells++] = text;
}

void table_add(Table *t, const char *text) {
        char *escaped = NULL;

        (void) text_escape(text ? text : "-", &escaped);
        add_cell(t, escaped);
}

void table_add_escaped(Table *t, const char *text) {
        if (!text || text_is_unsafe(text))
                table_add(t, text);
        else
                add_cell(t, strdup(text));
}

size_t text_columns(const char *text) {
        size_t len = strlen(text), columns = 0;

        for (size_t i = 0, n; i < len; i += n) {
                uint32_t c;
                int width;

                n = utf8_decode(text + i, len - i, &c);
                if (n == 0) {
                        n = 1;
                        columns++;
                        continue;
                }
                width = wcwidth((wchar_t) c);
                columns += width < 0 ? 1 : (size_t) width;
        }
        return columns;
}

static size_t column_width(const Table *t, size_t column) {
        size_t width = 0;

        for (size_t i = column; i < t->n_cells; i += t->n_columns) {
                size_t columns = text_columns(t->cells[i]);

                if (columns > width)
                        width = columns;
        }
        return width;
}

int table_print(FILE *out, const Table *t) {
        _cleanup_free_ size_t *widths = calloc(t->n_columns, sizeof(*widths));

        if (t->failed || !widths)
                return complain(EXIT_FAILURE, "out of memory");
        for (size_t i = 0; i < t->n_columns; i++)
                widths[i] = column_width(t, i);
        for (size_t i = 0; i < t->n_cells; i++) {
                size_t column = i % t->n_columns;

                fputs(t->cells[i], out);
                if (column + 1 == t->n_columns)
                        fputc('\n', out);
                else
                        fprintf(out, "%*s",
                                        (int) (widths[column] + GAP - text_columns(t->cells[i])),
                                        "");
        }
        return 0;
}
