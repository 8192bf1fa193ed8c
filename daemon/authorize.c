/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/authorize.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "daemon/bus-call.h"

/* A call that waits for polkit. */
struct Authorization {
        Manager *manager;
        Call *call;
        PolkitQuestion *question;
        LIST_ENTRY(Authorization) of_manager;
};

bool authorize_administrator(Call *call) {
        const Operation *o = &operations[call_operation(call)];

        if (o->right != RIGHT_ADMINISTRATOR || call_peer(call)->administrator)
                return true;
        (void) call_error(call, IPC_NOT_AUTHORIZED, NULL,
                        "%s is for administrators: root, and on the system socket the members of "
                        "the daemon's group",
                        o->name);
        return false;
}

bool authorize_allows(PolkitAnswer answer, bool administers) {
        switch (answer) {
        case POLKIT_YES:
        case POLKIT_ABSENT:
                return true;
        case POLKIT_CHALLENGE:
                return administers;
        case POLKIT_NO:
        case POLKIT_FAILED:
                break;
        }
        return false;
}

static void authorization_free(Authorization *a) {
        LIST_REMOVE(a, of_manager);
        call_on_gone(a->call, NULL, NULL);
        polkit_question_free(a->question);
        call_unref(a->call);
        free(a);
}

static void authorization_refuse(Call *call) {
        (void) call_error(call, IPC_NOT_AUTHORIZED, NULL,
                        "This machine's polkit does not allow %s (%s)",
                        operations[call_operation(call)].name,
                        operation_action(call_operation(call)));
}

static void authorization_answered(PolkitAnswer answer, void *userdata) {
        Authorization *a = userdata;
        Manager *m = a->manager;
        Call *call = call_ref(a->call);
        bool administers = operations[call_operation(call)].right == RIGHT_ADMINISTRATOR;

        authorization_free(a);
        if (!authorize_allows(answer, administers)) {
                authorization_refuse(call);
                call_unref(call);
                return;
        }
        /* Things may have changed meanwhile: the operation looks at everything again. */
        call_set_authorized(call);
        manager_dispatch(call, m);
}

static void authorization_gone(Call *call, void *userdata) {
        authorization_free(userdata);
}

static const char *text_of(json_object *value) {
        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static bool challenge_visible(const Challenge *c, const void *userdata) {
        return call_peer_may(userdata, c->view.owner);
}

/* What rules may go by, beside the operation: the name of the factor that it is about, however the
 * caller names that; a name of ours, no text from elsewhere. */
static const char *factor_of_call(const Manager *m, const Call *call) {
        const JsonDoc *p = call_parameters(call);
        const char *sid = text_of(json_doc_value(p, "sid"));
        const char *name = text_of(json_doc_value(p, "name"));
        json_object *target = json_doc_value(p, "target");
        const Ticket *ticket;
        const Factor *f = NULL;
        Challenge *c = NULL;

        if (!name)
                name = text_of(json_doc_value(p, "factor"));
        if (json_object_is_type(target, json_type_object))
                name = text_of(json_object_object_get(target, "factor"));
        else if (sid && registry_find_challenge(&m->registry, sid, challenge_visible,
                                        call_peer(call), &c) >= 0)
                return c->view.factor;
        else if (call_operation(call) == OPERATION_REVOKE_TICKET) {
                ticket = tickets_find(m->tickets, json_object_get_int64(json_doc_value(p, "id")));
                return ticket ? ticket->factor->record.name : NULL;
        }
        f = name ? registry_factor(&m->registry, name) : NULL;
        if (f)
                return f->record.name;
        return name && name_valid(name) ? name : NULL;
}

static int authorization_begin(Manager *m, Call *call) {
        const CallPeer *peer = call_peer(call);
        OperationId operation = call_operation(call);
        PolkitSubject subject = {.uid = peer->uid, .pid = peer->pid};
        Authorization *a = calloc(1, sizeof(Authorization));
        int r;

        if (!a)
                return -ENOMEM;
        subject.bus_name = bus_call_sender(call, &subject.interactive);
        a->manager = m;
        a->call = call_ref(call);
        LIST_INSERT_HEAD(&m->authorizations, a, of_manager);
        r = polkit_ask(&a->question, m->polkit, &subject, operation_action(operation),
                        operations[operation].name, factor_of_call(m, call), authorization_answered,
                        a);
        if (r < 0)
                authorization_free(a);
        else
                call_on_gone(call, authorization_gone, a);
        return r;
}

bool manager_authorize(Manager *m, Call *call) {
        uid_t uid = call_peer(call)->uid;
        int r;

        if (!m->polkit || !operation_action(call_operation(call)) || uid == 0 || uid == geteuid() ||
                        call_is_authorized(call))
                return true;
        r = authorization_begin(m, call);
        if (r < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "polkit cannot be asked: %s",
                                strerror(-r));
        return false;
}

void authorize_cancel_all(Manager *m) {
        Authorization *a;

        while ((a = LIST_FIRST(&m->authorizations))) {
                (void) call_error(a->call, IPC_NOT_AUTHORIZED, NULL,
                                "factord stops before polkit has answered");
                authorization_free(a);
        }
}
