/* SPDX-License-Identifier: Apache-2.0 */
/* factorctl expect: a ticket, alone or for as long as a command runs. */

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/run.h"

#define WITHDRAW_TIMEOUT (10 * USEC_PER_SEC)

/* What stands before "--" is the factor alone. */
static int check_words(const Session *s, const Arguments *a) {
        if (a->n_words == 0 || a->n_after >= a->n_words)
                return complain(EXIT_USAGE, "the factor stands before \"--\"");
        if (a->n_words - a->n_after > 1)
                return complain(EXIT_USAGE, "\"%s\" is too much: a command stands after \"--\"",
                                a->words[1]);
        if (a->divided && a->n_after == 0)
                return complain(EXIT_USAGE, "there is no command after \"--\"");
        if (a->divided && s->json)
                return complain(EXIT_USAGE,
                                "--json goes without a command: what is printed is the command's");
        return 0;
}

static int fill_parameters(Session *s, const Arguments *a, json_object *p) {
        _cleanup_free_ char *msg = NULL;
        usec_t within;

        parameters_add_string(s, p, "factor", a->words[0]);
        parameters_add_option(s, p, "message", OPTION_MESSAGE);
        if (argument_given(a, OPTION_WITHIN)) {
                if (argument_span(a, OPTION_WITHIN, &within, &msg) < 0)
                        return complain(EXIT_USAGE, "%s", error_text(msg, -EINVAL));
                parameters_add_int(s, p, "within_ms", (int64_t) (within / USEC_PER_MSEC));
        }
        return parameters_add_fields(s, p);
}

/* *ret_ticket is borrowed from *ret. Returns 0 or an exit status. */
static int make_ticket(Session *s, const Arguments *a, JsonDoc **ret, json_object **ret_ticket) {
        json_object *p = parameters_new(s);
        int r;

        r = fill_parameters(s, a, p);
        if (r != 0) {
                json_object_put(p);
                return r;
        }
        r = session_call(s, "Expect", p, ret);
        if (r != 0)
                return r;
        *ret_ticket = get_object(json_doc_object(*ret), "ticket");
        if (!*ret_ticket || get_int(*ret_ticket, "id", 0) <= 0)
                return complain(EXIT_FAILURE, "the daemon's answer has no ticket");
        return 0;
}

static int print_ticket(const Session *s, const JsonDoc *reply, json_object *ticket) {
        char id[32];
        int r;

        if (s->json)
                return print_json(json_doc_object(reply));
        (void) snprintf(id, sizeof(id), "%" PRId64, get_int(ticket, "id", 0));
        r = print_pair(stdout, "ticket", id);
        return r == 0 ? print_pair(stdout, "until", get_string(ticket, "expires")) : r;
}

/* Whatever comes of it, the command's end is what counts. */
static void withdraw(Session *s, json_object *ticket) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        int64_t id = get_int(ticket, "id", 0);
        json_object *p = parameters_new(s);
        int r;

        s->deadline = usec_add(now_boottime(), WITHDRAW_TIMEOUT);
        s->quiet = IPC_INVALID_PARAMETER; /* used, or over */
        parameters_add_int(s, p, "id", id);
        r = session_call(s, "RevokeTicket", p, &reply);
        if (r != 0 && r != ipc_error_exit_status(IPC_INVALID_PARAMETER))
                remark("ticket %" PRId64 " could not be withdrawn: it is good until %s", id,
                                strempty(get_string(ticket, "expires")));
}

static int run_with_ticket(Session *s, char *const argv[], json_object *ticket) {
        int r, status;

        /* A connection is not kept for as long as a command may run. */
        session_done(s);
        r = run_program(argv, &status);
        if (r < 0)
                (void) complain(status, "cannot run %s: %s", argv[0], strerror(-r));
        withdraw(s, ticket);
        return status;
}

int run_expect(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *ticket;
        const char *warning;
        int r;

        r = check_words(s, a);
        if (r == 0)
                r = make_ticket(s, a, &reply, &ticket);
        if (r != 0)
                return r;
        warning = get_string(json_doc_object(reply), "warning");
        if (warning && !s->json)
                remark("%s", warning);
        return a->divided ? run_with_ticket(s, a->words + 1, ticket)
                          : print_ticket(s, reply, ticket);
}
