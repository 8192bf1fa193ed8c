/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config-files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/directory.h"
#include "base/file.h"

#define FILE_NAME "factord.conf"
#define DROP_IN_DIRECTORY "factord.conf.d"
#define DROP_IN_SUFFIX ".conf"

static int add_file(ConfigFiles *f, const char *path, const Secret *text, ErrorList *errors) {
        IniFile **files = reallocarray(f->files, f->n + 1, sizeof(IniFile *));
        if (!files)
                return -ENOMEM;
        f->files = files;

        int r = ini_parse(&f->files[f->n], path, secret_string(text), text->len, errors);
        if (r == 0)
                f->n++;
        return r;
}

static int read_file(ConfigFiles *f, const char *path, uid_t owner, ErrorList *errors) {
        _cleanup_(secret_done) Secret text = {0};
        _cleanup_free_ char *msg = NULL;

        int r = file_read_trusted(&text, path, owner, false, INI_FILE_MAX, &msg);
        if (r == 0)
                return add_file(f, path, &text, errors);
        if (r == -ENOMEM || r == -ENOENT)
                return r;
        if (r == -E2BIG)
                return error_list_add(errors, "%s: the file is over %d bytes; split it", path,
                                INI_FILE_MAX);
        return error_list_add(errors, "%s", error_text(msg, r));
}

static int read_named(ConfigFiles *f, const ConfigSource *source, ErrorList *errors) {
        int r = read_file(f, source->path, source->owner, errors);
        if (r == -ENOENT)
                return error_list_add(errors,
                                "%s: there is no such file; create it, or name another with "
                                "--config",
                                source->path);
        return r;
}

static int read_drop_ins(ConfigFiles *f, const char *directory, uid_t owner, ErrorList *errors) {
        _cleanup_(paths_freep) char **paths = NULL;
        size_t n = 0;

        int r = directory_list(directory, DROP_IN_SUFFIX, &paths, &n);
        if (r == -ENOENT)
                return 0;
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                return error_list_add(errors,
                                "%s: cannot list the folder: %s; make it a folder that factord may "
                                "read",
                                directory, strerror(-r));
        if (n > CONFIG_DROP_INS_MAX)
                return error_list_add(errors,
                                "%s: there are over %d files; put their keys into fewer", directory,
                                CONFIG_DROP_INS_MAX);

        for (size_t i = 0; i < n; i++) {
                r = read_file(f, paths[i], owner, errors);
                if (r < 0 && r != -ENOENT)
                        return r; /* else: removed since the folder was listed */
        }
        return 0;
}

int config_files_read(ConfigFiles *files, const ConfigSource *source, ErrorList *errors) {
        _cleanup_free_ char *main_file = NULL, *drop_ins = NULL;

        if (source->path)
                return read_named(files, source, errors);
        if (!source->config_directory)
                return 0;

        if (asprintf(&main_file, "%s/" FILE_NAME, source->config_directory) < 0)
                return -ENOMEM;
        int r = read_file(files, main_file, source->owner, errors);
        if (r < 0 && r != -ENOENT)
                return r;
        if (asprintf(&drop_ins, "%s/" DROP_IN_DIRECTORY, source->config_directory) < 0)
                return -ENOMEM;
        return read_drop_ins(files, drop_ins, source->owner, errors);
}

void config_files_done(ConfigFiles *files) {
        for (size_t i = 0; i < files->n; i++)
                ini_free(files->files[i]);
        free(files->files);
        *files = (ConfigFiles){0};
}
