/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/clock.h"
#include "cli/output.h"

/* --wait: a code that ends sooner than this is not worth typing. */
#define LEFT_MIN 10

static int get_code(Session *s, const Arguments *a, JsonDoc **ret) {
        json_object *p = parameters_new(s);
        int r;

        parameters_add_string(s, p, "name", a->words[0]);
        if (argument_given(a, OPTION_NEXT))
                parameters_add_true(s, p, "next");
        r = session_call(s, "GetCode", p, ret);
        if (r == 0 && !get_string(json_doc_object(*ret), "code"))
                r = complain(EXIT_FAILURE, "the daemon's answer has no code");
        return r;
}

/* Waits for the next step, or the daemon's end. Returns 0 or an exit status. */
static int wait_step(Session *s, int64_t seconds) {
        usec_t until = usec_add(now_boottime(), (usec_t) seconds * USEC_PER_SEC);
        usec_t end = until < s->deadline ? until : s->deadline;

        for (usec_t now = now_boottime(); now < end; now = now_boottime()) {
                struct pollfd p = {.fd = varlink_client_fd(s->client), .events = POLLIN};
                struct timespec left = {
                                .tv_sec = (time_t) ((end - now) / USEC_PER_SEC),
                                .tv_nsec = (long) ((end - now) % USEC_PER_SEC) * 1000,
                };

                /* Nothing was asked: whatever comes is the end of the connection. */
                if (ppoll(&p, 1, &left, NULL) > 0)
                        return complain(EXIT_NO_DAEMON, "the daemon closed the connection");
        }
        return until <= s->deadline
                               ? 0
                               : complain(EXIT_TIMED_OUT, "the next code did not come in time");
}

static int get_fresh_code(Session *s, const Arguments *a, JsonDoc **ret) {
        for (;;) {
                _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
                int64_t left;
                int r;

                r = get_code(s, a, &reply);
                if (r != 0)
                        return r;
                /* HOTP codes don't end. */
                left = get_int(json_doc_object(reply), "valid_for", INT64_MAX);
                if (left >= LEFT_MIN) {
                        *ret = TAKE_PTR(reply);
                        return 0;
                }
                r = wait_step(s, left > 0 ? left : 1);
                if (r != 0)
                        return r;
        }
}

static int print_code(json_object *o) {
        _cleanup_(secret_done) Secret line = {0};
        int64_t left = get_int(o, "valid_for", 0);
        int r;

        if (secret_append_string(&line, get_string(o, "code")) < 0 ||
                        secret_append_string(&line, "\n") < 0)
                return complain(EXIT_FAILURE, "out of memory");
        r = print_bytes(&line);
        if (r == 0 && left > 0 && isatty(STDERR_FILENO))
                fprintf(stderr, "valid for %" PRId64 "s\n", left);
        return r;
}

int run_code(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        const char *warning;
        int r;

        if (argument_given(a, OPTION_NEXT) && argument_given(a, OPTION_WAIT))
                return complain(EXIT_USAGE, "choose one of --next and --wait");
        r = session_check_clock(s, NULL);
        if (r != 0)
                return r;
        r = argument_given(a, OPTION_WAIT) ? get_fresh_code(s, a, &reply) : get_code(s, a, &reply);
        if (r != 0)
                return r;
        warning = get_string(json_doc_object(reply), "warning");
        if (warning)
                remark("%s", warning);
        return s->json ? print_json(json_doc_object(reply)) : print_code(json_doc_object(reply));
}
