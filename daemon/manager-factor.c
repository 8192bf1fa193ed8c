/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a factor: each change is durable, then told. */

#include "daemon/manager.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "daemon/examine.h"
#include "daemon/life.h"
#include "log/log.h"

static int manager_audit_factor(Manager *m,
                const char *event,
                const Factor *f,
                const Actor *actor,
                char **reterr_msg) {
        char owner[64];
        AuditRecord a = {
                        .time = now_realtime(),
                        .event = event,
                        .factor = f->record.name,
                        .reason = streq(event, "owner") ? owner : NULL,
                        .door = actor ? actor->door : NULL,
                        .uid = actor ? (int64_t) actor->uid : -1,
        };

        (void) snprintf(owner, sizeof(owner), "it belongs to uid %u now", f->record.owner);
        return store_audit_append(m->store, &a, reterr_msg);
}

void manager_tell_factor(Manager *m, Factor *f, const char *type) {
        monitor_factor(m->monitor, f, type);
        manager_notify_status(m);
}

/* A factor enrolled elsewhere is shown, not polled: its SIDs mean nothing at this BaseUrl. */
static bool factor_is_elsewhere(const Manager *m, const Factor *f) {
        return f->record.base_url && !streq(f->record.base_url, m->config->base_url);
}

int manager_add_factor(Manager *m, StoreFactor *record, Factor **ret, char **reterr_msg) {
        _cleanup_(factor_unrefp) Factor *f = NULL;
        int r;

        r = factor_new(&f, record);
        if (r < 0)
                return r;
        if (!f->push_key && !f->otp_key)
                log_error("The stored key of factor %s cannot be used; remove it and enrol again",
                                f->record.name);
        if (f->record.account)
                f->account = manager_account(m, f->record.account);
        f->detached = factor_is_elsewhere(m, f);
        f->sequence = store_sequence(m->store);
        examine_plan(f);
        r = registry_add_factor(&m->registry, f);
        if (r < 0)
                return r;
        if (ret)
                *ret = f;
        f = NULL;
        return 0;
}

/* Polls it, or no longer. */
void manager_poll_factor(Manager *m, Factor *f) {
        if (!factor_is_active(f))
                poller_remove(m->poller, f);
        else if (poller_add(m->poller, f) < 0)
                log_error("Cannot poll factor %s: out of memory", f->record.name);
}

/* effect: its challenges that are shown differently with it. */
static int manager_change_factor(Manager *m,
                Factor *f,
                const char *event,
                const Actor *actor,
                PromptEffect *effect,
                char **reterr_msg) {
        usec_t now = now_realtime();
        uint64_t sequence = 0;
        int r;

        r = store_begin(m->store, reterr_msg);
        if (r < 0)
                return r;
        r = store_factor_update(m->store, &f->record, reterr_msg);
        if (r >= 0 && event)
                r = manager_audit_factor(m, event, f, actor, reterr_msg);
        if (r >= 0)
                r = store_sequence_next(m->store, &sequence, reterr_msg);
        if (r >= 0)
                r = prompts_write(m->prompts, NULL, effect, now, reterr_msg);
        r = store_end(m->store, r, reterr_msg);
        if (r < 0)
                return r;
        f->sequence = sequence;
        prompts_apply(m->prompts, NULL, effect, now);
        f->active = now_boottime();
        manager_poll_factor(m, f);
        manager_tell_factor(m, f, "factor");
        prompts_tell(m->prompts, NULL, effect);
        return 0;
}

int manager_update_factor(
                Manager *m, Factor *f, const char *event, const Actor *actor, char **reterr_msg) {
        return manager_change_factor(m, f, event, actor, &(PromptEffect){0}, reterr_msg);
}

int manager_update_match_field(Manager *m, Factor *f, const Actor *actor, char **reterr_msg) {
        PromptEffect effect = {0};
        int r;

        r = prompts_plan_factor(f, &effect);
        if (r >= 0)
                r = manager_change_factor(m, f, "match-field", actor, &effect, reterr_msg);
        prompts_drop(m->prompts, &effect);
        return r;
}

/* What it still held ends with it, said and recorded; decided: also what was decided, though its
 * own fetch could still tell. */
static void manager_end_challenges(const Factor *f, bool decided, const char *reason) {
        Challenge *c;

        LIST_FOREACH(c, &f->challenges, of_factor) {
                if (!life_is_final(c->view.state) && (decided || !c->has_decision))
                        challenge_complete(c, CHALLENGE_FAILED, reason);
        }
}

int manager_drop_factor(Manager *m, Factor *f, const Actor *actor, char **reterr_msg) {
        uint64_t sequence = 0;
        int r;

        manager_end_challenges(f, true, "its factor was removed");
        r = store_begin(m->store, reterr_msg);
        if (r < 0)
                return r;
        r = store_factor_remove(m->store, f->record.id, reterr_msg);
        if (r >= 0)
                r = manager_audit_factor(m, "removed", f, actor, reterr_msg);
        if (r >= 0)
                r = store_sequence_next(m->store, &sequence, reterr_msg);
        r = store_end(m->store, r, reterr_msg);
        if (r < 0)
                return r;
        f->sequence = sequence;
        poller_remove(m->poller, f);
        tickets_forget(m->tickets, f);
        factor_ref(f);
        registry_remove_factor(&m->registry, f);
        manager_tell_factor(m, f, "removed");
        factor_unref(f);
        return 0;
}

/* On failure it stays what it was, with the error that it had. */
static int manager_set_status(Manager *m,
                Factor *f,
                FactorStatus status,
                const char *why,
                const char *event,
                char **reterr_msg) {
        FactorStatus before = f->record.status;
        _cleanup_free_ char *error = TAKE_PTR(f->record.error);
        int r;

        f->record.status = status;
        r = text_set(&f->record.error, why);
        if (r >= 0)
                r = manager_update_factor(m, f, event, NULL, reterr_msg);
        if (r < 0) {
                f->record.status = before;
                free(f->record.error);
                f->record.error = TAKE_PTR(error);
        }
        return r;
}

void manager_revoked(Factor *f, const char *why, void *userdata) {
        Manager *m = userdata;
        _cleanup_free_ char *err = NULL;
        int r;

        if (f->record.status == FACTOR_REVOKED)
                return;
        log_warning("The provider refuses factor %s: it was deleted or its key replaced; unless it "
                    "comes back, remove it and enrol again",
                        f->record.name);
        r = manager_set_status(m, f, FACTOR_REVOKED, why, "revoked", &err);
        if (r < 0) {
                /* The next refusal tries again. */
                log_error("Cannot record that factor %s is revoked: %s", f->record.name,
                                error_text(err, r));
                return;
        }
        examine_plan(f);
        manager_end_challenges(f, false, "the provider refuses its factor");
}

void manager_restored(Manager *m, Factor *f) {
        _cleanup_free_ char *err = NULL;
        int r;

        r = manager_set_status(m, f, FACTOR_VERIFIED, NULL, "restored", &err);
        if (r < 0) {
                log_error("Cannot record that factor %s is at work again: %s", f->record.name,
                                error_text(err, r));
                return;
        }
        log_info("The provider takes factor %s again", f->record.name);
}
