/* SPDX-License-Identifier: Apache-2.0 */
/* factord: the daemon. */

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "daemon/exit.h"
#include "daemon/log.h"
#include "daemon/manager.h"
#include "verify/http.h"

typedef struct Options {
        bool system;
        bool check;
        const char *config;
        int log_priority;
} Options;

static const char usage[] =
                "factord [OPTION]…: holds this machine's Twilio Verify factors and answers their "
                "challenges\n"
                "\n"
                "  --system           run for the machine (the default of root)\n"
                "  --user             run for one user (the default of others)\n"
                "  --config FILE      read this file alone, in place of the search path\n"
                "  --check            check the configuration and end\n"
                "  --log-level LEVEL  error, warning, notice, info (the default) or debug\n"
                "  --version, --help\n";

/* Returns 0 to go on, 1 when done, -EINVAL. */
static int parse_options(int argc, char **argv, Options *ret) {
        static const struct option options[] = {
                        {"system", no_argument, NULL, 's'},
                        {"user", no_argument, NULL, 'u'},
                        {"config", required_argument, NULL, 'c'},
                        {"check", no_argument, NULL, 'k'},
                        {"log-level", required_argument, NULL, 'l'},
                        {"version", no_argument, NULL, 'v'},
                        {"help", no_argument, NULL, 'h'},
                        {0},
        };
        int c, mode = 0;

        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 's':
                case 'u':
                        if (mode && mode != c) {
                                log_error("--system and --user exclude each other; give one of "
                                          "them");
                                return -EINVAL;
                        }
                        mode = c;
                        ret->system = c == 's';
                        break;
                case 'c':
                        ret->config = optarg;
                        break;
                case 'k':
                        ret->check = true;
                        break;
                case 'l':
                        ret->log_priority = log_priority_from_string(optarg);
                        if (ret->log_priority < 0) {
                                log_error("%s is no log level; use error, warning, notice, info or "
                                          "debug",
                                                optarg);
                                return -EINVAL;
                        }
                        break;
                case 'v':
                        puts("factord " FACTORD_VERSION);
                        return 1;
                case 'h':
                        fputs(usage, stdout);
                        return 1;
                default:
                        return -EINVAL;
                }
        if (optind < argc) {
                log_error("%s is one word too many; see factord --help", argv[optind]);
                return -EINVAL;
        }
        return 0;
}

/* Secrets live in this process: no core dumps, no ptrace by the same user, freed memory
 * overwritten. */
static void harden(void) {
        (void) prctl(PR_SET_DUMPABLE, 0);
        (void) setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        (void) mallopt(M_PERTURB, 0xA5);
        umask(0077);
}

static void say_all(int priority, const ErrorList *list) {
        for (size_t i = 0; i < list->n; i++)
                log_write(priority, __FILE__, __LINE__, "%s", list->messages[i]);
}

/* $NAME, or $HOME with the folder that the base directory specification gives as its default. */
static char *base_directory(const char *name, const char *fallback) {
        const char *value = getenv(name), *home = getenv("HOME");
        char *path = NULL;

        if (value && value[0] == '/')
                return strdup(value);
        if (!home || asprintf(&path, "%s/%s", home, fallback) < 0)
                return NULL;
        return path;
}

/* Not by config_load(): a configuration can be checked where the file is not. */
static int check_authority(const Config *c, ErrorList *errors) {
        _cleanup_free_ char *msg = NULL;
        int r;

        if (!c->certificate_authority)
                return 0;
        r = http_check_authority(c->certificate_authority, &msg);
        if (r < 0 && error_list_add(errors, "%s", error_text(msg, r)) < 0)
                return -ENOMEM;
        return r;
}

/* Likewise. */
static int check_helper(const Config *c, ErrorList *errors) {
        _cleanup_free_ char *msg = NULL;
        int r;

        if (!c->helper)
                return 0;
        r = helper_check(c->helper, &msg);
        if (r < 0 && error_list_add(errors, "Helper: %s", error_text(msg, r)) < 0)
                return -ENOMEM;
        return r;
}

static int load_configuration(const Options *o, Config **ret, ErrorList *warnings) {
        _cleanup_free_ char *config_home = NULL, *state_home = NULL, *directory = NULL;
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(config_freep) Config *c = NULL;
        int r;

        config_home = base_directory("XDG_CONFIG_HOME", ".config");
        state_home = base_directory("XDG_STATE_HOME", ".local/state");
        if (o->system)
                directory = strdup("/etc/factord");
        else if (config_home && asprintf(&directory, "%s/factord", config_home) < 0)
                directory = NULL;
        ConfigSource source = {
                        .system = o->system,
                        .path = o->config,
                        .config_directory = directory,
                        .runtime_directory = getenv("XDG_RUNTIME_DIR"),
                        .state_home = state_home,
                        .owner = geteuid(),
        };
        r = config_load(&c, &source, &errors, warnings);
        if (r >= 0)
                r = config_load_passwords(c, getenv("CREDENTIALS_DIRECTORY"), geteuid(), &errors);
        if (r >= 0)
                r = check_authority(c, &errors);
        if (r >= 0)
                r = check_helper(c, &errors);
        say_all(LOG_ERR, &errors);
        say_all(LOG_WARNING, warnings);
        if (r < 0) {
                if (errors.n == 0)
                        log_error("Cannot read the configuration: %s", strerror(-r));
                return r;
        }
        *ret = TAKE_PTR(c);
        return 0;
}

/* A socket that the service manager listens on for us, or -1. */
static int passed_socket(void) {
        int n = sd_listen_fds(true);

        return n >= 1 ? SD_LISTEN_FDS_START : -1;
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(s), 0);
}

static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        log_notice("The configuration is read at the start; restart to apply changes");
        return 0;
}

static int run(const Config *config, const ErrorList *warnings) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(manager_freep) Manager *m = NULL;
        _cleanup_free_ char *why = NULL;
        int exit_status = EXIT_FAILURE, r;

        r = sd_event_default(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_terminate, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_terminate, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, NULL);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        if (r >= 0)
                r = manager_new(&m, event, config, passed_socket(), warnings, &exit_status, &why);
        if (r < 0) {
                log_error("%s", error_text(why, r));
                return exit_status;
        }
        manager_start(m);
        (void) sd_notify(false, "READY=1");
        log_info("Ready on %s", config->socket);
        r = sd_event_loop(event);
        (void) sd_notify(false, "STOPPING=1");
        if (r < 0)
                log_error("The event loop failed: %s", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void block_signals(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGCHLD); /* the event loop waits for children */
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv) {
        Options o = {.system = geteuid() == 0, .log_priority = LOG_INFO};
        _cleanup_(error_list_done) ErrorList warnings = {0};
        _cleanup_(config_freep) Config *config = NULL;
        int r;

        harden();
        log_open("factord", LOG_INFO);
        r = parse_options(argc, argv, &o);
        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open("factord", o.log_priority);
        r = load_configuration(&o, &config, &warnings);
        if (r < 0)
                return EXIT_CONFIGURATION;
        if (o.check) {
                puts("The configuration is good");
                return EXIT_SUCCESS;
        }
        block_signals();
        return run(config, &warnings);
}
