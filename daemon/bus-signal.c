/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <string.h>

#include "base/json-member.h"
#include "base/text.h"
#include "daemon/bus-internal.h"
#include "daemon/life.h"
#include "daemon/view.h"
#include "ipc/bus-json.h"
#include "log/log.h"

int bus_signal_event(BusPeer *p, json_object *parameters) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        json_object *event = get_object(parameters, "event"), *about, *value;
        const char *type = get_string(event, "type");
        bool challenge;
        int r;

        if (!type)
                return -ENOMEM; /* it was short when the event was made */
        about = json_object_new_object();
        challenge = streq(type, "challenge");
        /* What changed, and in the same dictionary the event's own members. */
        json_object_object_foreach(event, key, part) {
                if (part && !json_object_is_type(part, json_type_object) && !streq(key, "type"))
                        view_add(about, key, json_object_get(part));
        }
        value = json_object_object_get(event, challenge ? "challenge" : "factor");
        r = sd_bus_message_new_signal(p->bus->connection, &m, BUS_ROOT, BUS_INTERFACE_MANAGER,
                        challenge                ? "ChallengeChanged"
                        : streq(type, "removed") ? "FactorRemoved"
                                                 : "FactorChanged");
        if (r >= 0)
                r = sd_bus_message_set_destination(m, p->name);
        if (r >= 0)
                r = bus_json_append_dict(m, value, about);
        if (r >= 0)
                r = sd_bus_send(p->bus->connection, m, NULL);
        json_object_put(about);
        return r;
}

/* The objects of the session bus. What is an object is marked, so that a first change adds it. */

static bool is_connected(const Bus *b) {
        return b->connection && sd_bus_is_open(b->connection) > 0;
}

static void say_lost(int r) {
        if (r < 0)
                log_debug("A change could not be told on the bus: %s; ignoring", strerror(-r));
}

/* Takes the path. */
static void tell_added(Bus *b, char *path) {
        _cleanup_free_ char *owned = path;

        say_lost(owned ? sd_bus_emit_object_added(b->connection, owned) : -ENOMEM);
        bus_view_drop(b);
}

static void tell_changed(Bus *b, const char *interface, char *path) {
        _cleanup_free_ char *owned = path;

        say_lost(owned ? sd_bus_emit_properties_changed_strv(b->connection, owned, interface, NULL)
                       : -ENOMEM);
        bus_view_drop(b);
}

/* With all that sd-bus said an object has: a removed factor is no longer there to be looked at. */
static void tell_removed(Bus *b, const char *interface, char *path) {
        _cleanup_free_ char *owned = path;

        say_lost(owned ? sd_bus_emit_interfaces_removed(b->connection, owned, interface,
                                         "org.freedesktop.DBus.Peer",
                                         "org.freedesktop.DBus.Introspectable",
                                         "org.freedesktop.DBus.Properties", NULL)
                       : -ENOMEM);
}

static void on_challenge(const Challenge *changed, void *userdata) {
        Bus *b = userdata;
        Challenge *c = registry_challenge(&b->manager->registry, changed->view.sid);
        bool final = life_is_final(changed->view.state);

        if (!c || !is_connected(b) || (final && !c->on_bus))
                return;
        bus_view_drop(b);
        if (!c->on_bus) {
                c->on_bus = true;
                tell_added(b, bus_challenge_path(c));
                return;
        }
        tell_changed(b, BUS_INTERFACE_CHALLENGE, bus_challenge_path(c));
        if (!final)
                return;
        tell_removed(b, BUS_INTERFACE_CHALLENGE, bus_challenge_path(c));
        c->on_bus = false;
}

static void on_factor(Factor *f, const char *type, void *userdata) {
        Bus *b = userdata;

        if (!is_connected(b))
                return;
        bus_view_drop(b);
        if (streq(type, "removed")) {
                if (f->on_bus)
                        tell_removed(b, BUS_INTERFACE_FACTOR, bus_factor_path(f));
                f->on_bus = false;
        } else if (f->on_bus)
                tell_changed(b, BUS_INTERFACE_FACTOR, bus_factor_path(f));
        else {
                f->on_bus = true;
                tell_added(b, bus_factor_path(f));
        }
}

void bus_signal_listen(Bus *b) {
        MonitorListener listener = {
                        .challenge = on_challenge,
                        .factor = on_factor,
                        .userdata = b,
        };

        monitor_listen(b->manager->monitor, &listener);
}

void bus_signal_begin(Bus *b) {
        const Registry *r = &b->manager->registry;

        for (size_t i = 0; i < r->n_factors; i++)
                r->factors[i]->on_bus = true;
        for (size_t i = 0; i < r->n_challenges; i++)
                r->challenges[i]->on_bus = !life_is_final(r->challenges[i]->view.state);
}
