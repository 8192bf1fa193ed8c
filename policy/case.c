/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/case.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXPIRES_AFTER (5 * USEC_PER_MINUTE) /* a challenge that does not say when */

/* A case as it stands in the document. */
typedef struct RawCase {
        char *name, *factor, *otherwise, *expect, *rule;
        char *challenge, *tickets, *pending, *counts;
        usec_t now;
} RawCase;

static const JsonField case_fields[] = {
                {"name", JSON_STRING, offsetof(RawCase, name), 0},
                {"challenge", JSON_RAW, offsetof(RawCase, challenge), JSON_MANDATORY},
                {"factor", JSON_STRING, offsetof(RawCase, factor), 0},
                {"now", JSON_TIME, offsetof(RawCase, now), 0},
                {"tickets", JSON_RAW, offsetof(RawCase, tickets), 0},
                {"pending", JSON_RAW, offsetof(RawCase, pending), 0},
                {"counts", JSON_RAW, offsetof(RawCase, counts), 0},
                {"default", JSON_STRING, offsetof(RawCase, otherwise), 0},
                {"expect", JSON_STRING, offsetof(RawCase, expect), 0},
                {"rule", JSON_STRING, offsetof(RawCase, rule), 0},
};

static void raw_case_done(RawCase *raw) {
        json_fields_done(case_fields, ELEMENTSOF(case_fields), raw);
}

static JsonSlice slice_of(const char *text) {
        return (JsonSlice){text, strlen(text)};
}

int policy_otherwise_read(const char *word, Verb *ret, char **reterr_msg) {
        int verb = word ? verb_from_string(word) : (int) *ret;

        if (verb != VERB_ASK && verb != VERB_IGNORE)
                return error_set(reterr_msg, -EBADMSG, "'default' must be ask or ignore");
        *ret = (Verb) verb;
        return 0;
}

/* Challenges. */

/* What a challenge does not say: its SID from its place, its dates from the time of the case. */
static int complete(ChallengeView *v, const char *factor, usec_t now, size_t place) {
        if (!*v->sid)
                snprintf(v->sid, sizeof(v->sid), "YC%032zx", place);
        if (v->created == 0)
                v->created = now;
        if (v->expires == 0)
                v->expires = usec_add(v->created, EXPIRES_AFTER);
        return text_set(&v->factor, factor);
}

static int read_pending(PolicyCase *c, const char *text, ErrorList *notes, char **reterr_msg) {
        _cleanup_free_ JsonSlice *items = NULL;
        size_t n;

        int r = json_array_split(slice_of(text), &items, &n);
        if (r == -EBADMSG)
                return error_set(reterr_msg, r, "'pending' must be an array of challenges");
        if (r < 0)
                return r;
        c->pending = calloc(n + 1, sizeof(ChallengeView));
        c->pending_list = calloc(n + 1, sizeof(ChallengeView *));
        if (!c->pending || !c->pending_list)
                return -ENOMEM;
        while (c->n_pending < n) {
                ChallengeView *v = &c->pending[c->n_pending];

                r = policy_challenge_read(v, items[c->n_pending], notes, reterr_msg);
                if (r == -EBADMSG)
                        return error_wrap(reterr_msg, r, "pending[%zu]", c->n_pending);
                if (r < 0)
                        return r;
                c->pending_list[c->n_pending++] = v;
                r = complete(v, c->challenge.factor, c->now, c->n_pending);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Tickets. */

typedef struct RawTicket {
        int64_t id;
        char *factor, *message, *fields;
        usec_t created, expires;
} RawTicket;

static const JsonField ticket_fields[] = {
                {"id", JSON_INT, offsetof(RawTicket, id), 0},
                {"factor", JSON_STRING, offsetof(RawTicket, factor), 0},
                {"created", JSON_TIME, offsetof(RawTicket, created), 0},
                {"expires", JSON_TIME, offsetof(RawTicket, expires), 0},
                {"message", JSON_STRING, offsetof(RawTicket, message), JSON_NULLABLE},
                {"fields", JSON_RAW, offsetof(RawTicket, fields), JSON_NULLABLE},
};

static void raw_ticket_done(RawTicket *raw) {
        json_fields_done(ticket_fields, ELEMENTSOF(ticket_fields), raw);
}

static int read_ticket(PolicyCase *c, PolicyTicket *t, JsonSlice text, char **reterr_msg) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(raw_ticket_done) RawTicket raw = {0};
        DetailField *fields = NULL;

        int r = json_doc_parse(&doc, text.data, text.len, reterr_msg);
        if (r == 0)
                r = json_doc_read(doc, ticket_fields, ELEMENTSOF(ticket_fields), true, &raw,
                                reterr_msg);
        if (r == 0 && !raw.factor)
                r = text_set(&raw.factor, c->challenge.factor);
        if (r == 0 && raw.fields)
                r = policy_fields_read(&fields, &t->n_fields, slice_of(raw.fields), reterr_msg);
        if (r < 0)
                return r;

        t->id = raw.id > 0 ? raw.id : (int64_t) c->n_tickets + 1;
        t->factor = TAKE_PTR(raw.factor);
        t->message = TAKE_PTR(raw.message);
        t->fields = fields;
        t->created = raw.created ? raw.created : c->challenge.created;
        t->expires = raw.expires ? raw.expires : usec_add(t->created, POLICY_TICKET_LIFE_MAX);
        return 0;
}

static int read_tickets(PolicyCase *c, const char *text, char **reterr_msg) {
        _cleanup_free_ JsonSlice *items = NULL;
        size_t n;

        int r = json_array_split(slice_of(text), &items, &n);
        if (r == -EBADMSG)
                return error_set(reterr_msg, r, "'tickets' must be an array of tickets");
        if (r < 0)
                return r;
        c->tickets = calloc(n + 1, sizeof(PolicyTicket));
        if (!c->tickets)
                return -ENOMEM;
        for (; c->n_tickets < n; c->n_tickets++) {
                r = read_ticket(c, &c->tickets[c->n_tickets], items[c->n_tickets], reterr_msg);
                if (r < 0)
                        return r == -EBADMSG ? error_wrap(reterr_msg, r, "tickets[%zu]",
                                                               c->n_tickets)
                                             : r;
        }
        return 0;
}

/* Counts. */

static int read_counts(PolicyCase *c, const char *text, char **reterr_msg) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;

        int r = json_doc_parse(&doc, text, strlen(text), reterr_msg);
        if (r < 0)
                return r == -EBADMSG ? error_wrap(reterr_msg, r, "counts") : r;
        c->counts = calloc(json_doc_n_members(doc) + 1, sizeof(PolicyCount));
        if (!c->counts)
                return -ENOMEM;
        for (; c->n_counts < json_doc_n_members(doc); c->n_counts++) {
                PolicyCount *count = &c->counts[c->n_counts];
                const char *name = json_doc_member_name(doc, c->n_counts);
                JsonField field = {name, JSON_INT, offsetof(PolicyCount, n), JSON_MANDATORY};

                r = json_doc_read(doc, &field, 1, false, count, reterr_msg);
                if (r == 0 && (count->n < 0 || count->n > POLICY_LIMIT_MAX))
                        r = error_set(reterr_msg, -EBADMSG, "a count is from 0 to %d",
                                        POLICY_LIMIT_MAX);
                if (r == 0)
                        r = text_set(&count->rule, name);
                if (r < 0)
                        return r == -EBADMSG ? error_wrap(reterr_msg, r, "counts") : r;
        }
        return 0;
}

static int count_of_case(const char *rule, usec_t since, unsigned *ret, void *userdata) {
        const PolicyCase *c = userdata;

        *ret = 0;
        for (size_t i = 0; i < c->n_counts; i++)
                if (streq(c->counts[i].rule, rule))
                        *ret = (unsigned) c->counts[i].n;
        return 0;
}

/* A case. */

static int fill(PolicyCase *c,
                RawCase *raw,
                const PolicyCaseDefaults *defaults,
                ErrorList *notes,
                char **reterr_msg) {
        int r = policy_challenge_read(&c->challenge, slice_of(raw->challenge), notes, reterr_msg);
        if (r < 0)
                return r == -EBADMSG ? error_wrap(reterr_msg, r, "challenge") : r;

        const char *factor = raw->factor           ? raw->factor
                             : c->challenge.factor ? c->challenge.factor
                                                   : defaults->factor;
        c->now = raw->now ? raw->now : defaults->now ? defaults->now : c->challenge.created;
        if (!factor)
                return error_set(reterr_msg, -EBADMSG,
                                "it does not say the factor's name; write \"factor\": \"NAME\"");
        if (c->now == 0)
                return error_set(reterr_msg, -EBADMSG,
                                "it does not say when; write \"now\": \"2026-01-05T12:00:00Z\"");
        c->otherwise = defaults->otherwise;
        r = policy_otherwise_read(raw->otherwise, &c->otherwise, reterr_msg);
        if (r == 0)
                r = complete(&c->challenge, factor, c->now, 0);
        if (r == 0 && raw->tickets)
                r = read_tickets(c, raw->tickets, reterr_msg);
        if (r == 0 && raw->pending)
                r = read_pending(c, raw->pending, notes, reterr_msg);
        if (r == 0 && raw->counts)
                r = read_counts(c, raw->counts, reterr_msg);
        c->name = TAKE_PTR(raw->name);
        c->expected = TAKE_PTR(raw->expect);
        c->expected_rule = TAKE_PTR(raw->rule);
        return r;
}

int policy_case_read(PolicyCase *ret,
                JsonSlice text,
                const PolicyCaseDefaults *defaults,
                ErrorList *notes,
                char **reterr_msg) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(raw_case_done) RawCase raw = {0};
        _cleanup_(policy_case_done) PolicyCase c = {0};
        JsonSlice whole;

        int r = json_doc_parse(&doc, text.data, text.len, reterr_msg);
        if (r < 0)
                return r;
        if (json_doc_raw(doc, "challenge", &whole))
                r = json_doc_read(
                                doc, case_fields, ELEMENTSOF(case_fields), true, &raw, reterr_msg);
        else {
                raw.challenge = strndup(text.data, text.len);
                r = raw.challenge ? 0 : -ENOMEM;
        }
        if (r == 0)
                r = fill(&c, &raw, defaults, notes, reterr_msg);
        if (r < 0)
                return r;
        *ret = c;
        c = (PolicyCase){0};
        return 0;
}

/* What a ticket of a case borrows is the case's own. */
static void ticket_done(PolicyTicket *t) {
        free((char *) (uintptr_t) t->factor);
        free((char *) (uintptr_t) t->message);
        detail_fields_done((DetailField *) (uintptr_t) t->fields, t->n_fields);
}

void policy_case_done(PolicyCase *c) {
        for (size_t i = 0; c->tickets && i < c->n_tickets; i++)
                ticket_done(&c->tickets[i]);
        for (size_t i = 0; c->pending && i < c->n_pending; i++)
                challenge_view_done(&c->pending[i]);
        for (size_t i = 0; c->counts && i < c->n_counts; i++)
                free(c->counts[i].rule);
        challenge_view_done(&c->challenge);
        free(c->tickets);
        free(c->pending);
        free(c->pending_list);
        free(c->counts);
        free(c->name);
        free(c->expected);
        free(c->expected_rule);
        *c = (PolicyCase){0};
}

PolicyInput policy_case_input(const PolicyCase *c) {
        return (PolicyInput){
                        .challenge = &c->challenge,
                        .factor = c->challenge.factor,
                        .now = c->now,
                        .tickets = c->tickets,
                        .n_tickets = c->n_tickets,
                        .pending = c->pending_list,
                        .n_pending = c->n_pending,
                        .count = count_of_case,
                        .userdata = (void *) (uintptr_t) c,
                        .otherwise = c->otherwise,
        };
}

int policy_case_agrees(const PolicyCase *c, const PolicyVerdict *v) {
        _cleanup_free_ char *decision = NULL;

        int r = policy_verdict_decision(v, &decision);
        if (r < 0)
                return r;
        return streq_ptr(c->expected, decision) &&
               (!c->expected_rule || streq(c->expected_rule, v->rule));
}
