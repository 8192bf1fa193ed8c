#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* ProviderCall: a caller of ours who waits for a request of the provider's API. */

#include <json-c/json.h>

#include "daemon/parameters.h"
#include "daemon/provider.h"

/* One call that waits for the provider. */
struct ProviderCall {
        Manager *manager;
        ProviderCall *next;
        Call *call;
        ApiCall *request;
        sd_event_source *timeout;
        /* Answers the call from a good reply; true when another request is on its way. */
        bool (*replied)(ProviderCall *p, const ApiReply *reply);
        bool creates; /* a challenge, which is then looked for at once */
        ApiWho who;
        Factor *factor;     /* of a removal, or of a device credential */
        StoreFactor record; /* of an import that is checked first */
        json_object *items; /* a list that is read to its end */
        unsigned n_pages;
        VerifyList list; /* its parameters; strings below */
        Target target;
        VerifyEntity entity;
        char *factor_sid, *status, *order;
};

/* Makes one for the call, which is referenced; NULL when memory is short: then the call is
 * answered. */
ProviderCall *provider_call_new(Manager *m, Call *call);
/* Takes NULL, returns NULL. */
ProviderCall *provider_call_free(ProviderCall *p);
DEFINE_CLEANUP(ProviderCall *, provider_call_free);
/* Reads the call's target into p; on failure the call is answered. */
bool provider_target(ProviderCall *p, const char *raw);
/* Sends a request; r and why are its builder's outcome. Takes p: when nothing can be sent the call
 * is answered and p freed. */
void provider_send(ProviderCall *p, VerifyRequest *request, int r, const char *why);
/* Takes out of a challenge's object what a person has to type to approve it, if the factor is held
 * here and matches a detail. c is the same challenge, read. */
void provider_redact(const Manager *m, const VerifyChallenge *c, json_object *o);
/* Answers a call with what the provider or the network said. */
void provider_failed(Call *call, const ApiReply *reply);
