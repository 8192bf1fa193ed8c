#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Child: a program that is run beside the event loop, in a process group of its own, with nothing
 * of ours but what it is given. */

#include <systemd/sd-event.h>

#include "base/secret.h"
#include "base/time.h"

#define CHILD_TERM_TIMEOUT (2 * USEC_PER_SEC) /* from SIGTERM to SIGKILL */

typedef struct Child Child;

/* How it ended. */
typedef struct ChildEnd {
        bool exited; /* by itself, with status; else by a signal */
        int status;
        bool flooded;         /* it wrote more than it may, and was killed for that */
        const Secret *output; /* what it wrote; borrowed */
} ChildEnd;

typedef struct ChildOptions {
        const char *path;
        char *const *argv; /* argv[0] included */
        char *const *envp;
        const void *input; /* what it reads on standard input; borrowed; NULL: nothing */
        size_t input_len;
        size_t output_max; /* bytes */
        /* Called once, from the event loop, when it has ended: its group has been killed by then.
         * It may free the child. */
        void (*ended)(Child *c, const ChildEnd *end, void *userdata);
        void *userdata;
} ChildOptions;

/* Starts it: standard input (without any) and error are /dev/null, standard output is kept, no
 * other descriptor is open; signals are as at a login. SIGCHLD has to be blocked. Returns 0 or
 * -errno. */
int child_new(Child **ret, sd_event *event, const ChildOptions *options);
/* Asks the group to end, and makes it after a while. ended is called all the same. */
void child_stop(Child *c);
/* Kills the group at once. ended is called all the same. */
void child_kill(Child *c);
/* Kills the group when it has not ended; ended is then not called, and the kernel keeps what is
 * left of it until this process ends, too. Takes NULL, returns NULL. */
Child *child_free(Child *c);
DEFINE_CLEANUP(Child *, child_free);
