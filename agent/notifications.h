#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications: makes what stands at the notification server equal to the plan, and says what a
 * click meant. It knows no D-Bus: what it wants sent goes through functions that it is given, and
 * the time comes in. */

#include "agent/plan.h"

typedef struct Notifications Notifications;

/* One notification, for the server's answers. */
typedef struct Standing Standing;

typedef struct NotificationsHooks {
        /* Sends Notify; exactly one of notifications_shown() and notifications_refused() must
         * follow, not before this returns, unless notifications_forget() comes first. */
        int (*notify)(void *userdata, const Notice *n, uint32_t replaces, Standing *s);
        /* Sends CloseNotification. */
        void (*close)(void *userdata, uint32_t id);
        /* Somebody chose an action of what is shown. armed: long enough after it was shown.
         * current: it still means what the plan says now. Then the plan is looked at again. */
        void (*action)(void *userdata, const NoticeAction *a, bool armed, bool current);
        /* Somebody dismissed a notification. */
        void (*dismissed)(void *userdata, NoticeType type);
} NotificationsHooks;

/* hooks must outlive it. Nothing is sent before notifications_ready(). Returns 0 or -ENOMEM. */
int notifications_new(Notifications **ret, const NotificationsHooks *hooks, void *userdata);
/* Takes NULL, returns NULL. Closes nothing. */
Notifications *notifications_free(Notifications *n);
DEFINE_CLEANUP(Notifications *, notifications_free);

/* Takes the plan's notices, and sends what has changed. Returns 0 or -ENOMEM. */
int notifications_set(Notifications *n, Plan *plan);
/* There is a server that takes notifications; none stands there yet. */
void notifications_ready(Notifications *n);
/* The server has gone, and with it all that stood there and all answers. */
void notifications_forget(Notifications *n);
/* Tries again what the server refused. */
void notifications_retry(Notifications *n);
/* Whether something was refused and waits for notifications_retry(). */
bool notifications_has_refused(const Notifications *n);
/* Whether anything should stand. */
bool notifications_wanted(const Notifications *n);
/* Closes all that stands. */
void notifications_close_all(Notifications *n);

/* The server's words. Of ids that are not ours nothing is taken. now is boot time. */
void notifications_shown(Notifications *n, Standing *s, uint32_t id, usec_t now);
void notifications_refused(Notifications *n, Standing *s);
/* reason: as the notification specification numbers them, 1 for a time that ran out. */
void notifications_closed(Notifications *n, uint32_t id, uint32_t reason);
void notifications_clicked(
                Notifications *n, uint32_t id, const char *key, usec_t now, usec_t arm_delay);
