#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The command line. */

#include "base/error.h"

typedef struct Options {
        bool help;
        bool version;
        bool verbose;
        bool no_rate_limits;
        bool code_reuse;
        int port; /* -1: not given */
        const char *listen;
        const char *account; /* borrowed from argv, as are all; NULL: not given */
        const char *token;
        const char *token_file;
        const char *service;
        const char *data;
        const char *tls_cert;
        const char *tls_key;
} Options;

/* Reads the command line. Returns 0 or -EINVAL with a message. */
int options_parse(int argc, char **argv, Options *ret, char **reterr_msg);
/* An auth token goes into HTTP Basic and JSON: printable ASCII, not empty. */
bool auth_token_valid(const char *token);
/* The text of --help. */
extern const char options_help[];
