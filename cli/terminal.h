#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal on stdin and stdout: its mode, its size, and the signals of whoever sits there.
 *
 * The signals are blocked and read from a descriptor, so that nothing runs in a handler and none
 * can come between the terminal's mode and its restoration. */

#include <signal.h>
#include <termios.h>

#include "base/macros.h"

#define EXIT_SIGNALLED 128 /* and the signal's number */

typedef struct Terminal {
        bool open;
        struct termios saved; /* what it was before we came */
        sigset_t mask;        /* likewise */
        int signal_fd;
        bool entered; /* its mode is ours */
        bool dumb;    /* lines and nothing else: no cursor movement, no mode of ours */
        bool styled;  /* bold type may be used */
        unsigned rows;
        unsigned columns;
} Terminal;

/* What signals said since the last time. */
typedef struct TerminalSignals {
        int ending; /* a signal that ends the program, or 0 */
        bool stop;  /* Ctrl-Z */
        bool resumed;
        bool resized;
} TerminalSignals;

/* Whether both stdin and stdout are terminals. */
bool terminal_is_there(void);
/* Takes over the signals and measures; the mode stays. term, no_color: of the environment, or NULL.
 * Returns 0 or -errno. */
int terminal_open(Terminal *ret, const char *term, const char *no_color);
/* Puts everything back. Takes one that is zero-initialised or closed. */
void terminal_close(Terminal *t);

/* Sets our mode: no echo, byte by byte; Ctrl-C and the like stay signals. Whoever is not in the
 * foreground has to terminal_stop() first. Nothing to do on a dumb terminal. Returns 0 or -errno.
 */
int terminal_enter(Terminal *t);
/* Puts the mode back, in the foreground only: in the background it is another's. */
void terminal_leave(Terminal *t);
bool terminal_is_foreground(void);
/* Leaves, and stops this process as that signal does. Returns once it goes on: the signals say the
 * rest. -EIO: in the background, and nobody can bring it to the front again. */
int terminal_stop(Terminal *t, int signal);
void terminal_measure(Terminal *t);
/* The columns of a row there; SIZE_MAX when it is no terminal. */
size_t terminal_columns(int fd);

/* Reads what signals there are, without waiting. */
TerminalSignals terminal_take_signals(Terminal *t);
/* Writes all. Returns 0; -EINTR when it can't be written at present and a signal waits to be taken
 * (what is left is not written); -errno when the terminal is gone. */
int terminal_write(Terminal *t, const char *text, size_t len);
/* Reads what was typed, without waiting. Returns bytes, 0 for the end of input (Ctrl-D in lines,
 * or a terminal that is gone), -EAGAIN when there is nothing, or -errno. */
ssize_t terminal_read(void *ret, size_t size);
/* Drops what was typed and not read. */
void terminal_drop_input(void);
