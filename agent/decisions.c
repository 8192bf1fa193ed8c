/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/decisions.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "agent/wire.h"
#include "base/json-member.h"
#include "base/text.h"
#include "log/log.h"

/* The daemon answers within 20 s, for a TOTP challenge a period of 60 s more. */
#define ANSWER_TIMEOUT (2 * USEC_PER_MINUTE)
#define OUTCOMES_MAX 8
#define DECISIONS_MAX 64

typedef struct Decision {
        struct Decision *next;
        Decisions *list;
        Wire *wire;   /* NULL: no answer is to come */
        usec_t since; /* boot time since when */
        bool settled; /* its end was told; what is known of the challenge is older than that */
        char sid[SID_SIZE];
        char *factor;
        ActionKind kind;
} Decision;

struct Decisions {
        sd_event *event;
        void (*changed)(void *userdata);
        void *userdata;
        Decision *first;
        size_t n;
        char (*sids)[SID_SIZE];         /* of all, for decisions_fill() */
        Outcome outcomes[OUTCOMES_MAX]; /* until is boot time here */
        size_t n_outcomes;
        Outcome shown[OUTCOMES_MAX]; /* borrowing from outcomes, in server time */
};

int decisions_new(
                Decisions **ret, sd_event *event, void (*changed)(void *userdata), void *userdata) {
        Decisions *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        d->sids = calloc(DECISIONS_MAX, sizeof(*d->sids));
        if (!d->sids) {
                free(d);
                return -ENOMEM;
        }
        d->event = sd_event_ref(event);
        d->changed = changed;
        d->userdata = userdata;
        *ret = d;
        return 0;
}

static void decision_free(Decision *x) {
        for (Decision **i = &x->list->first; *i; i = &(*i)->next)
                if (*i == x) {
                        *i = x->next;
                        x->list->n--;
                        break;
                }
        wire_free(x->wire);
        free(x->factor);
        free(x);
}

Decisions *decisions_free(Decisions *d) {
        if (!d)
                return NULL;
        while (d->first)
                decision_free(d->first);
        for (size_t i = 0; i < d->n_outcomes; i++)
                outcome_done(&d->outcomes[i]);
        free(d->sids);
        sd_event_unref(d->event);
        free(d);
        return NULL;
}

static void drop_outcome(Decisions *d, size_t i) {
        outcome_done(&d->outcomes[i]);
        d->n_outcomes--;
        memmove(&d->outcomes[i], &d->outcomes[i + 1], (d->n_outcomes - i) * sizeof(d->outcomes[0]));
}

/* Takes o. */
static void add_outcome(Decisions *d, Outcome *o, const char *sid) {
        for (size_t i = 0; i < d->n_outcomes;)
                if (streq(d->outcomes[i].sid, sid) || d->outcomes[i].until <= now_boottime())
                        drop_outcome(d, i);
                else
                        i++;
        if (d->n_outcomes == OUTCOMES_MAX)
                drop_outcome(d, 0);
        (void) stpcpy(o->sid, sid);
        o->until = usec_add(now_boottime(), OUTCOME_SPAN);
        d->outcomes[d->n_outcomes++] = *o;
        *o = (Outcome){0};
}

static void decision_wait(Decision *x) {
        x->wire = wire_free(x->wire);
        x->since = now_boottime();
}

/* What end says, an answer of outcome_of_…(). What is known here of the challenge is from before:
 * until that is past nobody is asked again. */
static void decision_end(Decision *x, int end, Outcome *o) {
        if (o->summary)
                add_outcome(x->list, o, x->sid);
        if (end != DECISION_PENDING || x->wire)
                decision_wait(x);
        x->settled = end != DECISION_WAITS && end != DECISION_PENDING;
}

static void on_answer(Wire *w, const VarlinkMessage *m, const char *msg, void *userdata) {
        Decision *x = userdata;
        Decisions *d = x->list;
        Outcome o = {0};

        if (m)
                decision_end(x,
                                outcome_of_reply(&o, x->kind, x->factor, m->error,
                                                json_doc_object(m->parameters)),
                                &o);
        else {
                log_warning("No answer to a decision on %s: %s", x->sid, msg);
                /* It may have arrived all the same. */
                decision_wait(x);
        }
        d->changed(d->userdata);
}

static json_object *decision_parameters(const NoticeAction *a) {
        json_object *p = json_object_new_object();

        if (!p)
                return NULL;
        json_object_object_add(p, "sid", json_object_new_string(a->sid));
        if (a->kind != ACTION_IGNORE)
                json_object_object_add(p, "digest", json_object_new_string(a->digest));
        return p;
}

static Decision *decision_add(Decisions *d, const NoticeAction *a, const char *factor) {
        Decision *x;

        if (d->n == DECISIONS_MAX)
                return NULL;
        x = calloc(1, sizeof(*x));
        if (!x)
                return NULL;
        x->factor = strdup(factor);
        if (!x->factor) {
                free(x);
                return NULL;
        }
        x->list = d;
        x->next = d->first;
        x->kind = a->kind;
        (void) stpcpy(x->sid, a->sid);
        d->first = x;
        d->n++;
        return x;
}

void decisions_send(Decisions *d, const char *path, const NoticeAction *a, const char *factor) {
        static const char *const names[] = {
                        [ACTION_APPROVE] = "Approve",
                        [ACTION_DENY] = "Deny",
                        [ACTION_IGNORE] = "Ignore",
        };
        _cleanup_free_ char *msg = NULL;
        Outcome o = {0};
        Decision *x = decision_add(d, a, factor);
        int r;

        if (!x) {
                log_warning("Too many decisions are under way, ignoring another");
                return;
        }
        log_info("%s %s (%s)", names[a->kind], a->sid, factor);
        r = wire_new(&x->wire, d->event, path, on_answer, x, &msg);
        if (r < 0) {
                decision_end(x, outcome_of_failure(&o, a->kind, factor, error_text(msg, r)), &o);
                return;
        }
        wire_call(x->wire, names[a->kind], decision_parameters(a), false, ANSWER_TIMEOUT);
}

static json_object *find_challenge(json_object *challenges, const char *sid) {
        for (size_t i = 0; i < count_items(challenges); i++) {
                json_object *o = json_object_array_get_idx(challenges, i);

                if (streq_ptr(get_string(o, "sid"), sid))
                        return o;
        }
        return NULL;
}

void decisions_look(Decisions *d, json_object *challenges, usec_t asked) {
        for (Decision *x = d->first, *next; x; x = next) {
                Outcome o = {0};

                next = x->next;
                if (x->wire || x->since > asked)
                        continue;
                if (!x->settled && challenges)
                        decision_end(x,
                                        outcome_of_challenge(&o, x->kind, x->factor,
                                                        find_challenge(challenges, x->sid)),
                                        &o);
                if (x->settled)
                        decision_free(x);
        }
}

bool decisions_wait(const Decisions *d) {
        for (const Decision *x = d->first; x; x = x->next)
                if (!x->wire && !x->settled)
                        return true;
        return false;
}

void decisions_fill(Decisions *d, PlanInput *in) {
        usec_t boot = now_boottime();
        size_t n = 0;

        for (const Decision *x = d->first; x; x = x->next)
                (void) stpcpy(d->sids[n++], x->sid);
        in->deciding = (const char(*)[SID_SIZE]) d->sids;
        in->n_deciding = n;
        for (size_t i = 0; i < d->n_outcomes; i++) {
                d->shown[i] = d->outcomes[i];
                d->shown[i].until = usec_add(in->now, usec_sub(d->outcomes[i].until, boot));
        }
        in->outcomes = d->shown;
        in->n_outcomes = d->n_outcomes;
}
