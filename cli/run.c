/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

static void fill_set(sigset_t *ret) {
        (void) sigemptyset(ret);
        for (size_t i = 0; i < ELEMENTSOF(passed_on); i++)
                (void) sigaddset(ret, passed_on[i]);
        (void) sigaddset(ret, SIGCHLD);
}

/* mask: the signals that it starts with blocked. */
static int spawn(char *const argv[], const sigset_t *mask, pid_t *ret) {
        posix_spawnattr_t attributes;
        int r;

        r = posix_spawnattr_init(&attributes);
        if (r != 0)
                return -r;
        r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        if (r == 0)
                r = posix_spawnattr_setsigmask(&attributes, mask);
        if (r == 0)
                r = posix_spawnp(ret, argv[0], NULL, &attributes, argv, environ);
        (void) posix_spawnattr_destroy(&attributes);
        return -r;
}

/* What the kernel sends on behalf of the terminal went to the whole process group. */
static bool is_for_us_alone(const siginfo_t *s) {
        return s->si_code <= 0;
}

/* Waits until it has ended, and passes on what comes meanwhile. It may stop and go on as it likes:
 * who stops the process group stops us, too. */
static int wait_for_end(pid_t pid, const sigset_t *set) {
        for (;;) {
                siginfo_t s = {0};
                int status;

                if (sigwaitinfo(set, &s) < 0)
                        continue;
                if (s.si_signo != SIGCHLD) {
                        if (is_for_us_alone(&s))
                                (void) kill(pid, s.si_signo);
                        continue;
                }
                if (waitpid(pid, &status, WNOHANG) != pid)
                        continue;
                return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
        }
}

int run_program(char *const argv[], int *ret_status) {
        sigset_t set, before;
        pid_t pid;
        int r;

        fill_set(&set);
        /* Where it is ignored nobody is told of a child's end. */
        (void) signal(SIGCHLD, SIG_DFL);
        (void) sigprocmask(SIG_BLOCK, &set, &before);
        r = spawn(argv, &before, &pid);
        if (r < 0) {
                *ret_status = r == -ENOENT ? EXIT_NO_PROGRAM : EXIT_CANNOT_RUN;
                return r;
        }
        *ret_status = wait_for_end(pid, &set);
        return 0;
}
