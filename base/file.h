#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Files: reading with limits and trust checks, writing without half-done states. */

#include <sys/types.h>

#include "base/error.h"
#include "base/secret.h"

/* Reads a configuration, policy or secret file that the daemon trusts. The path is opened without
 * following a link in its last component (-ELOOP); it must be a regular file (else -EINVAL). It and
 * its folder must be owned by root or by uid and not be writable by group or others (the folder:
 * unless sticky); private also wants no access for group and others. The text is not chomped.
 * Returns 0; -ENOENT when it is not there; -EPERM with a message that has the command which fixes
 * it; -E2BIG past max; or another errno with a message. */
int file_read_trusted(Secret *ret,
                const char *path,
                uid_t uid,
                bool private,
                size_t max,
                char **reterr_msg);

/* Whether a program may be run: found and checked as above (not private), but not read, and uid has
 * to be this process's own, which must have the right to run it. Returns 0 or -errno with a message
 * that says what to do. */
int file_check_program(const char *path, uid_t uid, char **reterr_msg);

/* Whether a socket may be connected to: it is one, no link, and its folder is checked as above. The
 * socket itself may belong to anybody: who owns the folder has put it there. Returns likewise;
 * -ENOENT when it is not there. */
int file_check_socket(const char *path, uid_t uid, char **reterr_msg);

/* Whether a folder is as above, and no link. Returns likewise; -ENOENT when it is not there. */
int directory_check(const char *path, uid_t uid, char **reterr_msg);

/* Reads a file that a person named ("-" is stdin), at most max bytes, not chomped.
 * Returns 0 or -errno with a message. */
int file_read_named(Secret *ret, const char *path, size_t max, char **reterr_msg);

/* Writes data to a new file beside path, syncs it, renames it over path and syncs the folder: after
 * a crash either the old or the new file is there, whole. It has exactly mode, whatever the umask;
 * a link at path is replaced, not followed. Returns 0 or -errno with a message. */
int file_write_atomic(
                const char *path, const void *data, size_t len, mode_t mode, char **reterr_msg);

/* Makes a folder and its missing parents with mode (less the umask); one that is there keeps its
 * mode. Returns 0 or -errno with a message. */
int directory_make(const char *path, mode_t mode, char **reterr_msg);
