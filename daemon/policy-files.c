/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy-files.h"

#include <errno.h>
#include <string.h>

#include "base/directory.h"
#include "base/file.h"

#define SUFFIX ".policy"
#define EXEC "exec:"

typedef struct Files {
        char **paths;
        Secret *texts;
        size_t n;
} Files;

static void files_done(Files *f) {
        for (size_t i = 0; i < f->n; i++) {
                free(f->paths[i]);
                secret_done(&f->texts[i]);
        }
        free(f->paths);
        free(f->texts);
}

/* One that has gone since the folder was listed is a fault like others: it may have held a denial.
 */
static int read_file(Files *f, const char *path, uid_t owner, ErrorList *errors) {
        _cleanup_free_ char *copy = strdup(path), *msg = NULL;
        _cleanup_(secret_done) Secret text = {0};

        if (!copy)
                return -ENOMEM;
        int r = file_read_trusted(&text, path, owner, false, POLICY_FILE_MAX, &msg);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return error_list_add(errors, "%s", error_text(msg, r));
        f->paths[f->n] = TAKE_PTR(copy);
        secret_move(&f->texts[f->n++], &text);
        return 0;
}

static int read_files(Files *f,
                const char *directory,
                char *const *paths,
                size_t n,
                uid_t owner,
                ErrorList *errors) {
        _cleanup_free_ char *msg = NULL;

        if (n > POLICY_FILES_MAX)
                return error_list_add(errors, "%s: there are over %d files of rules; write fewer",
                                directory, POLICY_FILES_MAX);
        f->paths = calloc(n + 1, sizeof(char *));
        f->texts = calloc(n + 1, sizeof(Secret));
        if (!f->paths || !f->texts)
                return -ENOMEM;
        int r = directory_check(directory, owner, &msg);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return error_list_add(errors, "%s", error_text(msg, r));
        r = 0;
        for (size_t i = 0; i < n && r >= 0; i++)
                r = read_file(f, paths[i], owner, errors);
        return r;
}

static int read_folder(Files *f, const char *directory, uid_t owner, ErrorList *errors) {
        _cleanup_(paths_freep) char **paths = NULL;
        size_t n = 0;

        int r = directory_list(directory, SUFFIX, &paths, &n);
        if (r == -ENOENT)
                return 0;
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return error_list_add(errors,
                                "%s: cannot list the folder: %s; make it a folder that factord may "
                                "read",
                                directory, strerror(-r));
        return read_files(f, directory, paths, n, owner, errors);
}

/* What a rule runs is trusted as the rule is; it is looked at again whenever it is run. */
static int check_programs(const Policy *p, uid_t owner, ErrorList *errors) {
        for (size_t i = 0; i < policy_n_rules(p); i++) {
                PolicyRule rule = policy_rule(p, i);
                _cleanup_free_ char *msg = NULL;

                if (strncmp(rule.decision, EXEC, STRLEN(EXEC)) != 0)
                        continue;
                int r = file_check_program(rule.decision + STRLEN(EXEC), owner, &msg);
                if (r < 0)
                        r = r == -ENOMEM ? r
                                         : error_list_add(errors, "%s:%u: Decision: %s", rule.path,
                                                           rule.line, error_text(msg, r));
                if (r < 0)
                        return r;
        }
        return 0;
}

static int compile(Policy **ret, const Files *f, unsigned flags, ErrorList *errors) {
        _cleanup_free_ PolicyFile *files = calloc(f->n + 1, sizeof(PolicyFile));

        if (!files)
                return -ENOMEM;
        for (size_t i = 0; i < f->n; i++)
                files[i] = (PolicyFile){
                                .path = f->paths[i],
                                .text = secret_string(&f->texts[i]),
                                .len = f->texts[i].len,
                };
        return policy_load(ret, files, f->n, flags, errors);
}

int policy_files_load(
                Policy **ret, const char *directory, uid_t owner, bool system, ErrorList *errors) {
        _cleanup_(policy_freep) Policy *p = NULL;
        _cleanup_(files_done) Files f = {0};
        size_t before = errors->n;

        int r = directory ? read_folder(&f, directory, owner, errors) : 0;
        if (r >= 0)
                r = compile(&p, &f, system ? POLICY_NO_EXEC : 0, errors);
        if (r >= 0)
                r = check_programs(p, owner, errors);
        if (r < 0)
                return r;
        if (errors->n > before)
                return -EINVAL;
        *ret = TAKE_PTR(p);
        return 0;
}
