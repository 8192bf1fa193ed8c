/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy-source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/directory.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/connection.h"
#include "cli/output.h"

#define SUFFIX ".policy"

struct PolicyText {
        char *path;
        Secret text;
};

void policy_source_done(PolicySource *s) {
        for (size_t i = 0; i < s->n_texts; i++) {
                free(s->texts[i].path);
                secret_done(&s->texts[i].text);
        }
        free(s->texts);
        free(s->folder);
        *s = (PolicySource){0};
}

/* Reading. */

static int add_file(PolicySource *s, const char *path) {
        _cleanup_free_ char *msg = NULL, *copy = NULL;
        _cleanup_(secret_done) Secret text = {0};

        if (s->n_texts == POLICY_FILES_MAX)
                return complain(EXIT_USAGE, "%s: there are over %d files of rules", path,
                                POLICY_FILES_MAX);
        int r = file_read_named(&text, path, POLICY_FILE_MAX, &msg);
        if (r < 0)
                return complain(EXIT_USAGE, "%s", error_text(msg, r));

        PolicyText *texts = array_grow(s->texts, s->n_texts, sizeof(PolicyText));
        if (texts)
                s->texts = texts;
        if (!texts || text_set(&copy, path) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        s->texts[s->n_texts].path = TAKE_PTR(copy);
        s->texts[s->n_texts].text = (Secret){0};
        secret_move(&s->texts[s->n_texts++].text, &text);
        return 0;
}

static int add_folder(PolicySource *s, const char *folder, bool may_lack) {
        _cleanup_(paths_freep) char **paths = NULL;

        int r = directory_list(folder, SUFFIX, &paths, NULL);
        if (r == -ENOENT && may_lack)
                return 0;
        if (r < 0)
                return complain(EXIT_USAGE, "%s: cannot list the folder: %s", folder, strerror(-r));
        for (char **path = paths; *path && r == 0; path++)
                r = add_file(s, *path);
        return r;
}

int policy_source_add(PolicySource *s, const char *path) {
        struct stat st;

        if (!streq(path, "-") && stat(path, &st) >= 0 && S_ISDIR(st.st_mode))
                return add_folder(s, path, false);
        return add_file(s, path);
}

int policy_source_add_configured(PolicySource *s, const Arguments *a) {
        bool system = false;

        int r = policy_folder_find(a, &s->folder, &system);
        if (r != 0)
                return r;
        if (system)
                s->flags |= POLICY_NO_EXEC;
        return add_folder(s, s->folder, true);
}

int policy_source_add_chosen(PolicySource *s, const Arguments *a) {
        if (argument_given(a, OPTION_SYSTEM))
                s->flags |= POLICY_NO_EXEC;
        if (argument_given(a, OPTION_POLICY))
                return policy_source_add(s, a->values[OPTION_POLICY]);
        return policy_source_add_configured(s, a);
}

/* Compiling. */

int policy_source_load(const PolicySource *s, Policy **ret, ErrorList *faults) {
        _cleanup_free_ PolicyFile *files = calloc(s->n_texts + 1, sizeof(PolicyFile));

        if (!files)
                return complain(EXIT_FAILURE, "out of memory");
        for (size_t i = 0; i < s->n_texts; i++)
                files[i] = (PolicyFile){
                                .path = s->texts[i].path,
                                .text = secret_string(&s->texts[i].text),
                                .len = s->texts[i].text.len,
                };
        *ret = NULL;
        if (policy_load(ret, files, s->n_texts, s->flags, faults) == -ENOMEM)
                return complain(EXIT_FAILURE, "out of memory");
        return 0;
}

int policy_source_load_or_say(const PolicySource *s, Policy **ret) {
        _cleanup_(error_list_done) ErrorList faults = {0};

        int r = policy_source_load(s, ret, &faults);
        for (size_t i = 0; i < faults.n; i++)
                r = complain(EXIT_USAGE, "%s", faults.messages[i]);
        return r;
}
