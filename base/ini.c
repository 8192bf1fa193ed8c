/* SPDX-License-Identifier: Apache-2.0 */
#include "base/ini.h"

#include <errno.h>
#include <search.h>
#include <string.h>

#include "base/text.h"

/* Where a section's name or a key stood first. */
typedef struct Seen {
        const char *word; /* borrowed from the file that is built */
        unsigned line;
} Seen;

typedef struct Parser {
        IniFile *file;
        ErrorList *errors;
        unsigned line;
        bool in_section;     /* some header came, though it may have been a faulty one */
        bool keep;           /* … and it was a good one: entries are kept */
        void *seen_sections; /* trees of Seen, tsearch(3) */
        void *seen_keys;
} Parser;

typedef struct Span {
        const char *data;
        size_t len;
} Span;

static int seen_compare(const void *a, const void *b) {
        return strcmp(((const Seen *) a)->word, ((const Seen *) b)->word);
}

static void parser_done(Parser *p) {
        tdestroy(p->seen_sections, free);
        tdestroy(p->seen_keys, free);
        ini_free(p->file);
}

/* Remembers a word. *ret_first is the line in which it stood before, or 0. */
static int remember(void **tree, const char *word, unsigned line, unsigned *ret_first) {
        _cleanup_free_ Seen *seen = malloc(sizeof(Seen));
        if (!seen)
                return -ENOMEM;
        *seen = (Seen){word, line};

        Seen **found = tsearch(seen, tree, seen_compare);
        if (!found)
                return -ENOMEM;

        *ret_first = *found == seen ? 0 : (*found)->line;
        if (*found == seen)
                TAKE_PTR(seen);
        return 0;
}

/* Adds "path:line: what" and goes on. */
#define FAULT(p, format, ...)                                                                      \
        error_list_add((p)->errors, "%s:%u: " format, (p)->file->path,                             \
                        (p)->line __VA_OPT__(, ) __VA_ARGS__)

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static Span trim(Span s) {
        while (s.len > 0 && is_blank(s.data[0]))
                s.data++, s.len--;
        while (s.len > 0 && is_blank(s.data[s.len - 1]))
                s.len--;
        return s;
}

static int add_section(Parser *p, Span name) {
        IniFile *f = p->file;
        unsigned first;

        IniSection *sections = array_grow(f->sections, f->n_sections, sizeof(IniSection));
        if (!sections)
                return -ENOMEM;
        f->sections = sections;

        _cleanup_free_ char *copy = strndup(name.data, name.len);
        if (!copy)
                return -ENOMEM;
        int r = remember(&p->seen_sections, copy, p->line, &first);
        if (r < 0)
                return r;
        if (first > 0)
                return FAULT(p,
                                "section [%s] stands in line %u already; put its keys there, or "
                                "give it another name",
                                copy, first);

        f->sections[f->n_sections++] = (IniSection){.name = TAKE_PTR(copy), .line = p->line};
        p->keep = true;
        return 0;
}

static int read_section(Parser *p, Span line) {
        p->in_section = true;
        p->keep = false;
        tdestroy(p->seen_keys, free);
        p->seen_keys = NULL;

        if (line.data[line.len - 1] != ']')
                return FAULT(p, "the section's name does not end the line with ']'; write [Name]");

        Span name = trim((Span){line.data + 1, line.len - 2});
        if (name.len == 0)
                return FAULT(p, "the section has no name; write [Name]");
        if (memchr(name.data, '[', name.len) || memchr(name.data, ']', name.len))
                return FAULT(p, "a section's name has no brackets in it; write [Name]");
        return add_section(p, name);
}

/* Reads what follows an opening quote, up to the closing one. Returns the fault, or NULL. */
static const char *read_quoted(Span *rest, char *out) {
        while (rest->len > 0) {
                char c = *rest->data++;
                rest->len--;

                if (c == '"') {
                        *out = '\0';
                        return NULL;
                }
                if (c == '\\') {
                        if (rest->len == 0 || (*rest->data != '"' && *rest->data != '\\'))
                                return "in a quoted key a backslash stands only before '\"' or "
                                       "'\\'; write \\\\ for one";
                        c = *rest->data++;
                        rest->len--;
                }
                *out++ = c;
        }
        return "the key's quote is not closed; write \"Key\"=Value";
}

/* Splits "Key=Value". key has room for the whole line. Returns the fault, or NULL. */
static const char *split_entry(Span line, char *key, Span *ret_value) {
        static const char no_equals[] =
                        "there is no '=' after the key; write Key=Value, or '#' before a comment";
        size_t n = 0;

        while (n < line.len && line.data[n] != '"' && line.data[n] != '=')
                n++;
        if (n == line.len)
                return no_equals;

        Span rest = {line.data + n + 1, line.len - n - 1};
        if (line.data[n] == '"') {
                if (n > 0 && line.data[n - 1] != '.')
                        return "a quote opens at a key's start or after a dot; write "
                               "Key.\"Name\"=Value";

                const char *fault = read_quoted(&rest, mempcpy(key, line.data, n));
                if (fault)
                        return fault;
                rest = trim(rest);
                if (rest.len == 0 || rest.data[0] != '=')
                        return no_equals;
                rest.data++, rest.len--;
        } else {
                Span bare = trim((Span){line.data, n});
                *(char *) mempcpy(key, bare.data, bare.len) = '\0';
        }
        if (!key[0])
                return "there is no key before '='; write Key=Value";

        *ret_value = trim(rest);
        return NULL;
}

static int add_entry(Parser *p, const char *key, Span value) {
        IniSection *s = &p->file->sections[p->file->n_sections - 1];
        unsigned first;

        IniEntry *entries = array_grow(s->entries, s->n_entries, sizeof(IniEntry));
        if (!entries)
                return -ENOMEM;
        s->entries = entries;

        _cleanup_free_ char *key_copy = strdup(key), *value_copy = strndup(value.data, value.len);
        if (!key_copy || !value_copy)
                return -ENOMEM;
        int r = remember(&p->seen_keys, key_copy, p->line, &first);
        if (r < 0)
                return r;
        if (first > 0)
                return FAULT(p,
                                "'%s' is set in line %u already, in the same section; keep one of "
                                "the two",
                                key, first);

        s->entries[s->n_entries++] = (IniEntry){
                        .key = TAKE_PTR(key_copy), .value = TAKE_PTR(value_copy), .line = p->line};
        return 0;
}

static int read_entry(Parser *p, Span line) {
        Span value;

        _cleanup_free_ char *key = malloc(line.len + 1);
        if (!key)
                return -ENOMEM;

        const char *fault = split_entry(line, key, &value);
        if (fault)
                return FAULT(p, "%s", fault);
        if (!p->in_section)
                return FAULT(p, "'%s' stands before any section; write [Name] above it", key);
        return p->keep ? add_entry(p, key, value) : 0;
}

static bool has_control(Span line) {
        for (size_t i = 0; i < line.len; i++)
                if (((uint8_t) line.data[i] < 0x20 && line.data[i] != '\t') || line.data[i] == 0x7f)
                        return true;
        return false;
}

static int read_line(Parser *p, Span line) {
        if (memchr(line.data, 0, line.len))
                return FAULT(p, "there is a NUL byte; write plain text");
        if (!utf8_valid(line.data, line.len))
                return FAULT(p, "this is not UTF-8; save the file in that encoding");
        if (has_control(line))
                return FAULT(p, "there is a control character; write plain text");

        line = trim(line);
        if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';')
                return 0;
        return line.data[0] == '[' ? read_section(p, line) : read_entry(p, line);
}

static int read_lines(Parser *p, Span text) {
        if (text.len > INI_FILE_MAX) {
                p->line = 1;
                return FAULT(p, "the file is over %u bytes; split it", INI_FILE_MAX);
        }

        while (text.len > 0) {
                const char *end = memchr(text.data, '\n', text.len);
                size_t len = end ? (size_t) (end - text.data) : text.len;
                size_t step = end ? len + 1 : len;
                bool carriage = len > 0 && end && end[-1] == '\r';

                p->line++;
                int r = read_line(p, (Span){text.data, carriage ? len - 1 : len});
                if (r < 0)
                        return r;
                text.data += step, text.len -= step;
        }
        return 0;
}

int ini_parse(IniFile **ret, const char *path, const char *text, size_t len, ErrorList *errors) {
        _cleanup_(parser_done) Parser p = {.errors = errors};

        p.file = calloc(1, sizeof(IniFile));
        if (!p.file)
                return -ENOMEM;
        p.file->path = strdup(path);
        if (!p.file->path)
                return -ENOMEM;

        int r = read_lines(&p, (Span){text, len});
        if (r < 0)
                return r;

        *ret = TAKE_PTR(p.file);
        return 0;
}

IniFile *ini_free(IniFile *f) {
        if (!f)
                return NULL;

        for (size_t i = 0; i < f->n_sections; i++) {
                IniSection *s = &f->sections[i];

                for (size_t j = 0; j < s->n_entries; j++) {
                        free(s->entries[j].key);
                        free(s->entries[j].value);
                }
                free(s->entries);
                free(s->name);
        }
        free(f->sections);
        free(f->path);
        free(f);
        return NULL;
}
