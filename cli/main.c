/* SPDX-License-Identifier: Apache-2.0 */
/* factorctl: the command line of factord. */

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"

static int run(const Command *c, const Arguments *a) {
        _cleanup_(session_done) Session s = {0};
        int r;

        r = command_check(c, a);
        if (r == 0)
                r = session_init(&s, a);
        return r == 0 ? c->run(&s, a) : r;
}

static int dispatch(const Arguments *a) {
        Arguments rest = *a;
        const Command *c;
        size_t n = 0;
        int r;

        if (argument_given(a, OPTION_VERSION)) {
                printf("factorctl %s\n", FACTORD_VERSION);
                return 0;
        }
        if (a->n_words == 0 && argument_given(a, OPTION_HELP))
                return help_all();
        if (a->n_words == 0)
                return complain(EXIT_USAGE, "a verb is missing: see factorctl --help");
        r = command_find(&c, &n, a);
        if (r != 0)
                return r;
        if (!c)
                return help_group(a->words[0]);
        if (argument_given(a, OPTION_HELP))
                return help_command(c);
        rest.words += n;
        rest.n_words -= n;
        return run(c, &rest);
}

int main(int argc, char *argv[]) {
        _cleanup_(arguments_done) Arguments a = {0};
        _cleanup_free_ char *msg = NULL;
        int r;

        /* For the width of characters alone: messages and numbers are the same everywhere. */
        (void) setlocale(LC_CTYPE, "C.UTF-8");
        r = arguments_parse(&a, argc, argv, &msg);
        if (r < 0)
                return complain(EXIT_USAGE, "%s", error_text(msg, r));
        r = dispatch(&a);
        if (fflush(stdout) != 0 && r == 0)
                r = complain(EXIT_FAILURE, "cannot write: %s", strerror(errno));
        return r;
}
