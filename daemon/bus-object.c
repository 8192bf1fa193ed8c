/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on the bus: the manager everywhere, factors and challenges on the session bus alone,
 * where everybody is the same user. */

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "daemon/bus-internal.h"
#include "daemon/view.h"
#include "ipc/bus-json.h"

/* Properties are read one by one, but all of an object's in one turn of the event loop: the view is
 * made once for that. */

void bus_view_drop(Bus *b) {
        json_object_put(b->view);
        b->view = NULL;
        free(b->view_path);
        b->view_path = NULL;
}

/* Of an object's path the part that names it, new. NULL: none, or no memory. */
static char *path_name(const char *path, const char *prefix) {
        char *name = NULL;

        return sd_bus_path_decode(path, prefix, &name) > 0 ? name : NULL;
}

static const Factor *find_factor(const Bus *b, const char *path) {
        _cleanup_free_ char *name = path_name(path, BUS_FACTORS);
        const Factor *f = name ? registry_factor(&b->manager->registry, name) : NULL;

        /* A SID finds it, too, but is not its path. */
        return f && f->on_bus && streq(f->record.name, name) ? f : NULL;
}

static const Challenge *find_challenge(const Bus *b, const char *path) {
        _cleanup_free_ char *sid = path_name(path, BUS_CHALLENGES);
        const Challenge *c = sid ? registry_challenge(&b->manager->registry, sid) : NULL;

        return c && c->on_bus ? c : NULL;
}

static json_object *make_view(Bus *b, const char *path) {
        const Challenge *c = find_challenge(b, path);
        const Factor *f = c ? NULL : find_factor(b, path);

        if (c)
                return view_challenge(c);
        return f ? view_factor(f) : view_object_of_string("version", FACTORD_VERSION);
}

static json_object *object_view(Bus *b, const char *path) {
        uint64_t iteration = 0;

        (void) sd_event_get_iteration(b->manager->event, &iteration);
        if (b->view_path && streq(b->view_path, path) && b->view_iteration == iteration)
                return b->view;
        bus_view_drop(b);
        b->view = make_view(b, path);
        b->view_path = strdup(path);
        b->view_iteration = iteration;
        return b->view;
}

static const BusInterface *interface_of(const char *name) {
        if (streq(name, BUS_INTERFACE_CHALLENGE))
                return &bus_challenge;
        return streq(name, BUS_INTERFACE_FACTOR) ? &bus_factor : &bus_manager;
}

static int get_property(sd_bus *bus,
                const char *path,
                const char *interface,
                const char *property,
                sd_bus_message *reply,
                void *userdata,
                sd_bus_error *ret_error) {
        const BusProperty *p = bus_interface_property(interface_of(interface), property);

        if (!p)
                return -ENOENT;
        return bus_json_append_property(
                        reply, p, json_object_object_get(object_view(userdata, path), p->member));
}

static int on_find_factor(sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret_found,
                sd_bus_error *ret_error) {
        *ret_found = userdata;
        return find_factor(userdata, path) ? 1 : 0;
}

static int on_find_challenge(sd_bus *bus,
                const char *path,
                const char *interface,
                void *userdata,
                void **ret_found,
                sd_bus_error *ret_error) {
        *ret_found = userdata;
        return find_challenge(userdata, path) ? 1 : 0;
}

char *bus_factor_path(const Factor *f) {
        char *path = NULL;

        return sd_bus_path_encode(BUS_FACTORS, f->record.name, &path) >= 0 ? path : NULL;
}

char *bus_challenge_path(const Challenge *c) {
        char *path = NULL;

        return sd_bus_path_encode(BUS_CHALLENGES, c->view.sid, &path) >= 0 ? path : NULL;
}

static int take_paths(char **paths, size_t n, char ***ret) {
        for (size_t i = 0; i < n; i++)
                if (!paths[i]) {
                        for (size_t k = 0; k < n; k++)
                                free(paths[k]);
                        free(paths);
                        return -ENOMEM;
                }
        *ret = paths;
        return 0;
}

static int on_enumerate_factors(sd_bus *bus,
                const char *prefix,
                void *userdata,
                char ***ret_nodes,
                sd_bus_error *ret_error) {
        const Registry *r = &((const Bus *) userdata)->manager->registry;
        char **paths = calloc(r->n_factors + 1, sizeof(char *));
        size_t n = 0;

        if (!paths)
                return -ENOMEM;
        for (size_t i = 0; i < r->n_factors; i++)
                if (r->factors[i]->on_bus)
                        paths[n++] = bus_factor_path(r->factors[i]);
        return take_paths(paths, n, ret_nodes);
}

static int on_enumerate_challenges(sd_bus *bus,
                const char *prefix,
                void *userdata,
                char ***ret_nodes,
                sd_bus_error *ret_error) {
        const Registry *r = &((const Bus *) userdata)->manager->registry;
        char **paths = calloc(r->n_challenges + 1, sizeof(char *));
        size_t n = 0;

        if (!paths)
                return -ENOMEM;
        for (size_t i = 0; i < r->n_challenges; i++)
                if (r->challenges[i]->on_bus)
                        paths[n++] = bus_challenge_path(r->challenges[i]);
        return take_paths(paths, n, ret_nodes);
}

/* sd-bus wants the tables that are in ipc/ in its own form. */

static uint64_t change_flags(BusChange change) {
        switch (change) {
        case BUS_CHANGE_TOLD:
                return SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE;
        case BUS_CHANGE_NEVER:
                return SD_BUS_VTABLE_PROPERTY_CONST;
        case BUS_CHANGE_UNTOLD:
                break;
        }
        return 0;
}

/* Everybody may call, as far as sd-bus is asked: who may what is the operations' own matter. */
static sd_bus_vtable method_entry(const BusMethod *m) {
        uint64_t flags = SD_BUS_VTABLE_UNPRIVILEGED | (m->sensitive ? SD_BUS_VTABLE_SENSITIVE : 0);

        return (sd_bus_vtable) SD_BUS_METHOD_WITH_NAMES(
                        m->name, m->arguments, m->names, m->result, , bus_on_method, flags);
}

static sd_bus_vtable signal_entry(const char *name) {
        return (sd_bus_vtable) SD_BUS_SIGNAL_WITH_NAMES(name, "a{sv}",
                        strncmp(name, "Factor", 6) == 0 ? "factor\0" : "challenge\0", 0);
}

static size_t count_signals(const BusInterface *i) {
        size_t n = 0;

        while (i->signals && i->signals[n])
                n++;
        return n;
}

static sd_bus_vtable *vtable_new(const BusInterface *i) {
        size_t n = 0, n_signals = count_signals(i);
        sd_bus_vtable *v = calloc(
                        2 + i->n_methods + i->n_properties + n_signals, sizeof(sd_bus_vtable));

        if (!v)
                return NULL;
        v[n++] = (sd_bus_vtable) SD_BUS_VTABLE_START(0);
        for (size_t k = 0; k < i->n_methods; k++)
                v[n++] = method_entry(&i->methods[k]);
        for (size_t k = 0; k < i->n_properties; k++)
                v[n++] = (sd_bus_vtable) SD_BUS_PROPERTY(i->properties[k].name,
                                i->properties[k].type, get_property, 0,
                                change_flags(i->properties[k].change));
        for (size_t k = 0; k < n_signals; k++)
                v[n++] = signal_entry(i->signals[k]);
        v[n] = (sd_bus_vtable) SD_BUS_VTABLE_END;
        return v;
}

static int objects_prepare(Bus *b) {
        static const BusInterface *const interfaces[] = {&bus_manager, &bus_factor, &bus_challenge};

        for (size_t i = 0; i < ELEMENTSOF(interfaces); i++) {
                if (!b->vtables[i])
                        b->vtables[i] = vtable_new(interfaces[i]);
                if (!b->vtables[i])
                        return -ENOMEM;
        }
        return 0;
}

void bus_objects_done(Bus *b) {
        bus_view_drop(b);
        for (size_t i = 0; i < ELEMENTSOF(b->vtables); i++)
                free(b->vtables[i]);
}

int bus_objects_add(Bus *b) {
        sd_bus *bus = b->connection;
        int r;

        r = objects_prepare(b);
        if (r >= 0)
                r = sd_bus_add_object_vtable(
                                bus, NULL, BUS_ROOT, BUS_INTERFACE_MANAGER, b->vtables[0], b);
        if (r < 0 || b->kind != BUS_SESSION)
                return r;
        r = sd_bus_add_object_manager(bus, NULL, BUS_ROOT);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, BUS_FACTORS, BUS_INTERFACE_FACTOR,
                                b->vtables[1], on_find_factor, b);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, BUS_FACTORS, on_enumerate_factors, b);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, BUS_CHALLENGES, BUS_INTERFACE_CHALLENGE,
                                b->vtables[2], on_find_challenge, b);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(
                                bus, NULL, BUS_CHALLENGES, on_enumerate_challenges, b);
        return r;
}
