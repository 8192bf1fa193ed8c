/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config-parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/nearest.h"
#include "base/text.h"

#define SECTIONS_MAX 16
#define KEYS_MAX 64

/* In the order of the table, where a section's items stand together. */
static size_t section_names(const char **ret) {
        size_t n_items, n = 0;
        const ConfigItem *items = config_items(&n_items);

        for (size_t i = 0; i < n_items && n < SECTIONS_MAX; i++)
                if (n == 0 || !streq(ret[n - 1], items[i].section))
                        ret[n++] = items[i].section;
        return n;
}

/* The keys of a section, or of all others. */
static size_t key_names(const char *section, bool others, const char **ret) {
        size_t n_items, n = 0;
        const ConfigItem *items = config_items(&n_items);

        for (size_t i = 0; i < n_items && n < KEYS_MAX; i++)
                if (streq(items[i].section, section) != others)
                        ret[n++] = items[i].key;
        return n;
}

static const char *section_of(const char *key) {
        size_t n_items;
        const ConfigItem *items = config_items(&n_items);

        for (size_t i = 0; i < n_items; i++)
                if (streq(items[i].key, key))
                        return items[i].section;
        return NULL;
}

/* As the section's header is written. */
static const char *placeholder(const char *section) {
        return streq(section, CONFIG_SECTION_ACCOUNT) ? " NAME" : "";
}

/* "Daemon, Api, … and Audit". */
static int section_list(const char *const *names, size_t n, char **ret) {
        _cleanup_free_ char *list = strdup("");

        for (size_t i = 0; list && i < n; i++) {
                const char *before = i == 0 ? "" : i + 1 < n ? ", " : " and ";
                char *longer;

                if (asprintf(&longer, "%s%s%s%s", list, before, names[i], placeholder(names[i])) <
                                0)
                        return -ENOMEM;
                free(list);
                list = longer;
        }
        if (!list)
                return -ENOMEM;
        *ret = TAKE_PTR(list);
        return 0;
}

/* asprintf()'s word as an error. */
static int printed(int length) {
        return length < 0 ? -ENOMEM : 0;
}

bool config_section_known(const char *section) {
        const char *names[SECTIONS_MAX];
        size_t n = section_names(names);

        for (size_t i = 0; i < n; i++)
                if (streq(names[i], section))
                        return true;
        return false;
}

int config_section_hint(const char *section, char **ret) {
        const char *names[SECTIONS_MAX];
        size_t n = section_names(names);

        const char *nearest = nearest_word(section, names, n);
        if (nearest)
                return printed(asprintf(
                                ret, "did you mean [%s%s]?", nearest, placeholder(nearest)));

        _cleanup_free_ char *list = NULL;
        int r = section_list(names, n, &list);
        if (r < 0)
                return r;
        return printed(asprintf(ret, "remove it, or use one of %s", list));
}

int config_key_hint(const char *section, const char *key, char **ret) {
        const char *names[KEYS_MAX];
        size_t custom = strlen(CONFIG_CUSTOM_PREFIX);

        const char *nearest = nearest_word(key, names, key_names(section, false, names));
        if (nearest)
                return printed(asprintf(ret, "did you mean %s?", nearest));

        if (strncasecmp(key, CONFIG_CUSTOM_PREFIX, custom) == 0)
                return printed(asprintf(ret,
                                "a fact of your own is written as %sNAME=VALUE in [%s]",
                                CONFIG_CUSTOM_PREFIX, CONFIG_SECTION_DEVICE));

        nearest = nearest_word(key, names, key_names(section, true, names));
        if (nearest) {
                const char *home = section_of(nearest);
                return printed(asprintf(
                                ret, "%s belongs in [%s%s]", nearest, home, placeholder(home)));
        }
        return printed(
                        asprintf(ret, "remove it, or see the shipped factord.conf for the keys of "
                                      "this section"));
}
