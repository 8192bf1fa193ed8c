/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/provider-call.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "daemon/view.h"

ProviderCall *provider_call_free(ProviderCall *p) {
        if (!p)
                return NULL;
        for (ProviderCall **i = &p->manager->provider_calls; *i; i = &(*i)->next)
                if (*i == p) {
                        *i = p->next;
                        break;
                }
        api_call_free(p->request);
        sd_event_source_disable_unref(p->timeout);
        call_unref(p->call);
        factor_unref(p->factor);
        store_factor_done(&p->record);
        json_object_put(p->items);
        target_done(&p->target);
        free(p->factor_sid);
        free(p->status);
        free(p->order);
        free(p);
        return NULL;
}

void provider_cancel_all(Manager *m) {
        while (m->provider_calls) {
                (void) call_error(m->provider_calls->call, IPC_UNCONFIRMED, NULL, "factord stops");
                provider_call_free(m->provider_calls);
        }
}

void provider_failed(Call *call, const ApiReply *reply) {
        (void) call_error(call, IPC_API_ERROR, view_api_error(reply->http_status, reply->code),
                        "%s", strempty(reply->text));
}

static void provider_replied(ApiCall *request, const ApiReply *reply, void *userdata) {
        ProviderCall *p = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(p->request);

        if (p->replied(p, reply))
                return;
        provider_call_free(p);
}

static int provider_timed_out(sd_event_source *s, uint64_t usec, void *userdata) {
        ProviderCall *p = userdata;

        (void) call_error(p->call, IPC_UNCONFIRMED, NULL,
                        "The provider has not answered in time; what was asked may have been done");
        provider_call_free(p);
        return 0;
}

ProviderCall *provider_call_new(Manager *m, Call *call) {
        ProviderCall *p = calloc(1, sizeof(ProviderCall));

        if (!p || sd_event_add_time_relative(m->event, &p->timeout, CLOCK_BOOTTIME,
                                  CHALLENGE_CONFIRM_TIMEOUT, 0, provider_timed_out, p) < 0) {
                free(p);
                (void) call_error(call, IPC_STORE_ERROR, NULL, "Out of memory");
                return NULL;
        }
        p->manager = m;
        p->call = call_ref(call);
        p->next = m->provider_calls;
        m->provider_calls = p;
        return p;
}

void provider_send(ProviderCall *p, VerifyRequest *request, int r, const char *why) {
        bool invalid = r == -EINVAL;

        if (r >= 0)
                r = api_send(p->manager->api, &p->request, request, &p->who, NULL, provider_replied,
                                p);
        if (r >= 0)
                return;
        if (invalid)
                (void) call_invalid(p->call, "parameters", "%s", error_text(why, r));
        else
                (void) call_error(p->call, IPC_STORE_ERROR, NULL, "Cannot send the request: %s",
                                strerror(-r));
        provider_call_free(p);
}

bool provider_target(ProviderCall *p, const char *raw) {
        TargetResolved resolved;

        if (!target_read(p->manager, p->call, raw, &p->target, &resolved))
                return false;
        p->who = resolved.who;
        p->entity = resolved.entity;
        if (resolved.factor)
                p->factor = factor_ref(resolved.factor);
        return true;
}
