/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config-load.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/config-parse.h"

/* Where a key stands that is in force. False: nowhere, its default is. */
static bool locate(const ConfigLoader *l, const char *section, const char *key, ConfigPlace *ret) {
        for (size_t i = l->files.n; i-- > 0;) {
                const IniFile *f = l->files.files[i];

                for (size_t j = 0; j < f->n_sections; j++)
                        for (size_t k = 0; k < f->sections[j].n_entries; k++) {
                                const IniEntry *e = &f->sections[j].entries[k];

                                if (!streq(f->sections[j].name, section) || !streq(e->key, key))
                                        continue;
                                *ret = (ConfigPlace){f->path, e->line};
                                return e->value[0] != '\0';
                        }
        }
        return false;
}

/* Fills *target with "folder/rest" unless it is set. */
static int default_path(ConfigLoader *l,
                char **target,
                const char *folder,
                const char *rest,
                const char *key,
                const char *variable) {
        /* What stands in a named file that could not be read is not missing. */
        if (*target || (l->source->path && l->files.n == 0))
                return 0;
        if (!folder || folder[0] != '/')
                return error_list_add(l->errors,
                                "%s has no default, because %s is not set to an absolute path; set "
                                "it in the environment, or write %s= in the configuration",
                                key, variable, key);
        return asprintf(target, "%s/%s", folder, rest) < 0 ? -ENOMEM : 0;
}

static int check_socket(ConfigLoader *l) {
        ConfigPlace at;

        if (!l->config->socket || strlen(l->config->socket) <= CONFIG_SOCKET_MAX ||
                        locate(l, "Daemon", "Socket", &at))
                return 0;
        return error_list_add(l->errors,
                        "%s: the path is over %d bytes, too long for a socket; write a shorter "
                        "Socket= in the configuration",
                        l->config->socket, CONFIG_SOCKET_MAX);
}

static int default_paths(ConfigLoader *l) {
        const ConfigSource *s = l->source;
        Config *c = l->config;

        int r = default_path(l, &c->socket, s->system ? "/run" : s->runtime_directory,
                        "factord/factord.sock", "Socket", "XDG_RUNTIME_DIR");
        if (r < 0)
                return r;
        r = default_path(l, &c->state_directory, s->system ? "/var/lib" : s->state_home, "factord",
                        "StateDirectory", "XDG_STATE_HOME");
        if (r < 0)
                return r;
        r = default_path(l, &c->policy_directory, s->system ? "/etc/factord" : s->config_directory,
                        "policy.d", "Directory", "XDG_CONFIG_HOME");
        return r < 0 ? r : check_socket(l);
}

static int check_account(ConfigLoader *l, ConfigAccount *a) {
        ConfigPlace at = {a->path, a->line};

        if (!a->account_sid) {
                int r = CONFIG_FAULT(l, at,
                                "account '%s' has no AccountSid; write AccountSid=AC… in it",
                                a->name);
                if (r < 0)
                        return r;
        }
        if (a->password_file && a->password_credential)
                return CONFIG_FAULT(l, at,
                                "account '%s' has PasswordFile and PasswordCredential; keep one "
                                "(an empty PasswordFile= or PasswordCredential= takes back that of "
                                "an earlier file)",
                                a->name);
        if (!a->password_file && !a->password_credential)
                return CONFIG_FAULT(l, at,
                                "account '%s' has no password; write PasswordFile=/path or "
                                "PasswordCredential=NAME in it",
                                a->name);

        if (!a->user && a->account_sid) {
                a->user = strdup(a->account_sid);
                if (!a->user)
                        return -ENOMEM;
        }
        return 0;
}

static int check_accounts(ConfigLoader *l) {
        for (size_t i = 0; i < l->config->n_accounts; i++) {
                int r = check_account(l, &l->config->accounts[i]);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* One JSON object can't hold two facts of a name. */
static int check_facts(ConfigLoader *l) {
        for (size_t i = 0; i < l->config->n_custom; i++) {
                const char *key = l->config->custom[i].key;
                _cleanup_free_ char *full = NULL;
                bool listed = false;
                ConfigPlace at;

                for (char **fact = l->config->metadata; *fact; fact++)
                        listed = listed || streq(*fact, key);
                if (!listed)
                        continue;
                if (asprintf(&full, CONFIG_CUSTOM_PREFIX "%s", key) < 0)
                        return -ENOMEM;
                if (!locate(l, CONFIG_SECTION_DEVICE, full, &at))
                        continue;
                int r = CONFIG_FAULT(l, at,
                                "%s: Metadata= already has the fact '%s'; leave it out there, or "
                                "choose another name",
                                full, key);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A group that does not exist is no fault: without it only root and the daemon administer. A user's
 * service has no use for the group, so its default is not missed there. */
static int find_group(ConfigLoader *l) {
        Config *c = l->config;
        ConfigPlace at;

        const struct group *group = getgrnam(c->group);
        c->gid = group ? group->gr_gid : (gid_t) -1;
        if (group)
                return 0;

        if (locate(l, "Daemon", "Group", &at))
                return error_list_add(l->warnings,
                                "%s:%u: Group=%s: there is no such group; create it, or nobody "
                                "administers by it, ignoring",
                                at.path, at.line, c->group);
        if (!c->system)
                return 0;
        return error_list_add(l->warnings,
                        "There is no group '%s'; create it (systemd-sysusers does), or set Group=, "
                        "or nobody administers by it, ignoring",
                        c->group);
}

static int check_intervals(ConfigLoader *l) {
        ConfigPlace at;

        if (l->config->poll_idle_interval >= l->config->poll_interval ||
                        (!locate(l, "Poll", "IdleInterval", &at) &&
                                        !locate(l, "Poll", "Interval", &at)))
                return 0;
        return error_list_add(l->warnings,
                        "%s:%u: IdleInterval is shorter than Interval; factord polls more often "
                        "when nothing is going on, ignoring",
                        at.path, at.line);
}

int config_check(ConfigLoader *l) {
        static int (*const checks[])(ConfigLoader *) = {
                        default_paths,
                        check_accounts,
                        check_facts,
                        find_group,
                        check_intervals,
        };

        for (size_t i = 0; i < ELEMENTSOF(checks); i++) {
                int r = checks[i](l);
                if (r < 0)
                        return r;
        }
        return 0;
}
