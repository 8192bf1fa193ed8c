/* SPDX-License-Identifier: Apache-2.0 */
#include "base/directory.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

void paths_freep(char ***paths) {
        for (char **path = *paths; path && *path; path++)
                free(*path);
        free(*paths);
}

static int compare_paths(const void *a, const void *b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static bool ends_in(const char *name, const char *suffix) {
        size_t len = strlen(name), end = strlen(suffix);

        return name[0] != '.' && len > end && streq(name + len - end, suffix);
}

static int list(DIR *folder, const char *path, const char *suffix, char ***paths, size_t *n) {
        for (;;) {
                errno = 0;
                const struct dirent *entry = readdir(folder);
                if (!entry)
                        return -errno;
                if (!ends_in(entry->d_name, suffix))
                        continue;
                char **longer = reallocarray(*paths, *n + 2, sizeof(char *));
                if (!longer)
                        return -ENOMEM;
                *paths = longer;
                if (asprintf(&longer[*n], "%s/%s", path, entry->d_name) < 0) {
                        longer[*n] = NULL;
                        return -ENOMEM;
                }
                longer[++*n] = NULL;
        }
}

int directory_list(const char *path, const char *suffix, char ***ret, size_t *ret_n) {
        _cleanup_(paths_freep) char **paths = calloc(1, sizeof(char *));
        size_t n = 0;

        if (!paths)
                return -ENOMEM;
        DIR *folder = opendir(path);
        if (!folder)
                return -errno;
        int r = list(folder, path, suffix, &paths, &n);
        closedir(folder);
        if (r < 0)
                return r;
        qsort(paths, n, sizeof(char *), compare_paths);
        *ret = TAKE_PTR(paths);
        if (ret_n)
                *ret_n = n;
        return 0;
}
