/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/link.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"

typedef enum LinkTask {
        TASK_NONE,
        TASK_BEGIN,   /* the first status of a connection */
        TASK_LIST,    /* what is pending */
        TASK_REFRESH, /* a later status */
        TASK_DECIDE,
} LinkTask;

struct Link {
        const char *path;
        VarlinkClient *events;
        VarlinkClient *call; /* while there is a task */
        LinkTask task;
        int64_t cursor; /* of the last event; -1: none yet */
        int64_t start;  /* the sequence number that the list is not older than */

        /* A reply to the task, kept until the events before it are taken. */
        VarlinkMessage reply;
        bool replied;
        /* What is left of a list's reply. */
        JsonDoc *list;
        size_t n_taken;
        bool list_continues;
};

void link_item_done(LinkItem *i) {
        json_doc_free(i->doc);
        free(i->error);
        free(i->message);
        *i = (LinkItem){0};
}

int link_new(Link **ret, const char *path) {
        Link *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->path = path;
        l->cursor = -1;
        *ret = l;
        return 0;
}

static void end_task(Link *l) {
        l->call = varlink_client_free(l->call);
        varlink_message_done(&l->reply);
        l->list = json_doc_free(l->list);
        l->replied = false;
        l->task = TASK_NONE;
}

static void disconnect(Link *l) {
        end_task(l);
        l->events = varlink_client_free(l->events);
}

Link *link_free(Link *l) {
        if (!l)
                return NULL;
        disconnect(l);
        free(l);
        return NULL;
}

static int start_task(Link *l,
                LinkTask task,
                const char *operation,
                json_object *parameters,
                bool more,
                char **reterr_msg) {
        int r = 0;

        if (!l->call)
                r = varlink_client_connect(&l->call, l->path, reterr_msg);
        if (r >= 0)
                r = varlink_client_send(l->call, operation, parameters, more, reterr_msg);
        if (r < 0)
                l->call = varlink_client_free(l->call);
        else
                l->task = task;
        return r;
}

int link_connect(Link *l, char **reterr_msg) {
        disconnect(l);
        return start_task(l, TASK_BEGIN, "GetStatus", NULL, false, reterr_msg);
}

void link_refresh(Link *l) {
        if (l->events && l->task == TASK_NONE)
                (void) start_task(l, TASK_REFRESH, "GetStatus", NULL, false, NULL);
}

static bool add_string(json_object *o, const char *key, const char *value) {
        json_object *text;

        if (!value)
                return true;
        text = json_object_new_string(value);
        if (text && json_object_object_add(o, key, text) >= 0)
                return true;
        json_object_put(text);
        return false;
}

int link_decide(Link *l, const PrompterDecision *d, char **reterr_msg) {
        json_object *o = json_object_new_object();
        int r = -ENOMEM;

        end_task(l);
        if (o && add_string(o, "sid", d->sid) && add_string(o, "digest", d->digest) &&
                        add_string(o, "confirm", d->confirm))
                r = start_task(l, TASK_DECIDE, d->operation, o, false, reterr_msg);
        json_object_wipe_put(o);
        return r;
}

/* Goes on with the events: after the last one that was taken, unless the daemon counts anew. */
static int start_events(Link *l, char **reterr_msg) {
        json_object *o = json_object_new_object(), *since;
        int r;

        if (l->cursor < 0 || l->cursor > l->start)
                l->cursor = l->start;
        since = json_object_new_int64(l->cursor);
        if (!o || !since || json_object_object_add(o, "since", since) < 0) {
                json_object_put(since);
                json_object_put(o);
                return -ENOMEM;
        }
        r = varlink_client_connect(&l->events, l->path, reterr_msg);
        if (r >= 0)
                r = varlink_client_send(l->events, "Monitor", o, true, reterr_msg);
        json_object_put(o);
        return r;
}

void link_poll(const Link *l, struct pollfd ret[static LINK_FDS]) {
        const VarlinkClient *clients[LINK_FDS] = {l->events, l->replied ? NULL : l->call};

        for (size_t i = 0; i < LINK_FDS; i++)
                ret[i] = (struct pollfd){
                                .fd = clients[i] ? varlink_client_fd(clients[i]) : -EBADF,
                                .events = POLLIN,
                };
}

static void gone(Link *l, LinkItem *ret, char *message) {
        disconnect(l);
        *ret = (LinkItem){.news = LINK_GONE, .message = message};
}

/* What an error reply is called, without the interface. */
static void take_error(LinkItem *ret, const VarlinkMessage *m) {
        const char *message = get_string(json_doc_object(m->parameters), "message");
        const char *dot = strrchr(m->error, '.');

        ret->error = strdup(dot ? dot + 1 : m->error);
        ret->message = strdup(message ? message : m->error);
}

/* The reply to a decision. */
static void take_answer(Link *l, LinkItem *ret) {
        ret->news = LINK_ANSWER;
        if (l->reply.error)
                take_error(ret, &l->reply);
        else {
                ret->doc = TAKE_PTR(l->reply.parameters);
                ret->object = get_object(json_doc_object(ret->doc), "challenge");
        }
        if (!ret->object && !ret->error)
                ret->error = strdup("the daemon's answer has no challenge");
        end_task(l);
}

/* A status: the first one is followed by the list. */
static void take_status(Link *l, LinkItem *ret) {
        bool begin = l->task == TASK_BEGIN;
        _cleanup_free_ char *msg = NULL;

        ret->news = LINK_STATUS;
        ret->doc = TAKE_PTR(l->reply.parameters);
        ret->object = get_object(json_doc_object(ret->doc), "status");
        varlink_message_done(&l->reply);
        l->replied = false;
        if (!begin) {
                end_task(l);
                return;
        }
        l->start = get_int(ret->object, "sequence", 0);
        if (start_task(l, TASK_LIST, "ListChallenges", NULL, true, &msg) < 0) {
                link_item_done(ret);
                gone(l, ret, TAKE_PTR(msg));
        }
}

/* The next item of the list, or its end. False: it goes on with another reply. */
static bool take_listed(Link *l, LinkItem *ret) {
        json_object *items;
        char *msg = NULL;

        if (!l->list) {
                l->list = TAKE_PTR(l->reply.parameters);
                l->list_continues = l->reply.continues;
                l->n_taken = 0;
        }
        items = get_array(json_doc_object(l->list), "challenges");
        if (l->n_taken < count_items(items)) {
                ret->news = LINK_CHALLENGE;
                ret->object = json_object_array_get_idx(items, l->n_taken++);
                return true;
        }
        l->list = json_doc_free(l->list);
        varlink_message_done(&l->reply);
        l->replied = false;
        if (l->list_continues)
                return false;
        end_task(l);
        if (start_events(l, &msg) < 0)
                gone(l, ret, msg);
        else
                ret->news = LINK_LISTED;
        return true;
}

/* Whether there is something to tell of the task's reply. */
static bool take_reply(Link *l, LinkItem *ret) {
        if (!l->replied)
                return false;
        if (l->task == TASK_DECIDE)
                take_answer(l, ret);
        else if (l->reply.error) {
                take_error(ret, &l->reply);
                char *message = TAKE_PTR(ret->message);
                link_item_done(ret);
                gone(l, ret, message);
        } else if (l->task == TASK_LIST)
                return take_listed(l, ret);
        else
                take_status(l, ret);
        return true;
}

/* Looks for the task's reply. */
static void receive_reply(Link *l, LinkItem *ret) {
        char *msg = NULL;
        int r;

        if (!l->call || l->replied)
                return;
        r = varlink_client_receive(l->call, 0, &l->reply, &msg);
        if (r >= 0)
                l->replied = true;
        else if (r != -ETIMEDOUT) {
                gone(l, ret, msg);
                return;
        }
        free(msg);
}

/* Looks for an event of a challenge. */
static void receive_event(Link *l, LinkItem *ret) {
        while (l->events) {
                _cleanup_(varlink_message_done) VarlinkMessage m = {0};
                json_object *event;
                char *msg = NULL;
                int r;

                r = varlink_client_receive(l->events, 0, &m, &msg);
                if (r == -ETIMEDOUT) {
                        free(msg);
                        return;
                }
                if (r >= 0 && m.error) {
                        take_error(ret, &m);
                        msg = TAKE_PTR(ret->message);
                        link_item_done(ret);
                }
                if (r < 0 || m.error || !m.continues) {
                        gone(l, ret, msg);
                        return;
                }
                event = get_object(json_doc_object(m.parameters), "event");
                l->cursor = get_int(event, "sequence", l->cursor);
                if (!get_object(event, "challenge"))
                        continue;
                ret->news = LINK_CHALLENGE;
                ret->object = get_object(event, "challenge");
                ret->doc = TAKE_PTR(m.parameters);
                return;
        }
}

void link_next(Link *l, LinkItem *ret) {
        *ret = (LinkItem){0};
        do {
                receive_reply(l, ret);
                if (ret->news == LINK_NOTHING)
                        receive_event(l, ret);
                if (ret->news != LINK_NOTHING)
                        return;
        } while (l->replied && !take_reply(l, ret));
}
