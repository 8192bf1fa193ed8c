/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "cli/output.h"

static void pad(const char *text, size_t width) {
        size_t columns = text_columns(text);

        printf("%s%*s", text, columns < width ? (int) (width - columns) : 1, "");
}

static void help_options(uint64_t options) {
        for (size_t i = 0; i < _OPTION_MAX; i++) {
                const OptionSpec *o = &option_specs[i];
                char left[64];

                if (!(options & OPTION_BIT(i)))
                        continue;
                snprintf(left, sizeof(left), "  --%s%s%s", o->name, o->argument ? " " : "",
                                o->argument ? o->argument : "");
                pad(left, 30);
                printf("%s\n", o->help);
        }
}

static void help_verbs(const char *group) {
        for (size_t i = 0; i < n_commands; i++) {
                const Command *c = &commands[i];
                char left[64];

                if (group && (strncmp(c->name, group, strlen(group)) != 0 ||
                                             c->name[strlen(group)] != ' '))
                        continue;
                snprintf(left, sizeof(left), "  %s %s", c->name, c->arguments);
                pad(left, 30);
                printf("%s\n", c->help);
        }
}

int help_all(void) {
        printf("factorctl [OPTION…] VERB [ARGUMENT…]\n\n"
               "Talk to factord, the authenticator for Twilio Verify.\n\nVerbs:\n");
        help_verbs(NULL);
        printf("\nOptions of all verbs (factorctl VERB --help shows a verb's own):\n");
        help_options(OPTIONS_COMMON);
        return 0;
}

int help_group(const char *group) {
        printf("factorctl %s VERB [ARGUMENT…] [OPTION…]\n\nVerbs:\n", group);
        help_verbs(group);
        return 0;
}

/* What the one line does not say. */
static const char watch_text[] =
                "On a terminal one challenge at a time is shown, and a whole word is asked for:\n"
                "approve, deny, ignore, skip, quit or help. With --json or --since, or where\n"
                "stdin or stdout is no terminal, each change is printed, a line each; --since\n"
                "goes on after the sequence number of the last one that was seen.\n\n"
                "When --timeout is over it ends with 124, or with 0 if it was used to decide\n"
                "something.\n";

int help_command(const Command *c) {
        printf("factorctl %s%s%s [OPTION…]\n\n%s.\n", c->name, *c->arguments ? " " : "",
                        c->arguments, c->help);
        if (c->run == run_watch)
                printf("\n%s", watch_text);
        if (c->options) {
                printf("\nOptions:\n");
                help_options(c->options);
        }
        printf("\nOptions of all verbs:\n");
        help_options(OPTIONS_COMMON);
        return 0;
}
