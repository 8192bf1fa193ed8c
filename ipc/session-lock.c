/* SPDX-License-Identifier: Apache-2.0 */
/* A signal is a hint only: what is believed is what logind answers when it is asked, by its unique
 * name. Signals are taken from its owner alone, because any program on the bus can send us one that
 * looks like its. */
#include "ipc/session-lock.h"

#include <errno.h>
#include <time.h>

#include "base/text.h"
#include "base/time.h"
#include "ipc/session-table.h"

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"
#define LOCAL_NAME "org.freedesktop.DBus.Local"
#define LOCAL_PATH "/org/freedesktop/DBus/Local"

#define RETRY_MIN (100 * USEC_PER_MSEC)
#define RETRY_MAX (30 * USEC_PER_SEC)
#define RECHECK_INTERVAL (5 * USEC_PER_SEC)
#define GRACE (5 * USEC_PER_SEC) /* what a logind that went away said holds so long */
#define TIMER_ACCURACY (50 * USEC_PER_MSEC)

struct SessionLock {
        sd_event *event;
        void (*changed)(void *userdata);
        void *userdata;
        sd_bus *bus;
        sd_bus_slot *owner_call;
        SessionTable *table;
        sd_event_source *retry;   /* to connect again */
        sd_event_source *recheck; /* to ask again what no signal tells */
        sd_event_source *grace;   /* to forget what a logind said that has gone */
        usec_t retry_delay;
};

/* Timers. */

static bool timer_is_armed(sd_event_source *timer) {
        return timer && sd_event_source_get_enabled(timer, NULL) > 0;
}

static void
lock_arm(SessionLock *l, sd_event_source **timer, usec_t delay, sd_event_time_handler_t handler) {
        if (!*timer) {
                (void) sd_event_add_time_relative(
                                l->event, timer, CLOCK_BOOTTIME, delay, TIMER_ACCURACY, handler, l);
                return;
        }
        (void) sd_event_source_set_time_relative(*timer, delay);
        (void) sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
}

static void timer_disarm(sd_event_source *timer) {
        if (timer)
                (void) sd_event_source_set_enabled(timer, SD_EVENT_OFF);
}

static int lock_on_recheck(sd_event_source *s, uint64_t usec, void *userdata) {
        SessionLock *l = userdata;

        session_table_list(l->table);
        return 0;
}

static int lock_on_grace(sd_event_source *s, uint64_t usec, void *userdata) {
        SessionLock *l = userdata;

        session_table_clear(l->table);
        return 0;
}

/* An answer came. */
static void lock_on_published(bool changed, void *userdata) {
        SessionLock *l = userdata;
        const LoginSession *facts;
        size_t n;

        facts = session_table_facts(l->table, &n);
        if (session_table_is_listed(l->table))
                timer_disarm(l->grace);
        if (!session_table_owner(l->table) ||
                        !(session_table_failed(l->table) || login_sessions_unsettled(facts, n)))
                timer_disarm(l->recheck);
        else if (!timer_is_armed(l->recheck))
                lock_arm(l, &l->recheck, RECHECK_INTERVAL, lock_on_recheck);
        if (changed)
                l->changed(l->userdata);
}

/* Logind and the bus come and go. */

static void lock_set_owner(SessionLock *l, const char *owner) {
        if (streq_ptr(session_table_owner(l->table), owner))
                return;
        timer_disarm(l->recheck);
        lock_arm(l, &l->grace, GRACE, lock_on_grace);
        session_table_set_owner(l->table, l->bus, owner);
}

static int lock_on_retry(sd_event_source *s, uint64_t usec, void *userdata);

static void lock_retry(SessionLock *l) {
        lock_set_owner(l, NULL);
        if (timer_is_armed(l->retry))
                return;
        lock_arm(l, &l->retry, l->retry_delay, lock_on_retry);
        l->retry_delay = l->retry_delay < RETRY_MAX / 2 ? 2 * l->retry_delay : RETRY_MAX;
}

static int lock_on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        lock_retry(userdata);
        return 0;
}

static int lock_on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SessionLock *l = userdata;
        const char *owner = NULL;

        l->owner_call = sd_bus_slot_unref(l->owner_call);
        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                l->retry_delay = RETRY_MIN;
        else if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "s", &owner) < 0)
                lock_retry(l); /* a bus that does not answer is none */
        else {
                l->retry_delay = RETRY_MIN;
                lock_set_owner(l, owner);
        }
        return 0;
}

/* Signals. */

static bool sent_by(sd_bus_message *m, const char *owner) {
        return owner && streq_ptr(sd_bus_message_get_sender(m), owner);
}

static int lock_on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *old, *new;

        if (sent_by(m, BUS_NAME) && sd_bus_message_read(m, "sss", &name, &old, &new) > 0 &&
                        streq(name, LOGIN_NAME))
                lock_set_owner(userdata, new[0] ? new : NULL);
        return 0;
}

/* The session's path when the signal is from logind, else NULL. */
static const char *signal_session(const SessionLock *l, sd_bus_message *m) {
        const char *path;

        if (!sent_by(m, session_table_owner(l->table)) ||
                        sd_bus_message_read(m, "so", NULL, &path) <= 0)
                return NULL;
        return path;
}

static int lock_on_session_new(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SessionLock *l = userdata;
        const char *path = signal_session(l, m);

        if (path)
                session_table_ask(l->table, path, true);
        return 0;
}

static int lock_on_session_removed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SessionLock *l = userdata;
        const char *path = signal_session(l, m);

        if (path)
                session_table_remove(l->table, path);
        return 0;
}

static int lock_on_session_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        SessionLock *l = userdata;

        if (sent_by(m, session_table_owner(l->table)))
                session_table_ask(l->table, sd_bus_message_get_path(m), false);
        return 0;
}

/* The connection. */

/* A rule that the bus does not take closes the connection: sd-bus sees to that. */
static int lock_subscribe(SessionLock *l) {
        int r;

        r = sd_bus_match_signal_async(l->bus, NULL, LOCAL_NAME, LOCAL_PATH, LOCAL_NAME,
                        "Disconnected", lock_on_disconnected, NULL, l);
        if (r >= 0)
                r = sd_bus_add_match_async(l->bus, NULL,
                                "type='signal',sender='" BUS_NAME "',path='" BUS_PATH
                                "',interface='" BUS_NAME
                                "',member='NameOwnerChanged',arg0='" LOGIN_NAME "'",
                                lock_on_owner_changed, NULL, l);
        if (r >= 0)
                r = sd_bus_match_signal_async(l->bus, NULL, LOGIN_NAME, LOGIN_PATH,
                                LOGIN_NAME ".Manager", "SessionNew", lock_on_session_new, NULL, l);
        if (r >= 0)
                r = sd_bus_match_signal_async(l->bus, NULL, LOGIN_NAME, LOGIN_PATH,
                                LOGIN_NAME ".Manager", "SessionRemoved", lock_on_session_removed,
                                NULL, l);
        if (r >= 0)
                r = sd_bus_add_match_async(l->bus, NULL,
                                "type='signal',sender='" LOGIN_NAME "',path_namespace='" LOGIN_PATH
                                "/session',interface='org.freedesktop.DBus.Properties',"
                                "member='PropertiesChanged',arg0='" LOGIN_NAME ".Session'",
                                lock_on_session_changed, NULL, l);
        if (r >= 0)
                r = sd_bus_call_method_async(l->bus, &l->owner_call, BUS_NAME, BUS_PATH, BUS_NAME,
                                "GetNameOwner", lock_on_owner, l, "s", LOGIN_NAME);
        return r;
}

static void lock_disconnect(SessionLock *l) {
        l->owner_call = sd_bus_slot_unref(l->owner_call);
        l->bus = sd_bus_close_unref(l->bus);
}

/* What does not work is tried again later. */
static void lock_connect(SessionLock *l) {
        int r;

        lock_disconnect(l);
        r = sd_bus_open_system_with_description(&l->bus, "session-lock");
        if (r >= 0)
                r = sd_bus_set_exit_on_disconnect(l->bus, false);
        if (r >= 0)
                r = sd_bus_attach_event(l->bus, l->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = lock_subscribe(l);
        if (r >= 0)
                return;
        lock_disconnect(l);
        lock_retry(l);
}

static int lock_on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        lock_connect(userdata);
        return 0;
}

int session_lock_new(SessionLock **ret,
                sd_event *event,
                void (*changed)(void *userdata),
                void *userdata) {
        _cleanup_(session_lock_freep) SessionLock *l = calloc(1, sizeof(SessionLock));
        int r;

        if (!l)
                return -ENOMEM;
        l->event = sd_event_ref(event);
        l->changed = changed;
        l->userdata = userdata;
        l->retry_delay = RETRY_MIN;
        r = session_table_new(&l->table, lock_on_published, l);
        if (r < 0)
                return r;
        lock_connect(l);
        *ret = TAKE_PTR(l);
        return 0;
}

SessionLock *session_lock_free(SessionLock *l) {
        if (!l)
                return NULL;
        session_table_free(l->table);
        lock_disconnect(l);
        sd_event_source_disable_unref(l->retry);
        sd_event_source_disable_unref(l->recheck);
        sd_event_source_disable_unref(l->grace);
        sd_event_unref(l->event);
        free(l);
        return NULL;
}

bool session_lock_is_locked(const SessionLock *l, uid_t uid) {
        const LoginSession *facts;
        size_t n;

        if (!l)
                return false;
        facts = session_table_facts(l->table, &n);
        return login_sessions_locked(facts, n, uid);
}

bool session_lock_is_screen_locked(const SessionLock *l, uid_t uid) {
        const LoginSession *facts;
        size_t n;

        if (!l)
                return false;
        facts = session_table_facts(l->table, &n);
        return login_screen_locked(facts, n, uid);
}
