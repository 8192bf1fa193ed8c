#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Running another program in our place: its input and output, its terminal and process group are
 * ours, and so is its end. */

#include "base/macros.h"

#define EXIT_CANNOT_RUN 126
#define EXIT_NO_PROGRAM 127
#define EXIT_SIGNAL 128 /* and the signal's number */

/* Runs argv (found by PATH, ended by NULL) and waits for it. SIGHUP, SIGINT, SIGQUIT, SIGTERM,
 * SIGUSR1 and SIGUSR2 are passed on when somebody sends them here; what the terminal sends it gets
 * by itself. They stay blocked when this returns. *ret_status is the exit status that says how it
 * ended, as a shell's $?. Returns 0, or -errno when it could not be started: then *ret_status is
 * EXIT_CANNOT_RUN or EXIT_NO_PROGRAM. */
int run_program(char *const argv[], int *ret_status);
