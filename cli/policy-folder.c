/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of rules by the daemon's configuration, which is read for this one key. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/directory.h"
#include "base/file.h"
#include "base/ini.h"
#include "base/text.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/policy-source.h"

#define SYSTEM_FOLDER "/etc/factord"

static int out_of_memory(void) {
        return complain(EXIT_FAILURE, "out of memory");
}

/* The user's own configuration; *ret is NULL when nobody can say where it is. */
static int user_folder(char **ret) {
        const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        int n = 0;

        if (config && *config == '/')
                n = asprintf(ret, "%s/factord", config);
        else if (home && *home == '/')
                n = asprintf(ret, "%s/.config/factord", home);
        return n < 0 ? -ENOMEM : 0;
}

/* Whose configuration it is. */
static int choose(const Arguments *a, char **ret, bool *ret_system) {
        bool system = argument_given(a, OPTION_SYSTEM), user = argument_given(a, OPTION_USER);
        _cleanup_free_ char *own = NULL;

        if (user_folder(&own) < 0)
                return out_of_memory();
        if (user && !own)
                return complain(EXIT_USAGE,
                                "nobody knows where your configuration is: set "
                                "XDG_CONFIG_HOME or HOME");
        if (!user && !system)
                system = geteuid() == 0 || !own || access(own, F_OK) < 0;
        if (system)
                *ret = strdup(SYSTEM_FOLDER);
        else
                *ret = TAKE_PTR(own);
        *ret_system = system;
        return *ret ? 0 : out_of_memory();
}

/* Directory= of a file, if it has one; empty is a return to the default. */
static int take_directory(const IniFile *f, char **directory) {
        for (size_t i = 0; i < f->n_sections; i++)
                for (size_t j = 0; j < f->sections[i].n_entries; j++) {
                        const IniEntry *e = &f->sections[i].entries[j];

                        if (!streq(f->sections[i].name, "Policy") || !streq(e->key, "Directory"))
                                continue;
                        if (text_set(directory, *e->value ? e->value : NULL) < 0)
                                return out_of_memory();
                }
        return 0;
}

static int read_configuration(const char *path, char **directory) {
        _cleanup_(error_list_done) ErrorList faults = {0};
        _cleanup_(secret_done) Secret text = {0};
        _cleanup_(ini_freep) IniFile *f = NULL;
        _cleanup_free_ char *msg = NULL;

        int r = file_read_named(&text, path, INI_FILE_MAX, &msg);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return complain(EXIT_USAGE, "%s", error_text(msg, r));
        if (ini_parse(&f, path, secret_string(&text), text.len, &faults) < 0)
                return out_of_memory();
        for (size_t i = 0; i < faults.n; i++)
                r = complain(EXIT_USAGE, "%s", faults.messages[i]);
        return r != 0 ? r : take_directory(f, directory);
}

static int read_drop_ins(const char *folder, char **directory) {
        _cleanup_(paths_freep) char **paths = NULL;

        int r = directory_list(folder, ".conf", &paths, NULL);
        if (r == -ENOENT)
                return 0;
        if (r < 0)
                return complain(EXIT_USAGE, "%s: cannot list the folder: %s", folder, strerror(-r));
        for (char **path = paths; *path && r == 0; path++)
                r = read_configuration(*path, directory);
        return r;
}

int policy_folder_find(const Arguments *a, char **ret, bool *ret_system) {
        _cleanup_free_ char *folder = NULL, *file = NULL, *drop_ins = NULL, *directory = NULL;

        int r = choose(a, &folder, ret_system);
        if (r != 0)
                return r;
        if (asprintf(&file, "%s/factord.conf", folder) < 0) {
                file = NULL;
                return out_of_memory();
        }
        if (asprintf(&drop_ins, "%s/factord.conf.d", folder) < 0) {
                drop_ins = NULL;
                return out_of_memory();
        }
        r = read_configuration(file, &directory);
        if (r == 0)
                r = read_drop_ins(drop_ins, &directory);
        if (r != 0)
                return r;
        if (!directory && asprintf(&directory, "%s/policy.d", folder) < 0) {
                directory = NULL;
                return out_of_memory();
        }
        *ret = TAKE_PTR(directory);
        return 0;
}
