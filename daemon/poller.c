/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/poller.h"

#include <errno.h>
#include <search.h>
#include <string.h>
#include <sys/queue.h>

#include "base/text.h"
#include "daemon/backoff.h"

#define POLL_PAGE_SIZE 100
#define POLL_PAGES_MAX 1000 /* of a round: a server that pages for ever costs no more */
#define POLL_BACKOFF_MAX (60 * USEC_PER_SEC)
#define POLL_ACCURACY (10 * USEC_PER_MSEC)

/* The targets of one account, which share its budget. */
typedef struct PollGroup {
        char account_sid[SID_SIZE];
        size_t n_targets;
        TAILQ_ENTRY(PollGroup) groups;
} PollGroup;

struct PollTarget {
        Poller *poller;
        PollGroup *group;
        TAILQ_ENTRY(PollTarget) targets;
        Factor **factors;
        size_t n_factors;
        bool device;            /* one push factor, by its own credential */
        sd_event_source *timer; /* the event loop keeps the heap of due times */
        usec_t due;
        ApiCall *call;
        bool again; /* poked while a round was under way */
        uint64_t round;
        usec_t page_read; /* when this round's first page was */
        unsigned page;    /* of this round */
        int64_t page_size;
        unsigned n_failures;
        bool suspect;  /* the last round failed; a poke does not forget it */
        char *partial; /* why this round has left something out, or NULL */
};

struct Poller {
        sd_event *event;
        Api *api;
        PollerOptions options;
        PollerHandler handler;
        TAILQ_HEAD(, PollTarget) targets;
        TAILQ_HEAD(, PollGroup) groups;
        void *shared; /* tsearch() tree of the targets that are no device's */
};

static int target_compare(const void *a, const void *b) {
        const PollTarget *x = a, *y = b;
        const Factor *f = x->factors[0], *g = y->factors[0];
        int r;

        if (f->account != g->account)
                return f->account < g->account ? -1 : 1;
        r = strcmp(strempty(f->record.service_sid), strempty(g->record.service_sid));
        return r != 0 ? r : strcmp(strempty(f->record.identity), strempty(g->record.identity));
}

static PollGroup *poll_group(Poller *p, const char *account_sid) {
        PollGroup *g;

        TAILQ_FOREACH(g, &p->groups, groups) {
                if (streq(g->account_sid, account_sid))
                        return g;
        }
        g = calloc(1, sizeof(PollGroup));
        if (!g)
                return NULL;
        strncpy(g->account_sid, account_sid, sizeof(g->account_sid) - 1);
        TAILQ_INSERT_TAIL(&p->groups, g, groups);
        return g;
}

/* The last one takes the group with it: status shows what is polled. */
static void poll_group_leave(Poller *p, PollGroup *g) {
        if (--g->n_targets > 0)
                return;
        TAILQ_REMOVE(&p->groups, g, groups);
        free(g);
}

static PollTarget *poll_target_free(PollTarget *t) {
        if (!t)
                return NULL;
        if (t->group) {
                TAILQ_REMOVE(&t->poller->targets, t, targets);
                poll_group_leave(t->poller, t->group);
                if (!t->device)
                        (void) tdelete(t, &t->poller->shared, target_compare);
        }
        api_call_free(t->call);
        sd_event_source_disable_unref(t->timer);
        for (size_t i = 0; i < t->n_factors; i++) {
                t->factors[i]->target = NULL;
                factor_unref(t->factors[i]);
        }
        free(t->factors);
        free(t->partial);
        free(t);
        return NULL;
}
DEFINE_CLEANUP(PollTarget *, poll_target_free);

int poller_new(Poller **ret,
                sd_event *event,
                Api *api,
                const PollerOptions *options,
                const PollerHandler *handler) {
        Poller *p = calloc(1, sizeof(Poller));
        if (!p)
                return -ENOMEM;
        *p = (Poller){
                        .event = sd_event_ref(event),
                        .api = api,
                        .options = *options,
                        .handler = *handler,
        };
        TAILQ_INIT(&p->targets);
        TAILQ_INIT(&p->groups);
        *ret = p;
        return 0;
}

Poller *poller_free(Poller *p) {
        PollTarget *t;

        if (!p)
                return NULL;
        while ((t = TAILQ_FIRST(&p->targets)))
                poll_target_free(t);
        sd_event_unref(p->event);
        free(p);
        return NULL;
}

Factor *const *poll_target_factors(const PollTarget *t, size_t *ret_n) {
        *ret_n = t->n_factors;
        return t->factors;
}

ApiWho poll_target_who(const PollTarget *t) {
        return (ApiWho){
                        .device = t->device ? t->factors[0] : NULL,
                        .account = t->device ? NULL : t->factors[0]->account,
        };
}

/* A round that does not fit the account's budget takes longer. */
static usec_t group_idle_interval(const Poller *p, const PollGroup *g) {
        usec_t round = g->n_targets * api_lane_view(p->api, g->account_sid).spacing;

        return round > p->options.idle_interval ? round : p->options.idle_interval;
}

static usec_t poll_target_interval(PollTarget *t) {
        const Poller *p = t->poller;
        usec_t idle = group_idle_interval(p, t->group);

        switch (p->handler.pace(t, p->handler.userdata)) {
        case POLL_BUSY:
                return p->options.interval;
        case POLL_RARE:
                return idle > POLL_RARE_INTERVAL ? idle : POLL_RARE_INTERVAL;
        case POLL_IDLE:
                break;
        }
        return idle;
}

static void poll_target_schedule(PollTarget *t, usec_t when) {
        t->due = when;
        (void) sd_event_source_set_time(t->timer, t->due);
        (void) sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

/* How long a failing target waits on top of its interval. */
static usec_t poll_target_penalty(const PollTarget *t, usec_t interval) {
        if (t->n_failures == 0)
                return 0;
        return backoff_delay(interval < POLL_BACKOFF_MAX ? interval : POLL_BACKOFF_MAX,
                        POLL_BACKOFF_MAX, t->n_failures, 0);
}

/* Ends a round and sets the next one's time. It counts from now, so that a budget that does not
 * suffice lengthens all intervals a little, and no queue grows. */
static void poll_target_rest(PollTarget *t, bool failed) {
        usec_t now = now_boottime(), interval = poll_target_interval(t), delay;
        /* A list of many pages may take half of the time, no more. */
        usec_t took = t->page_read > 0 ? usec_sub(now, t->page_read) : 0;

        t->n_failures = failed ? t->n_failures + 1 : 0;
        t->suspect = failed;
        /* The first interval is cut at random: so each target has a phase of its own, and those
         * that started together do not stay together. */
        delay = t->round == 1 ? random_span(interval) : interval + random_span(interval / 10);
        if (took > delay)
                delay = took;
        if (t->again && !failed)
                delay = 0;
        t->again = false;
        poll_target_schedule(t, now + delay + poll_target_penalty(t, interval));
}

static int poll_target_ask(PollTarget *t, const VerifyList *page);

static void poll_target_fail(PollTarget *t, const ApiReply *reply, const char *text) {
        Poller *p = t->poller;

        /* The handler comes last: it may drop the target. */
        poll_target_rest(t, true);
        p->handler.failed(t, reply, text, t->n_failures, p->handler.userdata);
}

/* Hands out one page; asks for the next, or ends the round. */
static void poll_target_page(PollTarget *t, VerifyChallengeList *list) {
        Poller *p = t->poller;

        if (list->page_token && t->page == 0)
                t->page_read = now_boottime();
        if (list->n_malformed > 0)
                (void) text_set(&t->partial, strempty(list->malformed_why));
        p->handler.page(t, list, t->round, p->handler.userdata);
        if (list->page_token && ++t->page >= POLL_PAGES_MAX) {
                poll_target_fail(t, NULL, "the provider's list has no end");
                return;
        }
        if (list->page_token) {
                VerifyList next = {.page = list->next_page, .page_token = list->page_token};
                int r = poll_target_ask(t, &next);
                if (r < 0)
                        poll_target_fail(t, NULL, strerror(-r));
                return;
        }
        /* What fits on one page of any size is not too large any more. */
        if (t->page == 0)
                t->page_size = POLL_PAGE_SIZE;
        /* A list with something left out proves nothing of what it lacks. */
        if (!t->partial)
                p->handler.complete(t, t->round, p->handler.userdata);
        poll_target_rest(t, false);
        if (t->partial)
                p->handler.failed(t, NULL, t->partial, 1, p->handler.userdata);
}

static void poll_target_replied(ApiCall *call, const ApiReply *reply, void *userdata) {
        PollTarget *t = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(t->call);
        _cleanup_(verify_challenge_list_done) VerifyChallengeList list = {0};
        _cleanup_free_ char *why = NULL;
        int r;

        if (reply->too_large && t->page_size > 1) {
                /* Ask again from the start with half the page. */
                t->page_size /= 2;
                t->page = 0;
                r = poll_target_ask(t, &(VerifyList){.page = -1});
                if (r < 0)
                        poll_target_fail(t, NULL, strerror(-r));
                return;
        }
        if (reply->outcome != API_OK) {
                poll_target_fail(t, reply, reply->text);
                return;
        }
        r = verify_challenge_list_read(&list, reply->body, reply->len, &why);
        if (r < 0) {
                poll_target_fail(t, NULL, error_text(why, r));
                return;
        }
        poll_target_page(t, &list);
}

static int poll_target_ask(PollTarget *t, const VerifyList *page) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        const StoreFactor *record = &t->factors[0]->record;
        VerifyList list = *page;
        _cleanup_free_ char *why = NULL;
        int r;

        list.status = "pending";
        list.order = "asc";
        list.page_size = t->page_size;
        list.factor_sid = t->device ? record->sid : NULL;
        r = verify_challenge_list(&request, &(VerifyEntity){record->service_sid, record->identity},
                        &list, &why);
        if (r < 0)
                return r;
        ApiWho who = poll_target_who(t);
        /* Further pages stand behind those whose turn has come meanwhile. */
        ApiTurn turn = {.poll = true,
                        .suspect = t->suspect,
                        .since = t->page == 0 ? t->due : now_boottime()};
        return api_send(t->poller->api, &t->call, &request, &who, &turn, poll_target_replied, t);
}

static int poll_target_due(sd_event_source *s, uint64_t usec, void *userdata) {
        PollTarget *t = userdata;
        int r;

        if (t->call) {
                t->again = true;
                return 0;
        }
        t->round++;
        t->page = 0;
        t->page_read = 0;
        (void) text_set(&t->partial, NULL);
        r = poll_target_ask(t, &(VerifyList){.page = -1});
        if (r < 0)
                poll_target_fail(t, NULL, strerror(-r));
        return 0;
}

static int poll_target_append(PollTarget *t, Factor *f) {
        Factor **grown = realloc(t->factors, (t->n_factors + 1) * sizeof(Factor *));
        if (!grown)
                return -ENOMEM;
        t->factors = grown;
        t->factors[t->n_factors++] = factor_ref(f);
        f->target = t;
        return 0;
}

static int poll_target_new(Poller *p, Factor *f) {
        _cleanup_(poll_target_freep) PollTarget *t = NULL;
        const char *account_sid = f->record.type == FACTOR_PUSH ? strempty(f->record.account_sid)
                                                                : f->account->config->account_sid;
        int r;

        t = calloc(1, sizeof(PollTarget));
        if (!t)
                return -ENOMEM;
        t->poller = p;
        t->device = f->record.type == FACTOR_PUSH;
        t->page_size = POLL_PAGE_SIZE;
        r = poll_target_append(t, f);
        if (r < 0)
                return r;
        t->due = now_boottime();
        r = sd_event_add_time(p->event, &t->timer, CLOCK_BOOTTIME, t->due, POLL_ACCURACY,
                        poll_target_due, t);
        if (r < 0)
                return r;
        t->group = poll_group(p, account_sid);
        if (!t->group)
                return -ENOMEM;
        t->group->n_targets++;
        TAILQ_INSERT_TAIL(&p->targets, t, targets);
        if (!t->device && !tsearch(t, &p->shared, target_compare))
                return -ENOMEM;
        t = NULL;
        return 0;
}

static void poll_target_hurry(PollTarget *t) {
        t->n_failures = 0;
        t->again = t->call != NULL;
        if (!t->call)
                poll_target_schedule(t, now_boottime());
}

int poller_add(Poller *p, Factor *f) {
        PollTarget **shared;

        if (f->target)
                return 0;
        if (f->record.type != FACTOR_PUSH) {
                shared = tfind(&(PollTarget){.factors = &f}, &p->shared, target_compare);
                if (shared) {
                        int r = poll_target_append(*shared, f);
                        if (r >= 0)
                                poll_target_hurry(*shared);
                        return r;
                }
        }
        return poll_target_new(p, f);
}

void poller_remove(Poller *p, Factor *f) {
        PollTarget *t = f->target;

        if (!t)
                return;
        if (t->n_factors == 1) {
                poll_target_free(t);
                return;
        }
        for (size_t i = 0; i < t->n_factors; i++)
                if (t->factors[i] == f) {
                        t->factors[i] = t->factors[--t->n_factors];
                        break;
                }
        f->target = NULL;
        factor_unref(f);
}

void poller_poke(Poller *p) {
        PollTarget *t;

        api_hurry(p->api);
        TAILQ_FOREACH(t, &p->targets, targets) {
                poll_target_hurry(t);
        }
}

void poller_hurry(Poller *p, const Factor *f) {
        if (f->target)
                poll_target_hurry(f->target);
}

bool poller_group(const Poller *p, size_t i, PollGroupView *ret) {
        const PollGroup *g;

        TAILQ_FOREACH(g, &p->groups, groups) {
                if (i-- > 0)
                        continue;
                *ret = (PollGroupView){g->account_sid, g->n_targets, group_idle_interval(p, g)};
                return true;
        }
        return false;
}
