/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/text.h"

const char options_help[] =
                "factord-sandbox --port N [OPTION…]\n"
                "\n"
                "An offline Verify v2 server: Entities, Factors, Challenges, AccessTokens and\n"
                "Notifications, for demos, tests and development without an account. When it is\n"
                "ready, one line of JSON on stdout says where it listens and its credentials;\n"
                "those that are not given are made up.\n"
                "\n"
                "  --port N            TCP port; 0 takes a free one\n"
                "  --listen ADDRESS    address to listen on (127.0.0.1)\n"
                "  --account AC…       account SID\n"
                "  --token TOKEN       the account's auth token\n"
                "  --token-file FILE   reads it from a file instead\n"
                "  --service VA…       service SID\n"
                "  --data FILE         keeps the state in FILE, and goes on with what it holds\n"
                "  --tls-cert FILE     serves HTTPS with this certificate chain (PEM),\n"
                "  --tls-key FILE      and this private key (PEM)\n"
                "  --no-rate-limits    leaves out the limits on how fast things are created\n"
                "  --allow-code-reuse  accepts a TOTP code that was accepted before\n"
                "  --verbose           a line on stderr for each request\n"
                "  --version           shows the version\n"
                "  --help              shows this text\n"
                "\n"
                "Simulator calls (JSON, from loopback addresses only, without credentials):\n"
                "  POST /sandbox/clock           {\"offset\":SECONDS}\n"
                "  POST /sandbox/faults          {\"match\":\"METHOD PATH-REGEX\",\"times\":N,\n"
                "                                 \"status\":N,\"headers\":{NAME:VALUE|null},\n"
                "                                 \"body\":TEXT,\"delay_ms\":N,\n"
                "                                 \"cut\":\"before\"|\"after\"} or "
                "{\"clear\":true}\n"
                "  GET  /sandbox/faults\n"
                "  POST /sandbox/challenges/SID  {\"status\":\"approved\"|\"denied\"|\"expired\",\n"
                "                                 \"details\":{…},\"hidden_details\":{…},\n"
                "                                 \"metadata\":{…}}\n"
                "  POST /sandbox/requests        {\"clear\":true}\n"
                "  GET  /sandbox/state\n";

enum {
        OPTION_PORT = 256,
        OPTION_LISTEN,
        OPTION_ACCOUNT,
        OPTION_TOKEN,
        OPTION_TOKEN_FILE,
        OPTION_SERVICE,
        OPTION_DATA,
        OPTION_TLS_CERT,
        OPTION_TLS_KEY,
        OPTION_NO_RATE_LIMITS,
        OPTION_ALLOW_CODE_REUSE,
        OPTION_VERBOSE,
        OPTION_VERSION,
        OPTION_HELP,
};

static const struct option long_options[] = {
                {"port", required_argument, NULL, OPTION_PORT},
                {"listen", required_argument, NULL, OPTION_LISTEN},
                {"account", required_argument, NULL, OPTION_ACCOUNT},
                {"token", required_argument, NULL, OPTION_TOKEN},
                {"token-file", required_argument, NULL, OPTION_TOKEN_FILE},
                {"service", required_argument, NULL, OPTION_SERVICE},
                {"data", required_argument, NULL, OPTION_DATA},
                {"tls-cert", required_argument, NULL, OPTION_TLS_CERT},
                {"tls-key", required_argument, NULL, OPTION_TLS_KEY},
                {"no-rate-limits", no_argument, NULL, OPTION_NO_RATE_LIMITS},
                {"allow-code-reuse", no_argument, NULL, OPTION_ALLOW_CODE_REUSE},
                {"verbose", no_argument, NULL, OPTION_VERBOSE},
                {"version", no_argument, NULL, OPTION_VERSION},
                {"help", no_argument, NULL, OPTION_HELP},
                {NULL, 0, NULL, 0},
};

static int parse_port(const char *text, int *ret) {
        size_t digits = strspn(text, "0123456789");
        long port;

        if (digits == 0 || digits > 5 || text[digits] != '\0')
                return -EINVAL;
        port = strtol(text, NULL, 10);
        if (port > 65535)
                return -EINVAL;
        *ret = (int) port;
        return 0;
}

bool auth_token_valid(const char *token) {
        if (*token == '\0')
                return false;
        for (const char *p = token; *p; p++)
                if (*p <= ' ' || *p > '~')
                        return false;
        return true;
}

static int check(const Options *o, char **reterr_msg) {
        if (o->port < 0)
                return error_set(reterr_msg, -EINVAL, "--port is missing (0 takes a free port)");
        if (o->account && !sid_valid(o->account, "AC"))
                return error_set(reterr_msg, -EINVAL, "--account must be AC and 32 hex digits");
        if (o->service && !sid_valid(o->service, "VA"))
                return error_set(reterr_msg, -EINVAL, "--service must be VA and 32 hex digits");
        if (o->token && !auth_token_valid(o->token))
                return error_set(reterr_msg, -EINVAL, "--token must be printable ASCII");
        if (o->token && o->token_file)
                return error_set(reterr_msg, -EINVAL, "give --token or --token-file, not both");
        if (!o->tls_cert != !o->tls_key)
                return error_set(reterr_msg, -EINVAL, "--tls-cert and --tls-key go together");
        return 0;
}

static int parse_option(int option, Options *o, char **reterr_msg) {
        switch (option) {
        case OPTION_PORT:
                if (parse_port(optarg, &o->port) < 0)
                        return error_set(reterr_msg, -EINVAL,
                                        "--port must be a number from 0 to 65535");
                break;
        case OPTION_LISTEN:
                o->listen = optarg;
                break;
        case OPTION_ACCOUNT:
                o->account = optarg;
                break;
        case OPTION_TOKEN:
                o->token = optarg;
                break;
        case OPTION_TOKEN_FILE:
                o->token_file = optarg;
                break;
        case OPTION_SERVICE:
                o->service = optarg;
                break;
        case OPTION_DATA:
                o->data = optarg;
                break;
        case OPTION_TLS_CERT:
                o->tls_cert = optarg;
                break;
        case OPTION_TLS_KEY:
                o->tls_key = optarg;
                break;
        case OPTION_NO_RATE_LIMITS:
                o->no_rate_limits = true;
                break;
        case OPTION_ALLOW_CODE_REUSE:
                o->code_reuse = true;
                break;
        case OPTION_VERBOSE:
                o->verbose = true;
                break;
        case OPTION_VERSION:
                o->version = true;
                break;
        case OPTION_HELP:
                o->help = true;
                break;
        default:
                return -EINVAL;
        }
        return 0;
}

int options_parse(int argc, char **argv, Options *ret, char **reterr_msg) {
        Options o = {.port = -1, .listen = "127.0.0.1"};
        int option, r;

        opterr = 0;
        while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
                const char *word = argv[optind - 1];

                if (option == ':')
                        return error_set(reterr_msg, -EINVAL, "%s needs a value", word);
                if (option == '?')
                        return error_set(reterr_msg, -EINVAL,
                                        "unknown option %s; --help lists them", word);
                r = parse_option(option, &o, reterr_msg);
                if (r < 0)
                        return r;
        }
        if (optind < argc)
                return error_set(reterr_msg, -EINVAL, "unexpected argument %s", argv[optind]);
        if (!o.help && !o.version) {
                r = check(&o, reterr_msg);
                if (r < 0)
                        return r;
        }
        *ret = o;
        return 0;
}
