/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/clock.h"
#include "cli/output.h"
#include "cli/policy-source.h"

/* A daemon that does not answer is what one looks for here: waited for no longer than this. */
#define DOCTOR_TIMEOUT (10 * USEC_PER_SEC)
#define CLOCK_FAR_OFF (30 * USEC_PER_SEC)

typedef enum CheckState {
        CHECK_OK,
        CHECK_WARNING,
        CHECK_ERROR,
        _CHECK_STATE_MAX,
} CheckState;

static const char *const check_states[_CHECK_STATE_MAX] = {"ok", "warning", "error"};

typedef struct Doctor {
        Session *session;
        char *socket;
        json_object *checks; /* an array, as --json prints it */
        bool found;          /* at least one error */
        bool out_of_memory;
} Doctor;

static void doctor_done(Doctor *d) {
        free(d->socket);
        json_object_put(d->checks);
        *d = (Doctor){0};
}

/* What was looked at, what came of it, and what to do (NULL: nothing). */
static void
check(Doctor *d, const char *name, CheckState state, const char *hint, const char *format, ...)
                _printf_(5, 6);

static void
check(Doctor *d, const char *name, CheckState state, const char *hint, const char *format, ...) {
        _cleanup_free_ char *text = NULL;
        json_object *o = parameters_new(d->session);
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                d->out_of_memory = true;
        }
        parameters_add_string(d->session, o, "name", name);
        parameters_add_string(d->session, o, "state", check_states[state]);
        parameters_add_string(d->session, o, "text", strempty(text));
        if (hint)
                parameters_add_string(d->session, o, "hint", hint);
        else if (!o || json_object_object_add(o, "hint", NULL) < 0)
                d->out_of_memory = true;
        if (!o || json_object_array_add(d->checks, o) < 0) {
                json_object_put(o);
                d->out_of_memory = true;
        }
        d->found = d->found || state == CHECK_ERROR;
}

static json_object *item(json_object *array, size_t i) {
        return json_object_array_get_idx(array, i);
}

static void check_peer(Doctor *d) {
        struct ucred peer;
        socklen_t size = sizeof(peer);
        char user[64];

        if (getsockopt(varlink_client_fd(d->session->client), SOL_SOCKET, SO_PEERCRED, &peer,
                            &size) < 0) {
                check(d, "daemon", CHECK_WARNING, NULL, "factord answers on %s; as whom: %s",
                                d->socket, strerror(errno));
                return;
        }
        check(d, "daemon", CHECK_OK, NULL, "factord answers on %s as %s (pid %i)", d->socket,
                        user_name(peer.uid, user), (int) peer.pid);
}

/* The daemon's status, or NULL: then it is said why there is none. Borrowed from *reply. */
static json_object *ask_status(Doctor *d, JsonDoc **reply) {
        _cleanup_free_ char *msg = NULL;
        json_object *status;
        int r;

        r = varlink_client_connect(&d->session->client, d->socket, &msg);
        if (r < 0) {
                check(d, "daemon", CHECK_ERROR,
                                r == -EPERM ? "find out who listens there, or name another --socket"
                                            : "start it: systemctl start factord, or "
                                              "systemctl --user start factord",
                                "%s", error_text(msg, r));
                return NULL;
        }
        r = session_call(d->session, "GetStatus", parameters_new(d->session), reply);
        status = r == 0 ? get_object(json_doc_object(*reply), "status") : NULL;
        if (!status)
                check(d, "daemon", CHECK_ERROR, "look into its log, and restart it",
                                "something listens on %s but does not answer as factord does",
                                d->socket);
        else
                check_peer(d);
        return status;
}

static void check_version(Doctor *d, json_object *status) {
        const char *version = strempty(get_string(status, "version"));

        if (streq(version, FACTORD_VERSION))
                check(d, "version", CHECK_OK, NULL, "factord and factorctl are %s", version);
        else
                check(d, "version", CHECK_WARNING, "restart factord after an update",
                                "factord is %s, factorctl is " FACTORD_VERSION, version);
}

static void check_problems(Doctor *d, json_object *status) {
        json_object *problems = get_array(status, "problems");
        const char *store = get_string(status, "store_problem");
        const char *rules = get_string(get_object(status, "policy"), "problem");

        if (store)
                check(d, "store", CHECK_ERROR,
                                "make room or mend the folder: nothing is approved before it can "
                                "be recorded",
                                "%s", store);
        for (size_t i = 0; i < count_items(problems); i++) {
                const char *problem = json_object_get_string(item(problems, i));
                if (!streq_ptr(problem, store) && !streq_ptr(problem, rules))
                        check(d, "problem", CHECK_WARNING, "mend it, and restart factord", "%s",
                                        strempty(problem));
        }
        if (!store && count_items(problems) == 0)
                check(d, "problem", CHECK_OK, NULL, "factord reports no problem of its own");
}

/* The rules that the daemon has; without a daemon, those that it would find. */
static void check_rules(Doctor *d, json_object *policy) {
        json_object *dangerous = get_array(policy, "dangerous");

        if (!policy)
                return;
        for (size_t i = 0; i < count_items(dangerous); i++)
                check(d, "policy", CHECK_WARNING, "name a factor and a request in it",
                                "rule %s approves anything, by Dangerous=",
                                json_object_get_string(item(dangerous, i)));
        if (get_string(policy, "problem"))
                check(d, "policy", CHECK_ERROR, "mend it, and run factorctl reload", "%s",
                                get_string(policy, "problem"));
        else
                check(d, "policy", CHECK_OK, NULL, "%" PRId64 " rules are in force",
                                get_int(policy, "rules", 0));
}

static void check_rule_files(Doctor *d) {
        _cleanup_(policy_source_done) PolicySource source = {0};
        _cleanup_(error_list_done) ErrorList faults = {0};
        _cleanup_(policy_freep) Policy *p = NULL;

        if (policy_source_add_configured(&source, d->session->arguments) != 0 ||
                        policy_source_load(&source, &p, &faults) != 0)
                return;
        for (size_t i = 0; i < faults.n; i++)
                check(d, "policy", CHECK_ERROR, "mend it before you start factord", "%s",
                                faults.messages[i]);
        if (p)
                check(d, "policy", CHECK_OK, NULL, "%zu rules in %s", policy_n_rules(p),
                                source.folder);
}

static void check_accounts(Doctor *d, json_object *status) {
        json_object *accounts = get_array(status, "accounts");

        for (size_t i = 0; i < count_items(accounts); i++) {
                json_object *a = item(accounts, i);
                const char *name = strempty(get_string(a, "name"));

                if (streq_ptr(get_string(a, "state"), "refused"))
                        check(d, "account", CHECK_ERROR,
                                        "correct AccountSid, User and the password file of its "
                                        "[Account], and restart factord",
                                        "the provider refuses the credentials of %s: %s", name,
                                        strempty(get_string(a, "error")));
                else
                        check(d, "account", CHECK_OK, NULL, "%s: %s", name,
                                        streq_ptr(get_string(a, "state"), "ok")
                                                        ? "the provider takes its credentials"
                                                        : "not used yet");
        }
}

static void check_factor(Doctor *d, json_object *f) {
        const char *name = strempty(get_string(f, "name")), *status = get_string(f, "status");
        const char *error = get_string(f, "error");

        if (streq_ptr(status, "revoked"))
                check(d, "factor", CHECK_ERROR, "remove it and enrol again",
                                "%s was deleted at the provider, or its key replaced", name);
        else if (streq_ptr(status, "detached"))
                check(d, "factor", CHECK_WARNING, "set BaseUrl back, or remove it",
                                "%s was enrolled at %s and is not polled", name,
                                strempty(get_string(f, "base_url")));
        else if (error)
                check(d, "factor", CHECK_ERROR, NULL, "%s: %s", name, error);
        else if (streq_ptr(status, "enrolling") || streq_ptr(status, "unverified"))
                check(d, "factor", CHECK_WARNING,
                                "wait, or remove it and enrol again if it stays so",
                                "%s is not enrolled yet: %s", name, status);
}

static void check_factors(Doctor *d) {
        _cleanup_(list_done) List list = {0};
        size_t n = json_object_array_length(d->checks);

        if (session_list(d->session, "ListFactors", parameters_new(d->session), "factors", &list) !=
                        0) {
                check(d, "factor", CHECK_ERROR, "look into factord's log",
                                "factord does not list its factors");
                return;
        }
        for (size_t i = 0; i < count_items(list.items); i++)
                check_factor(d, item(list.items, i));
        if (json_object_array_length(d->checks) == n)
                check(d, "factor", CHECK_OK, NULL, "%zu in order", count_items(list.items));
}

static void check_polling(Doctor *d, json_object *status) {
        json_object *polling = get_array(status, "polling");
        usec_t interval = (usec_t) get_int(status, "effective_idle_interval_ms", 0) * USEC_PER_MSEC;
        _cleanup_free_ char *span = NULL;
        bool good = interval <= USEC_PER_MINUTE;

        if (!good && timespan_format(interval, &span) >= 0)
                check(d, "polling", CHECK_WARNING,
                                "raise RequestsPerSecond, or hold fewer factors here",
                                "so many factors do not fit RequestsPerSecond: each is asked about "
                                "every %s only",
                                span);
        for (size_t i = 0; i < count_items(polling); i++) {
                json_object *p = item(polling, i);
                const char *sid = strempty(get_string(p, "account_sid"));
                const char *until = get_string(p, "backoff_until"), *error = get_string(p, "error");

                if (!until && !error)
                        continue;
                good = false;
                check(d, "polling", CHECK_WARNING, until ? "nothing: it goes on by itself" : NULL,
                                "%s%s%s%s%s", *sid ? sid : "access tokens",
                                until ? " is not polled before " : "", strempty(until),
                                error ? ": " : "", strempty(error));
        }
        if (good)
                check(d, "polling", CHECK_OK, NULL, "nothing holds it back");
}

static void check_clock(Doctor *d, const ClockState *c) {
        static const char set[] = "let something set it: timedatectl set-ntp true";
        char text[128];

        if (c->asked && !c->heard)
                check(d, "clock", c->waiting != 0 ? CHECK_WARNING : CHECK_OK, NULL,
                                "the local clock's time is used, %s", clock_offset_text(c, text));
        else if (c->asked && clock_is_off(c))
                check(d, "clock",
                                usec_magnitude(c->offset) > CLOCK_FAR_OFF ? CHECK_ERROR
                                                                          : CHECK_WARNING,
                                set,
                                "the local clock is %s; answers go on with the provider's time, "
                                "codes of imported secrets may be wrong",
                                clock_offset_text(c, text));
        else if (c->asked)
                check(d, "clock", CHECK_OK, NULL,
                                "the provider's time is used, the local clock is %s",
                                clock_offset_text(c, text));
        if (c->waiting != 0)
                check(d, "clock change", CHECK_WARNING, NULL,
                                "the provider's last reply was %" PRId64
                                " ms off the time in use; it counts when a second one agrees",
                                c->waiting / (int64_t) USEC_PER_MSEC);
        clock_kernel_text(c, text);
        if (c->kernel_error < 0)
                check(d, "kernel clock", CHECK_WARNING, NULL, "%s", text);
        else
                check(d, "kernel clock", c->kernel.synchronized ? CHECK_OK : CHECK_WARNING,
                                c->kernel.synchronized ? NULL : set, "%s", text);
}

/* Folder or file: nobody but its owner may have more than `allowed`. Returns whether it is fine,
 * or can't be seen from here. */
static bool check_mode(
                Doctor *d, const char *name, const char *path, mode_t allowed, CheckState state) {
        _cleanup_free_ char *hint = NULL;
        struct stat st;
        mode_t surplus;

        if (stat(path, &st) < 0)
                return true;
        surplus = st.st_mode & 07777 & ~allowed;
        /* In a folder like /tmp nobody can replace what another has put there. */
        if (S_ISDIR(st.st_mode) && (st.st_mode & S_ISVTX))
                surplus &= ~(mode_t) (S_ISVTX | S_IWGRP | S_IWOTH);
        if (surplus == 0)
                return true;
        if (asprintf(&hint, "chmod %04o %s", (unsigned) (st.st_mode & allowed), path) < 0) {
                hint = NULL;
                d->out_of_memory = true;
        }
        check(d, name, state, hint, "%s is open to others (mode %04o)", path,
                        (unsigned) (st.st_mode & 07777));
        return false;
}

static void check_socket(Doctor *d, json_object *status) {
        bool system = streq_ptr(get_string(status, "mode"), "system");
        _cleanup_free_ char *folder = strdup(d->socket);
        char *slash = folder ? strrchr(folder, '/') : NULL;
        bool good;

        if (!folder) {
                d->out_of_memory = true;
                return;
        }
        good = check_mode(d, "socket", d->socket, system ? 0666 : 0600, CHECK_ERROR);
        if (slash && slash > folder) {
                *slash = '\0';
                good = check_mode(d, "socket", folder, 0755, CHECK_ERROR) && good;
        }
        if (good)
                check(d, "socket", CHECK_OK, NULL, "%s is open to %s alone", d->socket,
                                system ? "all, and each caller's rights count; its folder to "
                                         "factord"
                                       : "its owner");
}

/* Where the daemon keeps its state unless its configuration says otherwise. NULL when it can't be
 * told. */
static char *state_folder(json_object *status) {
        const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
        char *path = NULL;
        int n = -1;

        if (streq_ptr(get_string(status, "mode"), "system"))
                return strdup("/var/lib/factord");
        if (state && *state == '/')
                n = asprintf(&path, "%s/factord", state);
        else if (home && *home == '/')
                n = asprintf(&path, "%s/.local/state/factord", home);
        return n < 0 ? NULL : path;
}

static void check_state_folder(Doctor *d, json_object *status) {
        static const char *const files[] = {"factord.db", "factord.db-wal", "store.key"};
        _cleanup_free_ char *folder = state_folder(status);
        bool good;

        if (!folder || access(folder, F_OK) < 0)
                return;
        good = check_mode(d, "state folder", folder, 0700, CHECK_ERROR);
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *path = NULL;

                if (asprintf(&path, "%s/%s", folder, files[i]) < 0) {
                        path = NULL;
                        d->out_of_memory = true;
                } else
                        good = check_mode(d, "state folder", path, 0600, CHECK_ERROR) && good;
        }
        if (good)
                check(d, "state folder", CHECK_OK, NULL, "%s is private", folder);
}

static int print_checks(json_object *checks) {
        static const char *const headers[] = {"STATE", "CHECK", "WHAT"};
        _cleanup_(table_freep) Table *t = NULL;
        int r = table_new(&t, headers, ELEMENTSOF(headers));

        if (r != 0)
                return r;
        for (size_t i = 0; i < count_items(checks); i++) {
                json_object *o = item(checks, i);
                table_add(t, get_string(o, "state"));
                table_add(t, get_string(o, "name"));
                table_add(t, get_string(o, "text"));
                if (get_string(o, "hint")) {
                        _cleanup_free_ char *hint = NULL;

                        if (asprintf(&hint, "-> %s", get_string(o, "hint")) < 0)
                                return complain(EXIT_FAILURE, "out of memory");
                        table_add(t, "");
                        table_add(t, "");
                        table_add(t, hint);
                }
        }
        return table_print(stdout, t);
}

/* All checks; what they found is in d->checks. */
static void examine(Doctor *d, ClockState *clock) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *status = ask_status(d, &reply);

        if (status) {
                check_version(d, status);
                check_problems(d, status);
                check_rules(d, get_object(status, "policy"));
                check_accounts(d, status);
                check_factors(d);
                check_polling(d, status);
                check_socket(d, status);
        } else
                check_rule_files(d);
        clock_state_read(clock, get_object(status, "clock"));
        check_clock(d, clock);
        check_state_folder(d, status);
}

int run_doctor(Session *s, const Arguments *a) {
        _cleanup_(doctor_done) Doctor d = {.session = s, .checks = json_object_new_array()};
        ClockState clock;
        int r;

        if (!d.checks || session_socket_path(a, &d.socket) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        if (!argument_given(a, OPTION_TIMEOUT))
                s->deadline = usec_add(now_boottime(), DOCTOR_TIMEOUT);
        examine(&d, &clock);
        if (d.out_of_memory || s->out_of_memory)
                return complain(EXIT_FAILURE, "out of memory");
        r = s->json ? print_json_member("checks", d.checks) : print_checks(d.checks);
        if (r == 0 && argument_given(a, OPTION_STRICT_CLOCK))
                r = clock_check_strict(&clock);
        return r == 0 && d.found ? EXIT_FAILURE : r;
}
