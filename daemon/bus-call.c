/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/bus-call.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/bus-internal.h"
#include "ipc/bus-json.h"

/* A call's life:
 *
 * 1. bus_on_method() takes the message and waits until the peer's uid is known: nothing may depend
 *    on who asks before that.
 * 2. bus_call_begin() makes it an operation's call, as the socket's door does.
 * 3. bus_reply() answers the message and frees the BusCall; or the peer leaves first, and the call
 *    finds its caller gone. The Call itself belongs to whoever runs it.
 *
 * A subscription is a call of Monitor. Its message is answered as soon as it stands, and each of
 * its answers is a signal; it ends with its peer, or by Unsubscribe. */

static void bus_call_free(BusCall *c) {
        BusPeer *p = c->peer;

        if (p->subscription == c)
                p->subscription = NULL;
        else {
                TAILQ_REMOVE(&p->calls, c, of_peer);
                p->n_calls--;
        }
        sd_bus_message_unref(c->message);
        free(c->sid);
        free(c);
}

void bus_call_leave(BusCall *c) {
        Call *call = TAKE_PTR(c->call);

        bus_call_free(c);
        if (call)
                call_gone(call);
}

_printf_(3, 0) static void send_error_valist(
                sd_bus_message *m, const char *name, const char *format, va_list ap) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *full = NULL, *text = NULL;

        if (sd_bus_message_get_expect_reply(m) <= 0)
                return;
        if (vasprintf(&text, format, ap) < 0)
                text = NULL;
        if (asprintf(&full, BUS_ERROR ".%s", name) < 0)
                full = NULL;
        if (sd_bus_message_new_method_errorf(m, &reply, full ? full : BUS_ERROR ".StoreError", "%s",
                            strempty(text)) >= 0)
                (void) sd_bus_send(NULL, reply, NULL);
}

_printf_(3, 4) static void send_error(
                sd_bus_message *m, const char *name, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        send_error_valist(m, name, format, ap);
        va_end(ap);
}

void bus_call_fail(BusCall *c, IpcError error, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        if (c->message)
                send_error_valist(c->message, ipc_error_to_string(error), format, ap);
        va_end(ap);
        bus_call_free(c);
}

static int send_result(const BusCall *c, json_object *parameters) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(c->message, &reply);
        if (r >= 0)
                r = bus_json_append_result(reply, c->method, parameters);
        if (r == -E2BIG || sd_bus_message_get_expect_reply(c->message) <= 0)
                return r;
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* The operations' errors carry their sentence; what else is in them is for the socket. */
static void send_operation_error(const BusCall *c, const char *error, json_object *parameters) {
        json_object *message = json_object_object_get(parameters, "message");
        const char *name = strrchr(error, '.');

        send_error(c->message, name ? name + 1 : error, "%s",
                        message ? json_object_get_string(message) : "");
}

static int bus_reply(Call *call, const char *error, json_object *parameters, bool continues) {
        BusCall *c = call_door_data(call);
        int r = 0;

        assert(c && c->call == call);
        if (continues) {
                r = bus_signal_event(c->peer, parameters);
                /* Nothing more can be queued: the call is done, as when a stream is not read. */
                if (r == -ENOBUFS) {
                        c->call = NULL;
                        bus_call_free(c);
                }
                return r < 0 ? r : 0;
        }
        if (c->message && error)
                send_operation_error(c, error, parameters);
        else if (c->message)
                r = send_result(c, parameters);
        if (r == -E2BIG)
                return r;
        if (r < 0)
                send_error(c->message, "StoreError", "The answer cannot be sent: %s", strerror(-r));
        c->call = NULL;
        bus_call_free(c);
        return r < 0 ? r : 0;
}

static const CallDoor bus_door = {
                .name = "bus",
                .reply = bus_reply,
};

const char *bus_call_sender(const Call *call, bool *ret_interactive) {
        const BusCall *c = call_door_data(call);

        if (!streq(call_door_name(call), bus_door.name) || !c)
                return NULL;
        *ret_interactive = c->message &&
                           sd_bus_message_get_allow_interactive_authorization(c->message) > 0;
        return c->peer->name;
}

/* Hands it to the operation. Frees it, now or when it is answered. */
static void run(BusCall *c, JsonDoc *parameters, bool more) {
        uid_t uid = c->peer->uid;
        CallPeer peer = {.uid = uid, .administrator = uid == 0 || uid == geteuid()};
        int r;

        r = call_new(&c->call, &bus_door, c, &peer, c->method->operation, parameters, more);
        if (r < 0) {
                json_doc_free(parameters);
                bus_call_fail(c, IPC_STORE_ERROR, "Out of memory");
                return;
        }
        manager_dispatch(c->call, c->peer->bus->manager);
}

static void subscribe(BusCall *c) {
        BusPeer *p = c->peer;
        JsonDoc *none = NULL;

        if (p->subscription) {
                (void) sd_bus_reply_method_return(c->message, NULL);
                bus_call_free(c);
                return;
        }
        if (bus_subscribers_of(p->bus, NULL) >= BUS_SUBSCRIBERS_MAX ||
                        bus_subscribers_of(p->bus, &p->uid) >= BUS_SUBSCRIBERS_PER_UID_MAX) {
                bus_call_fail(c, IPC_RATE_LIMITED, "Too many subscribers; end some, or try again");
                return;
        }
        if (json_doc_parse(&none, "{}", 2, NULL) < 0) {
                bus_call_fail(c, IPC_STORE_ERROR, "Out of memory");
                return;
        }
        TAILQ_REMOVE(&p->calls, c, of_peer);
        p->n_calls--;
        p->subscription = c;
        run(c, none, true);
        /* When it could not begin it is answered and freed. */
        if (p->subscription != c)
                return;
        assert(c->call && !call_is_done(c->call));
        (void) sd_bus_reply_method_return(c->message, NULL);
        c->message = sd_bus_message_unref(c->message);
}

static void unsubscribe(BusCall *c) {
        if (c->peer->subscription)
                bus_call_leave(c->peer->subscription);
        (void) sd_bus_reply_method_return(c->message, NULL);
        bus_call_free(c);
}

void bus_call_begin(BusCall *c) {
        _cleanup_free_ char *why = NULL;
        JsonDoc *parameters = NULL;
        int r;

        if (bus_calls_of(c->peer->bus, c->peer->uid) > BUS_CALLS_PER_UID_MAX) {
                bus_call_fail(c, IPC_RATE_LIMITED,
                                "Too many calls of this user are under way; wait for some to end");
                return;
        }
        if (streq(c->method->name, "Subscribe")) {
                subscribe(c);
                return;
        }
        if (streq(c->method->name, "Unsubscribe")) {
                unsubscribe(c);
                return;
        }
        r = bus_json_read(&parameters, c->message, c->method, c->sid, &why);
        if (r < 0)
                bus_call_fail(c, IPC_INVALID_PARAMETER, "%s", error_text(why, r));
        else
                run(c, parameters, false);
}

static int bus_call_new(Bus *b, BusPeer *p, sd_bus_message *m, BusCall **ret) {
        const char *path = sd_bus_message_get_path(m);
        const char *interface = sd_bus_message_get_interface(m);
        bool challenge = interface ? streq(interface, BUS_INTERFACE_CHALLENGE)
                                   : !streq(path, BUS_ROOT);
        const BusInterface *i = challenge ? &bus_challenge : &bus_manager;
        const BusMethod *method = bus_interface_method(i, sd_bus_message_get_member(m));
        BusCall *c = calloc(1, sizeof(BusCall));
        int r = 0;

        if (!c || !method) {
                free(c);
                return c ? -EBADR : -ENOMEM;
        }
        c->peer = p;
        c->method = method;
        c->message = sd_bus_message_ref(m);
        TAILQ_INSERT_TAIL(&p->calls, c, of_peer);
        p->n_calls++;
        if (challenge)
                r = sd_bus_path_decode(path, BUS_CHALLENGES, &c->sid);
        if (r < 0 || (challenge && !c->sid)) {
                bus_call_free(c);
                return r < 0 ? r : -ENOENT;
        }
        *ret = c;
        return 0;
}

int bus_on_method(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        const char *sender = sd_bus_message_get_sender(m);
        Bus *b = userdata;
        BusPeer *p = NULL;
        BusCall *c = NULL;
        int r;

        if (!sender)
                return -EACCES;
        r = bus_peer_get(b, sender, &p);
        if (r == -ENOBUFS || (r >= 0 && p->n_calls >= BUS_CALLS_PER_UID_MAX)) {
                send_error(m, ipc_error_to_string(IPC_RATE_LIMITED),
                                "Too many calls are under way; wait for some to end");
                return 1;
        }
        if (r >= 0)
                r = bus_call_new(b, p, m, &c);
        if (r < 0)
                return r;
        if (p->known)
                bus_call_begin(c);
        return 1;
}
