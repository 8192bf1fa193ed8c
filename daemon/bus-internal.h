#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the D-Bus door share; for nobody else.
 *
 * bus.c has the connection and the name, bus-peer.c who calls, bus-call.c the calls, bus-object.c
 * what stands on the bus, bus-signal.c what is told without being asked. */

#include <systemd/sd-bus.h>

#include "daemon/bus.h"
#include "daemon/manager.h"
#include "ipc/bus-table.h"

#define BUS_PEERS_MAX 256             /* callers that are remembered; the idle ones make room */
#define BUS_CALLS_PER_UID_MAX 32      /* under way */
#define BUS_SUBSCRIBERS_MAX 64        /* in all … */
#define BUS_SUBSCRIBERS_PER_UID_MAX 8 /* … and of one uid */

typedef struct BusPeer BusPeer;
typedef struct BusCall BusCall;

struct Bus {
        Manager *manager;
        BusKind kind;
        sd_bus *connection;     /* NULL while there is none */
        sd_event_source *retry; /* the next attempt */
        unsigned n_failures;    /* of attempts in a row */
        bool is_named;
        char *problem;
        sd_bus_vtable *vtables[3]; /* of the manager, the factors, the challenges */
        LIST_HEAD(, BusPeer) peers;
        size_t n_peers;
        /* The view that properties were read from last, and when that was. */
        json_object *view;
        char *view_path;
        uint64_t view_iteration;
};

/* Somebody on the bus, by unique name, which no other ever has again. */
struct BusPeer {
        Bus *bus;
        char *name;
        uid_t uid;
        bool known;          /* the uid has been told */
        sd_bus_slot *leaves; /* tells when it leaves the bus */
        sd_bus_slot *asked;  /* for the uid */
        BusCall *subscription;
        TAILQ_HEAD(, BusCall) calls; /* under way, in the order of their coming */
        size_t n_calls;
        uint64_t used; /* in the order of their last calls */
        LIST_ENTRY(BusPeer) of_bus;
};

/* A call, from its message to its answer; or a subscription, which is a call of Monitor. */
struct BusCall {
        BusPeer *peer;
        sd_bus_message *message; /* to be answered, or NULL */
        const BusMethod *method;
        char *sid;  /* of the object that it is a method of, or NULL */
        Call *call; /* NULL while the uid is being asked for */
        TAILQ_ENTRY(BusCall) of_peer;
};

/* The peer of that name, a new one if need be. Returns 0, -ENOMEM, -ENOBUFS when there are too
 * many, or the errno of sd-bus. */
int bus_peer_get(Bus *b, const char *name, BusPeer **ret);
/* It has left: its calls find their caller gone. */
void bus_peer_free(BusPeer *p);
/* How many calls of that uid are under way; how many subscribers there are, of all (NULL) or of one
 * uid. */
size_t bus_calls_of(const Bus *b, uid_t uid);
size_t bus_subscribers_of(const Bus *b, const uid_t *uid);

/* The handler of every method of the manager's and of the challenges' interface. */
int bus_on_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error);
/* Runs a call whose caller is known by now. May free it. */
void bus_call_begin(BusCall *c);
/* Answers with an error, if that is still to be done, and frees. Takes a call that never began. */
void bus_call_fail(BusCall *c, IpcError error, const char *format, ...) _printf_(3, 4);
/* Drops a call whose caller has gone. */
void bus_call_leave(BusCall *c);

/* Puts the objects on the connection. Returns 0 or -errno. */
int bus_objects_add(Bus *b);
void bus_objects_done(Bus *b);
/* Forgets what properties were read from. */
void bus_view_drop(Bus *b);
/* The object's path, new; NULL when memory is short. */
char *bus_factor_path(const Factor *f);
char *bus_challenge_path(const Challenge *c);

/* An event of Monitor to one subscriber. Returns 0 or -errno. */
int bus_signal_event(BusPeer *p, json_object *parameters);
/* Changes of the objects, on the session bus. */
void bus_signal_listen(Bus *b);
/* Everything that is held is an object from now on. */
void bus_signal_begin(Bus *b);
