/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

/* Of the requests in flight a quarter is kept from polls, so that an answer needs not wait for a
 * poll that a slow server holds. */
#define RESERVE 4

void queue_init(Queue *q, unsigned max_running, unsigned requests_per_second) {
        *q = (Queue){
                        .requests_per_second = requests_per_second,
                        .max_running = max_running,
                        .max_polls = max_running > 1 ? max_running - (max_running + RESERVE - 1) /
                                                                                       RESERVE
                                                     : 1,
        };
        pace_init(&q->host, 0);
        TAILQ_INIT(&q->lanes);
}

void queue_done(Queue *q) {
        QueueLane *l;

        while ((l = TAILQ_FIRST(&q->lanes))) {
                TAILQ_REMOVE(&q->lanes, l, lanes);
                free(l->error);
                free(l);
        }
}

QueueLane *queue_lane(const Queue *q, const char *account_sid) {
        QueueLane *l;

        TAILQ_FOREACH(l, &q->lanes, lanes) {
                if (streq(l->account_sid, account_sid))
                        return l;
        }
        return NULL;
}

QueueLane *queue_lane_make(Queue *q, const char *account_sid) {
        QueueLane *l = queue_lane(q, account_sid);

        if (l || strlen(account_sid) >= sizeof(l->account_sid))
                return l;
        l = calloc(1, sizeof(QueueLane));
        if (!l)
                return NULL;
        memcpy(l->account_sid, account_sid, strlen(account_sid) + 1);
        pace_init(&l->pace, q->requests_per_second);
        TAILQ_INIT(&l->urgent);
        TAILQ_INIT(&l->polls);
        TAILQ_INIT(&l->suspects);
        TAILQ_INSERT_TAIL(&q->lanes, l, lanes);
        return l;
}

static struct QueueItems *lane_items(QueueLane *l, const QueueItem *i) {
        return !i->poll ? &l->urgent : i->suspect ? &l->suspects : &l->polls;
}

void queue_add(QueueItem *i) {
        struct QueueItems *list = lane_items(i->lane, i);
        QueueItem *before = TAILQ_LAST(list, QueueItems);

        /* They come nearly in order: the place is at the end or close to it. */
        while (before && before->since > i->since)
                before = TAILQ_PREV(before, QueueItems, items);
        if (before)
                TAILQ_INSERT_AFTER(list, before, i, items);
        else
                TAILQ_INSERT_HEAD(list, i, items);
        i->running = false;
        i->lane->n_waiting++;
}

static void queue_start(Queue *q, QueueItem *i, usec_t now) {
        QueueLane *l = i->lane;

        TAILQ_REMOVE(lane_items(l, i), i, items);
        l->n_waiting--;
        l->n_polls += i->poll;
        q->n_polls += i->poll;
        l->n_suspects += i->suspect;
        q->n_suspects += i->suspect;
        q->n_running++;
        i->running = true;
        i->sent = now;
        pace_take(&l->pace, now);
        TAILQ_REMOVE(&q->lanes, l, lanes);
        TAILQ_INSERT_TAIL(&q->lanes, l, lanes);
}

void queue_remove(Queue *q, QueueItem *i) {
        QueueLane *l = TAKE_PTR(i->lane);

        if (!l)
                return;
        if (i->running) {
                l->n_polls -= i->poll;
                q->n_polls -= i->poll;
                l->n_suspects -= i->suspect;
                q->n_suspects -= i->suspect;
                q->n_running--;
                return;
        }
        TAILQ_REMOVE(lane_items(l, i), i, items);
        l->n_waiting--;
}

/* While requests fail, one poll at a time finds out whether they still do; a suspect that hangs
 * keeps only other suspects from trying. */
static bool lane_is_probing(const Queue *q, const QueueLane *l, bool suspect) {
        return (l->pace.n_failures > 0 && l->n_polls > (suspect ? 0 : l->n_suspects)) ||
               (q->host.n_failures > 0 && q->n_polls > (suspect ? 0 : q->n_suspects));
}

/* While requests fail, those whose own last one did not are asked first: one bad target among many
 * must not stand for the provider. */
static QueueItem *lane_poll(const Queue *q, const QueueLane *l) {
        QueueItem *fresh = TAILQ_FIRST(&l->polls), *suspect = TAILQ_FIRST(&l->suspects);

        if (!fresh || !suspect)
                return fresh ? fresh : suspect;
        return l->pace.n_failures > 0 || q->host.n_failures > 0 || fresh->since <= suspect->since
                               ? fresh
                               : suspect;
}

/* The lane's next poll, or what is no poll, and when it may go. */
static QueueItem *lane_first(const Queue *q, const QueueLane *l, bool poll, usec_t *ret_ready) {
        usec_t ready = pace_budget_ready(&l->pace);

        *ret_ready = ready;
        if (!poll)
                return TAILQ_FIRST(&l->urgent);
        QueueItem *i = lane_poll(q, l);
        if (!i || !TAILQ_EMPTY(&l->urgent) || lane_is_probing(q, l, i->suspect))
                return NULL;
        usec_t lane = pace_poll_ready(&l->pace), host = pace_poll_ready(&q->host);
        ready = lane > ready ? lane : ready;
        *ret_ready = host > ready ? host : ready;
        return i;
}

static QueueItem *queue_find(const Queue *q, bool poll, usec_t now, usec_t *when) {
        const QueueLane *l;

        TAILQ_FOREACH(l, &q->lanes, lanes) {
                usec_t ready;
                QueueItem *i = lane_first(q, l, poll, &ready);
                if (i && ready <= now)
                        return i;
                if (i && ready < *when)
                        *when = ready;
        }
        return NULL;
}

QueueItem *queue_next(Queue *q, usec_t now, usec_t *ret_when) {
        QueueItem *i;

        *ret_when = USEC_INFINITY;
        if (q->n_running >= q->max_running)
                return NULL;
        i = queue_find(q, false, now, ret_when);
        if (!i && q->n_polls < q->max_polls)
                i = queue_find(q, true, now, ret_when);
        if (i)
                queue_start(q, i, now);
        return i;
}

unsigned queue_failed(
                Queue *q, const QueueItem *i, QueueFault fault, usec_t now, usec_t retry_after) {
        Pace *p = fault == QUEUE_FAULT_HOST ? &q->host : &i->lane->pace;

        /* A poll that did not fail before may prove the contrary soon: it does not wait long. */
        bool brief = !TAILQ_EMPTY(&i->lane->polls);

        return pace_failed(p, i->sent, now, retry_after, brief) ? p->n_failures : 0;
}

unsigned queue_passed(Queue *q, const QueueItem *i) {
        unsigned account = i->lane->pace.n_failures, host = q->host.n_failures;

        pace_passed(&i->lane->pace);
        pace_passed(&q->host);
        return account > host ? account : host;
}

void queue_hurry(Queue *q) {
        QueueLane *l;

        pace_hurry(&q->host);
        TAILQ_FOREACH(l, &q->lanes, lanes) {
                pace_hurry(&l->pace);
        }
}
