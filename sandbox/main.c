/* SPDX-License-Identifier: Apache-2.0 */
/* factord-sandbox: an offline Verify v2 server. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/file.h"
#include "sandbox/json-build.h"
#include "sandbox/options.h"
#include "sandbox/server.h"
#include "sandbox/state-file.h"

#define EXIT_USAGE 2
#define TOKEN_FILE_MAX 4096
#define PEM_FILE_MAX ((size_t) 1024 * 1024)

/* The service's name is the issuer in the otpauth URIs of TOTP factors. */
#define SERVICE_NAME "Sandbox"

static int replace_text(char **target, const char *text) {
        char *copy = strdup(text);

        if (!copy)
                return -ENOMEM;
        secret_string_free(*target);
        *target = copy;
        return 0;
}

static int use_token(State *s, const Options *o, char **reterr_msg) {
        _cleanup_(secret_done) Secret text = {0};
        int r;

        if (o->token)
                return replace_text(&s->auth_token, o->token);
        if (o->token_file) {
                r = file_read_named(&text, o->token_file, TOKEN_FILE_MAX, reterr_msg);
                if (r < 0)
                        return r;
                secret_chomp(&text);
                if (!auth_token_valid(secret_string(&text)))
                        return error_set(reterr_msg, -EINVAL,
                                        "%s must hold a token of printable ASCII", o->token_file);
                return replace_text(&s->auth_token, secret_string(&text));
        }
        return s->auth_token ? 0 : random_hex(16, &s->auth_token);
}

static int use_account(State *s, const Options *o) {
        int r = 0;

        if (o->account)
                memcpy(s->account_sid, o->account, sizeof(s->account_sid));
        else if (*s->account_sid == '\0')
                r = sid_new("AC", s->account_sid);
        if (r >= 0 && *s->api_key_sid == '\0')
                r = sid_new("SK", s->api_key_sid);
        if (r >= 0 && !s->api_key_secret)
                r = random_hex(16, &s->api_key_secret);
        return r;
}

/* The service that the ready line names is the one that was asked for, or the first there is. */
static int use_service(State *s, const char *sid, const Service **ret) {
        _cleanup_(service_freep) Service *service = NULL;
        int r;

        if (sid && state_service(s, sid)) {
                *ret = state_service(s, sid);
                return 0;
        }
        if (!sid && s->services.n > 0) {
                *ret = (const Service *) s->services.items[0];
                return 0;
        }
        service = calloc(1, sizeof(*service));
        if (!service)
                return -ENOMEM;
        service->friendly_name = strdup(SERVICE_NAME);
        if (!service->friendly_name)
                return -ENOMEM;
        if (sid)
                memcpy(service->record.sid, sid, sizeof(service->record.sid));
        else {
                r = sid_new("VA", service->record.sid);
                if (r < 0)
                        return r;
        }
        r = state_add_service(s, service);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(service);
        return 0;
}

static int prepare_state(
                const Options *o, State **ret, const Service **ret_service, char **reterr_msg) {
        _cleanup_(state_freep) State *s = NULL;
        int r;

        r = state_new(&s);
        if (r < 0)
                return r;
        if (o->data && access(o->data, F_OK) >= 0) {
                r = state_load(s, o->data, reterr_msg);
                if (r < 0)
                        return r;
        }
        s->rate_limits = !o->no_rate_limits;
        s->code_reuse = o->code_reuse;
        r = use_account(s, o);
        if (r >= 0)
                r = use_token(s, o, reterr_msg);
        if (r >= 0)
                r = use_service(s, o->service, ret_service);
        if (r >= 0 && o->data)
                r = state_save(s, o->data, reterr_msg);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(s);
        return 0;
}

static int read_tls(const Options *o, Secret *cert, Secret *key, char **reterr_msg) {
        int r;

        if (!o->tls_cert)
                return 0;
        r = file_read_named(cert, o->tls_cert, PEM_FILE_MAX, reterr_msg);
        return r < 0 ? r : file_read_named(key, o->tls_key, PEM_FILE_MAX, reterr_msg);
}

static int print_ready(const Server *server, const State *s, const Service *service) {
        _cleanup_json_ json_object *o = NULL;
        JsonBuilder b = {0};
        const char *text;

        json_build_bool(&b, "ready", true);
        json_build_int(&b, "port", server_port(server));
        json_build_string(&b, "url", server_url(server));
        json_build_string(&b, "account_sid", s->account_sid);
        json_build_string(&b, "auth_token", s->auth_token);
        json_build_string(&b, "service_sid", service->record.sid);
        json_build_string(&b, "api_key_sid", s->api_key_sid);
        json_build_string(&b, "api_key_secret", s->api_key_secret);
        o = json_build_end(&b);
        text = o ? json_object_to_json_string_ext(
                                   o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                 : NULL;
        if (!text)
                return -ENOMEM;
        if (printf("%s\n", text) < 0 || fflush(stdout) != 0)
                return -errno;
        return 0;
}

static int watch_signals(int *ret_fd) {
        sigset_t set;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return -errno;
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return -errno;
        if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
                return -errno;
        *ret_fd = fd;
        return 0;
}

/* Load tests open many connections. */
static void raise_file_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const Options *o, char **reterr_msg) {
        _cleanup_(secret_done) Secret cert = {0}, key = {0};
        _cleanup_(state_freep) State *state = NULL;
        _cleanup_(server_freep) Server *server = NULL;
        _cleanup_close_ int signal_fd = -EBADF;
        const Service *service;
        int r;

        r = watch_signals(&signal_fd);
        if (r < 0)
                return r;
        raise_file_limit();
        r = prepare_state(o, &state, &service, reterr_msg);
        if (r < 0)
                return r;
        r = read_tls(o, &cert, &key, reterr_msg);
        if (r < 0)
                return r;
        const ServerConfig config = {
                        .address = o->listen,
                        .port = o->port,
                        .tls_cert = o->tls_cert ? secret_string(&cert) : NULL,
                        .tls_key = o->tls_cert ? secret_string(&key) : NULL,
                        .verbose = o->verbose,
        };
        r = server_new(&server, &config, state, o->data, reterr_msg);
        if (r < 0)
                return r;
        r = print_ready(server, state, service);
        if (r < 0)
                return r;
        return server_run(server, signal_fd);
}

int main(int argc, char **argv) {
        _cleanup_free_ char *message = NULL;
        Options options;
        int r;

        r = options_parse(argc, argv, &options, &message);
        if (r < 0) {
                fprintf(stderr, "factord-sandbox: %s\n", error_text(message, r));
                return EXIT_USAGE;
        }
        if (options.help || options.version) {
                if (options.help)
                        fputs(options_help, stdout);
                else
                        puts("factord-sandbox " FACTORD_VERSION);
                return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        }
        r = run(&options, &message);
        if (r < 0) {
                fprintf(stderr, "factord-sandbox: %s\n", error_text(message, r));
                return EXIT_FAILURE;
        }
        return EXIT_SUCCESS;
}
