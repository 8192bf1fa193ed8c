/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/poller.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "daemon/backoff.h"

#define POLL_PAGE_SIZE 100
#define POLL_PAGES_MAX 1000 /* of a round: a server that pages for ever costs no more */
#define POLL_BACKOFF_MAX (60 * USEC_PER_SEC)
#define POLL_ACCURACY (10 * USEC_PER_MSEC)

struct PollTarget {
        Poller *poller;
        PollTarget *next;
        Factor **factors;
        size_t n_factors;
        bool device; /* one push factor, by its own credential */
        sd_event_source *timer;
        ApiCall *call;
        bool again; /* poked while a round was under way */
        uint64_t round;
        unsigned page; /* of this round */
        int64_t page_size;
        unsigned n_failures;
};

struct Poller {
        sd_event *event;
        Api *api;
        PollerOptions options;
        PollerHandler handler;
        PollTarget *targets;
};

static PollTarget *poll_target_free(PollTarget *t) {
        if (!t)
                return NULL;
        for (PollTarget **i = &t->poller->targets; *i; i = &(*i)->next)
                if (*i == t) {
                        *i = t->next;
                        break;
                }
        api_call_free(t->call);
        sd_event_source_disable_unref(t->timer);
        for (size_t i = 0; i < t->n_factors; i++)
                factor_unref(t->factors[i]);
        free(t->factors);
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
        *ret = p;
        return 0;
}

Poller *poller_free(Poller *p) {
        if (!p)
                return NULL;
        while (p->targets)
                poll_target_free(p->targets);
        sd_event_unref(p->event);
        free(p);
        return NULL;
}

bool poll_target_has(const PollTarget *t, const Factor *f) {
        for (size_t i = 0; i < t->n_factors; i++)
                if (t->factors[i] == f)
                        return true;
        return false;
}

Factor *const *poll_target_factors(const PollTarget *t, size_t *ret_n) {
        *ret_n = t->n_factors;
        return t->factors;
}

Account *poll_target_account(const PollTarget *t) {
        return t->device ? NULL : t->factors[0]->account;
}

/* A tenth of the span, at random, so that targets drift apart. */
static usec_t jitter(usec_t span) {
        uint32_t r = 0;

        (void) random_bytes(&r, sizeof(r));
        return span / 10 * r / UINT32_MAX;
}

static void poll_target_schedule(PollTarget *t, usec_t delay) {
        (void) sd_event_source_set_time(t->timer, usec_add(now_boottime(), delay));
        (void) sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

/* Ends a round: failure backs off, doubling up to a minute, unless the server said when. */
static void poll_target_rest(PollTarget *t, bool failed, usec_t retry_after) {
        Poller *p = t->poller;
        usec_t delay = p->handler.busy(t, p->handler.userdata) ? p->options.interval
                                                               : p->options.idle_interval;

        t->n_failures = failed ? t->n_failures + 1 : 0;
        if (failed)
                delay = backoff_delay(delay, delay > POLL_BACKOFF_MAX ? delay : POLL_BACKOFF_MAX,
                                t->n_failures, retry_after);
        if (t->again && !failed)
                delay = 0;
        t->again = false;
        poll_target_schedule(t, usec_add(delay, jitter(delay)));
}

static int poll_target_ask(PollTarget *t, const VerifyList *page);

static void poll_target_fail(PollTarget *t, const ApiReply *reply, const char *text) {
        Poller *p = t->poller;
        usec_t retry_after = reply ? reply->retry_after : 0;

        /* The handler comes last: it may drop the target. */
        poll_target_rest(t, true, retry_after);
        p->handler.failed(t, reply, text, p->handler.userdata);
}

/* Hands out one page; asks for the next, or ends the round. */
static void poll_target_page(PollTarget *t, VerifyChallengeList *list) {
        Poller *p = t->poller;

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
        /* A list with something left out proves nothing of what it lacks. */
        if (list->n_malformed == 0)
                p->handler.complete(t, t->round, p->handler.userdata);
        poll_target_rest(t, false, 0);
        if (list->n_malformed > 0)
                p->handler.failed(t, NULL, list->malformed_why, p->handler.userdata);
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
        ApiWho who = {
                        .device = t->device ? t->factors[0] : NULL,
                        .account = poll_target_account(t),
        };
        return api_send(t->poller->api, &t->call, &request, &who, poll_target_replied, t);
}

static int poll_target_due(sd_event_source *s, uint64_t usec, void *userdata) {
        PollTarget *t = userdata;
        int r;

        t->round++;
        t->page = 0;
        r = poll_target_ask(t, &(VerifyList){.page = -1});
        if (r < 0)
                poll_target_fail(t, NULL, strerror(-r));
        return 0;
}

static bool poll_target_matches(const PollTarget *t, const Factor *f) {
        const StoreFactor *a = &t->factors[0]->record, *b = &f->record;

        return !t->device && f->record.type != FACTOR_PUSH &&
               t->factors[0]->account == f->account && streq_ptr(a->service_sid, b->service_sid) &&
               streq_ptr(a->identity, b->identity);
}

static int poll_target_append(PollTarget *t, Factor *f) {
        Factor **grown = realloc(t->factors, (t->n_factors + 1) * sizeof(Factor *));
        if (!grown)
                return -ENOMEM;
        t->factors = grown;
        t->factors[t->n_factors++] = factor_ref(f);
        return 0;
}

static int poll_target_new(Poller *p, Factor *f) {
        _cleanup_(poll_target_freep) PollTarget *t = NULL;
        int r;

        t = calloc(1, sizeof(PollTarget));
        if (!t)
                return -ENOMEM;
        t->poller = p;
        t->next = p->targets;
        p->targets = t;
        t->device = f->record.type == FACTOR_PUSH;
        t->page_size = POLL_PAGE_SIZE;
        r = poll_target_append(t, f);
        if (r < 0)
                return r;
        r = sd_event_add_time(p->event, &t->timer, CLOCK_BOOTTIME, now_boottime(), POLL_ACCURACY,
                        poll_target_due, t);
        if (r < 0)
                return r;
        t = NULL;
        return 0;
}

int poller_add(Poller *p, Factor *f) {
        for (PollTarget *t = p->targets; t; t = t->next)
                if (poll_target_has(t, f))
                        return 0;
        for (PollTarget *t = p->targets; t; t = t->next)
                if (poll_target_matches(t, f))
                        return poll_target_append(t, f);
        return poll_target_new(p, f);
}

void poller_remove(Poller *p, Factor *f) {
        for (PollTarget *t = p->targets; t; t = t->next)
                for (size_t i = 0; i < t->n_factors; i++) {
                        if (t->factors[i] != f)
                                continue;
                        if (t->n_factors == 1) {
                                poll_target_free(t);
                                return;
                        }
                        t->factors[i] = t->factors[--t->n_factors];
                        factor_unref(f);
                        return;
                }
}

void poller_poke(Poller *p) {
        for (PollTarget *t = p->targets; t; t = t->next) {
                t->again = t->call != NULL;
                if (!t->call)
                        poll_target_schedule(t, 0);
        }
}
