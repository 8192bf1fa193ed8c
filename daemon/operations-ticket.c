/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/operations-ticket.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stddef.h>

#include "base/text.h"
#include "daemon/authorize.h"
#include "daemon/list-reply.h"
#include "daemon/parameters.h"
#include "daemon/rules.h"
#include "daemon/view.h"

static json_object *view_ticket(const Ticket *t, const ServerClock *clock) {
        json_object *o = json_object_new_object();

        view_add_int(o, "id", t->row.id);
        view_add_string(o, "factor", t->factor->record.name);
        view_add_time(o, "created", ticket_created(t, clock));
        view_add_time(o, "expires", ticket_expires(t, clock));
        view_add_int(o, "owner", t->row.owner);
        view_add_string(o, "message", t->row.message);
        view_add(o, "fields", view_fields(t->fields, t->n_fields));
        return o;
}

/* Expect. */

typedef struct ExpectParameters {
        char *factor, *message, *fields;
        int64_t within;
} ExpectParameters;

static const JsonField expect_fields[] = {
                {"factor", JSON_STRING, offsetof(ExpectParameters, factor), JSON_MANDATORY},
                {"within_ms", JSON_INT, offsetof(ExpectParameters, within), JSON_NULLABLE},
                {"message", JSON_STRING, offsetof(ExpectParameters, message), JSON_NULLABLE},
                {"fields", JSON_RAW, offsetof(ExpectParameters, fields), JSON_NULLABLE},
};

static void expect_parameters_done(ExpectParameters *p) {
        json_fields_done(expect_fields, ELEMENTSOF(expect_fields), p);
}

static bool read_life(Call *call, int64_t within, usec_t *ret) {
        static const int64_t min = TICKET_LIFE_MIN / USEC_PER_MSEC;
        static const int64_t max = TICKET_LIFE_MAX / USEC_PER_MSEC;

        if (!parameter_given(call, "within_ms"))
                *ret = TICKET_LIFE_DEFAULT;
        else if (within >= min && within <= max)
                *ret = (usec_t) within * USEC_PER_MSEC;
        else {
                (void) call_invalid(call, "within_ms",
                                "A ticket lives %" PRIi64 " to %" PRIi64
                                " milliseconds: ten minutes at most",
                                min, max);
                return false;
        }
        return true;
}

/* Whether a challenge could ever use it. */
static bool check_request(Call *call, const Factor *f, const TicketRequest *request) {
        _cleanup_free_ char *why = NULL;
        PolicyTicket t = {
                        .message = request->message,
                        .fields = request->fields,
                        .n_fields = request->n_fields,
        };
        const char *what;
        int r;

        if (!f->record.sid || f->record.type == FACTOR_HOTP) {
                (void) call_invalid(call, "factor",
                                "Factor %s is not one of Verify's: it has no challenges",
                                f->record.name);
                return false;
        }
        r = policy_ticket_check(&t, f->record.type, &what, &why);
        if (r == -EINVAL)
                (void) call_invalid(call, what, "%s", strempty(why));
        else if (r < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "Out of memory");
        return r == 0;
}

static void expect_reply(Manager *m, Call *call, const Ticket *ticket) {
        json_object *o = view_reply("ticket", view_ticket(ticket, api_clock(m->api)));
        const StoreFactor *f = &ticket->factor->record;
        bool wanted = policy_wants_tickets(rules_policy(m->rules), f->name, f->type);

        view_add_string(o, "warning",
                        wanted ? NULL : "No rule in force approves with a ticket for this factor");
        (void) call_reply(call, o);
}

static void expect(Manager *m, Call *call, Factor *f, const TicketRequest *request) {
        _cleanup_free_ char *why = NULL;
        Actor actor = manager_actor(call);
        const Ticket *ticket;
        int r;

        r = tickets_add(m->tickets, f, request, &actor, &ticket, &why);
        if (r >= 0)
                expect_reply(m, call, ticket);
        else if (r == -EDQUOT)
                (void) call_error(call, IPC_RATE_LIMITED, NULL, "%s", strempty(why));
        else
                (void) call_error(call, IPC_STORE_ERROR, NULL,
                                "The ticket cannot be recorded, so there is none: %s",
                                error_text(why, r));
}

void operation_expect(Manager *m, Call *call) {
        _cleanup_(expect_parameters_done) ExpectParameters p = {0};
        _cleanup_(field_list_done) FieldList fields = {0};
        _cleanup_free_ char *why = NULL;
        TicketRequest request = {0};
        Factor *f;

        if (!parameters_read(call, expect_fields, ELEMENTSOF(expect_fields), &p))
                return;
        f = manager_visible_factor(m, call, p.factor);
        if (!f || !read_life(call, p.within, &request.life))
                return;
        if (p.fields && field_list_read(p.fields, &fields, &why) < 0) {
                (void) call_invalid(call, "fields", "%s", strempty(why));
                return;
        }
        request.message = p.message;
        request.fields = fields.items;
        request.n_fields = fields.n;
        if (check_request(call, f, &request) && manager_authorize(m, call, f->record.name))
                expect(m, call, f, &request);
}

/* ListTickets, RevokeTicket. */

static bool list_ticket(const Ticket *ticket, const ServerClock *clock, void *userdata) {
        ListReply *l = userdata;

        if (!call_peer_may(call_peer(l->call), ticket->factor->record.owner))
                return true;
        return list_item(l, view_ticket(ticket, clock));
}

void operation_list_tickets(Manager *m, Call *call) {
        ListReply list;

        list_begin(&list, call, "tickets");
        tickets_each(m->tickets, list_ticket, &list);
        list_end(&list);
}

void operation_revoke_ticket(Manager *m, Call *call) {
        static const JsonField fields[] = {{"id", JSON_INT, 0, JSON_MANDATORY}};
        _cleanup_free_ char *why = NULL;
        const Ticket *ticket;
        int64_t id = 0;
        int r;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &id))
                return;
        ticket = tickets_find(m->tickets, id);
        if (!ticket || !call_peer_may(call_peer(call), ticket->factor->record.owner)) {
                (void) call_invalid(call, "id",
                                "There is no open ticket %" PRIi64
                                ": it may be used, withdrawn or over",
                                id);
                return;
        }
        if (!manager_authorize(m, call, ticket->factor->record.name))
                return;
        Actor actor = manager_actor(call);
        r = tickets_revoke(m->tickets, id, &actor, &why);
        if (r < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "The ticket stays: %s",
                                error_text(why, r));
        else
                (void) call_reply(call, NULL);
}
