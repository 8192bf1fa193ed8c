/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/link.h"

#include <errno.h>
#include <json-c/json.h>
#include <unistd.h>

#include "agent/wire.h"
#include "base/json-member.h"
#include "base/text.h"
#include "log/log.h"

/* The order of things after a connection is made: GetStatus, whose sequence number is where the
 * events are followed from, so that nothing is missed between the two; then the lists. Later an
 * event, or several at once, starts over with GetStatus. */

#define RECONNECT_FIRST (100 * USEC_PER_MSEC)
#define RECONNECT_MAX (5 * USEC_PER_SEC)
#define DEBOUNCE (50 * USEC_PER_MSEC)
#define ANSWER_TIMEOUT (20 * USEC_PER_SEC)

typedef enum Question {
        QUESTION_STATUS,
        QUESTION_FACTORS,
        QUESTION_CHALLENGES,
        QUESTION_NONE,
} Question;

struct Link {
        sd_event *event;
        const LinkHooks *hooks;
        void *userdata;
        sd_event_source *timer; /* to connect again, or to ask again */
        usec_t delay;
        Wire *events;
        Wire *questions;
        Question asked;
        usec_t asked_at; /* boot time of the last question for challenges */
        bool stale;      /* something happened since the present round of questions began */
        bool final;      /* the final challenges are wanted, too */
        bool told;       /* the receiver has a state of the daemon */
        bool troubled;   /* it was said that the daemon is not there */
        World world;     /* as far as it is read */
        json_object *challenges;
};

static void link_ask(Link *l, Question q);

static void link_schedule(Link *l, usec_t delay) {
        (void) sd_event_source_set_time_relative(l->timer, delay);
        (void) sd_event_source_set_enabled(l->timer, SD_EVENT_ONESHOT);
}

static void drop_round(Link *l) {
        world_done(&l->world);
        json_object_put(l->challenges);
        l->challenges = NULL;
        l->asked = QUESTION_NONE;
}

static void disconnect(Link *l) {
        l->events = wire_free(l->events);
        l->questions = wire_free(l->questions);
        l->stale = false;
        drop_round(l);
}

static void connect_later(Link *l) {
        link_schedule(l, l->delay);
        l->delay = l->delay < RECONNECT_MAX / 2 ? 2 * l->delay : RECONNECT_MAX;
}

/* The daemon is not there: what it said no longer holds. */
static void lose(Link *l, const char *why) {
        World gone = {0};

        log_write(l->troubled ? LOG_DEBUG : LOG_WARNING, __FILE__, __LINE__, "%s; trying again",
                        why);
        l->troubled = true;
        disconnect(l);
        connect_later(l);
        if (l->told) {
                l->told = false;
                l->hooks->changed(l->userdata, &gone, NULL, 0);
        }
}

/* The present state. */

static void finish_round(Link *l) {
        World w = l->world;
        json_object *challenges = TAKE_PTR(l->challenges);
        usec_t asked = l->asked_at;

        l->world = (World){0};
        drop_round(l);
        world_finish(&w);
        w.connected = true;
        l->told = true;
        l->delay = RECONNECT_FIRST;
        if (l->troubled)
                log_notice("Connected to factord");
        l->troubled = false;
        if (l->stale)
                link_schedule(l, DEBOUNCE);
        l->hooks->changed(l->userdata, &w, challenges, asked);
        world_done(&w);
        json_object_put(challenges);
}

static int take_challenge(Link *l, json_object *challenge) {
        json_object *copy = NULL;
        int r = world_read_challenge(&l->world, challenge);

        if (r < 0 || !l->challenges)
                return r;
        /* A copy: the reply's own strings are wiped with it. */
        if (json_object_deep_copy(challenge, &copy, NULL) < 0)
                return -ENOMEM;
        if (json_object_array_add(l->challenges, copy) >= 0)
                return 0;
        json_object_put(copy);
        return -ENOMEM;
}

static int take_list(Link *l, json_object *items) {
        int r = 0;

        for (size_t i = 0; i < count_items(items) && r >= 0; i++) {
                json_object *item = json_object_array_get_idx(items, i);

                r = l->asked == QUESTION_FACTORS ? world_read_factor(&l->world, item, getuid())
                                                 : take_challenge(l, item);
        }
        return r;
}

static void on_event(Wire *w, const VarlinkMessage *m, const char *msg, void *userdata) {
        Link *l = userdata;

        if (!m) {
                lose(l, msg);
                return;
        }
        if (m->error || !m->continues) {
                /* EventsLost, or something that is no better: what happened is not known. The
                 * state that there is stands until it is known again, or nobody answers. */
                log_debug("The events ended with %s; following them anew",
                                m->error ? m->error : "a reply");
                disconnect(l);
                connect_later(l);
                return;
        }
        if (l->asked == QUESTION_NONE && !l->stale)
                link_schedule(l, DEBOUNCE);
        l->stale = true;
}

/* Follows the events from a sequence number on. */
static int follow(Link *l, json_object *status) {
        _cleanup_free_ char *path = NULL, *msg = NULL;
        json_object *p;
        int r;

        if (l->events)
                return 0;
        r = l->hooks->path(l->userdata, &path);
        if (r >= 0)
                r = wire_new(&l->events, l->event, path, on_event, l, &msg);
        if (r < 0) {
                lose(l, error_text(msg, r));
                return r;
        }
        p = json_object_new_object();
        if (p)
                json_object_object_add(
                                p, "since", json_object_new_int64(get_int(status, "sequence", 0)));
        wire_call(l->events, "Monitor", p, true, 0);
        return 0;
}

/* Takes one reply. Returns 0, -ENOMEM, or what the connection failed with and was given up for. */
static int take_answer(Link *l, const VarlinkMessage *m) {
        json_object *o = json_doc_object(m->parameters);

        switch (l->asked) {
        case QUESTION_STATUS:
                world_read_status(&l->world, get_object(o, "status"));
                return follow(l, get_object(o, "status"));
        case QUESTION_FACTORS:
                return take_list(l, get_array(o, "factors"));
        case QUESTION_CHALLENGES:
                return take_list(l, get_array(o, "challenges"));
        case QUESTION_NONE:
                break;
        }
        return 0;
}

static void on_answer(Wire *w, const VarlinkMessage *m, const char *msg, void *userdata) {
        Link *l = userdata;
        int r;

        /* A connection that nothing is asked on may end: the events say whether the daemon did. */
        if (!m && l->asked == QUESTION_NONE) {
                l->questions = wire_free(l->questions);
                return;
        }
        if (!m || m->error) {
                lose(l, m ? m->error : msg);
                return;
        }
        r = take_answer(l, m);
        if (r == -ENOMEM)
                lose(l, "out of memory");
        if (r < 0 || m->continues)
                return;
        if (l->asked == QUESTION_CHALLENGES)
                finish_round(l);
        else
                link_ask(l, l->asked + 1);
}

static void link_ask(Link *l, Question q) {
        static const char *const operations_asked[] = {
                        [QUESTION_STATUS] = "GetStatus",
                        [QUESTION_FACTORS] = "ListFactors",
                        [QUESTION_CHALLENGES] = "ListChallenges",
        };
        json_object *p = json_object_new_object();

        if (q == QUESTION_CHALLENGES) {
                l->asked_at = now_boottime();
                l->challenges = l->final ? json_object_new_array() : NULL;
                if (p && l->challenges)
                        json_object_object_add(p, "all", json_object_new_boolean(true));
        }
        l->asked = q;
        wire_call(l->questions, operations_asked[q], p, q != QUESTION_STATUS, ANSWER_TIMEOUT);
}

static int link_connect(Link *l, char **reterr_msg) {
        _cleanup_free_ char *path = NULL;
        int r = l->hooks->path(l->userdata, &path);

        return r < 0 ? r : wire_new(&l->questions, l->event, path, on_answer, l, reterr_msg);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        _cleanup_free_ char *msg = NULL;
        Link *l = userdata;
        int r;

        if (!l->questions) {
                r = link_connect(l, &msg);
                if (r < 0) {
                        lose(l, error_text(msg, r));
                        return 0;
                }
        }
        if (l->asked != QUESTION_NONE)
                return 0;
        drop_round(l);
        l->stale = false;
        link_ask(l, QUESTION_STATUS);
        return 0;
}

int link_new(Link **ret, sd_event *event, usec_t delay, const LinkHooks *hooks, void *userdata) {
        _cleanup_(link_freep) Link *l = calloc(1, sizeof(*l));
        int r;

        if (!l)
                return -ENOMEM;
        *l = (Link){
                        .event = sd_event_ref(event),
                        .hooks = hooks,
                        .userdata = userdata,
                        .delay = RECONNECT_FIRST,
                        .asked = QUESTION_NONE,
        };
        r = sd_event_add_time_relative(
                        event, &l->timer, CLOCK_BOOTTIME, delay, USEC_PER_MSEC, on_timer, l);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}

Link *link_free(Link *l) {
        if (!l)
                return NULL;
        disconnect(l);
        sd_event_source_disable_unref(l->timer);
        sd_event_unref(l->event);
        free(l);
        return NULL;
}

void link_want_final(Link *l, bool wanted) {
        l->final = wanted;
}

void link_refresh(Link *l) {
        if (l->asked == QUESTION_NONE && !l->stale && l->events)
                link_schedule(l, DEBOUNCE);
        l->stale = true;
}
