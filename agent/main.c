/* SPDX-License-Identifier: Apache-2.0 */
/* factor-agent: asks a person at a desktop. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#include <systemd/sd-daemon.h>

#include "agent/agent.h"
#include "base/text.h"
#include "log/log.h"

#define EXIT_USAGE 2

typedef struct Options {
        AgentOptions agent;
        int log_priority;
} Options;

static const char usage[] =
                "factor-agent [OPTION]…: shows factord's requests as desktop notifications and "
                "sends what is clicked\n"
                "\n"
                "  --user             ask the user's own daemon\n"
                "  --system           ask the system's daemon (the default: the user's if it is "
                "there)\n"
                "  --socket PATH      ask the daemon that listens there\n"
                "  --log-level LEVEL  error, warning, notice, info (the default) or debug\n"
                "  --version, --help\n";

/* One of --user, --system and --socket. */
static int choose(Options *o, bool *chosen, SocketChoice choice, const char *path) {
        if (*chosen) {
                log_error("Choose one of --user, --system and --socket");
                return -EINVAL;
        }
        if (path && !utf8_valid(path, strlen(path))) {
                log_error("--socket wants a path in UTF-8");
                return -EINVAL;
        }
        *chosen = true;
        o->agent = (AgentOptions){.socket = path, .choice = choice};
        return 0;
}

static int choose_level(Options *o, const char *level) {
        o->log_priority = log_priority_from_string(level);
        if (o->log_priority >= 0)
                return 0;
        log_error("%s is no log level; use error, warning, notice, info or debug", level);
        return -EINVAL;
}

/* Returns 0 to go on, 1 when done, -EINVAL. */
static int parse_options(int argc, char **argv, Options *ret) {
        static const struct option options[] = {
                        {"user", no_argument, NULL, 'u'},
                        {"system", no_argument, NULL, 's'},
                        {"socket", required_argument, NULL, 'p'},
                        {"log-level", required_argument, NULL, 'l'},
                        {"version", no_argument, NULL, 'v'},
                        {"help", no_argument, NULL, 'h'},
                        {0},
        };
        bool chosen = false;
        int c, r = 0;

        while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                switch (c) {
                case 'u':
                        r = choose(ret, &chosen, SOCKET_USER, NULL);
                        break;
                case 's':
                        r = choose(ret, &chosen, SOCKET_SYSTEM, NULL);
                        break;
                case 'p':
                        r = choose(ret, &chosen, SOCKET_NEAREST, optarg);
                        break;
                case 'l':
                        r = choose_level(ret, optarg);
                        break;
                case 'v':
                        puts("factor-agent " FACTORD_VERSION);
                        return 1;
                case 'h':
                        fputs(usage, stdout);
                        return 1;
                default:
                        return -EINVAL;
                }
        if (r == 0 && optind < argc) {
                log_error("%s is one word too many; see factor-agent --help", argv[optind]);
                return -EINVAL;
        }
        return r;
}

/* What is asked is nobody else's to read. */
static void harden(void) {
        (void) prctl(PR_SET_DUMPABLE, 0);
        (void) setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        umask(0077);
}

static void block_signals(void) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigaddset(&set, SIGINT);
        (void) sigprocmask(SIG_BLOCK, &set, NULL);
        (void) signal(SIGPIPE, SIG_IGN);
}

static int on_terminate(sd_event_source *s, const struct signalfd_siginfo *si, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(s), 0);
}

static int run(const AgentOptions *options) {
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(agent_freep) Agent *a = NULL;
        int r;

        r = sd_event_default(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_terminate, NULL);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, on_terminate, NULL);
        if (r >= 0)
                r = sd_event_set_watchdog(event, true);
        if (r >= 0)
                r = agent_new(&a, event, options);
        if (r < 0) {
                log_error("Cannot start: %s", strerror(-r));
                return EXIT_FAILURE;
        }
        (void) sd_notify(false, "READY=1");
        r = sd_event_loop(event);
        (void) sd_notify(false, "STOPPING=1");
        if (r < 0)
                log_error("The event loop failed: %s", strerror(-r));
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
        Options o = {.log_priority = LOG_INFO};
        int r;

        harden();
        log_open("factor-agent", LOG_INFO);
        r = parse_options(argc, argv, &o);
        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open("factor-agent", o.log_priority);
        block_signals();
        return run(&o.agent);
}
