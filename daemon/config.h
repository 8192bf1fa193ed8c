#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration: INI texts in, one checked struct out, with every fault at once. */

#include <sys/types.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/time.h"

#define CONFIG_ACCOUNTS_MAX 256
#define CONFIG_PASSWORD_MAX 1024
#define CONFIG_CUSTOM_MAX 32

typedef enum ConfigBus {
        CONFIG_BUS_AUTO,
        CONFIG_BUS_SYSTEM,
        CONFIG_BUS_SESSION,
        CONFIG_BUS_NONE,
} ConfigBus;

typedef enum ConfigDefault {
        CONFIG_DEFAULT_ASK,
        CONFIG_DEFAULT_IGNORE,
} ConfigDefault;

/* [Account NAME] */
typedef struct ConfigAccount {
        char *name;
        char *account_sid;
        char *user;                /* the account SID or an API key SID */
        char *password_file;       /* or NULL */
        char *password_credential; /* name of a systemd credential, or NULL */
        char *path;                /* the file and line that it stands in, for messages */
        unsigned line;
        Secret password; /* filled by config_load_passwords() */
} ConfigAccount;

/* A fixed fact of [Device], Custom.KEY=VALUE. */
typedef struct ConfigCustom {
        char *key;
        char *value;
} ConfigCustom;

typedef struct Config {
        bool system; /* --system or --user: chooses the defaults of paths */
        /* [Daemon] */
        char *socket;
        char *state_directory;
        ConfigBus bus;
        ConfigDefault default_decision;
        char *group;
        gid_t gid; /* of group; (gid_t) -1 when there is no such group */
        /* [Api] */
        char *base_url; /* without a trailing slash */
        char *certificate_authority;
        char *proxy;
        usec_t connect_timeout, request_timeout;
        unsigned max_concurrent_requests;
        unsigned requests_per_second;
        /* [Account …] */
        ConfigAccount *accounts;
        size_t n_accounts;
        /* [Poll] */
        usec_t poll_interval, poll_idle_interval;
        /* [Device] */
        char **metadata; /* names of known facts, NULL-ended */
        ConfigCustom *custom;
        size_t n_custom;
        /* [Prompt] */
        usec_t arm_delay;
        unsigned budget;    /* prompts … */
        usec_t budget_span; /* … in this span */
        bool show_while_locked;
        char *helper;
        /* [Policy] */
        char *policy_directory;
        /* [Audit] */
        usec_t audit_retain;
        uint64_t audit_max_size; /* bytes */
} Config;

/* Where the configuration comes from. */
typedef struct ConfigSource {
        bool system;
        const char *path;              /* --config, or NULL */
        const char *config_directory;  /* "/etc/factord", "/home/me/.config/factord" */
        const char *runtime_directory; /* user: may be NULL when Socket= is set */
        const char *state_home;        /* user */
        uid_t owner;
} ConfigSource;

/* Reads the configuration: with path that file alone; else factord.conf and factord.conf.d/ *.conf
 * (in name order, later files win a key) of /etc/factord or $XDG_CONFIG_HOME/factord (the folder
 * comes in: it is config_directory). A missing search path is an empty configuration; a missing
 * path is an error. Files are checked as base/file.h says, against owner (the daemon's uid). Faults
 * go to errors, all of them, as "file:line: what, and what to do"; what is odd but usable goes to
 * warnings (a group that does not exist). runtime_directory and state_home are $XDG_RUNTIME_DIR and
 * $XDG_STATE_HOME for a user's defaults. Returns 0 when there was no fault, -EINVAL when there was,
 * -ENOMEM. */
int config_load(Config **ret, const ConfigSource *source, ErrorList *errors, ErrorList *warnings);

/* Reads the accounts' passwords, from files or from credentials_directory ($CREDENTIALS_DIRECTORY,
 * or NULL). One trailing newline is dropped. Faults go to errors. Returns 0, -EINVAL, -ENOMEM. */
int config_load_passwords(
                Config *c, const char *credentials_directory, uid_t owner, ErrorList *errors);

/* Takes NULL, returns NULL. Wipes passwords. */
Config *config_free(Config *c);
DEFINE_CLEANUP(Config *, config_free);

/* The account of that name, or NULL. Borrowed. */
const ConfigAccount *config_account(const Config *c, const char *name);
