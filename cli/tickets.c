/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets: seeing and withdrawing them. */

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/clock.h"
#include "cli/commands.h"
#include "cli/output.h"

/* "Deploy *; Environment=staging". *ret is new. Returns 0 or -ENOMEM. */
static int what_text(json_object *ticket, char **ret) {
        const char *message = get_string(ticket, "message");
        json_object *fields = get_array(ticket, "fields");
        _cleanup_free_ char *text = strdup(strempty(message));

        for (size_t i = 0; text && i < count_items(fields); i++) {
                json_object *f = json_object_array_get_idx(fields, i);
                char *longer = NULL;

                if (asprintf(&longer, "%s%s%s=%s", text, *text ? "; " : "",
                                    strempty(get_string(f, "label")),
                                    strempty(get_string(f, "value"))) < 0)
                        return -ENOMEM;
                free(text);
                text = longer;
        }
        *ret = TAKE_PTR(text);
        return *ret ? 0 : -ENOMEM;
}

/* now: the provider's. */
static int add_row(Table *t, json_object *o, usec_t now) {
        _cleanup_free_ char *what = NULL;
        char id[32], left[64], user[64];

        if (what_text(o, &what) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        (void) snprintf(id, sizeof(id), "%" PRId64, get_int(o, "id", 0));
        table_add(t, id);
        table_add(t, get_string(o, "factor"));
        table_add(t, user_name(get_int(o, "owner", -1), user));
        table_add(t, time_left(get_string(o, "expires"), now, left));
        table_add(t, *what ? what : NULL);
        return 0;
}

int run_ticket_list(Session *s, const Arguments *a) {
        static const char *const headers[] = {"ID", "FACTOR", "MADE BY", "LEFT", "CHALLENGE"};
        _cleanup_(table_freep) Table *t = NULL;
        _cleanup_(list_done) List l = {0};
        usec_t now;
        int r;

        r = session_list(s, "ListTickets", parameters_new(s), "tickets", &l);
        if (r != 0)
                return r;
        if (s->json)
                return print_json_member("tickets", l.items);
        if (count_items(l.items) == 0) {
                remark("no ticket is open");
                return 0;
        }
        r = session_provider_time(s, &now);
        if (r == 0)
                r = table_new(&t, headers, ELEMENTSOF(headers));
        for (size_t i = 0; i < count_items(l.items) && r == 0; i++)
                r = add_row(t, json_object_array_get_idx(l.items, i), now);
        return r == 0 ? table_print(stdout, t) : r;
}

int run_ticket_revoke(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        const char *text = a->words[0];
        json_object *p;
        int64_t id;
        int r;

        if (integer_parse(text, &id) < 0)
                return complain(EXIT_USAGE, "\"%s\" is no ticket's number", text);
        p = parameters_new(s);
        parameters_add_int(s, p, "id", id);
        r = session_call(s, "RevokeTicket", p, &reply);
        if (r != 0)
                return r;
        return s->json ? print_json(NULL) : print_pair(stdout, "withdrawn", text);
}
