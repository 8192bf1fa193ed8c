/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/bus.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/backoff.h"
#include "daemon/bus-internal.h"
#include "log/log.h"

#define RETRY_FIRST (500 * USEC_PER_MSEC)
#define RETRY_MAX (30 * USEC_PER_SEC)
#define LOCAL_NAME "org.freedesktop.DBus.Local"
#define LOCAL_PATH "/org/freedesktop/DBus/Local"

/* What RequestName answers. */
#define NAME_OWNED 1
#define NAME_IN_QUEUE 2
#define NAME_ALREADY_OWNED 4

BusKind bus_kind(const Config *c) {
        switch (c->bus) {
        case CONFIG_BUS_AUTO:
                return c->system ? BUS_SYSTEM : BUS_SESSION;
        case CONFIG_BUS_SYSTEM:
                return BUS_SYSTEM;
        case CONFIG_BUS_SESSION:
                return BUS_SESSION;
        case CONFIG_BUS_NONE:
                break;
        }
        return BUS_NONE;
}

static const char *bus_word(const Bus *b) {
        return b->kind == BUS_SYSTEM ? "system" : "session";
}

const char *bus_problem(const Bus *b) {
        return b ? b->problem : NULL;
}

/* Said once: a failure that repeats is no news. */
_printf_(3, 4) static void bus_set_problem(Bus *b, int priority, const char *format, ...) {
        char *text = NULL;
        va_list ap;

        va_start(ap, format);
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        va_end(ap);
        if (text && !streq_ptr(text, b->problem))
                log_write(priority, __FILE__, __LINE__, "%s", text);
        free(b->problem);
        b->problem = text;
}

static void bus_schedule(Bus *b) {
        usec_t delay = backoff_delay(RETRY_FIRST, RETRY_MAX, ++b->n_failures, 0);

        (void) sd_event_source_set_time_relative(b->retry, delay);
        (void) sd_event_source_set_enabled(b->retry, SD_EVENT_ONESHOT);
}

/* Whoever called over the connection is gone for us. */
static void bus_leave_all(Bus *b) {
        while (!LIST_EMPTY(&b->peers))
                bus_peer_free(LIST_FIRST(&b->peers));
        b->is_named = false;
}

static void bus_disconnect(Bus *b) {
        bus_leave_all(b);
        b->connection = sd_bus_close_unref(b->connection);
}

/* From within sd-bus: the connection is put away by the next attempt, not here. */
static int bus_on_disconnected(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Bus *b = userdata;

        if (b->is_named || b->n_failures == 0)
                log_notice("The %s bus has ended the connection; trying again", bus_word(b));
        bus_leave_all(b);
        bus_schedule(b);
        return 0;
}

/* The signal and the answer to the request both say so. */
static void bus_name_is_ours(Bus *b) {
        if (b->is_named)
                return;
        b->is_named = true;
        b->n_failures = 0;
        free(b->problem);
        b->problem = NULL;
        (void) sd_event_source_set_enabled(b->retry, SD_EVENT_OFF);
        log_info("On the %s bus as " BUS_NAME, bus_word(b));
}

static void bus_name_is_taken(Bus *b) {
        b->is_named = false;
        bus_set_problem(b, LOG_WARNING,
                        "The name " BUS_NAME
                        " on the %s bus belongs to another program; waiting "
                        "for it to be given up",
                        bus_word(b));
}

/* Whether the message, NameLost or NameAcquired, is about our name. */
static bool is_our_name(sd_bus_message *m) {
        const char *name;

        return sd_bus_message_read(m, "s", &name) >= 0 && streq(name, BUS_NAME);
}

static int bus_on_name_acquired(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Bus *b = userdata;

        if (is_our_name(m))
                bus_name_is_ours(b);
        return 0;
}

static int bus_on_name_lost(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        if (is_our_name(m))
                bus_name_is_taken(userdata);
        return 0;
}

static int bus_on_name(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Bus *b = userdata;
        uint32_t result = 0;

        if (sd_bus_message_is_method_error(m, NULL)) {
                bus_set_problem(b, LOG_WARNING,
                                "The %s bus refuses the name " BUS_NAME
                                " (%s); is its policy file installed?",
                                bus_word(b), strempty(sd_bus_message_get_error(m)->message));
                bus_schedule(b);
                return 0;
        }
        (void) sd_bus_message_read(m, "u", &result);
        if (result == NAME_OWNED || result == NAME_ALREADY_OWNED)
                bus_name_is_ours(b);
        else if (result == NAME_IN_QUEUE)
                bus_name_is_taken(b);
        return 0;
}

static int bus_request_name(Bus *b) {
        return sd_bus_request_name_async(
                        b->connection, NULL, BUS_NAME, SD_BUS_NAME_QUEUE, bus_on_name, b);
}

static int bus_match(Bus *b, const char *member, sd_bus_message_handler_t handler) {
        return sd_bus_match_signal_async(b->connection, NULL, BUS_DRIVER, BUS_DRIVER_PATH,
                        BUS_DRIVER, member, handler, NULL, b);
}

static int bus_connect(Bus *b) {
        int r;

        r = b->kind == BUS_SYSTEM ? sd_bus_open_system(&b->connection)
                                  : sd_bus_open_user(&b->connection);
        if (r >= 0)
                r = sd_bus_attach_event(b->connection, b->manager->event, SD_EVENT_PRIORITY_NORMAL);
        if (r >= 0)
                r = sd_bus_match_signal_async(b->connection, NULL, LOCAL_NAME, LOCAL_PATH,
                                LOCAL_NAME, "Disconnected", bus_on_disconnected, NULL, b);
        if (r >= 0)
                r = bus_match(b, "NameAcquired", bus_on_name_acquired);
        if (r >= 0)
                r = bus_match(b, "NameLost", bus_on_name_lost);
        if (r >= 0)
                r = bus_objects_add(b);
        if (r >= 0)
                r = bus_request_name(b);
        if (r < 0)
                return r;
        bus_signal_begin(b);
        return 0;
}

/* Where the configuration names no bus, to have none is no problem. */
static void bus_attempt(Bus *b) {
        int r;

        if (b->connection && sd_bus_is_open(b->connection) > 0)
                r = bus_request_name(b);
        else {
                bus_disconnect(b);
                r = bus_connect(b);
        }
        if (r >= 0)
                return;
        bus_disconnect(b);
        if (b->manager->config->bus != CONFIG_BUS_AUTO)
                bus_set_problem(b, LOG_WARNING, "Cannot connect to the %s bus: %s", bus_word(b),
                                strerror(-r));
        else if (b->n_failures == 0)
                log_info("There is no %s bus to be on (%s); looking for one now and then",
                                bus_word(b), strerror(-r));
        bus_schedule(b);
}

static int bus_on_retry(sd_event_source *s, uint64_t usec, void *userdata) {
        bus_attempt(userdata);
        return 0;
}

int bus_new(Bus **ret, Manager *m, BusKind kind) {
        _cleanup_(bus_freep) Bus *b = calloc(1, sizeof(Bus));
        int r;

        if (!b)
                return -ENOMEM;
        b->manager = m;
        b->kind = kind;
        r = sd_event_add_time(m->event, &b->retry, CLOCK_BOOTTIME, UINT64_MAX, USEC_PER_MSEC,
                        bus_on_retry, b);
        if (r >= 0)
                r = sd_event_source_set_enabled(b->retry, SD_EVENT_OFF);
        if (r < 0)
                return r;
        if (kind == BUS_SESSION)
                bus_signal_listen(b);
        bus_attempt(b);
        *ret = TAKE_PTR(b);
        return 0;
}

Bus *bus_free(Bus *b) {
        if (!b)
                return NULL;
        monitor_listen(b->manager->monitor, NULL);
        bus_disconnect(b);
        sd_event_source_disable_unref(b->retry);
        bus_objects_done(b);
        free(b->problem);
        free(b);
        return NULL;
}
