#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: one table of options, and the words that are left. */

#include "base/error.h"
#include "base/time.h"

typedef enum Option {
        OPTION_HELP,
        OPTION_VERSION,
        OPTION_JSON,
        OPTION_TIMEOUT,
        OPTION_SYSTEM,
        OPTION_USER,
        OPTION_SOCKET,

        OPTION_ACCESS_TOKEN_FILE,
        OPTION_ACCOUNT,
        OPTION_ALGORITHM,
        OPTION_AUTH_PAYLOAD_FILE,
        OPTION_CHALLENGE,
        OPTION_CONFIRM,
        OPTION_DIGEST,
        OPTION_DIGITS,
        OPTION_EVENT,
        OPTION_EXPIRES,
        OPTION_FACTOR,
        OPTION_FACTOR_SID,
        OPTION_FIELD,
        OPTION_FOLLOW,
        OPTION_FRIENDLY_NAME,
        OPTION_HIDDEN_DETAILS,
        OPTION_IDENTITY,
        OPTION_LINES,
        OPTION_LINK,
        OPTION_LOCAL,
        OPTION_MATCH_FIELD,
        OPTION_MESSAGE,
        OPTION_METADATA,
        OPTION_NAME,
        OPTION_NEXT,
        OPTION_NO_MATCH_FIELD,
        OPTION_ORDER,
        OPTION_OWNER,
        OPTION_PAGE,
        OPTION_PAGE_SIZE,
        OPTION_PAGE_TOKEN,
        OPTION_PERIOD,
        OPTION_POLICY,
        OPTION_SERVICE,
        OPTION_SINCE,
        OPTION_STATUS,
        OPTION_STRICT_CLOCK,
        OPTION_TTL,
        OPTION_VERIFY,
        OPTION_WAIT,
        OPTION_WITHIN,
        _OPTION_MAX,
} Option;

#define OPTION_BIT(o) (UINT64_C(1) << (o))
/* What every verb takes. */
#define OPTIONS_COMMON (OPTION_BIT(OPTION_SOCKET + 1) - 1)

typedef struct OptionSpec {
        const char *name;     /* without the dashes */
        const char *argument; /* as help shows it; NULL: the option is a switch */
        const char *help;
} OptionSpec;

extern const OptionSpec option_specs[_OPTION_MAX];

typedef struct Arguments {
        const char *values[_OPTION_MAX]; /* NULL: not given; "" for a switch */
        uint64_t given;                  /* bits */
        const char **fields;             /* the values of --field, which may come often */
        size_t n_fields;
        char **words; /* what is no option, in order; NULL at the end */
        size_t n_words;
        char **array;   /* words, from the verb on */
        bool divided;   /* there is a "--" */
        size_t n_after; /* words that stand after it */
} Arguments;

/* Reads argv: options may stand anywhere before "--". What ret holds points into argv. Returns 0,
 * -EINVAL with a message, or -ENOMEM. */
int arguments_parse(Arguments *ret, int argc, char *argv[], char **reterr_msg);
void arguments_done(Arguments *a);

static inline bool argument_given(const Arguments *a, Option o) {
        return a->values[o] != NULL;
}

/* A whole number, 0 or more, in decimal digits alone. Returns 0 or -EINVAL. */
int integer_parse(const char *text, int64_t *ret);

/* Values of options. Each returns 0, or -EINVAL with a message that names the option. */

int argument_integer(const Arguments *a, Option o, int64_t *ret, char **reterr_msg);
int argument_span(const Arguments *a, Option o, usec_t *ret, char **reterr_msg);
