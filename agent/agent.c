/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/command.h"
#include "agent/decisions.h"
#include "agent/desktop.h"
#include "agent/link.h"
#include "agent/notifications.h"
#include "agent/plan.h"
#include "base/text.h"
#include "ipc/session-lock.h"
#include "log/log.h"

#define REFUSED_DELAY (5 * USEC_PER_SEC)
/* Whether the screen is locked is known before there is anything to show on it. */
#define START_DELAY (250 * USEC_PER_MSEC)

struct Agent {
        const AgentOptions *options;
        char *command_options;
        World world;
        char opened[SID_SIZE]; /* the request whose details were asked for, or "" */
        ServerAbilities server;

        Link *link;
        Desktop *desktop;
        Notifications *notifications;
        Decisions *decisions;
        SessionLock *lock;
        sd_event_source *due;     /* when the plan will be another */
        sd_event_source *refused; /* to try again what the server refused */
};

static usec_t server_now(const Agent *a) {
        int64_t offset = a->world.clock_offset;

        return offset < 0 ? usec_sub(now_realtime(), usec_magnitude(offset))
                          : usec_add(now_realtime(), (usec_t) offset);
}

/* What the daemon would not take is not offered; what anybody could see is not shown. */
static bool is_locked(const Agent *a) {
        return session_lock_is_screen_locked(a->lock, getuid()) ||
               session_lock_is_locked(a->lock, getuid());
}

/* The plan. */

static void schedule(Agent *a, usec_t now, usec_t next) {
        if (next != USEC_INFINITY)
                (void) sd_event_source_set_time_relative(a->due, usec_sub(next, now));
        (void) sd_event_source_set_enabled(
                        a->due, next != USEC_INFINITY ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        if (notifications_has_refused(a->notifications)) {
                (void) sd_event_source_set_time_relative(a->refused, REFUSED_DELAY);
                (void) sd_event_source_set_enabled(a->refused, SD_EVENT_ONESHOT);
        }
}

static void replan(Agent *a) {
        _cleanup_(plan_done) Plan plan = {0};
        PlanInput in = {
                        .world = &a->world,
                        .locked = is_locked(a),
                        .actions = a->server.actions,
                        .buttons = a->server.buttons,
                        .markup = a->server.markup,
                        .opened = a->opened,
                        .options = a->command_options,
                        .now = server_now(a),
        };
        int r;

        if (!world_find(&a->world, a->opened) &&
                        (!streq(a->opened, PLAN_OPENED_ALL) || a->world.n_requests < 2))
                a->opened[0] = '\0';
        decisions_fill(a->decisions, &in);
        r = plan_make(&plan, &in);
        if (r >= 0)
                r = notifications_set(a->notifications, &plan);
        if (r < 0)
                log_error("Cannot plan the notifications: %s; trying again", strerror(-r));
        desktop_want_server(a->desktop, notifications_wanted(a->notifications));
        schedule(a, in.now, r < 0 ? usec_add(in.now, USEC_PER_SEC) : plan.next);
}

static int on_due(sd_event_source *s, uint64_t usec, void *userdata) {
        replan(userdata);
        return 0;
}

static void on_lock(void *userdata) {
        replan(userdata);
}

static int on_refused(sd_event_source *s, uint64_t usec, void *userdata) {
        Agent *a = userdata;

        notifications_retry(a->notifications);
        replan(a);
        return 0;
}

/* From the daemon. */

static int daemon_path(void *userdata, char **ret) {
        const Agent *a = userdata;

        if (!a->options->socket)
                return socket_path(a->options->choice, ret);
        *ret = strdup(a->options->socket);
        return *ret ? 0 : -ENOMEM;
}

static void on_world(void *userdata, World *w, json_object *challenges, usec_t asked) {
        Agent *a = userdata;

        /* Without a daemon the clocks' difference is still the best that is known. */
        if (!w->connected)
                w->clock_offset = a->world.clock_offset;
        world_done(&a->world);
        a->world = *w;
        *w = (World){0};
        if (a->world.connected)
                decisions_look(a->decisions, challenges, asked);
        link_want_final(a->link, decisions_wait(a->decisions));
        replan(a);
}

static void on_decisions(void *userdata) {
        Agent *a = userdata;

        link_want_final(a->link, decisions_wait(a->decisions));
        link_refresh(a->link);
        replan(a);
}

/* From the person. */

static void decide(Agent *a, const NoticeAction *action) {
        const Request *r = world_find(&a->world, action->sid);
        _cleanup_free_ char *path = NULL;

        if (!r)
                return;
        if (daemon_path(a, &path) < 0) {
                log_error("Cannot send a decision: out of memory");
                return;
        }
        decisions_send(a->decisions, path, action, r->factor);
        /* One that could not be sent is asked about again as soon as a later state is known. */
        link_refresh(a->link);
}

static void on_action(void *userdata, const NoticeAction *action, bool armed, bool current) {
        Agent *a = userdata;

        if (is_locked(a)) {
                log_notice("A click on a locked screen, ignoring");
                return;
        }
        switch (action->kind) {
        case ACTION_OPEN:
                (void) stpcpy(a->opened, action->sid);
                break;
        case ACTION_ALL:
                (void) stpcpy(a->opened, PLAN_OPENED_ALL);
                break;
        case ACTION_BACK:
                a->opened[0] = '\0';
                break;
        case ACTION_APPROVE:
        case ACTION_DENY:
        case ACTION_IGNORE:
                if (armed && current)
                        decide(a, action);
                else
                        log_notice("A click came too soon after what it is about was shown, "
                                   "ignoring");
                break;
        }
        replan(a);
}

static void on_dismissed(void *userdata, NoticeType type) {
        Agent *a = userdata;

        if (type != NOTICE_PROMPT || !a->opened[0])
                return;
        a->opened[0] = '\0';
        replan(a);
}

/* From and to the notification server. */

static int send_notify(void *userdata, const Notice *n, uint32_t replaces, Standing *s) {
        const Agent *a = userdata;

        return desktop_notify(a->desktop, n, replaces, s);
}

static void send_close(void *userdata, uint32_t id) {
        const Agent *a = userdata;

        desktop_close(a->desktop, id);
}

static void on_ready(void *userdata, const ServerAbilities *server) {
        Agent *a = userdata;

        a->server = *server;
        replan(a);
        notifications_ready(a->notifications);
        replan(a);
}

static void on_gone(void *userdata) {
        const Agent *a = userdata;

        notifications_forget(a->notifications);
}

static void on_shown(void *userdata, void *cookie, uint32_t id) {
        Agent *a = userdata;

        if (id != 0)
                notifications_shown(a->notifications, cookie, id, now_boottime());
        else {
                notifications_refused(a->notifications, cookie);
                replan(a);
        }
}

static void on_closed(void *userdata, uint32_t id, uint32_t reason) {
        const Agent *a = userdata;

        notifications_closed(a->notifications, id, reason);
}

static void on_clicked(void *userdata, uint32_t id, const char *key) {
        const Agent *a = userdata;

        notifications_clicked(a->notifications, id, key, now_boottime(), a->world.arm_delay);
}

static const LinkHooks link_hooks = {
                .path = daemon_path,
                .changed = on_world,
};

static const DesktopHooks desktop_hooks = {
                .ready = on_ready,
                .gone = on_gone,
                .shown = on_shown,
                .closed = on_closed,
                .clicked = on_clicked,
};

static const NotificationsHooks notifications_hooks = {
                .notify = send_notify,
                .close = send_close,
                .action = on_action,
                .dismissed = on_dismissed,
};

static int add_timer(sd_event_source **ret, sd_event *event, sd_event_time_handler_t f, Agent *a) {
        int r = sd_event_add_time(event, ret, CLOCK_BOOTTIME, 0, 1, f, a);

        return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

int agent_new(Agent **ret, sd_event *event, const AgentOptions *options) {
        _cleanup_(agent_freep) Agent *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return -ENOMEM;
        a->options = options;
        r = command_options(options->socket, options->choice, &a->command_options);
        if (r >= 0)
                r = notifications_new(&a->notifications, &notifications_hooks, a);
        if (r >= 0)
                r = decisions_new(&a->decisions, event, on_decisions, a);
        if (r >= 0)
                r = add_timer(&a->due, event, on_due, a);
        if (r >= 0)
                r = add_timer(&a->refused, event, on_refused, a);
        if (r >= 0)
                r = desktop_new(&a->desktop, event, &desktop_hooks, a);
        if (r >= 0)
                r = session_lock_new(&a->lock, event, on_lock, a);
        if (r >= 0)
                r = link_new(&a->link, event, START_DELAY, &link_hooks, a);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

Agent *agent_free(Agent *a) {
        if (!a)
                return NULL;
        session_lock_free(a->lock);
        link_free(a->link);
        decisions_free(a->decisions);
        if (a->notifications && a->desktop)
                notifications_close_all(a->notifications);
        desktop_free(a->desktop);
        notifications_free(a->notifications);
        sd_event_source_disable_unref(a->due);
        sd_event_source_disable_unref(a->refused);
        world_done(&a->world);
        free(a->command_options);
        free(a);
        return NULL;
}
