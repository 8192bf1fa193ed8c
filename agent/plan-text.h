#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the notifications say: each fills a notice that has its key and type. Pure. Each returns 0
 * or -ENOMEM. */

#include "agent/plan.h"

/* Who is asked about. */
typedef struct Selection {
        const Request **rows; /* those that are shown, the oldest first */
        size_t n_rows;
        size_t n_asking;       /* all that wait for a person, the quiet ones too */
        size_t n_cooling;      /* of these, those whose factor cools down */
        usec_t until;          /* when the last of them expires */
        const Request *opened; /* one of the rows, whose details were asked for; or NULL */
} Selection;

static inline void selection_done(Selection *s) {
        free(s->rows);
        *s = (Selection){0};
}

/* One request; all of it if it was opened or the server draws no actions to open it with. */
int text_request(Notice *n, const PlanInput *in, const Selection *s, const Request *r);
/* Several, side by side. */
int text_several(Notice *n, const PlanInput *in, const Selection *s);
int text_alarm(Notice *n, const PlanInput *in, const char *factor);
int text_locked(Notice *n);
int text_outcome(Notice *n, const PlanInput *in, const Outcome *o);
