/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/clock.h"

/* What a Date says: it was cut to whole seconds, and the reply was made at some time between
 * sending and receiving. */
typedef struct Reading {
        int64_t base;       /* server minus boot time, from the middle of both */
        int64_t difference; /* how far our server time lies outside that second; 0: within it */
        int64_t tolerance;
} Reading;

static usec_t time_at(int64_t base, usec_t boottime) {
        int64_t t = base + (int64_t) boottime;

        return t < 0 ? 0 : (usec_t) t;
}

void server_clock_init(ServerClock *c, usec_t realtime, usec_t boottime) {
        *c = (ServerClock){.base = (int64_t) (realtime - boottime)};
}

void server_clock_note_local(ServerClock *c, usec_t realtime, usec_t boottime) {
        if (!c->heard)
                c->base = (int64_t) (realtime - boottime);
}

usec_t server_clock_now(const ServerClock *c, usec_t boottime) {
        return time_at(c->base, boottime);
}

usec_t server_clock_trial(const ServerClock *c, usec_t boottime) {
        return time_at(c->has_candidate ? c->candidate : c->base, boottime);
}

int64_t server_clock_offset(const ServerClock *c, usec_t realtime, usec_t boottime) {
        return (int64_t) (server_clock_now(c, boottime) - realtime);
}

int64_t server_clock_candidate(const ServerClock *c) {
        return c->has_candidate ? c->candidate - c->base : 0;
}

bool server_clock_is_settling(const ServerClock *c, usec_t boottime) {
        return c->has_candidate && boottime < usec_add(c->waits_since, CLOCK_SETTLING_MAX);
}

static Reading read_date(const ServerClock *c, usec_t date, usec_t sent, usec_t received) {
        usec_t trip = usec_sub(received, sent), middle = received - trip / 2;
        usec_t now = server_clock_now(c, middle);
        Reading r = {
                        .base = (int64_t) (date + USEC_PER_SEC / 2 - middle),
                        .tolerance = (int64_t) (trip / 2 + USEC_PER_SEC),
        };

        if (now < date)
                r.difference = (int64_t) (date - now);
        else if (now > date + USEC_PER_SEC)
                r.difference = -(int64_t) (now - date - USEC_PER_SEC);
        return r;
}

/* Believes a reading. Returns whether server time moved by a second or more. */
static bool adopt(ServerClock *c, const Reading *r) {
        usec_t change = usec_magnitude(r->base - c->base);

        c->heard = true;
        c->has_candidate = false;
        c->base = r->base;
        return change >= USEC_PER_SEC;
}

/* Whether the reading says nothing new. That also ends a large change which was waiting. */
static bool confirms(ServerClock *c, const Reading *r) {
        if (usec_magnitude(r->difference) > (usec_t) r->tolerance)
                return false;

        c->heard = true;
        c->has_candidate = false;
        return true;
}

/* again: a Date that was fed before, as a cache would give it. */
static bool observe(ServerClock *c, const Reading *r, usec_t received, bool again) {
        if (confirms(c, r) || again)
                return false;
        if (usec_magnitude(r->base - c->base) <= CLOCK_LARGE_CHANGE)
                return adopt(c, r);
        if (c->has_candidate && usec_magnitude(r->base - c->candidate) <= CLOCK_AGREE)
                return adopt(c, r);

        /* A server that names another time each second does not keep codes waiting for ever. */
        if (!c->has_candidate)
                c->waits_since = received;
        c->has_candidate = true;
        c->candidate = r->base;
        return false;
}

bool server_clock_observe(ServerClock *c, usec_t date, usec_t sent, usec_t received) {
        Reading r = read_date(c, date, sent, received);
        bool again = date == c->last_date;

        c->last_date = date;
        return observe(c, &r, received, again);
}

bool server_clock_observe_retry(ServerClock *c, usec_t date, usec_t sent, usec_t received) {
        Reading r = read_date(c, date, sent, received);

        c->last_date = date;
        return observe(c, &r, received, false);
}
