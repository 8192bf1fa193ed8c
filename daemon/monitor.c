/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/monitor.h"

#include <errno.h>

#include "daemon/view.h"

typedef struct Watcher {
        Monitor *monitor;
        struct Watcher *next;
        Call *call;
} Watcher;

struct Monitor {
        MonitorListener listener;
        Watcher *watchers;
};

static void watcher_free(Watcher *w) {
        for (Watcher **i = &w->monitor->watchers; *i; i = &(*i)->next)
                if (*i == w) {
                        *i = w->next;
                        break;
                }
        call_on_gone(w->call, NULL, NULL);
        call_unref(w->call);
        free(w);
}

int monitor_new(Monitor **ret) {
        *ret = calloc(1, sizeof(Monitor));
        return *ret ? 0 : -ENOMEM;
}

Monitor *monitor_free(Monitor *m) {
        if (!m)
                return NULL;
        while (m->watchers) {
                (void) call_error(m->watchers->call, IPC_EVENTS_LOST, NULL, "factord stops");
                watcher_free(m->watchers);
        }
        free(m);
        return NULL;
}

void monitor_listen(Monitor *m, const MonitorListener *listener) {
        m->listener = listener ? *listener : (MonitorListener){0};
}

static void watcher_gone(Call *call, void *userdata) {
        watcher_free(userdata);
}

int monitor_add(Monitor *m, Call *call) {
        Watcher *w = calloc(1, sizeof(Watcher));
        if (!w)
                return -ENOMEM;
        w->monitor = m;
        w->call = call_ref(call);
        w->next = m->watchers;
        m->watchers = w;
        call_on_gone(call, watcher_gone, w);
        return 0;
}

/* One event, as the interface file has it: value (borrowed) is a challenge's or factor's view. */
static json_object *monitor_event(uint64_t sequence,
                usec_t time,
                const char *type,
                const char *key,
                json_object *value) {
        json_object *event = json_object_new_object();

        view_add_int(event, "sequence", (int64_t) sequence);
        view_add_time(event, "time", time);
        view_add_string(event, "type", type);
        view_add(event, key, json_object_get(value));
        return view_reply("event", event);
}

static void monitor_tell(Monitor *m, uid_t owner, json_object *event) {
        for (Watcher *w = m->watchers, *next; w; w = next) {
                next = w->next;
                if (!call_peer_may(call_peer(w->call), owner))
                        continue;
                /* One that can't be told any more has gone, or is closed by its door for reading
                 * too slowly. */
                if (call_reply_more(w->call, json_object_get(event)) < 0)
                        watcher_free(w);
        }
        json_object_put(event);
}

void monitor_challenge(Monitor *m, const Challenge *c) {
        json_object *v;

        if (m->listener.challenge)
                m->listener.challenge(c, m->listener.userdata);
        if (!m->watchers)
                return;
        v = view_challenge(c);
        monitor_tell(m, c->view.owner,
                        monitor_event(c->sequence, c->changed, "challenge", "challenge", v));
        json_object_put(v);
}

void monitor_factor(Monitor *m, Factor *f, const char *type) {
        json_object *v;

        if (m->listener.factor)
                m->listener.factor(f, type, m->listener.userdata);
        if (!m->watchers)
                return;
        v = view_factor(f);
        monitor_tell(m, f->record.owner,
                        monitor_event(f->sequence, now_realtime(), type, "factor", v));
        json_object_put(v);
}

/* A change to tell: of a challenge or of a factor. */
typedef struct Change {
        uint64_t sequence;
        const Challenge *challenge;
        const Factor *factor;
} Change;

static int change_compare(const void *a, const void *b) {
        const Change *x = a, *y = b;

        return CMP(x->sequence, y->sequence);
}

static size_t changes_since(const Registry *r, const CallPeer *peer, uint64_t since, Change *ret) {
        size_t n = 0;

        for (size_t i = 0; i < r->n_factors; i++) {
                const Factor *f = r->factors[i];
                if (f->sequence > since && call_peer_may(peer, f->record.owner))
                        ret[n++] = (Change){.sequence = f->sequence, .factor = f};
        }
        for (size_t i = 0; i < r->n_challenges; i++) {
                const Challenge *c = r->challenges[i];
                if (c->sequence > since && call_peer_may(peer, c->view.owner))
                        ret[n++] = (Change){.sequence = c->sequence, .challenge = c};
        }
        qsort(ret, n, sizeof(Change), change_compare);
        return n;
}

int monitor_replay(const Registry *r, Call *call, uint64_t since) {
        _cleanup_free_ Change *changes = calloc(r->n_factors + r->n_challenges + 1, sizeof(Change));
        size_t n;
        int k = 0;

        if (!changes)
                return -ENOMEM;
        n = changes_since(r, call_peer(call), since, changes);
        for (size_t i = 0; i < n && k >= 0; i++) {
                const Challenge *c = changes[i].challenge;
                const Factor *f = changes[i].factor;
                json_object *v = c ? view_challenge(c) : view_factor(f);
                const char *type = c ? "challenge" : "factor";

                k = call_reply_more(call,
                                monitor_event(changes[i].sequence,
                                                c ? c->changed : f->record.created, type, type, v));
                json_object_put(v);
        }
        return k;
}
