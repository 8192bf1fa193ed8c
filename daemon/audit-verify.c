/* SPDX-License-Identifier: Apache-2.0 */
/* Checking the audit trail for a caller, a piece at a time. */

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "daemon/audit-log.h"
#include "daemon/audit-trail.h"
#include "daemon/view.h"
#include "log/log.h"

struct AuditVerifier {
        AuditTrail *trail;
        LIST_ENTRY(AuditVerifier) of_trail;
        Call *call;
        sd_event_source *timer;
        AuditCheck *check;
};

static void verifier_free(AuditVerifier *v) {
        LIST_REMOVE(v, of_trail);
        sd_event_source_disable_unref(v->timer);
        audit_check_free(v->check);
        call_on_gone(v->call, NULL, NULL);
        call_unref(v->call);
        free(v);
}

/* What is wrong now comes before what was found wrong earlier. */
static int describe(const AuditVerdict *v, char **ret, int64_t *ret_row) {
        _cleanup_free_ char *past = NULL;
        int r = 0;

        *ret = NULL;
        *ret_row = v->fault != AUDIT_INTACT ? v->row : v->past_row;
        if (v->fault != AUDIT_INTACT)
                return audit_fault_describe(v->fault, v->row, ret);
        if (v->past_fault == AUDIT_INTACT)
                return 0;
        r = audit_fault_describe(v->past_fault, v->past_row, &past);
        if (r < 0)
                return r;
        return asprintf(ret, "%s: it was found earlier, and the trail went on since", past) < 0
                               ? -ENOMEM
                               : 0;
}

/* For status, until another check finds otherwise. What only a caller's witnesses say is between
 * him and the trail. */
static void note_seen(AuditTrail *t, const AuditVerdict *v) {
        if (v->fault == AUDIT_REMADE || v->fault == AUDIT_CUT)
                return;
        t->seen = v->fault;
        t->seen_row = v->row;
}

static void verifier_reply(AuditVerifier *v) {
        const AuditVerdict *verdict = audit_check_verdict(v->check);
        _cleanup_free_ char *problem = NULL;
        json_object *o;
        int64_t row;

        if (describe(verdict, &problem, &row) < 0) {
                (void) call_error(v->call, IPC_STORE_ERROR, NULL, "Out of memory");
                return;
        }
        note_seen(v->trail, verdict);
        if (verdict->fault != AUDIT_INTACT)
                audit_log_fault(verdict->fault, verdict->row);
        o = json_object_new_object();
        view_add_int(o, "length", (int64_t) verdict->head.length);
        view_add_string(o, "head", verdict->head.mac);
        view_add_int(o, "last", verdict->head.id);
        view_add_int(o, "dropped", (int64_t) verdict->dropped);
        view_add_int(o, "witnessed", (int64_t) verdict->n_witnesses);
        view_add_string(o, "problem", problem);
        view_add(o, "row", problem && row > 0 ? json_object_new_int64(row) : NULL);
        (void) call_reply(v->call, o);
}

static int verifier_on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        _cleanup_free_ char *why = NULL;
        AuditVerifier *v = userdata;
        bool done = false;
        int r;

        r = audit_check_step(v->check, AUDIT_BATCH, &done, &why);
        if (r >= 0 && !done) {
                (void) sd_event_source_set_time_relative(s, AUDIT_PAUSE);
                return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        }
        if (r < 0)
                (void) call_error(v->call, IPC_STORE_ERROR, NULL, "%s", error_text(why, r));
        else
                verifier_reply(v);
        verifier_free(v);
        return 0;
}

static void verifier_gone(Call *call, void *userdata) {
        verifier_free(userdata);
}

int audit_verifier_new(AuditTrail *t,
                Call *call,
                const AuditWitness *witnesses,
                size_t n_witnesses,
                char **reterr_msg) {
        _cleanup_(audit_check_freep) AuditCheck *check = NULL;
        AuditVerifier *v;
        int r;

        r = audit_check_new(&check, t->store, witnesses, n_witnesses, reterr_msg);
        if (r < 0)
                return r;
        v = calloc(1, sizeof(AuditVerifier));
        if (!v)
                return -ENOMEM;
        r = sd_event_add_time_relative(
                        t->event, &v->timer, CLOCK_BOOTTIME, 0, 0, verifier_on_timer, v);
        if (r < 0) {
                free(v);
                return r;
        }
        v->trail = t;
        v->call = call_ref(call);
        v->check = TAKE_PTR(check);
        LIST_INSERT_HEAD(&t->verifiers, v, of_trail);
        call_on_gone(call, verifier_gone, v);
        return 0;
}

void audit_verifiers_end(AuditTrail *t) {
        AuditVerifier *v;

        while ((v = LIST_FIRST(&t->verifiers))) {
                (void) call_error(v->call, IPC_STORE_ERROR, NULL, "factord stops");
                verifier_free(v);
        }
}
