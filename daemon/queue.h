#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Queue: whose turn it is. Requests wait in the lane of their account; what a person waits for goes
 * before polls, and of each kind the oldest goes first, by whatever clock its kind counts. Pure:
 * the time comes in (boot time). */

#include <sys/queue.h>

#include "base/text.h"
#include "daemon/pace.h"

/* A request that waits or runs; part of what it stands for. */
typedef struct QueueItem {
        struct QueueLane *lane;
        bool poll;
        bool suspect; /* a poll that failed the last time */
        usec_t since; /* the oldest goes first */
        bool running;
        usec_t sent; /* when it began to run */
        TAILQ_ENTRY(QueueItem) items;
} QueueItem;

TAILQ_HEAD(QueueItems, QueueItem);

/* An account's requests. */
typedef struct QueueLane {
        char account_sid[SID_SIZE]; /* "": not known (an access token) */
        Pace pace;
        struct QueueItems urgent, polls, suspects; /* that wait */
        unsigned n_waiting;
        unsigned n_polls, n_suspects; /* that run; n_suspects: of the polls */
        char *error;                  /* of the last request that failed for a while, or NULL */
        TAILQ_ENTRY(QueueLane) lanes;
} QueueLane;

typedef struct Queue {
        Pace host; /* the provider as a whole: no budget */
        unsigned requests_per_second;
        unsigned max_running, max_polls;
        unsigned n_running, n_polls, n_suspects;
        TAILQ_HEAD(, QueueLane) lanes; /* the one that was served last is the last */
} Queue;

void queue_init(Queue *q, unsigned max_running, unsigned requests_per_second);
/* Frees the lanes. What waits or runs is its owner's. */
void queue_done(Queue *q);

/* The lane of that account, or NULL when there is none yet. */
QueueLane *queue_lane(const Queue *q, const char *account_sid);
/* The same; it is made when there is none. NULL when memory is short. */
QueueLane *queue_lane_make(Queue *q, const char *account_sid);

/* Puts an item, its lane, poll and since set, where its turn is. */
void queue_add(QueueItem *i);
/* Takes out the next one that may run now, and counts it as running. NULL: none; then *ret_when is
 * when to ask again, USEC_INFINITY if only an item that comes or goes can change that. */
QueueItem *queue_next(Queue *q, usec_t now, usec_t *ret_when);
/* Takes out an item that waits or runs. Harmless when it is out already. */
void queue_remove(Queue *q, QueueItem *i);

typedef enum QueueFault {
        QUEUE_FAULT_ACCOUNT, /* too many requests: 429 */
        QUEUE_FAULT_HOST,    /* the provider can't be reached, or has a fault */
} QueueFault;

/* What became of a running item. Failed: returns how many failures there were in a row, when this
 * is a new one; else 0. Passed: returns how many had been in a row before, of account or host. */
unsigned queue_failed(
                Queue *q, const QueueItem *i, QueueFault fault, usec_t now, usec_t retry_after);
unsigned queue_passed(Queue *q, const QueueItem *i);
/* Forgets all pauses. */
void queue_hurry(Queue *q);
