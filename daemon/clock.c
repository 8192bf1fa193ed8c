/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/clock.h"

/* What a Date says: it was cut to whole seconds, and the reply was made at some time between
 * sending and receiving. */
typedef struct Reading {
        int64_t offset;     /* server minus local time, from the middle of both */
        int64_t difference; /* how far our server time lies outside that second; 0: within it */
        int64_t tolerance;
} Reading;

static usec_t magnitude(int64_t v) {
        return v < 0 ? -(usec_t) v : (usec_t) v;
}

/* Local time as it was when the clock was made, carried on by the boot clock. */
static usec_t local_now(const ServerClock *c, usec_t boottime) {
        return c->local_base + boottime;
}

void server_clock_init(ServerClock *c, usec_t realtime, usec_t boottime) {
        /* May wrap (a wall clock that starts in 1970): adding a boot time wraps it back. */
        *c = (ServerClock){.local_base = realtime - boottime};
}

usec_t server_clock_now(const ServerClock *c, usec_t boottime) {
        usec_t local = local_now(c, boottime);

        return c->offset < 0 ? usec_sub(local, magnitude(c->offset))
                             : usec_add(local, (usec_t) c->offset);
}

int64_t server_clock_offset(const ServerClock *c, usec_t realtime, usec_t boottime) {
        return (int64_t) (server_clock_now(c, boottime) - realtime);
}

static Reading read_date(const ServerClock *c, usec_t date, usec_t sent, usec_t received) {
        usec_t trip = usec_sub(received, sent), middle = received - trip / 2;
        usec_t now = server_clock_now(c, middle);
        Reading r = {
                        .offset = (int64_t) (date + USEC_PER_SEC / 2 - local_now(c, middle)),
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
        usec_t change = magnitude(r->offset - c->offset);

        c->heard = true;
        c->has_candidate = false;
        c->offset = r->offset;
        return change >= USEC_PER_SEC;
}

/* Whether the reading says nothing new. That also ends a large change which was waiting. */
static bool confirms(ServerClock *c, const Reading *r) {
        if (magnitude(r->difference) > (usec_t) r->tolerance)
                return false;

        c->heard = true;
        c->has_candidate = false;
        return true;
}

bool server_clock_observe(ServerClock *c, usec_t date, usec_t sent, usec_t received) {
        Reading r = read_date(c, date, sent, received);

        if (confirms(c, &r))
                return false;
        if (magnitude(r.offset - c->offset) <= CLOCK_LARGE_CHANGE)
                return adopt(c, &r);
        if (c->has_candidate && magnitude(r.offset - c->candidate) <= CLOCK_AGREE)
                return adopt(c, &r);

        c->has_candidate = true;
        c->candidate = r.offset;
        return false;
}

bool server_clock_observe_refusal(ServerClock *c, usec_t date, usec_t sent, usec_t received) {
        Reading r = read_date(c, date, sent, received);

        return !confirms(c, &r) && adopt(c, &r);
}
