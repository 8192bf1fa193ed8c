/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/evaluation.h"
#include "policy/glob.h"

static bool field_fits(const DetailField *wanted, const ChallengeView *c) {
        size_t n = 0;
        bool fits = false;

        for (size_t i = 0; i < c->n_fields; i++) {
                if (!streq(c->fields[i].label, wanted->label))
                        continue;
                n++;
                fits = streq(c->fields[i].value, wanted->value);
        }
        return n == 1 && fits;
}

bool policy_ticket_fits(
                const PolicyTicket *t, const char *factor, const ChallengeView *c, usec_t now) {
        usec_t last = usec_add(t->created, POLICY_TICKET_LIFE_MAX);

        if (!streq_ptr(t->factor, factor) || !factor)
                return false;
        if (now >= t->expires || now >= last)
                return false;
        if (c->created < usec_sub(t->created, POLICY_TICKET_GRACE))
                return false;
        if (t->message && (!c->message || glob_fault(t->message) ||
                                          !glob_match(t->message, c->message)))
                return false;
        for (size_t i = 0; i < t->n_fields; i++)
                if (!field_fits(&t->fields[i], c))
                        return false;
        return true;
}

/* Whether another challenge that is still open could use the ticket. */
static bool fits_another(const PolicyTicket *t, const PolicyInput *in) {
        for (size_t i = 0; i < in->n_pending; i++) {
                const ChallengeView *other = in->pending[i];

                if (!streq(other->sid, in->challenge->sid) && other->expires > in->now &&
                                policy_ticket_fits(t, in->factor, other, in->now))
                        return true;
        }
        return false;
}

/* Of several tickets the oldest is used. One that fits two challenges stops both, though one of
 * them may have another ticket: nobody can say which of the two was announced. */
void evaluation_find_ticket(Evaluation *e) {
        const PolicyInput *in = e->input;
        const PolicyTicket *best = NULL;

        e->ticket_result = TICKET_NONE;
        for (size_t i = 0; i < in->n_tickets; i++) {
                const PolicyTicket *t = &in->tickets[i];

                if (!policy_ticket_fits(t, in->factor, in->challenge, in->now))
                        continue;
                if (fits_another(t, in)) {
                        e->ticket_result = TICKET_AMBIGUOUS;
                        e->ticket = t->id;
                        return;
                }
                if (!best || t->created < best->created ||
                                (t->created == best->created && t->id < best->id))
                        best = t;
        }
        if (best) {
                e->ticket_result = TICKET_FITS;
                e->ticket = best->id;
        }
}

/* By its name and type alone; what can't be told may be. */
static bool may_be_about(
                const Rule *r, RegexScratch *scratch, const char *factor, FactorType type) {
        for (size_t i = 0; i < r->n_conditions; i++) {
                const Condition *c = &r->conditions[i];

                if (c->kind == CONDITION_TYPE && (c->type == type) == c->not_type)
                        return false;
                if (c->kind == CONDITION_FACTOR &&
                                pattern_match(&c->pattern, scratch, factor) == PATTERN_NO)
                        return false;
        }
        return true;
}

bool policy_wants_tickets(const Policy *p, const char *factor, FactorType type) {
        _cleanup_(regex_scratch_freep) RegexScratch *scratch = NULL;

        if (regex_scratch_new(&scratch) < 0)
                return true;
        for (size_t i = 0; i < p->n_rules; i++) {
                const Rule *r = &p->rules[i];

                if (r->may_approve && rule_condition(r, CONDITION_TICKET) &&
                                may_be_about(r, scratch, factor, type))
                        return true;
        }
        return false;
}
