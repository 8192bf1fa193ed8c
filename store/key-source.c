/* SPDX-License-Identifier: Apache-2.0 */
#include "store/key-source.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static int make_file(const KeySource *s, Secret *ret, char **reterr_msg) {
        _cleanup_(secret_done) Secret key = {0};
        struct stat st;
        int r;

        /* No race: the store's lock keeps other makers away. */
        if (lstat(s->argument, &st) == 0)
                return error_set(reterr_msg, -EEXIST,
                                "The store key %s is there already; a new one does not replace it",
                                s->argument);
        if (errno != ENOENT)
                return error_set(reterr_msg, -errno, "Cannot make the store key %s: %s",
                                s->argument, strerror(errno));

        r = secret_resize(&key, STORE_KEY_SIZE);
        if (r < 0)
                return r;

        r = random_bytes(key.data, key.len);
        if (r < 0)
                return error_wrap(reterr_msg, r, "Cannot make the store key %s", s->argument);

        r = file_write_atomic(s->argument, key.data, key.len, 0600, reterr_msg);
        if (r < 0)
                return error_wrap(reterr_msg, r, "Cannot make the store key");

        secret_move(ret, &key);
        return 0;
}

static int wrong_size(const KeySource *s, char **reterr_msg) {
        return error_set(reterr_msg, -EBADMSG,
                        "The store key %s is not of %d bytes, so it is no store key; put the right "
                        "file back from a copy",
                        s->argument, STORE_KEY_SIZE);
}

static int load_file(const KeySource *s, Secret *ret, char **reterr_msg) {
        _cleanup_(secret_done) Secret key = {0};
        int r;

        r = file_read_trusted(&key, s->argument, geteuid(), true, STORE_KEY_SIZE, reterr_msg);
        if (r == -ENOENT)
                return error_set(reterr_msg, -ENOENT,
                                "The store key %s is missing; put it back from a copy",
                                s->argument);
        if (r == -E2BIG)
                return wrong_size(s, reterr_msg);
        if (r < 0)
                return error_wrap(reterr_msg, r, "Cannot read the store key");

        if (key.len != STORE_KEY_SIZE)
                return wrong_size(s, reterr_msg);

        secret_move(ret, &key);
        return 0;
}

KeySource key_source_file(const char *path) {
        return (KeySource){.name = "file", .make = make_file, .load = load_file, .argument = path};
}
