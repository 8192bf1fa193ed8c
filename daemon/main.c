/* SPDX-License-Identifier: Apache-2.0 */
/* factord: the daemon. */

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "daemon/configuration.h"
#include "daemon/exit.h"
#include "daemon/manager.h"
#include "daemon/policy-files.h"
#include "daemon/reload.h"
#include "log/log.h"

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
                "  --check            check the configuration and the rules, and end\n"
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

static uint64_t now_monotonic(void) {
        struct timespec ts = {0};

        (void) clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
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

/* Where this process finds its configuration, as long as it runs. */
typedef struct Origin {
        ConfigSource source;
        char *config_home, *state_home, *directory;
} Origin;

static void origin_done(Origin *o) {
        free(o->config_home);
        free(o->state_home);
        free(o->directory);
}

static void find_origin(Origin *ret, const Options *o) {
        *ret = (Origin){
                        .config_home = base_directory("XDG_CONFIG_HOME", ".config"),
                        .state_home = base_directory("XDG_STATE_HOME", ".local/state"),
        };
        if (o->system)
                ret->directory = strdup("/etc/factord");
        else if (ret->config_home && asprintf(&ret->directory, "%s/factord", ret->config_home) < 0)
                ret->directory = NULL;
        ret->source = (ConfigSource){
                        .system = o->system,
                        .path = o->config,
                        .config_directory = ret->directory,
                        .runtime_directory = getenv("XDG_RUNTIME_DIR"),
                        .state_home = ret->state_home,
                        .owner = geteuid(),
        };
}

static int load_configuration(const ConfigSource *source, Config **ret, ErrorList *warnings) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        int r;

        r = configuration_load(ret, source, &errors, warnings);
        say_all(LOG_ERR, &errors);
        say_all(LOG_WARNING, warnings);
        if (r < 0 && errors.n == 0)
                log_error("Cannot read the configuration: %s", strerror(-r));
        return r;
}

/* Rules, too: with faults in them a daemon starts, and none is in force. */
static int check_policy(const Config *c) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(policy_freep) Policy *p = NULL;
        int r;

        r = policy_files_load(&p, c->policy_directory, geteuid(), c->system, &errors);
        say_all(LOG_ERR, &errors);
        if (r < 0 && errors.n == 0)
                log_error("Cannot read the rules: %s", strerror(-r));
        if (r < 0)
                return EXIT_CONFIGURATION;
        puts("The configuration is good");
        return EXIT_SUCCESS;
}

/* A socket that the service manager listens on for us, or -1. */
static int passed_socket(void) {
        int n = sd_listen_fds(true);

        return n >= 1 ? SD_LISTEN_FDS_START : -1;
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(s), 0);
}

/* The service manager has to know from when on what it reads is new. */
static int on_hangup(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        Manager **m = userdata;

        if (!*m)
                return 0;
        (void) sd_notifyf(false, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, now_monotonic());
        reload(*m, NULL, NULL, NULL);
        (void) sd_notify(false, "READY=1");
        return 0;
}

static int run(Config *config, const ConfigSource *source, const ErrorList *warnings) {
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
                r = sd_event_add_signal(event, NULL, SIGHUP, on_hangup, &m);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        ManagerOptions options = {
                        .config = config,
                        .source = source,
                        .listen_fd = passed_socket(),
                        .warnings = warnings,
        };
        if (r >= 0)
                r = manager_new(&m, event, &options, &exit_status, &why);
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
        _cleanup_(origin_done) Origin origin = {0};
        int r;

        harden();
        log_open("factord", LOG_INFO);
        r = parse_options(argc, argv, &o);
        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open("factord", o.log_priority);
        find_origin(&origin, &o);
        r = load_configuration(&origin.source, &config, &warnings);
        if (r < 0)
                return EXIT_CONFIGURATION;
        if (o.check)
                return check_policy(config);
        block_signals();
        return run(config, &origin.source, &warnings);
}
