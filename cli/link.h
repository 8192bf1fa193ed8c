#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A prompter's lasting link to the daemon: what is pending, then its events, beside them one call
 * at a time. Nothing here waits, but for connect(); it goes on from poll().
 *
 * After link_connect() comes the news LINK_STATUS, LINK_CHALLENGE for each that is pending, and
 * LINK_LISTED; from then on LINK_CHALLENGE for each that changes. After LINK_GONE the next
 * link_connect() goes on where the events broke off: none is lost. */

#include <poll.h>

#include "cli/connection.h"
#include "cli/prompter.h"

#define LINK_FDS 2

typedef enum LinkNews {
        LINK_NOTHING,   /* nothing more at present */
        LINK_STATUS,    /* object: a Status */
        LINK_CHALLENGE, /* object: a Challenge */
        LINK_LISTED,    /* all that was pending has been told */
        LINK_ANSWER, /* to link_decide(): object is a Challenge, or error and message say why not */
        LINK_GONE,   /* message: why. The connections are closed */
} LinkNews;

typedef struct LinkItem {
        LinkNews news;
        JsonDoc *doc;
        json_object *object; /* of doc */
        char *error;         /* "Expired", … */
        char *message;
} LinkItem;

void link_item_done(LinkItem *i);

typedef struct Link Link;

/* path is borrowed. Returns 0 or -ENOMEM. */
int link_new(Link **ret, const char *path);
/* Takes NULL, returns NULL. */
Link *link_free(Link *l);
DEFINE_CLEANUP(Link *, link_free);

/* Returns 0, or -errno with a message: nobody listens. */
int link_connect(Link *l, char **reterr_msg);
/* Asks for the status once more, unless a call is under way. */
void link_refresh(Link *l);
/* Sends a decision; LINK_ANSWER comes sooner or later, unless LINK_GONE does. Only one at a time.
 * Returns 0, or -errno with a message: nothing was sent. */
int link_decide(Link *l, const PrompterDecision *d, char **reterr_msg);

/* Descriptors to wait for; unused ones are negative. */
void link_poll(const Link *l, struct pollfd ret[static LINK_FDS]);
/* Takes the next thing that has come. To be called until LINK_NOTHING. What the daemon said before
 * it answered a decision comes before the answer. ret is freed with link_item_done(). */
void link_next(Link *l, LinkItem *ret);
