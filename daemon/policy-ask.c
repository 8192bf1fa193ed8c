/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy-ask.h"

#include <errno.h>

#include "daemon/life.h"
#include "daemon/rules.h"
#include "daemon/tickets.h"

/* An evaluation's arguments, and what they borrow. */
typedef struct Question {
        Manager *manager;
        int64_t factor_id;
        usec_t until; /* decisions up to then count */
        const ChallengeView **pending;
        PolicyInput input;
} Question;

static void question_done(Question *q) {
        free(q->pending);
}

/* What the store says; a rule whose decisions can't be counted asks. Decisions are dated by the
 * clock that the evaluation goes by, so that this machine's does not matter. */
static int question_count(const char *rule, usec_t since, unsigned *ret, void *userdata) {
        const Question *q = userdata;

        return store_decisions_count(
                        q->manager->store, q->factor_id, rule, since, q->until, ret, NULL);
}

static void question_init(
                Question *q, Manager *m, int64_t factor_id, const ChallengeView *v, usec_t now) {
        *q = (Question){.manager = m, .factor_id = factor_id, .until = USEC_INFINITY};
        q->input = (PolicyInput){
                        .challenge = v,
                        .factor = v->factor,
                        .now = now,
                        .count = question_count,
                        .userdata = q,
                        .otherwise = m->config->default_decision == CONFIG_DEFAULT_ASK
                                                     ? VERB_ASK
                                                     : VERB_IGNORE,
        };
}

/* Those of its factor that nobody has decided: which of them a ticket is for has to be plain. */
static int question_add_pending(Question *q, const Factor *f) {
        const Challenge *o;
        size_t n = 0;

        LIST_FOREACH(o, &f->challenges, of_factor)
        n++;
        q->pending = calloc(n + 1, sizeof(ChallengeView *));
        if (!q->pending)
                return -ENOMEM;
        LIST_FOREACH(o, &f->challenges, of_factor) {
                if (!o->has_decision && !life_is_final(o->view.state))
                        q->pending[q->input.n_pending++] = &o->view;
        }
        q->input.pending = q->pending;
        return 0;
}

static int question_of_challenge(Question *q, Manager *m, const Challenge *c) {
        PolicyInput *in = &q->input;

        question_init(q, m, c->factor->record.id, &c->view, api_now(m->api));
        /* Another challenge that a ticket fits, too, would not be seen. */
        if (c->awaits_list || c->factor->crowded)
                return 0;
        in->n_tickets = tickets_of_factor(m->tickets, c->factor, in->now, &in->tickets);
        return in->n_tickets > 0 ? question_add_pending(q, c->factor) : 0;
}

int policy_ask(Manager *m, const Challenge *c, PolicyVerdict *ret) {
        _cleanup_(question_done) Question q = {0};
        int r = question_of_challenge(&q, m, c);

        return r < 0 ? r : policy_evaluate(rules_policy(m->rules), &q.input, ret);
}

int policy_ask_why(Manager *m, const Challenge *c, PolicyExplanation *ret) {
        _cleanup_(question_done) Question q = {0};
        int r = question_of_challenge(&q, m, c);

        return r < 0 ? r : policy_explain(rules_policy(m->rules), &q.input, ret);
}

int policy_ask_then(Manager *m,
                int64_t factor_id,
                const ChallengeView *v,
                const PolicyTicket *ticket,
                usec_t now,
                PolicyVerdict *ret) {
        _cleanup_(question_done) Question q = {0};

        question_init(&q, m, factor_id, v, now);
        q.until = usec_sub(now, 1); /* what was decided then is what is asked about */
        q.input.tickets = ticket;
        q.input.n_tickets = ticket ? 1 : 0;
        return policy_evaluate(rules_policy(m->rules), &q.input, ret);
}
