/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/configuration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "daemon/helper.h"
#include "verify/http.h"

/* Not by config_load(): a configuration can be checked where the file is not. */
static int check_authority(const Config *c, ErrorList *errors) {
        _cleanup_free_ char *msg = NULL;
        int r;

        if (!c->certificate_authority)
                return 0;
        r = http_check_authority(c->certificate_authority, &msg);
        if (r < 0 && error_list_add(errors, "%s", error_text(msg, r)) < 0)
                return -ENOMEM;
        return r < 0 ? -EINVAL : 0;
}

/* Likewise. */
static int check_helper(const Config *c, ErrorList *errors) {
        _cleanup_free_ char *msg = NULL;
        int r;

        if (!c->helper)
                return 0;
        r = helper_check(c->helper, &msg);
        if (r < 0 && error_list_add(errors, "Helper: %s", error_text(msg, r)) < 0)
                return -ENOMEM;
        return r < 0 ? -EINVAL : 0;
}

int configuration_load(
                Config **ret, const ConfigSource *source, ErrorList *errors, ErrorList *warnings) {
        _cleanup_(config_freep) Config *c = NULL;
        int r;

        r = config_load(&c, source, errors, warnings);
        if (r >= 0)
                r = config_load_passwords(
                                c, getenv("CREDENTIALS_DIRECTORY"), source->owner, errors);
        if (r >= 0)
                r = check_authority(c, errors);
        if (r >= 0)
                r = check_helper(c, errors);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

void configuration_take(Config *config, Config *fresh) {
        char *directory = config->policy_directory;

        config->default_decision = fresh->default_decision;
        config->arm_delay = fresh->arm_delay;
        config->budget = fresh->budget;
        config->budget_span = fresh->budget_span;
        config->show_while_locked = fresh->show_while_locked;
        config->policy_directory = fresh->policy_directory;
        fresh->policy_directory = directory;
}

/* What needs a restart. */

static bool accounts_differ(const Config *a, const Config *b) {
        bool same = a->n_accounts == b->n_accounts;

        for (size_t i = 0; same && i < a->n_accounts; i++) {
                const ConfigAccount *x = &a->accounts[i], *y = &b->accounts[i];

                same = streq(x->name, y->name) && streq_ptr(x->account_sid, y->account_sid) &&
                       streq_ptr(x->user, y->user) && secret_equal(&x->password, &y->password);
        }
        return !same;
}

static bool facts_differ(const Config *a, const Config *b) {
        bool same = a->n_custom == b->n_custom;
        size_t i = 0;

        for (; same && a->metadata[i]; i++)
                same = streq_ptr(a->metadata[i], b->metadata[i]);
        same = same && !b->metadata[i];
        for (i = 0; same && i < a->n_custom; i++)
                same = streq(a->custom[i].key, b->custom[i].key) &&
                       streq(a->custom[i].value, b->custom[i].value);
        return !same;
}

typedef struct Setting {
        const char *key;
        size_t offset;
        size_t size; /* of a number; 0: a text */
} Setting;

#define TEXT(key, field)                                                                           \
        { key, offsetof(Config, field), 0 }
#define NUMBER(key, field)                                                                         \
        { key, offsetof(Config, field), sizeof(((Config *) NULL)->field) }

static bool setting_differs(const Setting *s, const Config *a, const Config *b) {
        const char *x = (const char *) a + s->offset, *y = (const char *) b + s->offset;

        if (s->size > 0)
                return memcmp(x, y, s->size) != 0;
        return !streq_ptr(*(char *const *) (const void *) x, *(char *const *) (const void *) y);
}

int configuration_note_restart(const Config *config, const Config *fresh, ErrorList *notes) {
        static const Setting settings[] = {
                        TEXT("[Daemon] Socket", socket),
                        TEXT("[Daemon] StateDirectory", state_directory),
                        NUMBER("[Daemon] Bus", bus),
                        NUMBER("[Daemon] Group", gid),
                        TEXT("[Api] BaseUrl", base_url),
                        TEXT("[Api] CertificateAuthority", certificate_authority),
                        TEXT("[Api] Proxy", proxy),
                        NUMBER("[Api] ConnectTimeout", connect_timeout),
                        NUMBER("[Api] RequestTimeout", request_timeout),
                        NUMBER("[Api] MaxConcurrentRequests", max_concurrent_requests),
                        NUMBER("[Api] RequestsPerSecond", requests_per_second),
                        NUMBER("[Poll] Interval", poll_interval),
                        NUMBER("[Poll] IdleInterval", poll_idle_interval),
                        TEXT("[Prompt] Helper", helper),
                        NUMBER("[Audit] Retain", audit_retain),
                        NUMBER("[Audit] MaxSize", audit_max_size),
        };
        static const char format[] = "%s has changed; restart factord to apply it";
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(settings) && r >= 0; i++)
                if (setting_differs(&settings[i], config, fresh))
                        r = error_list_add(notes, format, settings[i].key);
        if (r >= 0 && accounts_differ(config, fresh))
                r = error_list_add(notes, format, "[Account]");
        if (r >= 0 && facts_differ(config, fresh))
                r = error_list_add(notes, format, "[Device]");
        return r;
}
