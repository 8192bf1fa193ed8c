/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/ticket.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "daemon/view.h"
#include "policy/case.h"

Ticket *ticket_free(Ticket *t) {
        if (!t)
                return NULL;
        store_ticket_done(&t->row);
        detail_fields_done(t->fields, t->n_fields);
        free(t);
        return NULL;
}

static int fields_copy(Ticket *t, const DetailField *fields, size_t n) {
        t->fields = calloc(n + 1, sizeof(DetailField));
        if (!t->fields)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                t->n_fields = i + 1;
                if (text_set(&t->fields[i].label, fields[i].label) < 0 ||
                                text_set(&t->fields[i].value, fields[i].value) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* As they stand in the store: {"fields":[…]}. */
static int fields_write(Ticket *t) {
        json_object *o = view_reply("fields", view_fields(t->fields, t->n_fields));
        const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
        int r = text ? text_set(&t->row.fields, text) : -ENOMEM;

        json_object_put(o);
        return r;
}

static int fields_read(Ticket *t, char **reterr_msg) {
        const char *text = t->row.fields;
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        JsonSlice raw = {0};
        int r;

        if (!text)
                return 0;
        r = json_doc_parse(&doc, text, strlen(text), reterr_msg);
        if (r < 0)
                return r;
        if (!json_doc_raw(doc, "fields", &raw))
                return error_set(reterr_msg, -EBADMSG, "it has no fields");
        return policy_fields_read(&t->fields, &t->n_fields, raw, reterr_msg);
}

int ticket_new(Ticket **ret,
                Factor *f,
                const TicketRequest *request,
                uid_t owner,
                const ServerClock *clock) {
        _cleanup_(ticket_freep) Ticket *t = calloc(1, sizeof(Ticket));
        usec_t boot = now_boottime();
        int r;

        if (!t)
                return -ENOMEM;
        t->factor = f;
        t->base = clock->base;
        t->dies = usec_add(boot, request->life);
        t->row.factor_id = f->record.id;
        t->row.owner = owner;
        t->row.created = server_clock_now(clock, boot);
        t->row.expires = usec_add(t->row.created, request->life);
        t->row.local = !clock->heard;
        r = text_set(&t->row.message, request->message);
        if (r >= 0 && request->n_fields > 0)
                r = fields_copy(t, request->fields, request->n_fields);
        if (r >= 0 && request->n_fields > 0)
                r = fields_write(t);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

int ticket_restore(Ticket **ret,
                Factor *f,
                StoreTicket *row,
                const ServerClock *clock,
                char **reterr_msg) {
        _cleanup_(ticket_freep) Ticket *t = calloc(1, sizeof(Ticket));
        int r;

        if (!t)
                return -ENOMEM;
        t->factor = f;
        t->row = *row;
        *row = (StoreTicket){0};
        t->base = clock->base;
        t->dies = usec_add(now_boottime(), usec_sub(t->row.expires, t->row.created));
        r = fields_read(t, reterr_msg);
        if (r == -EBADMSG)
                return error_wrap(reterr_msg, r, "Ticket %" PRId64, t->row.id);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(t);
        return 0;
}

/* How far the clock that it was made by has moved since. The server's is not taken to: its
 * challenges have its time, too. */
static usec_t moved(const Ticket *t, const ServerClock *clock, usec_t at) {
        int64_t by = t->row.local ? clock->base - t->base : 0;

        return by < 0 ? usec_sub(at, usec_magnitude(by)) : usec_add(at, usec_magnitude(by));
}

usec_t ticket_created(const Ticket *t, const ServerClock *clock) {
        return moved(t, clock, t->row.created);
}

usec_t ticket_expires(const Ticket *t, const ServerClock *clock) {
        return moved(t, clock, t->row.expires);
}

bool ticket_is_open(const Ticket *t, const ServerClock *clock, usec_t now) {
        return now < ticket_expires(t, clock) && now_boottime() < t->dies;
}

PolicyTicket ticket_for_policy(const Ticket *t, const ServerClock *clock) {
        return (PolicyTicket){
                        .id = t->row.id,
                        .factor = t->factor->record.name,
                        .created = ticket_created(t, clock),
                        .expires = ticket_expires(t, clock),
                        .message = t->row.message,
                        .fields = t->fields,
                        .n_fields = t->n_fields,
        };
}
