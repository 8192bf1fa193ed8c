/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "daemon/config-load.h"
#include "daemon/config-parse.h"

static void loader_done(ConfigLoader *l) {
        config_files_done(&l->files);
        config_free(l->config);
}

/* Facts of one's own. */

static ConfigCustom *custom_find(const Config *c, const char *key) {
        for (size_t i = 0; i < c->n_custom; i++)
                if (streq(c->custom[i].key, key))
                        return &c->custom[i];
        return NULL;
}

static void custom_remove(Config *c, ConfigCustom *custom) {
        free(custom->key);
        free(custom->value);

        size_t after = (size_t) (&c->custom[c->n_custom] - custom) - 1;
        memmove(custom, custom + 1, after * sizeof(ConfigCustom));
        c->n_custom--;
}

static int custom_set(Config *c, const char *key, const char *value) {
        ConfigCustom *there = custom_find(c, key);

        _cleanup_free_ char *value_copy = strdup(value), *key_copy = NULL;
        if (!value_copy)
                return -ENOMEM;
        if (there) {
                free(there->value);
                there->value = TAKE_PTR(value_copy);
                return 0;
        }

        key_copy = strdup(key);
        ConfigCustom *custom = reallocarray(c->custom, c->n_custom + 1, sizeof(ConfigCustom));
        if (custom)
                c->custom = custom;
        if (!custom || !key_copy)
                return -ENOMEM;
        c->custom[c->n_custom++] =
                        (ConfigCustom){.key = TAKE_PTR(key_copy), .value = TAKE_PTR(value_copy)};
        return 0;
}

static int apply_custom(ConfigLoader *l, ConfigPlace at, const char *key, const char *value) {
        Config *c = l->config;
        ConfigCustom *there = custom_find(c, key);
        _cleanup_free_ char *shown = NULL;

        int r = text_shown(key, &shown);
        if (r < 0)
                return r;
        const char *fault = config_custom_fault(key, value);
        if (fault)
                return CONFIG_FAULT(l, at, CONFIG_CUSTOM_PREFIX "%s: %s", shown, fault);

        if (*value && !there && c->n_custom == CONFIG_CUSTOM_MAX)
                return CONFIG_FAULT(l, at,
                                CONFIG_CUSTOM_PREFIX "%s: there are %d facts already; remove one",
                                shown, CONFIG_CUSTOM_MAX);
        if (*value)
                return custom_set(c, key, value);
        if (there)
                custom_remove(c, there);
        return 0;
}

/* Accounts. */

static ConfigAccount *account_find(const Config *c, const char *name) {
        for (size_t i = 0; i < c->n_accounts; i++)
                if (streq(c->accounts[i].name, name))
                        return &c->accounts[i];
        return NULL;
}

static void account_done(ConfigAccount *a) {
        free(a->name);
        free(a->account_sid);
        free(a->user);
        free(a->password_file);
        free(a->password_credential);
        free(a->path);
        secret_done(&a->password);
        *a = (ConfigAccount){0};
}

static int account_add(Config *c, const char *name, ConfigPlace at, ConfigAccount **ret) {
        ConfigAccount *accounts =
                        reallocarray(c->accounts, c->n_accounts + 1, sizeof(ConfigAccount));
        if (!accounts)
                return -ENOMEM;
        c->accounts = accounts;

        ConfigAccount a = {.name = strdup(name), .path = strdup(at.path), .line = at.line};
        if (!a.name || !a.path) {
                account_done(&a);
                return -ENOMEM;
        }
        c->accounts[c->n_accounts] = a;
        *ret = &c->accounts[c->n_accounts++];
        return 0;
}

/* The account that a section's name names, made when it is new. *ret stays NULL after a fault. */
static int account_of_section(
                ConfigLoader *l, ConfigPlace at, const char *name, ConfigAccount **ret) {
        *ret = account_find(l->config, name);
        if (*ret)
                return 0;

        if (!name_valid(name)) {
                _cleanup_free_ char *shown = NULL;
                int r = text_shown(name, &shown);
                if (r < 0)
                        return r;
                return CONFIG_FAULT(l, at,
                                "'%s' is no name for an account; write [Account NAME] with 1 to %d "
                                "letters, digits, '.', '_' and '-', a letter or digit first, and "
                                "not a SID",
                                shown, NAME_MAX_LEN);
        }
        if (l->config->n_accounts == CONFIG_ACCOUNTS_MAX)
                return CONFIG_FAULT(l, at, "there are %d accounts already; remove one",
                                CONFIG_ACCOUNTS_MAX);
        return account_add(l->config, name, at, ret);
}

/* Merging: the files are gone through in order, and a key replaces what stood there before. */

static int unknown_key(ConfigLoader *l, ConfigPlace at, const char *section, const char *key) {
        _cleanup_free_ char *shown = NULL, *hint = NULL;

        int r = text_shown(key, &shown);
        if (r == 0)
                r = config_key_hint(section, key, &hint);
        if (r < 0)
                return r;
        return CONFIG_FAULT(l, at, "unknown key '%s' in [%s]; %s", shown, section, hint);
}

static int faulty_value(ConfigLoader *l,
                ConfigPlace at,
                const ConfigItem *item,
                const char *value,
                const char *msg) {
        _cleanup_free_ char *shown = NULL;

        if (item->flags & CONFIG_ITEM_QUIET)
                return CONFIG_FAULT(l, at, "%s: %s", item->key, error_text(msg, -EINVAL));
        int r = text_shown(value, &shown);
        if (r < 0)
                return r;
        return CONFIG_FAULT(l, at, "%s=%s: %s", item->key, shown, error_text(msg, -EINVAL));
}

static int apply_entry(ConfigLoader *l,
                ConfigPlace at,
                const char *section,
                void *object,
                const IniEntry *entry) {
        size_t prefix = STRLEN(CONFIG_CUSTOM_PREFIX);
        _cleanup_free_ char *msg = NULL;

        if (streq(section, CONFIG_SECTION_DEVICE) &&
                        strncmp(entry->key, CONFIG_CUSTOM_PREFIX, prefix) == 0)
                return apply_custom(l, at, entry->key + prefix, entry->value);

        const ConfigItem *item = config_item_find(section, entry->key);
        if (!item)
                return unknown_key(l, at, section, entry->key);
        int r = config_item_set(item, object, entry->value, &msg);
        if (r < 0 && r != -ENOMEM)
                return faulty_value(l, at, item, entry->value, msg);
        return r;
}

static int apply_entries(ConfigLoader *l,
                const char *path,
                const char *section,
                void *object,
                const IniSection *s) {
        for (size_t i = 0; i < s->n_entries; i++) {
                ConfigPlace at = {path, s->entries[i].line};

                int r = apply_entry(l, at, section, object, &s->entries[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The faults of a section's keys are reported also when its name is at fault. */
static int apply_account(ConfigLoader *l, ConfigPlace at, const char *name, const IniSection *s) {
        ConfigAccount nameless = {0}, *a = NULL;

        int r = account_of_section(l, at, name, &a);
        if (r < 0)
                return r;
        r = apply_entries(l, at.path, CONFIG_SECTION_ACCOUNT, a ? a : &nameless, s);
        account_done(&nameless);
        return r;
}

static int unknown_section(ConfigLoader *l, ConfigPlace at, const char *name) {
        _cleanup_free_ char *shown = NULL, *hint = NULL, *word = NULL;

        word = strndup(name, strcspn(name, " \t"));
        if (!word)
                return -ENOMEM;
        int r = text_shown(name, &shown);
        if (r == 0)
                r = config_section_hint(word, &hint);
        if (r < 0)
                return r;
        return CONFIG_FAULT(l, at, "unknown section [%s]; %s", shown, hint);
}

static int apply_section(ConfigLoader *l, const char *path, const IniSection *s) {
        size_t word = STRLEN(CONFIG_SECTION_ACCOUNT);
        ConfigPlace at = {path, s->line};

        if (streq(s->name, CONFIG_SECTION_ACCOUNT))
                return CONFIG_FAULT(l, at, "the account has no name; write [%s NAME]", s->name);
        if (strncmp(s->name, CONFIG_SECTION_ACCOUNT " ", word + 1) == 0)
                return apply_account(l, at, s->name + word + 1, s);
        if (!config_section_known(s->name))
                return unknown_section(l, at, s->name);
        return apply_entries(l, path, s->name, l->config, s);
}

static int apply_files(ConfigLoader *l) {
        for (size_t i = 0; i < l->files.n; i++) {
                const IniFile *f = l->files.files[i];

                for (size_t j = 0; j < f->n_sections; j++) {
                        int r = apply_section(l, f->path, &f->sections[j]);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

int config_load(Config **ret, const ConfigSource *source, ErrorList *errors, ErrorList *warnings) {
        _cleanup_(loader_done) ConfigLoader l = {
                        .source = source,
                        .errors = errors,
                        .warnings = warnings,
        };
        size_t before = errors->n;

        l.config = calloc(1, sizeof(Config));
        if (!l.config)
                return -ENOMEM;
        l.config->system = source->system;

        int r = config_set_defaults(l.config);
        if (r == 0)
                r = config_files_read(&l.files, source, errors);
        if (r == 0)
                r = apply_files(&l);
        if (r == 0)
                r = config_check(&l);
        if (r < 0)
                return r;
        if (errors->n > before)
                return -EINVAL;

        *ret = TAKE_PTR(l.config);
        return 0;
}

Config *config_free(Config *c) {
        if (!c)
                return NULL;

        for (size_t i = 0; i < c->n_accounts; i++)
                account_done(&c->accounts[i]);
        for (size_t i = 0; i < c->n_custom; i++) {
                free(c->custom[i].key);
                free(c->custom[i].value);
        }
        for (char **fact = c->metadata; fact && *fact; fact++)
                free(*fact);
        free(c->accounts);
        free(c->custom);
        free(c->metadata);
        free(c->socket);
        free(c->state_directory);
        free(c->group);
        free(c->base_url);
        free(c->certificate_authority);
        free(c->proxy);
        free(c->helper);
        free(c->policy_directory);
        free(c);
        return NULL;
}

const ConfigAccount *config_account(const Config *c, const char *name) {
        return account_find(c, name);
}
