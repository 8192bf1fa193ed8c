/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/pace.h"

#include "daemon/backoff.h"

void pace_init(Pace *p, unsigned requests_per_second) {
        unsigned n = requests_per_second;

        *p = (Pace){.spacing = n > 0 ? (USEC_PER_SEC + n - 1) / n : 0};
}

usec_t pace_budget_ready(const Pace *p) {
        usec_t burst = p->spacing > 0 ? USEC_PER_SEC / PACE_BURST / p->spacing * p->spacing : 0;

        return usec_sub(p->next, burst);
}

usec_t pace_poll_ready(const Pace *p) {
        return p->held > p->paused ? p->held : p->paused;
}

void pace_take(Pace *p, usec_t now) {
        p->next = usec_add(p->next > now ? p->next : now, p->spacing);
}

bool pace_failed(Pace *p, usec_t sent, usec_t now, usec_t retry_after, bool brief) {
        if (retry_after > 0 && usec_add(now, retry_after) > p->held)
                p->held = usec_add(now, retry_after);
        if (p->n_failures > 0 && sent <= p->failed)
                return false;
        p->failed = now;
        p->n_failures++;
        p->paused = retry_after > 0 ? 0
                                    : usec_add(now, backoff_delay(PACE_BACKOFF_FIRST,
                                                                    brief ? PACE_BACKOFF_BRIEF
                                                                          : PACE_BACKOFF_MAX,
                                                                    p->n_failures, 0));
        return true;
}

void pace_passed(Pace *p) {
        p->n_failures = 0;
        p->paused = 0;
}

void pace_hurry(Pace *p) {
        p->paused = 0;
}
