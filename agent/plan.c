/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/plan-text.h"
#include "base/text.h"

void notice_done(Notice *n) {
        free(n->key);
        free(n->summary);
        free(n->body);
        free(n->meaning);
        free(n->matter);
        *n = (Notice){0};
}

void plan_done(Plan *p) {
        for (size_t i = 0; i < p->n; i++)
                notice_done(&p->notices[i]);
        free(p->notices);
        *p = (Plan){0};
}

usec_t time_left_drawn(usec_t left) {
        usec_t step = left > 2 * USEC_PER_MINUTE ? USEC_PER_MINUTE : 15 * USEC_PER_SEC;

        return left - left % step;
}

/* The instant from which on that request's time left is drawn otherwise. */
static usec_t time_left_due(const Request *r, usec_t now) {
        usec_t drawn = time_left_drawn(usec_sub(r->expires, now));

        /* Less than a step is drawn until it is over. */
        return drawn > 0 ? r->expires - drawn + 1 : r->expires;
}

static bool is_deciding(const PlanInput *in, const Request *r) {
        for (size_t i = 0; i < in->n_deciding; i++)
                if (streq(in->deciding[i], r->sid))
                        return true;
        return false;
}

/* Sorts out who is asked about. Quiet ones are only counted: they raise nothing by themselves, but
 * while there are any, no single click may approve another. */
static int plan_select(Selection *ret, const PlanInput *in, Plan *p) {
        const World *w = in->world;

        *ret = (Selection){0};
        if (w->n_requests == 0 || !w->connected)
                return 0;
        ret->rows = calloc(w->n_requests, sizeof(*ret->rows));
        if (!ret->rows)
                return -ENOMEM;
        for (size_t i = 0; i < w->n_requests; i++) {
                const Request *r = &w->requests[i];

                if (r->expires <= in->now || is_deciding(in, r))
                        continue;
                ret->n_asking++;
                p->next = r->expires < p->next ? r->expires : p->next;
                ret->until = r->expires > ret->until ? r->expires : ret->until;
                if (world_is_cooling(w, r->factor))
                        ret->n_cooling++;
                else if (!r->quiet)
                        ret->rows[ret->n_rows++] = r;
                if (streq(r->sid, in->opened) && !r->quiet)
                        ret->opened = r;
        }
        /* What can be asked for is what is there to see. */
        if (ret->opened && world_is_cooling(w, ret->opened->factor))
                ret->opened = NULL;
        return 0;
}

/* Room for another notice, with its key; NULL without memory. */
static Notice *plan_add(Plan *p, NoticeType type, const char *key, const char *name) {
        Notice *grown = array_grow(p->notices, p->n, sizeof(*grown)), *n;

        if (!grown)
                return NULL;
        p->notices = grown;
        n = &p->notices[p->n];
        *n = (Notice){.type = type};
        if (asprintf(&n->key, "%s %s", key, name) < 0) {
                n->key = NULL;
                return NULL;
        }
        p->n++;
        return n;
}

static int plan_locked(const PlanInput *in, const Selection *s, Plan *p) {
        Notice *n;

        if (!in->world->show_locked || (s->n_rows == 0 && in->world->n_cooling == 0))
                return 0;
        n = plan_add(p, NOTICE_PROMPT, "locked", "");
        return n ? text_locked(n) : -ENOMEM;
}

static int plan_prompt(const PlanInput *in, const Selection *s, Plan *p) {
        Notice *n;

        if (s->n_rows == 0)
                return 0;
        n = plan_add(p, NOTICE_PROMPT, "prompt", "");
        if (!n)
                return -ENOMEM;
        n->lasts = usec_sub(s->until, in->now);
        for (size_t i = 0; i < s->n_rows; i++) {
                usec_t due = time_left_due(s->rows[i], in->now);

                if (s->opened && s->rows[i] != s->opened)
                        continue;
                if (i < PLAN_REVIEWS_MAX || s->opened)
                        p->next = due < p->next ? due : p->next;
        }
        if (s->opened || s->n_asking == 1)
                return text_request(n, in, s, s->opened ? s->opened : s->rows[0]);
        return text_several(n, in, s);
}

static int plan_alarms(const PlanInput *in, Plan *p) {
        const World *w = in->world;

        for (size_t i = 0; i < w->n_cooling && w->connected; i++) {
                Notice *n = plan_add(p, NOTICE_ALARM, "alarm", w->cooling[i]);
                int r = n ? text_alarm(n, in, w->cooling[i]) : -ENOMEM;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int plan_outcomes(const PlanInput *in, Plan *p) {
        for (size_t i = 0; i < in->n_outcomes; i++) {
                const Outcome *o = &in->outcomes[i];
                Notice *n;

                if (o->until <= in->now)
                        continue;
                p->next = o->until < p->next ? o->until : p->next;
                n = plan_add(p, o->failed ? NOTICE_FAILURE : NOTICE_OUTCOME, "outcome", o->sid);
                if (!n)
                        return -ENOMEM;
                n->lasts = usec_sub(o->until, in->now);
                if (text_outcome(n, in, o) < 0)
                        return -ENOMEM;
        }
        return 0;
}

int plan_make(Plan *ret, const PlanInput *in) {
        _cleanup_(plan_done) Plan p = {.next = USEC_INFINITY};
        _cleanup_(selection_done) Selection s = {0};
        int r;

        r = plan_select(&s, in, &p);
        if (r < 0)
                return r;
        if (in->locked)
                r = plan_locked(in, &s, &p);
        else {
                r = plan_alarms(in, &p);
                if (r >= 0)
                        r = plan_prompt(in, &s, &p);
                if (r >= 0)
                        r = plan_outcomes(in, &p);
        }
        if (r < 0)
                return r;
        *ret = p;
        p = (Plan){0};
        return 0;
}
