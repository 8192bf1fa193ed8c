/* SPDX-License-Identifier: Apache-2.0 */
/* Files: whom to trust, limits, and never a half-written one. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define STRANGER 54321

static char folder[64]; /* fresh for each test, and the working directory */

static int set_up(void **state) {
        umask(022);
        strcpy(folder, "/tmp/factord-test-file-XXXXXX");
        return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where) {
        return remove(path);
}

static int tear_down(void **state) {
        return chdir("/") == 0 ? nftw(folder, remove_one, 10, FTW_DEPTH | FTW_PHYS) : -1;
}

static void put(const char *path, const char *text, mode_t mode) {
        _cleanup_close_ int fd = -EBADF;

        (void) unlink(path); /* the one before may be read-only */
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(fchmod(fd, mode), 0);
}

static void assert_content(const char *path, const char *text) {
        _cleanup_(secret_done) Secret s = {0};

        assert_int_equal(file_read_named(&s, path, 1 << 20, NULL), 0);
        assert_string_equal(secret_string(&s), text);
}

/* The folder holds exactly so many files. */
static void assert_n_files(size_t expected) {
        DIR *d = opendir(".");
        size_t n = 0;

        assert_non_null(d);
        while (readdir(d))
                n++;
        closedir(d);
        assert_int_equal(n - 2, expected);
}

static void assert_trusted(const char *path, bool private) {
        _cleanup_(secret_done) Secret s = {0};
        _cleanup_free_ char *msg = NULL;

        int r = file_read_trusted(&s, path, getuid(), private, 100, &msg);
        if (r < 0)
                fail_msg("%s", error_text(msg, r));
        assert_string_equal(secret_string(&s), "text\n");
}

static void assert_refused(const char *path, uid_t uid, bool private, int r, const char *message) {
        _cleanup_(secret_done) Secret s = {0};
        _cleanup_free_ char *msg = NULL;

        assert_int_equal(secret_append_string(&s, "before"), 0);
        assert_int_equal(file_read_trusted(&s, path, uid, private, 100, &msg), r);
        assert_non_null(msg);
        assert_string_equal(msg, message);
        assert_string_equal(secret_string(&s), "before");
        assert_int_equal(file_read_trusted(&s, path, uid, private, 100, NULL), r);
}

static void test_trusted_modes(void **state) {
        static const mode_t fine[] = {0644, 0600, 0400, 0640, 0444, 0755};
        static const mode_t writable[] = {0664, 0646, 0666, 0620, 0602, 0777};
        static const mode_t open_secret[] = {0640, 0604, 0610, 0601, 0644, 0666, 0620};

        for (size_t i = 0; i < ELEMENTSOF(fine); i++) {
                put("f", "text\n", fine[i]);
                assert_trusted("f", false);
        }
        for (size_t i = 0; i < ELEMENTSOF(writable); i++) {
                put("f", "text\n", writable[i]);
                assert_refused("f", getuid(), false, -EPERM,
                                "f: can be written by others; run: chmod go-w f");
        }
        put("f", "text\n", 0600);
        assert_trusted("f", true);
        put("f", "text\n", 0400);
        assert_trusted("f", true);
        for (size_t i = 0; i < ELEMENTSOF(open_secret); i++) {
                put("f", "text\n", open_secret[i]);
                assert_refused("f", getuid(), true, -EPERM,
                                "f: holds a secret, and others have access; run: chmod 600 f");
        }
}

static void test_trusted_folder(void **state) {
        char path[100], expected[200];

        put("f", "text\n", 0600);
        snprintf(path, sizeof(path), "%s/f", folder);

        assert_int_equal(chmod(folder, 0775), 0);
        snprintf(expected, sizeof(expected),
                        "%s: the folder can be written by others; run: chmod go-w %s", folder,
                        folder);
        assert_refused(path, getuid(), false, -EPERM, expected);
        assert_int_equal(chmod(folder, 0757), 0);
        assert_refused(path, getuid(), true, -EPERM, expected);
        assert_refused("f", getuid(), true, -EPERM,
                        ".: the folder can be written by others; run: chmod go-w .");

        assert_int_equal(chmod(folder, 01777), 0);
        assert_trusted(path, true);
        assert_int_equal(chmod(folder, 0755), 0);
        assert_trusted(path, true);
        assert_trusted("./f", true);
}

/* A file of somebody else's: for root one that is given away, else one of ours seen by another. */
static void test_trusted_owner(void **state) {
        uid_t uid = getuid();

        put("f", "text\n", 0644);
        if (uid == 0)
                assert_int_equal(chown("f", STRANGER, (gid_t) -1), 0);
        else
                uid++;

        char command[100];
        assert_refused("f", uid, false, -EPERM,
                        "f: is owned by neither root nor this user; run: chown root f");
        put("f", "text\n", 0600);
        if (getuid() == 0)
                assert_int_equal(chown("f", STRANGER, (gid_t) -1), 0);
        if (uid == 0)
                strcpy(command, "f: is owned by neither root nor this user; run: chown root f");
        else
                snprintf(command, sizeof(command),
                                "f: is owned by neither root nor this user; run: chown %u f", uid);
        assert_refused("f", uid, true, -EPERM, command);
}

static void test_trusted_owners_as_root(void **state) {
        _cleanup_(secret_done) Secret s = {0};

        if (getuid() != 0)
                skip();

        put("f", "text\n", 0600);
        assert_int_equal(file_read_trusted(&s, "f", STRANGER, true, 100, NULL), 0); /* root's */
        assert_int_equal(chown("f", STRANGER, (gid_t) -1), 0);
        assert_int_equal(file_read_trusted(&s, "f", STRANGER, true, 100, NULL), 0); /* its own */
        assert_refused("f", STRANGER + 1, true, -EPERM,
                        "f: is owned by neither root nor this user; run: chown 54322 f");

        assert_int_equal(chown(folder, STRANGER, (gid_t) -1), 0);
        assert_int_equal(file_read_trusted(&s, "f", STRANGER, true, 100, NULL), 0);
        assert_int_equal(chown("f", 0, 0), 0);
        assert_refused("f", 0, false, -EPERM,
                        ".: is owned by neither root nor this user; run: chown root .");
}

static void test_trusted_kinds(void **state) {
        put("real", "text\n", 0600);
        assert_int_equal(symlink("real", "link"), 0);
        assert_int_equal(symlink("nowhere", "dangling"), 0);
        assert_int_equal(mkdir("folder", 0755), 0);
        assert_int_equal(mkfifo("fifo", 0600), 0);

        assert_refused("link", getuid(), false, -ELOOP,
                        "link: is a symbolic link, which is not followed; name the file itself");
        assert_refused("dangling", getuid(), false, -ELOOP,
                        "dangling: is a symbolic link, which is not followed; name the file "
                        "itself");
        assert_refused("folder", getuid(), false, -EINVAL,
                        "folder: is not a regular file; put a plain file there");
        assert_refused("fifo", getuid(), false, -EINVAL, /* and nobody waits for a writer */
                        "fifo: is not a regular file; put a plain file there");
        assert_refused("/dev/null", getuid(), false, -EINVAL,
                        "/dev/null: is not a regular file; put a plain file there");
        assert_refused("missing", getuid(), false, -ENOENT,
                        "missing: cannot open: No such file or directory");
        assert_refused("missing/f", getuid(), false, -ENOENT,
                        "missing: cannot open the folder: No such file or directory");
        assert_refused("real/f", getuid(), false, -ENOTDIR,
                        "real: cannot open the folder: Not a directory");
        assert_refused("folder/", getuid(), false, -ENOENT,
                        "folder/: cannot open: No such file or directory");
        assert_refused("", getuid(), false, -ENOENT, ": cannot open: No such file or directory");

        /* Only the last component matters: a link to the folder is the administrator's choice. */
        assert_int_equal(symlink("folder", "alias"), 0);
        put("folder/f", "text\n", 0600);
        assert_trusted("alias/f", true);
}

static void test_trusted_size(void **state) {
        _cleanup_(secret_done) Secret s = {0};
        _cleanup_free_ char *msg = NULL;

        put("f", "0123456789", 0600);
        assert_int_equal(file_read_trusted(&s, "f", getuid(), true, 10, &msg), 0);
        assert_int_equal(s.len, 10);
        assert_int_equal(file_read_trusted(&s, "f", getuid(), true, 9, &msg), -E2BIG);
        assert_string_equal(msg, "f: is larger than 9 bytes, the most that is read");

        put("f", "", 0600);
        assert_int_equal(file_read_trusted(&s, "f", getuid(), true, 9, NULL), 0);
        assert_int_equal(s.len, 0);
}

/* The command in the message is what a shell needs to read. */
static void assert_program(const char *path, int r, const char *message) {
        _cleanup_free_ char *msg = NULL;

        assert_int_equal(file_check_program(path, geteuid(), &msg), r);
        if (message)
                assert_string_equal(msg, message);
        else
                assert_null(msg);
}

static void test_program(void **state) {
        static const mode_t fine[] = {0755, 0700, 0500, 0555};

        for (size_t i = 0; i < ELEMENTSOF(fine); i++) {
                put("p", "#!/bin/sh\n", fine[i]);
                assert_program("p", 0, NULL);
        }
        put("p", "#!/bin/sh\n", 0644);
        assert_program("p", -EPERM, "p: cannot be run; run: chmod a+rx p");
        put("p", "#!/bin/sh\n", 0775);
        assert_program("p", -EPERM, "p: can be written by others; run: chmod go-w p");
        put("p", "#!/bin/sh\n", 0755);
        assert_int_equal(symlink("p", "link"), 0);
        assert_program("link", -ELOOP,
                        "link: is a symbolic link, which is not followed; name the file itself");
        assert_program("none", -ENOENT,
                        "none: there is no such program; install it, or name another");
        assert_int_equal(mkdir("folder", 0755), 0);
        assert_program("folder", -EINVAL, "folder: is not a regular file; put a plain file there");
        assert_int_equal(chmod(".", 0777), 0);
        assert_program("p", -EPERM, ".: the folder can be written by others; run: chmod go-w .");
        assert_int_equal(chmod(".", 0700), 0);
}

static void assert_socket(const char *path, int r, const char *message) {
        _cleanup_free_ char *msg = NULL;

        assert_int_equal(file_check_socket(path, geteuid(), &msg), r);
        if (message)
                assert_string_equal(msg, message);
        else
                assert_null(msg);
}

static void assert_directory(const char *path, int r, const char *message) {
        _cleanup_free_ char *msg = NULL;

        assert_int_equal(directory_check(path, geteuid(), &msg), r);
        if (message)
                assert_string_equal(msg, message);
        else
                assert_null(msg);
}

/* Whoever owns the socket: its folder is what counts. */
static void test_socket(void **state) {
        struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "s"};
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(bind(fd, (struct sockaddr *) &address, sizeof(address)), 0);
        assert_int_equal(chmod("s", 0666), 0);
        assert_socket("s", 0, NULL);
        assert_int_equal(symlink("s", "link"), 0);
        assert_socket("link", -ELOOP,
                        "link: is a symbolic link, which is not followed; name the file itself");
        put("f", "", 0600);
        assert_socket("f", -ENOTSOCK, "f: is no socket; name the one that the service listens on");
        assert_socket("none", -ENOENT, "none: cannot find the socket: No such file or directory");
        assert_int_equal(chmod(".", 0777), 0);
        assert_socket("s", -EPERM, ".: the folder can be written by others; run: chmod go-w .");
        assert_int_equal(chmod(".", 0700), 0);
}

static void test_directory_check(void **state) {
        assert_int_equal(mkdir("d", 0755), 0);
        assert_directory("d", 0, NULL);
        assert_int_equal(chmod("d", 0775), 0);
        assert_directory("d", -EPERM, "d: the folder can be written by others; run: chmod go-w d");
        assert_int_equal(chmod("d", 0700), 0);
        assert_int_equal(symlink("d", "l"), 0);
        assert_directory("l", -ELOOP,
                        "l: is a symbolic link, which is not followed; name the file itself");
        assert_directory(
                        "none", -ENOENT, "none: cannot open the folder: No such file or directory");
        if (geteuid() != 0)
                return;
        assert_int_equal(chown("d", 4711, 4711), 0);
        assert_directory("d", -EPERM,
                        "d: is owned by neither root nor this user; run: chown root d");
}

static void test_command_is_quoted(void **state) {
        static const char *const table[][2] = {
                        {"a b", "chmod go-w 'a b'"},
                        {"it's", "chmod go-w 'it'\\''s'"},
                        {"$(x);y", "chmod go-w '$(x);y'"},
                        {"-rf", "chmod go-w ./'-rf'"},
                        {"größe", "chmod go-w 'größe'"},
                        {"plain-1.0_x@y:z,w%+", "chmod go-w plain-1.0_x@y:z,w%+"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *msg = NULL;
                _cleanup_(secret_done) Secret s = {0};
                const char *path = table[i][0];

                put(path, "text\n", 0666);
                assert_int_equal(file_read_trusted(&s, path, getuid(), false, 9, &msg), -EPERM);
                const char *command = strstr(msg, "run: ");
                assert_non_null(command);
                assert_string_equal(command + 5, table[i][1]);
                assert_int_equal(system(command + 5), 0);
                assert_trusted(path, false);
        }
}

static void test_read_named(void **state) {
        _cleanup_(secret_done) Secret s = {0};
        _cleanup_free_ char *msg = NULL;

        put("f", "text\n", 0666);
        assert_int_equal(symlink("f", "link"), 0);
        assert_int_equal(file_read_named(&s, "link", 5, &msg), 0);
        assert_string_equal(secret_string(&s), "text\n");
        assert_null(msg);

        assert_int_equal(file_read_named(&s, "f", 4, &msg), -E2BIG);
        assert_string_equal(msg, "f: is larger than 4 bytes, the most that is read");
        assert_int_equal(file_read_named(&s, "missing", 4, &msg), -ENOENT);
        assert_string_equal(msg, "missing: cannot open: No such file or directory");
        assert_int_equal(file_read_named(&s, ".", 4, &msg), -EISDIR);
        assert_string_equal(msg, ".: cannot read: Is a directory");
        assert_string_equal(secret_string(&s), "text\n");
}

static void test_read_stdin(void **state) {
        _cleanup_(secret_done) Secret s = {0};
        _cleanup_free_ char *msg = NULL;
        _cleanup_close_ int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), fd = -EBADF;

        put("f", "typed\n", 0600);
        for (int i = 0; i < 2; i++) {
                closep(&fd);
                fd = open("f", O_RDONLY | O_CLOEXEC);
                assert_true(fd >= 0);
                assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
                assert_int_equal(file_read_named(&s, "-", i == 0 ? 6 : 5, &msg),
                                i == 0 ? 0 : -E2BIG);
        }
        assert_string_equal(secret_string(&s), "typed\n");
        assert_string_equal(msg, "standard input: is larger than 5 bytes, the most that is read");
        if (saved >= 0)
                dup2(saved, STDIN_FILENO);
        else
                close(STDIN_FILENO);
}

static void assert_mode(const char *path, mode_t mode) {
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, mode);
}

static void test_write(void **state) {
        umask(077);
        assert_int_equal(file_write_atomic("f", "one", 3, 0644, NULL), 0);
        assert_content("f", "one");
        assert_mode("f", 0644); /* whatever the umask */
        umask(0);
        assert_int_equal(file_write_atomic("f", "a second", 8, 0600, NULL), 0);
        assert_content("f", "a second");
        assert_mode("f", 0600);
        assert_int_equal(file_write_atomic("f", NULL, 0, 0600, NULL), 0);
        assert_content("f", "");
        assert_n_files(1);

        char path[100];
        snprintf(path, sizeof(path), "%s/g", folder);
        assert_int_equal(file_write_atomic(path, "abs", 3, 0600, NULL), 0);
        assert_content("g", "abs");
}

static void test_write_replaces_a_link(void **state) {
        struct stat st;

        put("real", "kept", 0600);
        assert_int_equal(symlink("real", "f"), 0);
        assert_int_equal(file_write_atomic("f", "new", 3, 0600, NULL), 0);
        assert_content("real", "kept");
        assert_content("f", "new");
        assert_int_equal(lstat("f", &st), 0);
        assert_true(S_ISREG(st.st_mode));
}

/* Who has the old file open keeps the old file whole. */
static void test_write_leaves_readers_alone(void **state) {
        _cleanup_(secret_done) Secret s = {0};
        _cleanup_close_ int fd = -EBADF;

        put("f", "old", 0600);
        fd = open("f", O_RDONLY | O_CLOEXEC);
        assert_int_equal(file_write_atomic("f", "new and longer", 14, 0600, NULL), 0);
        assert_int_equal(secret_read_fd(&s, fd, 100), 0);
        assert_string_equal(secret_string(&s), "old");
}

static void test_write_failures(void **state) {
        _cleanup_free_ char *msg = NULL;

        assert_int_equal(file_write_atomic("missing/f", "x", 1, 0600, &msg), -ENOENT);
        assert_string_equal(msg, "missing: cannot open the folder: No such file or directory");
        assert_int_equal(mkdir("d", 0755), 0);
        assert_int_equal(file_write_atomic("d", "x", 1, 0600, &msg), -EISDIR);
        assert_string_equal(msg, "d: cannot replace: Is a directory");
        assert_n_files(1);
}

/* A disk that is full half-way: the old file stays, nothing else does. */
static void test_write_cut_short(void **state) {
        struct rlimit old, small;
        _cleanup_free_ char *msg = NULL;
        char data[10000] = "";

        put("f", "old", 0600);
        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        small = (struct rlimit){.rlim_cur = 4096, .rlim_max = old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        int r = file_write_atomic("f", data, sizeof(data), 0600, &msg);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);

        assert_int_equal(r, -EFBIG);
        assert_string_equal(msg, "f: cannot write: File too large");
        assert_content("f", "old");
        assert_n_files(1);
}

static void test_directory_make(void **state) {
        _cleanup_free_ char *msg = NULL;
        char path[100];

        assert_int_equal(directory_make("a/b/c", 0700, NULL), 0);
        assert_mode("a", 0700);
        assert_mode("a/b", 0700);
        assert_mode("a/b/c", 0700);

        assert_int_equal(chmod("a/b", 0750), 0);
        assert_int_equal(directory_make("a/b", 0700, NULL), 0);
        assert_int_equal(directory_make("a/b/d//e/", 0755, NULL), 0);
        assert_mode("a/b", 0750);
        assert_mode("a/b/d/e", 0755);

        snprintf(path, sizeof(path), "%s/x/y", folder);
        assert_int_equal(directory_make(path, 0700, NULL), 0);
        assert_mode("x/y", 0700);
        assert_int_equal(directory_make("/", 0700, NULL), 0);
        assert_int_equal(symlink("a", "link"), 0);
        assert_int_equal(directory_make("link", 0700, NULL), 0);

        put("file", "", 0600);
        assert_int_equal(directory_make("file", 0700, &msg), -ENOTDIR);
        assert_string_equal(msg, "file: is there and is no folder; move it out of the way");
        assert_int_equal(directory_make("file/sub", 0700, &msg), -ENOTDIR);
        assert_string_equal(msg, "file/sub: cannot make the folder: Not a directory");
        assert_int_equal(directory_make("", 0700, &msg), -ENOENT);
}

static void test_closep_keeps_errno(void **state) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), none = -EBADF, broken = 1 << 20;

        errno = ERANGE;
        closep(&fd);
        closep(&none);
        closep(&broken);
        assert_int_equal(errno, ERANGE);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                        IN_FOLDER(test_trusted_modes),
                        IN_FOLDER(test_trusted_folder),
                        IN_FOLDER(test_trusted_owner),
                        IN_FOLDER(test_trusted_owners_as_root),
                        IN_FOLDER(test_trusted_kinds),
                        IN_FOLDER(test_trusted_size),
                        IN_FOLDER(test_program),
                        IN_FOLDER(test_socket),
                        IN_FOLDER(test_directory_check),
                        IN_FOLDER(test_command_is_quoted),
                        IN_FOLDER(test_read_named),
                        IN_FOLDER(test_read_stdin),
                        IN_FOLDER(test_write),
                        IN_FOLDER(test_write_replaces_a_link),
                        IN_FOLDER(test_write_leaves_readers_alone),
                        IN_FOLDER(test_write_failures),
                        IN_FOLDER(test_write_cut_short),
                        IN_FOLDER(test_directory_make),
                        cmocka_unit_test(test_closep_keeps_errno),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
