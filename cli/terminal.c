/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/text.h"

#define ROWS_DEFAULT 24
#define COLUMNS_DEFAULT 80
/* Bytes at a time: no more than a terminal that takes any takes without waiting. */
#define WRITE_MAX 128

/* Those that are read, all that would end it among them; the last two are blocked alone, so that
 * the terminal can be put back and asked about from the background. */
static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM,
                SIGVTALRM, SIGPROF, SIGXCPU, SIGIO, SIGPWR, SIGTSTP, SIGCONT, SIGWINCH, SIGTTOU,
                SIGTTIN};
#define N_SIGNALS_READ (ELEMENTSOF(signals) - 2)

bool terminal_is_there(void) {
        return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static struct winsize measure(int fd) {
        struct winsize size = {0};

        (void) ioctl(fd, TIOCGWINSZ, &size);
        if (size.ws_row == 0)
                size.ws_row = ROWS_DEFAULT;
        if (size.ws_col == 0)
                size.ws_col = COLUMNS_DEFAULT;
        return size;
}

void terminal_measure(Terminal *t) {
        struct winsize size = measure(STDOUT_FILENO);

        t->rows = size.ws_row;
        t->columns = size.ws_col;
}

/* The last one stays free: a character there wraps on some. */
size_t terminal_columns(int fd) {
        return isatty(fd) ? measure(fd).ws_col - 1U : SIZE_MAX;
}

/* One that whoever started us wants ignored, as nohup does, stays so. */
static bool is_ignored(int signal) {
        struct sigaction action;

        return sigaction(signal, NULL, &action) >= 0 && action.sa_handler == SIG_IGN;
}

int terminal_open(Terminal *ret, const char *term, const char *no_color) {
        Terminal t = {.open = true};
        sigset_t blocked, read;

        sigemptyset(&blocked);
        sigemptyset(&read);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                if (is_ignored(signals[i]))
                        continue;
                sigaddset(&blocked, signals[i]);
                if (i < N_SIGNALS_READ)
                        sigaddset(&read, signals[i]);
        }
        t.signal_fd = signalfd(-1, &read, SFD_CLOEXEC | SFD_NONBLOCK);
        if (t.signal_fd < 0)
                return -errno;
        (void) sigprocmask(SIG_BLOCK, &blocked, &t.mask);
        t.dumb = !term || !*term || streq(term, "dumb") || streq(term, "unknown");
        t.styled = !t.dumb && (!no_color || !*no_color);
        terminal_measure(&t);
        *ret = t;
        return 0;
}

void terminal_close(Terminal *t) {
        if (!t->open)
                return;
        terminal_leave(t);
        /* A second Ctrl-C, or the second SIGHUP of a terminal that closes, is one with the first.
         */
        (void) terminal_take_signals(t);
        closep(&t->signal_fd);
        t->open = false;
        (void) sigprocmask(SIG_SETMASK, &t->mask, NULL);
}

bool terminal_is_foreground(void) {
        pid_t group = tcgetpgrp(STDIN_FILENO);

        /* A terminal that is not the session's own has no foreground. */
        return group < 0 || group == getpgrp();
}

int terminal_enter(Terminal *t) {
        struct termios ours;

        if (t->dumb)
                return 0;
        if (!t->entered && tcgetattr(STDIN_FILENO, &t->saved) < 0)
                return -errno;
        ours = t->saved;
        ours.c_iflag |= ICRNL;
        ours.c_oflag |= OPOST | ONLCR;
        ours.c_lflag &= ~(tcflag_t) (ICANON | ECHO | ECHONL | IEXTEN);
        ours.c_lflag |= ISIG;
        ours.c_cc[VMIN] = 1;
        ours.c_cc[VTIME] = 0;
        t->entered = true;
        return tcsetattr(STDIN_FILENO, TCSANOW, &ours) < 0 ? -errno : 0;
}

void terminal_leave(Terminal *t) {
        if (!t->entered)
                return;
        t->entered = false;
        if (!terminal_is_foreground())
                return;
        /* Not to wait until all is written: a terminal may have been told to hold its output. */
        terminal_drop_input();
        (void) tcsetattr(STDIN_FILENO, TCSANOW, &t->saved);
}

/* Whether a signal that we read waits. */
static bool signal_waits(int signal) {
        sigset_t pending;

        return sigpending(&pending) >= 0 && sigismember(&pending, signal) == 1;
}

int terminal_stop(Terminal *t, int signal) {
        sigset_t one;

        terminal_leave(t);
        sigemptyset(&one);
        sigaddset(&one, signal);
        (void) raise(signal);
        (void) sigprocmask(SIG_UNBLOCK, &one, NULL);
        /* Here it stands, until SIGCONT; or until now, when its signal is ignored or the kernel
         * knows that nobody would continue it. */
        (void) sigprocmask(SIG_BLOCK, &one, NULL);
        return terminal_is_foreground() || signal_waits(SIGCONT) ? 0 : -EIO;
}

static void take_signal(TerminalSignals *ret, uint32_t signal) {
        switch (signal) {
        case SIGTSTP:
                ret->stop = true;
                break;
        case SIGCONT:
                ret->resumed = true;
                break;
        case SIGWINCH:
                ret->resized = true;
                break;
        default:
                ret->ending = (int) signal;
        }
}

TerminalSignals terminal_take_signals(Terminal *t) {
        TerminalSignals ret = {0};
        struct signalfd_siginfo one;

        while (read(t->signal_fd, &one, sizeof(one)) == (ssize_t) sizeof(one))
                take_signal(&ret, one.ssi_signo);
        if (ret.resized || ret.resumed)
                terminal_measure(t);
        return ret;
}

/* Waits until something can be written. */
static int wait_writable(Terminal *t) {
        struct pollfd p[] = {
                        {.fd = STDOUT_FILENO, .events = POLLOUT},
                        {.fd = t->signal_fd, .events = POLLIN},
        };

        for (;;) {
                if (poll(p, ELEMENTSOF(p), -1) < 0 && errno != EINTR)
                        return -errno;
                if (p[0].revents & (POLLHUP | POLLERR | POLLNVAL))
                        return -EIO;
                if (p[0].revents & POLLOUT)
                        return 0;
                if (p[1].revents)
                        return -EINTR;
        }
}

int terminal_write(Terminal *t, const char *text, size_t len) {
        while (len > 0) {
                ssize_t n;
                int r = wait_writable(t);

                if (r < 0)
                        return r;
                n = write(STDOUT_FILENO, text, len < WRITE_MAX ? len : WRITE_MAX);
                if (n < 0 && errno != EINTR && errno != EAGAIN)
                        return -errno;
                if (n > 0) {
                        text += n;
                        len -= (size_t) n;
                }
        }
        return 0;
}

ssize_t terminal_read(void *ret, size_t size) {
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, 0) <= 0)
                return -EAGAIN;
        if (!(p.revents & POLLIN))
                return -EIO;
        n = read(STDIN_FILENO, ret, size);
        if (n < 0)
                return errno == EINTR ? -EAGAIN : -errno;
        return n;
}

void terminal_drop_input(void) {
        (void) tcflush(STDIN_FILENO, TCIFLUSH);
}
