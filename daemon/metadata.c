/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/metadata.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define FACT_FILE_MAX (64 * 1024)

void metadata_facts_done(MetadataFacts *f) {
        for (size_t i = 0; i < f->n; i++) {
                free(f->facts[i].key);
                free(f->facts[i].value);
        }
        free(f->facts);
        *f = (MetadataFacts){0};
}

int metadata_facts_add(MetadataFacts *f, const char *key, const char *value) {
        for (size_t i = 0; i < f->n; i++)
                if (streq(f->facts[i].key, key))
                        return -EEXIST;

        _cleanup_free_ char *key_copy = strdup(key), *value_copy = strdup(value);
        if (!key_copy || !value_copy)
                return -ENOMEM;
        MetadataFact *facts = reallocarray(f->facts, f->n + 1, sizeof(MetadataFact));
        if (!facts)
                return -ENOMEM;
        f->facts = facts;
        f->facts[f->n++] = (MetadataFact){TAKE_PTR(key_copy), TAKE_PTR(value_copy)};
        return 0;
}

/* Files of shell assignments. */

/* Copies a value without its quotes: '…' as it stands, elsewhere a backslash takes the next
 * character as it is. False when a quote is not closed. */
static bool unquote(const char *text, size_t len, char *out) {
        char quote = 0;

        for (size_t i = 0; i < len; i++) {
                if (text[i] == quote)
                        quote = 0;
                else if (!quote && (text[i] == '"' || text[i] == '\''))
                        quote = text[i];
                else if (text[i] == '\\' && quote != '\'' && i + 1 < len)
                        *out++ = text[++i];
                else
                        *out++ = text[i];
        }
        *out = '\0';
        return quote == 0;
}

int metadata_assignment(const char *text, const char *key, char **ret) {
        size_t key_len = strlen(key);
        _cleanup_free_ char *found = NULL;

        for (const char *line = text, *end; *line; line = end + (*end == '\n')) {
                end = line + strcspn(line, "\n");
                if (strncmp(line, key, key_len) != 0 || line[key_len] != '=')
                        continue;

                const char *value = line + key_len + 1;
                size_t len = (size_t) (end - value);
                char *copy = malloc(len + 1);
                if (!copy)
                        return -ENOMEM;
                free(found);
                found = copy;
                if (!unquote(value, len, found))
                        found[0] = '\0';
        }
        if (!found || !found[0])
                return -ENODATA;

        *ret = TAKE_PTR(found);
        return 0;
}

static int assignment_in(const char *path, const char *key, char **ret) {
        _cleanup_(secret_done) Secret text = {0};

        int r = file_read_named(&text, path, FACT_FILE_MAX, NULL);
        if (r < 0)
                return r;
        return metadata_assignment(secret_string(&text), key, ret);
}

/* The facts: each sets *ret to a new text, or returns -errno when it can't be had. */

static int copy_text(const char *text, char **ret) {
        return text[0] ? text_set(ret, text) : -ENODATA;
}

static int fact_os(char **ret) {
        int r = assignment_in("/etc/os-release", "PRETTY_NAME", ret);
        if (r < 0 && r != -ENOMEM)
                r = assignment_in("/usr/lib/os-release", "PRETTY_NAME", ret);
        return r;
}

static int fact_hostname(char **ret) {
        struct utsname u;

        return uname(&u) < 0 ? -errno : copy_text(u.nodename, ret);
}

static int fact_kernel(char **ret) {
        struct utsname u;

        return uname(&u) < 0 ? -errno : copy_text(u.release, ret);
}

static int fact_version(char **ret) {
        return copy_text(FACTORD_VERSION, ret);
}

static int fact_architecture(char **ret) {
        struct utsname u;

        return uname(&u) < 0 ? -errno : copy_text(u.machine, ret);
}

const char *metadata_chassis(unsigned long type) {
        /* SMBIOS 3.6.0, §7.4.1, in the words of machine-info(5). */
        static const char *const words[] = {
                        [3] = "desktop",
                        [4] = "desktop",
                        [6] = "desktop",
                        [7] = "desktop",
                        [8] = "laptop",
                        [9] = "laptop",
                        [10] = "laptop",
                        [11] = "handset",
                        [13] = "desktop",
                        [14] = "laptop",
                        [17] = "server",
                        [23] = "server",
                        [28] = "server",
                        [29] = "server",
                        [30] = "tablet",
                        [31] = "convertible",
                        [32] = "convertible",
                        [33] = "embedded",
                        [34] = "embedded",
                        [35] = "desktop",
                        [36] = "desktop",
        };

        return type < ELEMENTSOF(words) ? words[type] : NULL;
}

/* What the owner wrote down; else a container by its manager's word, or the firmware's. */
static int fact_machine_type(char **ret) {
        _cleanup_(secret_done) Secret text = {0};

        int r = assignment_in("/etc/machine-info", "CHASSIS", ret);
        if (r == 0 || r == -ENOMEM)
                return r;
        if (access("/run/systemd/container", F_OK) == 0)
                return copy_text("container", ret);

        r = file_read_named(&text, "/sys/class/dmi/id/chassis_type", FACT_FILE_MAX, NULL);
        if (r < 0)
                return r;
        const char *chassis = metadata_chassis(strtoul(secret_string(&text), NULL, 10));
        return copy_text(strempty(chassis), ret);
}

static const struct {
        const char *name;
        int (*gather)(char **ret);
} known_facts[] = {
                {"os", fact_os},
                {"hostname", fact_hostname},
                {"kernel", fact_kernel},
                {"version", fact_version},
                {"architecture", fact_architecture},
                {"machine-type", fact_machine_type},
};

_Static_assert(ELEMENTSOF(known_facts) <= METADATA_KNOWN_MAX, "raise METADATA_KNOWN_MAX");

const char *metadata_known_fact(size_t i) {
        return i < ELEMENTSOF(known_facts) ? known_facts[i].name : NULL;
}

bool metadata_fact_known(const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(known_facts); i++)
                if (streq(known_facts[i].name, name))
                        return true;
        return false;
}

static int gather(MetadataFacts *f, const char *name) {
        for (size_t i = 0; i < ELEMENTSOF(known_facts); i++) {
                _cleanup_free_ char *value = NULL;

                if (!streq(known_facts[i].name, name))
                        continue;
                int r = known_facts[i].gather(&value);
                if (r == 0)
                        r = metadata_facts_add(f, name, value);
                return r == -ENOMEM ? r : 0;
        }
        return 0;
}

int metadata_facts_gather(MetadataFacts *ret, char *const *names) {
        _cleanup_(metadata_facts_done) MetadataFacts f = {0};

        for (; *names; names++) {
                int r = gather(&f, *names);
                if (r < 0)
                        return r;
        }
        *ret = f;
        f = (MetadataFacts){0};
        return 0;
}

/* JSON. */

/* Writes a string of JSON (RFC 8259 §7) at out, which has room for 6 bytes a byte and the quotes.
 * Returns its end. */
static char *put_string(char *out, const char *text) {
        static const char digits[] = "0123456789abcdef";

        *out++ = '"';
        for (; *text; text++) {
                uint8_t c = (uint8_t) *text;

                if (c == '"' || c == '\\') {
                        *out++ = '\\';
                        *out++ = *text;
                } else if (c < 0x20) {
                        out = stpcpy(out, "\\u00");
                        *out++ = digits[c >> 4];
                        *out++ = digits[c & 0xf];
                } else
                        *out++ = *text;
        }
        *out++ = '"';
        *out = '\0';
        return out;
}

/* *ret is the new text '"key":"value"'. Returns 0, -EINVAL when one is not UTF-8, -ENOMEM. */
static int member(const char *key, const char *value, char **ret) {
        size_t key_len = strlen(key), value_len = strlen(value), room;

        if (!utf8_valid(key, key_len) || !utf8_valid(value, value_len))
                return -EINVAL;
        if (__builtin_add_overflow(key_len, value_len, &room) ||
                        __builtin_mul_overflow(room, (size_t) 6, &room) ||
                        __builtin_add_overflow(room, STRLEN("\"\":\"\"") + 1, &room))
                return -ENOMEM;

        char *text = malloc(room);
        if (!text)
                return -ENOMEM;
        char *out = put_string(text, key);
        *out++ = ':';
        put_string(out, value);
        *ret = text;
        return 0;
}

/* The object under construction: what its members take so far, braces and commas included. */
typedef struct Object {
        char *text; /* without the closing brace */
        size_t len, characters, max;
        bool empty;
} Object;

/* Appends a member. Returns 0, -E2BIG when it does not fit, -EINVAL, -ENOMEM. */
static int object_add(Object *o, const char *key, const char *value) {
        _cleanup_free_ char *text = NULL;

        int r = member(key, value, &text);
        if (r < 0)
                return r;
        size_t len = strlen(text), characters = utf8_length(text) + (o->empty ? 0 : 1);
        if (characters > o->max - o->characters)
                return -E2BIG;

        char *longer = realloc(o->text, o->len + len + STRLEN(",}") + 1);
        if (!longer)
                return -ENOMEM;
        o->text = longer;
        if (!o->empty)
                o->text[o->len++] = ',';
        memcpy(o->text + o->len, text, len + 1);
        o->len += len;
        o->characters += characters;
        o->empty = false;
        return 0;
}

int metadata_build(const char *leading_key,
                const char *leading_value,
                const MetadataFacts *facts,
                size_t max,
                char **ret) {
        Object o = {.len = 1, .characters = STRLEN("{}"), .max = max, .empty = true};

        if (max < o.characters)
                return -E2BIG;
        o.text = malloc(STRLEN("{}") + 1);
        if (!o.text)
                return -ENOMEM;
        o.text[0] = '{';

        int r = leading_key ? object_add(&o, leading_key, leading_value) : 0;
        for (size_t i = 0; r == 0 && i < facts->n; i++) {
                if (leading_key && streq(facts->facts[i].key, leading_key))
                        continue;
                r = object_add(&o, facts->facts[i].key, facts->facts[i].value);
                if (r == -E2BIG || r == -EINVAL)
                        r = 0;
        }
        if (r < 0) {
                free(o.text);
                return r;
        }

        strcpy(o.text + o.len, "}");
        *ret = o.text;
        return 0;
}
