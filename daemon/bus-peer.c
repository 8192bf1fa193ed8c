/* SPDX-License-Identifier: Apache-2.0 */

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "daemon/bus-internal.h"

/* A peer is asked for once: its uid is the bus driver's word, and stays what it is as long as the
 * peer is there. First the bus is asked to tell when it leaves, then for the uid: so no peer that
 * has left is taken for one that is there. */

static bool peer_is_idle(const BusPeer *p) {
        return TAILQ_EMPTY(&p->calls) && !p->subscription;
}

void bus_peer_free(BusPeer *p) {
        LIST_REMOVE(p, of_bus);
        p->bus->n_peers--;
        sd_bus_slot_unref(p->leaves);
        sd_bus_slot_unref(p->asked);
        if (p->subscription)
                bus_call_leave(p->subscription);
        while (!TAILQ_EMPTY(&p->calls))
                bus_call_leave(TAILQ_FIRST(&p->calls));
        free(p->name);
        free(p);
}

static int peer_on_leave(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        BusPeer *p = userdata;
        const char *name, *before, *after;

        if (sd_bus_message_read(m, "sss", &name, &before, &after) >= 0 && streq(name, p->name) &&
                        streq(after, ""))
                bus_peer_free(p);
        return 0;
}

/* Without it nobody would be told that the peer leaves: it can't be served. */
static int peer_on_watched(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        BusPeer *p = userdata;

        if (!sd_bus_message_is_method_error(m, NULL))
                return 0;
        while (!TAILQ_EMPTY(&p->calls))
                bus_call_fail(TAILQ_FIRST(&p->calls), IPC_RATE_LIMITED,
                                "Too many callers are on the bus; try again");
        bus_peer_free(p);
        return 0;
}

/* The first call that waits for the uid. */
static BusCall *peer_waiting(BusPeer *p) {
        BusCall *c;

        TAILQ_FOREACH(c, &p->calls, of_peer) {
                if (!c->call)
                        return c;
        }
        return NULL;
}

/* A call that is begun may end others of its peer's, but the peer stays: nothing is read from the
 * bus meanwhile. */
static int peer_on_uid(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        BusPeer *p = userdata;
        BusCall *c;
        uint32_t uid;

        p->asked = sd_bus_slot_unref(p->asked);
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "u", &uid) < 0) {
                while (!TAILQ_EMPTY(&p->calls))
                        bus_call_fail(TAILQ_FIRST(&p->calls), IPC_NOT_AUTHORIZED,
                                        "The bus does not say who asks");
                bus_peer_free(p);
                return 0;
        }
        p->uid = (uid_t) uid;
        p->known = true;
        while ((c = peer_waiting(p)))
                bus_call_begin(c);
        return 0;
}

static int peer_ask(BusPeer *p) {
        sd_bus *bus = p->bus->connection;
        char rule[512];
        int n, r;

        n = snprintf(rule, sizeof(rule),
                        "type='signal',sender='" BUS_DRIVER "',path='" BUS_DRIVER_PATH
                        "',interface='" BUS_DRIVER "',member='NameOwnerChanged',arg0='%s'",
                        p->name);
        if (n < 0 || (size_t) n >= sizeof(rule))
                return -EINVAL;
        r = sd_bus_add_match_async(bus, &p->leaves, rule, peer_on_leave, peer_on_watched, p);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(bus, &p->asked, BUS_DRIVER, BUS_DRIVER_PATH, BUS_DRIVER,
                        "GetConnectionUnixUser", peer_on_uid, p, "s", p->name);
}

/* The one that has been idle for longest. */
static bool bus_evict(Bus *b) {
        BusPeer *p, *oldest = NULL;

        LIST_FOREACH(p, &b->peers, of_bus) {
                if (peer_is_idle(p) && (!oldest || p->used < oldest->used))
                        oldest = p;
        }
        if (oldest)
                bus_peer_free(oldest);
        return oldest;
}

static int peer_new(Bus *b, const char *name, BusPeer **ret) {
        BusPeer *p;
        int r;

        if (b->n_peers >= BUS_PEERS_MAX && !bus_evict(b))
                return -ENOBUFS;
        p = calloc(1, sizeof(BusPeer));
        if (!p)
                return -ENOMEM;
        p->bus = b;
        TAILQ_INIT(&p->calls);
        LIST_INSERT_HEAD(&b->peers, p, of_bus);
        b->n_peers++;
        p->name = strdup(name);
        r = p->name ? peer_ask(p) : -ENOMEM;
        if (r < 0) {
                bus_peer_free(p);
                return r;
        }
        *ret = p;
        return 0;
}

int bus_peer_get(Bus *b, const char *name, BusPeer **ret) {
        uint64_t used = 0;
        BusPeer *p, *found = NULL;
        int r;

        LIST_FOREACH(p, &b->peers, of_bus) {
                used = p->used > used ? p->used : used;
                if (streq(p->name, name))
                        found = p;
        }
        if (!found) {
                r = peer_new(b, name, &found);
                if (r < 0)
                        return r;
        }
        found->used = used + 1;
        *ret = found;
        return 0;
}

size_t bus_calls_of(const Bus *b, uid_t uid) {
        const BusPeer *p;
        size_t n = 0;

        LIST_FOREACH(p, &b->peers, of_bus) {
                if (p->known && p->uid == uid)
                        n += p->n_calls;
        }
        return n;
}

size_t bus_subscribers_of(const Bus *b, const uid_t *uid) {
        const BusPeer *p;
        size_t n = 0;

        LIST_FOREACH(p, &b->peers, of_bus) {
                if (p->subscription && (!uid || p->uid == *uid))
                        n++;
        }
        return n;
}
