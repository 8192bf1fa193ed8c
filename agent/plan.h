#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Which notifications should stand, and what each action on them means. Pure. */

#include "agent/world.h"

#define NOTICE_ACTIONS_MAX 6
#define PLAN_OPENED_ALL "*" /* in place of a SID: all requests were opened */
#define PLAN_REVIEWS_MAX 4  /* requests side by side that have an action */
#define PLAN_FIELDS_MAX 6   /* fields of a request before its details are asked for */
#define PLAN_TEXT_MAX 600   /* characters of provider text before, likewise */
#define OUTCOME_SPAN (8 * USEC_PER_SEC)

typedef enum ActionKind {
        ACTION_APPROVE,
        ACTION_DENY,
        ACTION_IGNORE,
        ACTION_OPEN, /* shows all of that request; decides nothing */
        ACTION_ALL,  /* shows all of each request, side by side */
        ACTION_BACK, /* shows them side by side again, as they differ */
} ActionKind;

typedef struct NoticeAction {
        /* What the notification server calls it. One that decides is named for what is shown, too:
         * some servers ask in a menu, which may be older than what it is chosen for. */
        char key[32];
        char label[16];
        ActionKind kind;
        char sid[SID_SIZE];           /* of the request that it is about, or "" */
        char digest[SHA256_HEX_SIZE]; /* of what is shown of it, or "" */
} NoticeAction;

typedef enum NoticeType {
        NOTICE_PROMPT,
        NOTICE_ALARM,
        NOTICE_OUTCOME,
        NOTICE_FAILURE, /* an outcome that was not wanted */
} NoticeType;

typedef struct Notice {
        char *key; /* says which notification it is, while its text changes */
        NoticeType type;
        char *summary;
        char *body;
        NoticeAction actions[NOTICE_ACTIONS_MAX];
        size_t n_actions;
        char *meaning; /* when it changes, an action waits for the arm delay again */
        char *matter;  /* while it stays, one that a person dismissed stays away */
        usec_t lasts;  /* how long it can be true at most; 0: it is not known */
} Notice;

/* Frees and zeroes. */
void notice_done(Notice *n);

/* What became of a decision that this agent sent. */
typedef struct Outcome {
        char sid[SID_SIZE];
        char *summary;
        char *text; /* or NULL; safe on one line */
        bool failed;
        usec_t until; /* server time */
} Outcome;

typedef struct PlanInput {
        const World *world;
        bool locked;        /* the screen: nothing of a request may be seen */
        bool actions;       /* the notification server takes actions */
        bool buttons;       /* and draws them, as far as is known; else what to type is said, too */
        bool markup;        /* it reads markup */
        const char *opened; /* the SID of the request whose details were asked for, or "" */
        const char *options; /* of factorctl to reach the same daemon, with a blank before, or "" */
        const char (*deciding)[SID_SIZE]; /* requests with a decision under way: not asked again */
        size_t n_deciding;
        const Outcome *outcomes;
        size_t n_outcomes;
        usec_t now; /* server time */
} PlanInput;

typedef struct Plan {
        Notice *notices;
        size_t n;
        usec_t next; /* server time from which on the plan would be another; USEC_INFINITY: never */
} Plan;

/* Makes the plan; *ret is freed with plan_done(). Returns 0 or -ENOMEM. */
int plan_make(Plan *ret, const PlanInput *in);
void plan_done(Plan *p);

/* What is drawn of the time that is left: whole minutes above two of them, then steps of 15 s,
 * never more than is left. */
usec_t time_left_drawn(usec_t left);
