/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/notifications.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

/* How the pieces work together:
 *
 * 1. The server answers in order. A click or a close that comes before the answer to a Notify is
 *    about what stood before it; one that comes after is about what that Notify showed. So "shown"
 *    changes with the answer, and a click is read by what is in "shown".
 * 2. One Notify at a time for each notification; what the plan says meanwhile waits for the answer.
 * 3. Most servers close a notification when one of its actions is chosen. So that their word of it
 *    can't be taken for a person's, the id is given up first, and what still has to stand is shown
 *    under a new one. While a Notify is under way it is not closed by us: that would close what the
 *    Notify brings, perhaps under the same id.
 * 4. A notification that left the plan while its Notify is under way is closed when the answer
 *    brings its id. */

struct Standing {
        Standing *next;
        Notice planned;
        Notice sent;  /* while sending */
        Notice shown; /* while id is not 0 */
        uint32_t id;
        usec_t since;      /* when what is shown came to mean what it means */
        char *away_matter; /* dismissed: while the plan's matter is this */
        char *away_body;   /* closed by the server itself: while the plan's body is this */
        bool wanted;
        bool sending;
        bool refused;
};

struct Notifications {
        const NotificationsHooks *hooks;
        void *userdata;
        Standing *first;
        bool ready;
};

#define REASON_EXPIRED 1

int notifications_new(Notifications **ret, const NotificationsHooks *hooks, void *userdata) {
        Notifications *n = calloc(1, sizeof(*n));

        if (!n)
                return -ENOMEM;
        n->hooks = hooks;
        n->userdata = userdata;
        *ret = n;
        return 0;
}

static void standing_free(Standing *s) {
        notice_done(&s->planned);
        notice_done(&s->sent);
        notice_done(&s->shown);
        free(s->away_matter);
        free(s->away_body);
        free(s);
}

Notifications *notifications_free(Notifications *n) {
        if (!n)
                return NULL;
        for (Standing *s = n->first, *next; s; s = next) {
                next = s->next;
                standing_free(s);
        }
        free(n);
        return NULL;
}

static void move_notice(Notice *to, Notice *from) {
        notice_done(to);
        *to = *from;
        *from = (Notice){0};
}

static int copy_notice(Notice *ret, const Notice *n) {
        Notice copy = *n;

        copy.key = copy.summary = copy.body = copy.meaning = copy.matter = NULL;
        if (text_set(&copy.key, n->key) < 0 || text_set(&copy.summary, n->summary) < 0 ||
                        text_set(&copy.body, n->body) < 0 ||
                        text_set(&copy.meaning, n->meaning) < 0 ||
                        text_set(&copy.matter, n->matter) < 0) {
                notice_done(&copy);
                return -ENOMEM;
        }
        *ret = copy;
        return 0;
}

/* What the person sees and may do. */
static bool same_notice(const Notice *a, const Notice *b) {
        return streq(a->summary, b->summary) && streq(a->body, b->body) &&
               streq(a->meaning, b->meaning);
}

/* Whether it was sent away, and nothing has come up since that would bring it back. */
static bool is_away(Standing *s) {
        if (streq_ptr(s->away_matter, s->planned.matter) ||
                        streq_ptr(s->away_body, s->planned.body))
                return true;
        (void) text_set(&s->away_matter, NULL);
        (void) text_set(&s->away_body, NULL);
        return false;
}

static void send_notice(Notifications *n, Standing *s) {
        if (copy_notice(&s->sent, &s->planned) < 0 ||
                        n->hooks->notify(n->userdata, &s->sent, s->id, s) < 0) {
                notice_done(&s->sent);
                s->refused = true;
                return;
        }
        s->sending = true;
}

static uint32_t lose_id(Standing *s) {
        uint32_t id = s->id;

        s->id = 0;
        notice_done(&s->shown);
        return id;
}

static void give_up_id(Notifications *n, Standing *s) {
        uint32_t id = lose_id(s);

        if (id != 0 && n->ready)
                n->hooks->close(n->userdata, id);
}

/* Sends what there is to send. */
static void sync_one(Notifications *n, Standing *s) {
        if (!n->ready || s->sending)
                return;
        if (!s->wanted)
                give_up_id(n, s);
        else if (!s->refused && !is_away(s) && (s->id == 0 || !same_notice(&s->shown, &s->planned)))
                send_notice(n, s);
}

static void sync_all(Notifications *n) {
        for (Standing **i = &n->first; *i;) {
                Standing *s = *i;

                sync_one(n, s);
                if (s->wanted || s->sending || s->id != 0) {
                        i = &s->next;
                        continue;
                }
                *i = s->next;
                standing_free(s);
        }
}

static Standing *find_key(Notifications *n, const char *key) {
        for (Standing *s = n->first; s; s = s->next)
                if (streq(s->planned.key, key))
                        return s;
        return NULL;
}

static Standing *find_id(Notifications *n, uint32_t id) {
        for (Standing *s = n->first; s && id != 0; s = s->next)
                if (s->id == id)
                        return s;
        return NULL;
}

int notifications_set(Notifications *n, Plan *plan) {
        int r = 0;

        for (Standing *s = n->first; s; s = s->next)
                s->wanted = false;
        for (size_t i = 0; i < plan->n; i++) {
                Standing *s = find_key(n, plan->notices[i].key);

                if (!s) {
                        s = calloc(1, sizeof(*s));
                        if (!s) {
                                r = -ENOMEM;
                                continue;
                        }
                        s->next = n->first;
                        n->first = s;
                }
                move_notice(&s->planned, &plan->notices[i]);
                s->wanted = true;
        }
        sync_all(n);
        return r;
}

void notifications_ready(Notifications *n) {
        n->ready = true;
        sync_all(n);
}

void notifications_forget(Notifications *n) {
        n->ready = false;
        for (Standing *s = n->first; s; s = s->next) {
                s->id = 0;
                s->sending = s->refused = false;
                notice_done(&s->sent);
                notice_done(&s->shown);
        }
        sync_all(n);
}

void notifications_retry(Notifications *n) {
        for (Standing *s = n->first; s; s = s->next)
                s->refused = false;
        sync_all(n);
}

bool notifications_has_refused(const Notifications *n) {
        for (const Standing *s = n->first; s; s = s->next)
                if (s->refused)
                        return true;
        return false;
}

bool notifications_wanted(const Notifications *n) {
        for (const Standing *s = n->first; s; s = s->next)
                if (s->wanted)
                        return true;
        return false;
}

void notifications_close_all(Notifications *n) {
        for (Standing *s = n->first; s; s = s->next)
                give_up_id(n, s);
}

void notifications_shown(Notifications *n, Standing *s, uint32_t id, usec_t now) {
        bool same = s->id == id && streq_ptr(s->shown.meaning, s->sent.meaning);

        s->sending = false;
        /* One that should have been replaced, and was not. */
        if (s->id != 0 && s->id != id)
                give_up_id(n, s);
        s->id = id;
        move_notice(&s->shown, &s->sent);
        if (!same)
                s->since = now;
        sync_all(n);
}

void notifications_refused(Notifications *n, Standing *s) {
        s->sending = false;
        s->refused = true;
        notice_done(&s->sent);
        sync_all(n);
}

void notifications_closed(Notifications *n, uint32_t id, uint32_t reason) {
        Standing *s = find_id(n, id);
        NoticeType type;

        if (!s)
                return;
        type = s->shown.type;
        s->id = 0;
        /* What is under way brings it back. */
        if (s->sending) {
                notice_done(&s->shown);
                return;
        }
        /* A server whose time ran out has not asked anybody: it comes again when it is drawn anew.
         */
        if (reason == REASON_EXPIRED && type == NOTICE_PROMPT)
                (void) text_set(&s->away_body, s->shown.body);
        else
                (void) text_set(&s->away_matter, s->shown.matter);
        notice_done(&s->shown);
        if (reason != REASON_EXPIRED)
                n->hooks->dismissed(n->userdata, type);
        sync_all(n);
}

static const NoticeAction *find_action(const Notice *n, const char *key) {
        for (size_t i = 0; i < n->n_actions; i++)
                if (streq(n->actions[i].key, key))
                        return &n->actions[i];
        return NULL;
}

void notifications_clicked(
                Notifications *n, uint32_t id, const char *key, usec_t now, usec_t arm_delay) {
        Standing *s = find_id(n, id);
        const NoticeAction *found = s ? find_action(&s->shown, key) : NULL;
        NoticeAction action;
        bool armed, current;

        if (!found)
                return;
        action = *found;
        armed = usec_sub(now, s->since) >= arm_delay;
        current = s->wanted && streq_ptr(s->shown.meaning, s->planned.meaning);
        if (s->sending)
                lose_id(s);
        else
                give_up_id(n, s);
        n->hooks->action(n->userdata, &action, armed, current);
        sync_all(n);
}
