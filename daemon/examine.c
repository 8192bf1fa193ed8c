/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/examine.h"

#include <string.h>

#include "base/text.h"
#include "daemon/backoff.h"
#include "log/log.h"

struct Examination {
        Manager *manager;
        Factor *factor;
        ApiCall *call;
        LIST_ENTRY(Examination) examinations;
};

static Examination *examination_free(Examination *e) {
        if (!e)
                return NULL;
        LIST_REMOVE(e, examinations);
        e->factor->examined = false;
        api_call_free(e->call);
        factor_unref(e->factor);
        free(e);
        return NULL;
}
DEFINE_CLEANUP(Examination *, examination_free);

static usec_t examine_interval(const Factor *f) {
        return f->record.status == FACTOR_REVOKED ? EXAMINE_REVOKED_INTERVAL : EXAMINE_INTERVAL;
}

void examine_plan(Factor *f) {
        f->examine_at = usec_add(now_boottime(), random_span(examine_interval(f)));
}

static bool is_gone(const Factor *f, const ApiReply *reply) {
        return (reply->outcome == API_REFUSED && reply->http_status == 404) ||
               (reply->outcome == API_UNAUTHORIZED && f->record.type == FACTOR_PUSH);
}

static void examine_replied(ApiCall *call, const ApiReply *reply, void *userdata) {
        _cleanup_(examination_freep) Examination *e = userdata;
        _cleanup_(verify_factor_done) VerifyFactor v = {0};
        Factor *f = e->factor;

        f->examine_at = usec_add(now_boottime(), examine_interval(f));
        if (f->removed)
                return;
        if (is_gone(f, reply)) {
                manager_revoked(f, reply->text, e->manager);
                return;
        }
        if (reply->outcome == API_OK && f->record.status == FACTOR_REVOKED &&
                        verify_factor_read(&v, reply->body, reply->len, NULL) >= 0 &&
                        streq(v.sid, f->record.sid) && v.verified)
                manager_restored(e->manager, f);
}

/* Revoked ones, and TOTP factors at work: a push factor's own list already tells. */
static bool examine_is_of_use(const Factor *f) {
        if (f->removed || f->detached || !f->record.sid)
                return false;
        if (f->record.status != FACTOR_REVOKED && f->record.status != FACTOR_VERIFIED)
                return false;
        return f->record.type == FACTOR_PUSH ? f->push_key != NULL : f->account != NULL;
}

void examine_factor(Manager *m, Factor *f) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_(examination_freep) Examination *e = NULL;
        bool device = f->record.type == FACTOR_PUSH;
        ApiWho who = {.device = device ? f : NULL, .account = device ? NULL : f->account};
        ApiTurn turn = {.poll = true, .since = now_boottime()};

        if (f->examined || !examine_is_of_use(f))
                return;
        e = calloc(1, sizeof(Examination));
        if (!e)
                return;
        e->manager = m;
        e->factor = factor_ref(f);
        f->examined = true;
        LIST_INSERT_HEAD(&m->examinations, e, examinations);
        if (verify_factor_fetch(&request,
                            &(VerifyEntity){f->record.service_sid, f->record.identity},
                            f->record.sid, NULL) < 0 ||
                        api_send(m->api, &e->call, &request, &who, &turn, examine_replied, e) < 0) {
                log_debug("Cannot ask about factor %s", f->record.name);
                return;
        }
        e = NULL;
}

void examine_due(Manager *m) {
        usec_t now = now_boottime();

        for (size_t i = 0; i < m->registry.n_factors; i++) {
                Factor *f = m->registry.factors[i];
                bool wanted = f->record.status == FACTOR_REVOKED || f->record.type == FACTOR_TOTP;
                if (wanted && f->examine_at <= now)
                        examine_factor(m, f);
        }
}

void examine_revoked(Manager *m) {
        for (size_t i = 0; i < m->registry.n_factors; i++)
                if (m->registry.factors[i]->record.status == FACTOR_REVOKED)
                        examine_factor(m, m->registry.factors[i]);
}

void examine_cancel_all(Manager *m) {
        while (!LIST_EMPTY(&m->examinations))
                examination_free(LIST_FIRST(&m->examinations));
}
