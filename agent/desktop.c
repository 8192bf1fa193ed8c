/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/desktop.h"

#include <errno.h>
#include <string.h>

#include "agent/notify-message.h"
#include "base/text.h"
#include "log/log.h"

#define BUS_NAME "org.freedesktop.DBus"
#define BUS_PATH "/org/freedesktop/DBus"
#define BUS_INTERFACE "org.freedesktop.DBus"

#define RECONNECT_FIRST (100 * USEC_PER_MSEC)
#define RECONNECT_MAX (5 * USEC_PER_SEC)
/* A desktop that replaces its server is given the time to do it before the bus starts another. */
#define START_DELAY USEC_PER_SEC
#define RETRY_DELAY (5 * USEC_PER_SEC)

/* A Notify under way. Its answer is waited for as long as the server lives: one whose id was never
 * learnt could not be withdrawn. */
typedef struct Sending {
        struct Sending *next;
        Desktop *desktop;
        sd_bus_slot *slot;
        void *cookie;
} Sending;

struct Desktop {
        sd_event *event;
        const DesktopHooks *hooks;
        void *userdata;

        sd_bus *bus;
        sd_event_source *reconnect; /* while there is no bus */
        usec_t delay;
        char *owner; /* the server's unique name, or NULL */
        bool draws;  /* it is none of those that show no buttons */
        bool ready;  /* its capabilities are known */
        bool wanted;
        bool starting;
        sd_bus_slot *question;  /* the capabilities, asked */
        sd_event_source *retry; /* to start or ask a server again */
        Sending *sending;
};

static void desktop_schedule(Desktop *d, usec_t delay);
static void desktop_ask(Desktop *d);

static void sending_free(Sending *s) {
        for (Sending **i = &s->desktop->sending; *i; i = &(*i)->next)
                if (*i == s) {
                        *i = s->next;
                        break;
                }
        sd_bus_slot_unref(s->slot);
        free(s);
}

/* The owner. */

static void drop_server(Desktop *d) {
        bool was_ready = d->ready;

        while (d->sending)
                sending_free(d->sending);
        d->question = sd_bus_slot_unref(d->question);
        free(d->owner);
        d->owner = NULL;
        d->ready = false;
        if (was_ready)
                d->hooks->gone(d->userdata);
}

static void set_owner(Desktop *d, const char *owner) {
        if (streq_ptr(d->owner, owner && *owner ? owner : NULL))
                return;
        drop_server(d);
        if (owner && *owner) {
                (void) text_set(&d->owner, owner);
                desktop_ask(d);
        } else
                desktop_schedule(d, START_DELAY);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;

        if (!streq_ptr(sd_bus_message_get_sender(m), BUS_NAME) ||
                        sd_bus_message_read(m, "sss", &name, &before, &after) < 0 ||
                        !streq(name, SERVER_NAME))
                return 0;
        set_owner(userdata, after);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *owner = NULL;

        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "s", &owner) < 0)
                owner = NULL;
        if (owner)
                set_owner(userdata, owner);
        else
                desktop_schedule(userdata, 0);
        return 0;
}

/* Capabilities. */

static int read_capabilities(sd_bus_message *m, ServerAbilities *ret) {
        const char *word;
        int r;

        if (sd_bus_message_is_method_error(m, NULL))
                return -sd_bus_message_get_errno(m);
        r = sd_bus_message_enter_container(m, 'a', "s");
        while (r > 0 && (r = sd_bus_message_read(m, "s", &word)) > 0) {
                ret->actions = ret->actions || streq(word, "actions");
                ret->markup = ret->markup || streq(word, "body-markup");
        }
        return r;
}

/* These list "actions", and mean a menu or a command of theirs: nothing can be clicked. */
static bool draws_buttons(const char *name) {
        static const char *const without[] = {"dunst", "mako"};

        for (size_t i = 0; i < ELEMENTSOF(without); i++)
                if (streq(name, without[i]))
                        return false;
        return true;
}

static int on_capabilities(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        ServerAbilities server = {0};
        Desktop *d = userdata;
        int r;

        d->question = sd_bus_slot_unref(d->question);
        r = read_capabilities(m, &server);
        if (r < 0) {
                log_warning("The notification server does not say what it can do: %s; trying again",
                                strerror(-r));
                desktop_schedule(d, RETRY_DELAY);
                return 0;
        }
        server.buttons = server.actions && d->draws;
        log_debug("Notification server %s: actions %s, buttons %s, markup %s", d->owner,
                        server.actions ? "yes" : "no", server.buttons ? "yes" : "no",
                        server.markup ? "yes" : "no");
        d->ready = true;
        d->hooks->ready(d->userdata, &server);
        return 0;
}

static void desktop_question(Desktop *d, const char *method, sd_bus_message_handler_t answered) {
        if (sd_bus_call_method_async(d->bus, &d->question, d->owner, SERVER_PATH, SERVER_INTERFACE,
                            method, answered, d, NULL) < 0)
                desktop_schedule(d, RETRY_DELAY);
}

static int on_information(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name = "";
        Desktop *d = userdata;

        d->question = sd_bus_slot_unref(d->question);
        /* Its first word is the name; one that has none is taken at its other word. */
        if (!sd_bus_message_is_method_error(m, NULL) && sd_bus_message_read(m, "s", &name) < 0)
                name = "";
        d->draws = draws_buttons(name);
        desktop_question(d, "GetCapabilities", on_capabilities);
        return 0;
}

static void desktop_ask(Desktop *d) {
        desktop_question(d, "GetServerInformation", on_information);
}

/* Starting a server. */

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Desktop *d = userdata;

        d->starting = false;
        if (!sd_bus_message_is_method_error(m, NULL))
                return 0; /* its owner is told of */
        log_debug("There is no notification server: %s", sd_bus_message_get_error(m)->message);
        desktop_schedule(d, RETRY_DELAY);
        return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata) {
        Desktop *d = userdata;

        if (!d->bus || d->ready || d->question)
                return 0;
        if (d->owner) {
                desktop_ask(d);
                return 0;
        }
        if (!d->wanted || d->starting)
                return 0;
        if (sd_bus_call_method_async(d->bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE,
                            "StartServiceByName", on_started, d, "su", SERVER_NAME, 0) >= 0)
                d->starting = true;
        return 0;
}

static void desktop_schedule(Desktop *d, usec_t delay) {
        (void) sd_event_source_set_time_relative(d->retry, delay);
        (void) sd_event_source_set_enabled(d->retry, SD_EVENT_ONESHOT);
}

void desktop_want_server(Desktop *d, bool wanted) {
        if (wanted && !d->wanted && !d->owner)
                desktop_schedule(d, 0);
        d->wanted = wanted;
}

/* Signals. Anybody on the bus can send them; only the server's own count. */

static bool is_server(const Desktop *d, sd_bus_message *m) {
        return d->ready && streq_ptr(sd_bus_message_get_sender(m), d->owner);
}

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Desktop *d = userdata;
        uint32_t id, reason;
        const char *key;

        if (!is_server(d, m))
                return 0;
        if (sd_bus_message_is_signal(m, SERVER_INTERFACE, "ActionInvoked") > 0) {
                if (sd_bus_message_read(m, "us", &id, &key) > 0)
                        d->hooks->clicked(d->userdata, id, key);
        } else if (sd_bus_message_is_signal(m, SERVER_INTERFACE, "NotificationClosed") > 0) {
                if (sd_bus_message_read(m, "uu", &id, &reason) > 0)
                        d->hooks->closed(d->userdata, id, reason);
        }
        return 0;
}

/* Notify. */

static int on_shown(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Sending *s = userdata;
        Desktop *d = s->desktop;
        void *cookie = s->cookie;
        uint32_t id = 0;

        sending_free(s);
        if (sd_bus_message_is_method_error(m, NULL))
                log_warning("The notification server refused a notification: %s",
                                sd_bus_message_get_error(m)->name);
        else if (sd_bus_message_read(m, "u", &id) < 0)
                id = 0;
        d->hooks->shown(d->userdata, cookie, id);
        return 0;
}

int desktop_notify(Desktop *d, const Notice *n, uint32_t replaces, void *cookie) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        Sending *s;
        int r;

        if (!d->ready)
                return -ENOTCONN;
        r = notify_message_new(&m, d->bus, d->owner, n, replaces);
        if (r < 0)
                return r;
        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        *s = (Sending){.next = d->sending, .desktop = d, .cookie = cookie};
        d->sending = s;
        r = sd_bus_call_async(d->bus, &s->slot, m, on_shown, s, UINT64_MAX);
        if (r < 0)
                sending_free(s);
        return r < 0 ? r : 0;
}

void desktop_close(Desktop *d, uint32_t id) {
        if (d->ready)
                (void) sd_bus_call_method_async(d->bus, NULL, d->owner, SERVER_PATH,
                                SERVER_INTERFACE, "CloseNotification", NULL, NULL, "u", id);
}

/* The bus. */

static void desktop_disconnect(Desktop *d) {
        drop_server(d);
        d->starting = false;
        d->bus = sd_bus_close_unref(d->bus);
}

static void desktop_reconnect_later(Desktop *d) {
        (void) sd_event_source_set_time_relative(d->reconnect, d->delay);
        (void) sd_event_source_set_enabled(d->reconnect, SD_EVENT_ONESHOT);
        d->delay = d->delay < RECONNECT_MAX / 2 ? 2 * d->delay : RECONNECT_MAX;
}

/* Not from here: the connection is not freed while it dispatches. */
static int on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Desktop *d = userdata;

        log_info("The session bus has gone; connecting again");
        drop_server(d);
        desktop_reconnect_later(d);
        return 0;
}

static int bus_watch(Desktop *d) {
        int r;

        r = sd_bus_match_signal_async(d->bus, NULL, "org.freedesktop.DBus.Local", NULL,
                        "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL, d);
        if (r >= 0)
                r = sd_bus_add_match_async(d->bus, NULL,
                                "type='signal',sender='" BUS_NAME "',path='" BUS_PATH
                                "',interface='" BUS_INTERFACE
                                "',member='NameOwnerChanged',arg0='" SERVER_NAME "'",
                                on_owner_changed, NULL, d);
        if (r >= 0)
                r = sd_bus_match_signal_async(d->bus, NULL, NULL, SERVER_PATH, SERVER_INTERFACE,
                                NULL, on_signal, NULL, d);
        if (r >= 0)
                r = sd_bus_call_method_async(d->bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE,
                                "GetNameOwner", on_owner, d, "s", SERVER_NAME);
        return r;
}

static int on_connected(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        Desktop *d = userdata;

        d->delay = RECONNECT_FIRST;
        log_debug("Connected to the session bus");
        return 0;
}

static int bus_open(Desktop *d) {
        int r = sd_bus_open_user_with_description(&d->bus, "session");

        /* When the loop ends there are notifications to close. */
        if (r >= 0)
                r = sd_bus_set_close_on_exit(d->bus, false);
        if (r >= 0)
                r = sd_bus_attach_event(d->bus, d->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = bus_watch(d);
        if (r >= 0)
                r = sd_bus_call_method_async(d->bus, NULL, BUS_NAME, BUS_PATH, BUS_INTERFACE,
                                "GetId", on_connected, d, NULL);
        return r;
}

static void desktop_connect(Desktop *d) {
        int r;

        desktop_disconnect(d);
        r = bus_open(d);
        if (r < 0) {
                log_debug("Cannot connect to the session bus: %s", strerror(-r));
                d->bus = sd_bus_close_unref(d->bus);
                desktop_reconnect_later(d);
        }
}

static int on_reconnect(sd_event_source *s, uint64_t usec, void *userdata) {
        desktop_connect(userdata);
        return 0;
}

int desktop_new(Desktop **ret, sd_event *event, const DesktopHooks *hooks, void *userdata) {
        _cleanup_(desktop_freep) Desktop *d = calloc(1, sizeof(*d));
        int r;

        if (!d)
                return -ENOMEM;
        *d = (Desktop){
                        .event = sd_event_ref(event),
                        .hooks = hooks,
                        .userdata = userdata,
                        .delay = RECONNECT_FIRST,
        };
        r = sd_event_add_time_relative(event, &d->reconnect, CLOCK_BOOTTIME, 0, 0, on_reconnect, d);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &d->retry, CLOCK_BOOTTIME, 0, 0, on_retry, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->retry, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

Desktop *desktop_free(Desktop *d) {
        if (!d)
                return NULL;
        while (d->sending)
                sending_free(d->sending);
        sd_bus_slot_unref(d->question);
        sd_bus_flush_close_unref(d->bus);
        sd_event_source_disable_unref(d->reconnect);
        sd_event_source_disable_unref(d->retry);
        free(d->owner);
        sd_event_unref(d->event);
        free(d);
        return NULL;
}
