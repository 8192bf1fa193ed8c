#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Call: one operation that somebody asked for, whatever the door. The door makes it, the operation
 * answers it exactly once (or, when it streams, many times and then once). */

#include <json-c/json_types.h>
#include <sys/types.h>

#include "base/json.h"
#include "ipc/operation.h"

typedef struct Call Call;

/* What a door does with an answer. error is NULL for a good reply. parameters is borrowed. */
typedef struct CallDoor {
        const char *name; /* "socket", "bus" */
        bool has_more;    /* a caller can ask for several replies */
        int (*reply)(Call *call, const char *error, json_object *parameters, bool continues);
        size_t (*backlog)(const Call *call); /* or NULL: call_backlog() */
} CallDoor;

/* The caller, as the kernel or the bus says. */
typedef struct CallPeer {
        uid_t uid;
        bool administrator;
        pid_t pid; /* behind the socket, for polkit to find a session by; nothing else may look at
                      it: another process may have that number by now */
} CallPeer;

/* Whether the caller may see and use what belongs to owner. */
bool call_peer_may(const CallPeer *peer, uid_t owner);

/* Made by a door, with one reference. parameters is taken on success (wiped when the call ends);
 * more: the caller takes several replies. Returns 0 or -ENOMEM. */
int call_new(Call **ret,
                const CallDoor *door,
                void *door_data,
                const CallPeer *peer,
                OperationId operation,
                JsonDoc *parameters,
                bool more);
Call *call_ref(Call *c);
/* Takes NULL, returns NULL. The last one frees. A call that is freed unanswered while its caller is
 * still there is answered with StoreError "the daemon dropped the call": nobody is left hanging. */
Call *call_unref(Call *c);
DEFINE_CLEANUP(Call *, call_unref);

const CallPeer *call_peer(const Call *c);
const char *call_door_name(const Call *c);
void *call_door_data(const Call *c);
OperationId call_operation(const Call *c);
const JsonDoc *call_parameters(const Call *c);
bool call_wants_more(const Call *c);

/* The last answer. parameters is taken, wiped and put, also on failure, so nothing else may hold
 * it; NULL is {}. One that does not fit into a message is answered InvalidParameter instead, with
 * what to do. Later answers are dropped. Returns 0, or -EPIPE when the caller has gone: nothing to
 * do about it. */
int call_reply(Call *c, json_object *parameters);
/* One of several. parameters is taken and put, also on failure; unlike call_reply()'s it may be
 * shared, as an event that goes to many callers is. Returns 0; -EINVAL when the caller did not ask
 * for more; -EPIPE when the caller has gone or the last answer is out; -ENOBUFS when the caller
 * reads too slowly: it has been answered EventsLost, the call is done; -E2BIG or -ENOMEM, the call
 * goes on. */
int call_reply_more(Call *c, json_object *parameters);
/* The last answer, an error. Takes a NULL call, which nobody asked: nothing happens. extra (taken,
 * may be NULL) holds the error's other parameters; "message" is added to it. */
int call_error(Call *c, IpcError error, json_object *extra, const char *format, ...) _printf_(4, 5);
/* InvalidParameter naming one parameter. */
int call_invalid(Call *c, const char *parameter, const char *format, ...) _printf_(3, 4);

/* Whether polkit has said yes to this call, see daemon/authorize.h. */
void call_set_authorized(Call *c);
bool call_is_authorized(const Call *c);
/* Bytes of answers that the caller has not taken yet, as far as the door can tell. Who has much to
 * say waits while there are many: call_reply_more() ends the call at some point. */
size_t call_backlog(const Call *c);
/* Sets who hears of an error that is about to be the answer, whoever gives it; NULL unsets. */
void call_on_error(Call *c, void (*fn)(const Call *c, IpcError e, void *userdata), void *userdata);

/* Whether the last answer is out, or the caller has gone. */
bool call_is_done(const Call *c);
/* Called by the door when the caller has gone: runs the function set by call_on_gone(), once. */
void call_gone(Call *c);
/* Sets what to do when the caller leaves before the last answer; NULL unsets. */
void call_on_gone(Call *c, void (*gone)(Call *c, void *userdata), void *userdata);
