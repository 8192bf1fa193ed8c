/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_ACCURACY (50 * USEC_PER_MSEC)

struct Child {
        sd_event *event;
        pid_t pid; /* and the group's; 0 when it has ended */
        int fd;    /* what it writes comes out here */
        size_t output_max;
        Secret output;
        bool flooded;
        void (*ended)(Child *c, const ChildEnd *end, void *userdata);
        void *userdata;
        sd_event_source *exit, *io, *kill;
};

/* Its number is its group's as long as it has not been waited for, so that no other group is hit.
 */
static void child_signal(const Child *c, int signal) {
        if (c->pid > 0)
                (void) kill(-c->pid, signal);
}

static void child_flood(Child *c) {
        c->flooded = true;
        c->io = sd_event_source_disable_unref(c->io);
        child_signal(c, SIGKILL);
}

/* Takes what is there. Returns false when nothing more will come. */
static bool child_read(Child *c) {
        char buffer[1024];
        ssize_t n;

        while ((n = read(c->fd, buffer, sizeof(buffer))) > 0) {
                bool fits = (size_t) n <= c->output_max - c->output.len &&
                            secret_append(&c->output, buffer, (size_t) n) == 0;
                secret_wipe(buffer, sizeof(buffer));
                if (!fits) {
                        child_flood(c);
                        return false;
                }
        }
        return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static int child_on_output(sd_event_source *s, int fd, uint32_t events, void *userdata) {
        Child *c = userdata;

        if (!child_read(c))
                c->io = sd_event_source_disable_unref(c->io);
        return 0;
}

static int child_on_exit(sd_event_source *s, const siginfo_t *si, void *userdata) {
        Child *c = userdata;

        /* It is not waited for before this returns: the group is still its own. */
        child_signal(c, SIGKILL);
        c->pid = 0;
        if (!c->flooded)
                (void) child_read(c);
        c->io = sd_event_source_disable_unref(c->io);
        c->kill = sd_event_source_disable_unref(c->kill);
        ChildEnd end = {
                        .exited = si->si_code == CLD_EXITED,
                        .status = si->si_status,
                        .flooded = c->flooded,
                        .output = &c->output,
        };
        c->ended(c, &end, c->userdata);
        return 0;
}

static int child_on_kill(sd_event_source *s, uint64_t usec, void *userdata) {
        child_signal(userdata, SIGKILL);
        return 0;
}

void child_stop(Child *c) {
        if (c->pid == 0 || c->kill)
                return;
        child_signal(c, SIGTERM);
        if (sd_event_add_time_relative(c->event, &c->kill, CLOCK_BOOTTIME, CHILD_TERM_TIMEOUT,
                            CHILD_ACCURACY, child_on_kill, c) < 0)
                child_signal(c, SIGKILL);
}

void child_kill(Child *c) {
        child_signal(c, SIGKILL);
}

static int child_set_attributes(posix_spawnattr_t *attributes) {
        sigset_t none, all;
        int r;

        sigemptyset(&none);
        sigfillset(&all);
        r = posix_spawnattr_setsigmask(attributes, &none);
        if (r == 0)
                r = posix_spawnattr_setsigdefault(attributes, &all);
        if (r == 0)
                r = posix_spawnattr_setpgroup(attributes, 0);
        if (r == 0)
                r = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
                                                                         POSIX_SPAWN_SETSIGDEF |
                                                                         POSIX_SPAWN_SETPGROUP);
        return -r;
}

/* Not all of the libraries' descriptors are closed by exec (libcurl wakes itself over a socket pair
 * that is not), so that everything else is closed here. */
static int child_set_descriptors(posix_spawn_file_actions_t *actions, int input, int output) {
        int r;

        r = posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
        if (r == 0 && input >= 0)
                r = posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
        else if (r == 0)
                r = posix_spawn_file_actions_addopen(
                                actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(
                                actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
        return -r;
}

/* A file in memory, sealed: nobody has to wait until it is read, and it can't be changed. */
static int child_make_input(const ChildOptions *o) {
        _cleanup_close_ int fd = -EBADF;

        fd = memfd_create("factord-input", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (fd < 0)
                return -errno;
        for (size_t done = 0; done < o->input_len;) {
                ssize_t n = write(fd, (const char *) o->input + done, o->input_len - done);
                if (n < 0)
                        return -errno;
                done += (size_t) n;
        }
        if (lseek(fd, 0, SEEK_SET) < 0 ||
                        fcntl(fd, F_ADD_SEALS,
                                        F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) <
                                        0)
                return -errno;
        return TAKE_FD(fd);
}

static int child_spawn(Child *c, const ChildOptions *o, int input, int output) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        int r;

        r = -posix_spawn_file_actions_init(&actions);
        if (r < 0)
                return r;
        r = -posix_spawnattr_init(&attributes);
        if (r < 0) {
                (void) posix_spawn_file_actions_destroy(&actions);
                return r;
        }
        r = child_set_descriptors(&actions, input, output);
        if (r >= 0)
                r = child_set_attributes(&attributes);
        if (r >= 0)
                r = -posix_spawn(&c->pid, o->path, &actions, &attributes, o->argv, o->envp);
        if (r < 0)
                c->pid = 0;
        (void) posix_spawnattr_destroy(&attributes);
        (void) posix_spawn_file_actions_destroy(&actions);
        return r;
}

/* Of one that can't be watched nothing may remain. */
static void child_abandon(Child *c) {
        child_signal(c, SIGKILL);
        if (c->pid > 0)
                (void) waitpid(c->pid, NULL, 0);
        c->pid = 0;
}

static int child_start(Child *c, const ChildOptions *o) {
        _cleanup_close_ int input = -EBADF, output = -EBADF;
        int fds[2], r;

        if (o->input) {
                input = child_make_input(o);
                if (input < 0)
                        return input;
        }
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        c->fd = fds[0];
        output = fds[1];
        if (fcntl(c->fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        r = sd_event_add_io(c->event, &c->io, c->fd, EPOLLIN, child_on_output, c);
        if (r < 0)
                return r;
        r = child_spawn(c, o, input, output);
        if (r < 0)
                return r;
        r = sd_event_add_child(c->event, &c->exit, c->pid, WEXITED, child_on_exit, c);
        if (r < 0)
                child_abandon(c);
        return r;
}

int child_new(Child **ret, sd_event *event, const ChildOptions *options) {
        _cleanup_(child_freep) Child *c = calloc(1, sizeof(Child));
        int r;

        if (!c)
                return -ENOMEM;
        c->event = sd_event_ref(event);
        c->fd = -EBADF;
        c->output_max = options->output_max;
        c->ended = options->ended;
        c->userdata = options->userdata;
        r = child_start(c, options);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}

Child *child_free(Child *c) {
        if (!c)
                return NULL;
        child_signal(c, SIGKILL);
        sd_event_source_disable_unref(c->exit);
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->kill);
        closep(&c->fd);
        secret_done(&c->output);
        sd_event_unref(c->event);
        free(c);
        return NULL;
}
