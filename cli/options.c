/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

const OptionSpec option_specs[_OPTION_MAX] = {
                [OPTION_HELP] = {"help", NULL, "Show this and end"},
                [OPTION_VERSION] = {"version", NULL, "Show the version and end"},
                [OPTION_JSON] = {"json", NULL, "Print one JSON document (watch, log: one a line)"},
                [OPTION_TIMEOUT] = {"timeout", "SPAN", "Give up after this time (5s, 2min)"},
                [OPTION_SYSTEM] = {"system", NULL, "Talk to the system's daemon"},
                [OPTION_USER] = {"user", NULL, "Talk to the user's own daemon"},
                [OPTION_SOCKET] = {"socket", "PATH", "Talk to the daemon on this socket"},
                [OPTION_ACCESS_TOKEN_FILE] = {"access-token-file", "FILE|-",
                                "The access token to enrol with"},
                [OPTION_ACCOUNT] = {"account", "NAME",
                                "An [Account] of the daemon's configuration"},
                [OPTION_ALGORITHM] = {"algorithm", "NAME", "sha1, sha256 or sha512"},
                [OPTION_AUTH_PAYLOAD_FILE] = {"auth-payload-file", "FILE|-",
                                "The payload or code to send along"},
                [OPTION_CHALLENGE] = {"challenge", "SID", "The challenge that it is about"},
                [OPTION_CONFIRM] = {"confirm", "TEXT", "What the approval wants typed"},
                [OPTION_DIGEST] = {"digest", "HEX", "Decide only what was shown with this digest"},
                [OPTION_DIGITS] = {"digits", "N", "Digits of a code, 3 to 8"},
                [OPTION_EVENT] = {"event", "WORD", "Only these: decision, outcome, refused, …"},
                [OPTION_EXPIRES] = {"expires", "TIME",
                                "A date (RFC 3339) or a span from now (10min)"},
                [OPTION_FACTOR] = {"factor", "NAME", "The factor that it is about"},
                [OPTION_FACTOR_SID] = {"factor-sid", "YF…", "The factor's SID at the provider"},
                [OPTION_FIELD] = {"field", "LABEL=VALUE", "A detail that is shown; may come often"},
                [OPTION_FOLLOW] = {"follow", NULL, "Go on with what comes"},
                [OPTION_FRIENDLY_NAME] = {"friendly-name", "TEXT",
                                "The name that the provider keeps"},
                [OPTION_HIDDEN_DETAILS] = {"hidden-details", "JSON", "Details that are not shown"},
                [OPTION_IDENTITY] = {"identity", "ID", "The identity at the provider"},
                [OPTION_LINES] = {"lines", "N", "Only the newest so many; -n for short"},
                [OPTION_LINK] = {"link", "YF…",
                                "The Verify factor that the imported secret belongs to"},
                [OPTION_LOCAL] = {"local", NULL, "Forget it here alone, the provider keeps it"},
                [OPTION_MATCH_FIELD] = {"match-field", "LABEL",
                                "Approving wants this detail's value typed"},
                [OPTION_MESSAGE] = {"message", "TEXT",
                                "What the person is asked; expect: a glob over all of it"},
                [OPTION_METADATA] = {"metadata", "JSON", "Metadata to send along"},
                [OPTION_NAME] = {"name", "NAME", "The factor's name here"},
                [OPTION_NEXT] = {"next", NULL, "The code after the present one"},
                [OPTION_NO_MATCH_FIELD] = {"no-match-field", NULL,
                                "Approving wants no detail's value typed"},
                [OPTION_ORDER] = {"order", "asc|desc", "By the date of creation"},
                [OPTION_OWNER] = {"owner", "USER", "Who may use it (default: you)"},
                [OPTION_PAGE] = {"page", "N", "The page's number, from 0"},
                [OPTION_PAGE_SIZE] = {"page-size", "N", "Challenges on a page"},
                [OPTION_PAGE_TOKEN] = {"page-token", "TOKEN", "The page's token"},
                [OPTION_PERIOD] = {"period", "SECONDS", "How long a code is valid, 20 to 60"},
                [OPTION_POLICY] = {"policy", "PATH",
                                "A file or folder of rules (default: the configured folder)"},
                [OPTION_SERVICE] = {"service", "VA…", "The Verify service"},
                [OPTION_SINCE] = {"since", "N|TIME|SPAN",
                                "watch: what changed after this sequence number; log: from this "
                                "time on, or for so long"},
                [OPTION_STATUS] = {"status", "WORD", "pending, approved, denied or expired"},
                [OPTION_STRICT_CLOCK] = {"strict-clock", NULL,
                                "Fail (9) when this machine's clock is wrong"},
                [OPTION_TTL] = {"ttl", "SPAN", "How long the token is good for"},
                [OPTION_VERIFY] = {"verify", NULL, "Check that nothing was changed"},
                [OPTION_WAIT] = {"wait", NULL,
                                "Wait for the next code when this one is about to end"},
                [OPTION_WITHIN] = {"within", "SPAN",
                                "How long the ticket is good for, 10min at most (60s)"},
};

/* Values that getopt_long() returns for ours: beyond any character. */
#define FIRST_VALUE 256
/* And for what is no option. */
#define WORD 1

/* The options that have a letter. */
static Option option_of(int c) {
        return c == 'h' ? OPTION_HELP : c == 'n' ? OPTION_LINES : (Option) (c - FIRST_VALUE);
}

static void fill_long_options(struct option ret[static _OPTION_MAX + 1]) {
        for (int i = 0; i < _OPTION_MAX; i++)
                ret[i] = (struct option){
                                .name = option_specs[i].name,
                                .has_arg = option_specs[i].argument ? required_argument
                                                                    : no_argument,
                                .val = FIRST_VALUE + i,
                };
        ret[_OPTION_MAX] = (struct option){0};
}

static int take_option(Arguments *a, Option o, const char *value, char **reterr_msg) {
        if (o == OPTION_FIELD)
                a->fields[a->n_fields++] = value;
        else if (argument_given(a, o) && option_specs[o].argument)
                return error_set(reterr_msg, -EINVAL, "--%s is given twice", option_specs[o].name);
        a->values[o] = value ? value : "";
        a->given |= OPTION_BIT(o);
        return 0;
}

/* One of getopt_long()'s answers. */
static int take(Arguments *a, int c, char *const argv[], char **reterr_msg) {
        if (c == ':')
                return error_set(reterr_msg, -EINVAL, "%s wants a value", argv[optind - 1]);
        if (c == '?')
                return error_set(reterr_msg, -EINVAL, "unknown option %s: see factorctl --help",
                                argv[optind - 1]);
        if (c != WORD)
                return take_option(a, option_of(c), optarg, reterr_msg);
        a->words[a->n_words++] = optarg;
        return 0;
}

int arguments_parse(Arguments *ret, int argc, char *argv[], char **reterr_msg) {
        _cleanup_(arguments_done) Arguments a = {0};
        struct option long_options[_OPTION_MAX + 1];
        const char *last = NULL;
        int c, r;

        a.fields = calloc((size_t) argc + 1, sizeof(*a.fields));
        a.words = a.array = calloc((size_t) argc + 1, sizeof(*a.array));
        if (!a.fields || !a.array)
                return error_set(reterr_msg, -ENOMEM, "out of memory");
        fill_long_options(long_options);
        opterr = 0;
        optind = 0;
        /* Words come as they stand, so that it shows where "--" is, if it is no option's value. */
        while ((c = getopt_long(argc, argv, "-:hn:", long_options, NULL)) >= 0) {
                r = take(&a, c, argv, reterr_msg);
                if (r < 0)
                        return r;
                last = optarg;
        }
        a.divided = optind > 1 && argv[optind - 1] != last && strcmp(argv[optind - 1], "--") == 0;
        a.n_after = (size_t) (argc - optind);
        for (; optind < argc; optind++)
                a.words[a.n_words++] = argv[optind];
        *ret = a;
        a = (Arguments){0};
        return 0;
}

void arguments_done(Arguments *a) {
        free(a->fields);
        free(a->array);
        *a = (Arguments){0};
}

int integer_parse(const char *text, int64_t *ret) {
        long long value;
        char *end;

        errno = 0;
        value = strtoll(text, &end, 10);
        if (errno != 0 || *end || !strchr("0123456789", *text) || !*text)
                return -EINVAL;
        *ret = value;
        return 0;
}

int argument_integer(const Arguments *a, Option o, int64_t *ret, char **reterr_msg) {
        const char *text = a->values[o];

        if (integer_parse(text, ret) < 0)
                return error_set(reterr_msg, -EINVAL, "--%s wants a whole number, not \"%s\"",
                                option_specs[o].name, text);
        return 0;
}

int argument_span(const Arguments *a, Option o, usec_t *ret, char **reterr_msg) {
        if (timespan_parse(a->values[o], ret) < 0)
                return error_set(reterr_msg, -EINVAL,
                                "--%s wants a span like 30s or 5min, not \"%s\"",
                                option_specs[o].name, a->values[o]);
        return 0;
}
