/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/call.h"

#include <assert.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>

struct Call {
        unsigned n_ref;
        const CallDoor *door;
        void *door_data; /* NULL once the caller has gone */
        CallPeer peer;
        OperationId operation;
        JsonDoc *parameters;
        bool more;
        bool authorized;
        bool answered;
        bool gone;
        void (*on_gone)(Call *c, void *userdata);
        void *userdata;
        void (*on_error)(const Call *c, IpcError e, void *userdata);
        void *on_error_userdata;
};

int call_new(Call **ret,
                const CallDoor *door,
                void *door_data,
                const CallPeer *peer,
                OperationId operation,
                JsonDoc *parameters,
                bool more) {
        Call *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;

        *c = (Call){
                        .n_ref = 1,
                        .door = door,
                        .door_data = door_data,
                        .peer = *peer,
                        .operation = operation,
                        .parameters = parameters,
                        .more = more,
        };
        *ret = c;
        return 0;
}

Call *call_ref(Call *c) {
        assert(c->n_ref > 0);
        c->n_ref++;
        return c;
}

Call *call_unref(Call *c) {
        if (!c)
                return NULL;

        assert(c->n_ref > 0);
        /* The answer goes out while the last reference is still held: the door may look at it. */
        if (c->n_ref == 1 && !call_is_done(c))
                (void) call_error(c, IPC_STORE_ERROR, NULL, "the daemon dropped the call");
        if (--c->n_ref > 0)
                return NULL;

        json_doc_free(c->parameters);
        free(c);
        return NULL;
}

bool call_peer_may(const CallPeer *peer, uid_t owner) {
        return peer->administrator || peer->uid == owner;
}

const CallPeer *call_peer(const Call *c) {
        return &c->peer;
}

const char *call_door_name(const Call *c) {
        return c->door->name;
}

void *call_door_data(const Call *c) {
        return c->door_data;
}

OperationId call_operation(const Call *c) {
        return c->operation;
}

const JsonDoc *call_parameters(const Call *c) {
        return c->parameters;
}

bool call_wants_more(const Call *c) {
        return c->more;
}

void call_set_authorized(Call *c) {
        c->authorized = true;
}

bool call_is_authorized(const Call *c) {
        return c->authorized;
}

/* Hands the last answer to the door. An answer that does not fit into a message leaves the call
 * open, so that an error can still be its answer. */
static int call_finish(Call *c, const char *error, json_object *parameters) {
        int r;

        if (c->gone)
                return -EPIPE;
        if (c->answered)
                return 0;

        r = c->door->reply(c, error, parameters, false);
        if (r != -E2BIG)
                c->answered = true;
        return r;
}

int call_reply(Call *c, json_object *parameters) {
        int r = call_finish(c, NULL, parameters);

        json_object_wipe_put(parameters);
        if (r != -E2BIG)
                return r;
        if (c->door->has_more && operations[c->operation].streams)
                return call_invalid(c, "more",
                                "The answer does not fit into one message: ask with \"more\", or "
                                "for less");
        return call_invalid(c, "parameters",
                        "The answer does not fit into one message: ask for less, such as what "
                        "belongs to one factor");
}

int call_reply_more(Call *c, json_object *parameters) {
        int r;

        if (!c->more)
                r = -EINVAL;
        else if (call_is_done(c))
                r = -EPIPE;
        else
                r = c->door->reply(c, NULL, parameters, true);
        /* The door has said EventsLost by itself. */
        if (r == -ENOBUFS)
                c->answered = true;

        json_object_put(parameters);
        return r;
}

_printf_(4, 0) static int call_error_valist(
                Call *c, IpcError error, json_object *extra, const char *format, va_list ap) {
        _cleanup_free_ char *name = NULL, *message = NULL;
        json_object *parameters = extra ? extra : json_object_new_object(), *text;
        const char *full = IPC_INTERFACE ".StoreError";
        int r;

        if (!c) {
                json_object_wipe_put(parameters);
                return 0;
        }
        if (c->on_error && !call_is_done(c))
                c->on_error(c, error, c->on_error_userdata);
        if (vasprintf(&message, format, ap) < 0)
                message = NULL;
        if (asprintf(&name, IPC_INTERFACE ".%s", ipc_error_to_string(error)) < 0)
                name = NULL;
        if (name)
                full = name;
        text = message ? json_object_new_string(message) : NULL;
        if (parameters && text && json_object_object_add(parameters, "message", text) < 0)
                json_object_put(text);

        /* Short of memory it stays an error, if one with less to say. */
        r = call_finish(c, full, parameters);
        if (r == -E2BIG)
                r = call_finish(c, full, NULL);
        json_object_wipe_put(parameters);
        return r;
}

int call_error(Call *c, IpcError error, json_object *extra, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = call_error_valist(c, error, extra, format, ap);
        va_end(ap);
        return r;
}

int call_invalid(Call *c, const char *parameter, const char *format, ...) {
        json_object *extra = json_object_new_object();
        json_object *name = json_object_new_string(parameter);
        va_list ap;
        int r;

        if (!extra || json_object_object_add(extra, "parameter", name) < 0)
                json_object_put(name);

        va_start(ap, format);
        r = call_error_valist(c, IPC_INVALID_PARAMETER, extra, format, ap);
        va_end(ap);
        return r;
}

size_t call_backlog(const Call *c) {
        return c->door->backlog && !c->gone ? c->door->backlog(c) : 0;
}

void call_on_error(Call *c, void (*fn)(const Call *c, IpcError e, void *userdata), void *userdata) {
        c->on_error = fn;
        c->on_error_userdata = userdata;
}

bool call_is_done(const Call *c) {
        return c->answered || c->gone;
}

void call_gone(Call *c) {
        void (*on_gone)(Call * c, void *userdata) = c->on_gone;

        if (call_is_done(c)) {
                c->gone = true;
                c->door_data = NULL;
                return;
        }

        c->gone = true;
        c->door_data = NULL;
        c->on_gone = NULL;
        if (!on_gone)
                return;

        /* The function may well drop the last reference. */
        call_ref(c);
        on_gone(c, c->userdata);
        call_unref(c);
}

void call_on_gone(Call *c, void (*gone)(Call *c, void *userdata), void *userdata) {
        c->on_gone = gone;
        c->userdata = userdata;
}
