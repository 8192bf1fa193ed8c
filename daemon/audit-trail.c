/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/audit-trail.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "daemon/audit-log.h"
#include "log/log.h"

#define TICK USEC_PER_MINUTE
#define TICK_FIRST (2 * USEC_PER_SEC) /* the provider was heard by then */
#define TICK_MORE (20 * USEC_PER_MSEC)

static void set_timer(AuditTrail *t, usec_t delay) {
        (void) sd_event_source_set_time_relative(t->timer, delay);
        (void) sd_event_source_set_enabled(t->timer, SD_EVENT_ONESHOT);
}

static void hurry(AuditTrail *t) {
        if (!t->hurried)
                set_timer(t, 0);
        t->hurried = true;
}

/* The store tells of a record, in the middle of whatever was committed: nothing is written here. */
static void on_record(const AuditRecord *record, void *userdata) {
        AuditTrail *t = userdata;

        audit_log_record(record);
        audit_readers_tell(t, record);
        if (++t->n_since_head >= AUDIT_HEAD_RECORDS || store_audit_size(t->store) > t->max_size)
                hurry(t);
}

/* Says a failure once, until it has worked again. */
static void note_result(AuditTrail *t, int r, const char *what, const char *why) {
        if (r < 0 && !t->failed)
                log_warning("Cannot %s the audit trail: %s; trying again", what,
                                error_text(why, r));
        t->failed = r < 0;
}

static void write_head(AuditTrail *t) {
        _cleanup_free_ char *why = NULL;
        AuditHead head;
        int r;

        t->head_at = now_boottime();
        r = store_audit_seal(t->store, &why);
        note_result(t, r, "seal", why);
        /* What the journal is told must not be ahead of the store, should that go back. */
        if (r < 0)
                return;
        store_audit_head(t->store, &head);
        audit_log_head(store_name(t->store), &head);
        t->n_since_head = 0;
}

static bool head_is_due(const AuditTrail *t) {
        usec_t age = usec_sub(now_boottime(), t->head_at);

        if (t->failed && age < TICK)
                return false;
        return t->n_since_head >= AUDIT_HEAD_RECORDS || age >= AUDIT_HEAD_INTERVAL_IDLE ||
               (t->n_since_head > 0 && age >= AUDIT_HEAD_INTERVAL);
}

static bool is_too_large(const AuditTrail *t) {
        return store_audit_size(t->store) > t->max_size;
}

/* What time it is for retention. Records have this machine's time. Set ahead it makes nothing old,
 * and behind it makes what is written now look old by the server's: the earlier of both counts. */
static usec_t retention_now(const AuditTrail *t) {
        usec_t server = api_now(t->api), local = now_realtime();

        return server < local ? server : local;
}

/* Drops a piece of what may go; whether there may be more. When it has grown too large it is made
 * smaller by more than the next record. */
static bool prune(AuditTrail *t, bool by_size) {
        _cleanup_free_ char *why = NULL;
        AuditFault fault, fault_before;
        AuditRetention retention = {
                        .now = retention_now(t),
                        .keep = api_clock(t->api)->heard ? t->keep : USEC_INFINITY,
                        .max_size = by_size ? t->max_size - t->max_size / 16 : t->max_size,
        };
        size_t dropped = 0;
        bool more = false;
        int64_t row;
        int r;

        fault_before = store_audit_fault(t->store, &row);
        r = store_audit_prune(t->store, &retention, AUDIT_BATCH, &dropped, &more, &why);
        note_result(t, r, "shorten", why);
        if (r < 0)
                return false;
        fault = store_audit_fault(t->store, &row);
        if (fault != fault_before)
                audit_log_fault(fault, row);
        if (dropped > 0)
                log_info("The %zu oldest audit records were dropped", dropped);
        return more;
}

static bool prune_if_due(AuditTrail *t) {
        bool by_size = is_too_large(t), more;

        if (!LIST_EMPTY(&t->verifiers))
                return false;
        if (!by_size && t->pruned_at > 0 &&
                        usec_add(t->pruned_at, AUDIT_PRUNE_INTERVAL) > now_boottime())
                return false;
        more = prune(t, by_size);
        t->stuck = !more && is_too_large(t);
        /* What is only too large, or not done, is no reason to wait an hour; nor is a clock that is
         * not known yet. */
        if (!more && !by_size && api_clock(t->api)->heard)
                t->pruned_at = now_boottime();
        return more;
}

static bool is_challenge(const char *text) {
        return sid_valid(text, "YC");
}

static bool is_factor(const char *text) {
        return name_valid(text) || sid_valid(text, "YF");
}

/* A parameter that could be one; anything else is no text for the trail. */
static void copy_parameter(const Call *call,
                const char *key,
                bool (*fits)(const char *text),
                char *ret,
                size_t size) {
        json_object *value = json_doc_value(call_parameters(call), key);
        const char *text;

        *ret = '\0';
        if (!json_object_is_type(value, json_type_string))
                return;
        text = json_object_get_string(value);
        if (fits(text))
                (void) snprintf(ret, size, "%s", text);
}

void audit_trail_refused(AuditTrail *t, const Call *call, IpcError error) {
        uid_t uid = call_peer(call)->uid;
        Refusal *r;

        /* The timer ends the window: what comes after its end counts to it. */
        if (!refusals_take(&t->refusals, uid, now_boottime()) ||
                        t->n_waiting == ELEMENTSOF(t->waiting))
                return;
        r = t->waiting + t->n_waiting++;
        *r = (Refusal){
                        .time = now_realtime(),
                        .uid = uid,
                        .door = call_door_name(call),
                        .operation = call_operation(call),
                        .error = error,
        };
        copy_parameter(call, "name", is_factor, r->factor, sizeof(r->factor));
        if (*r->factor == '\0')
                copy_parameter(call, "factor", is_factor, r->factor, sizeof(r->factor));
        copy_parameter(call, "sid", is_challenge, r->challenge, sizeof(r->challenge));
        hurry(t);
}

static int record_refusal(AuditTrail *t, const Refusal *r, char **reterr_msg) {
        const char *name = operations[r->operation].name;
        char reason[128];

        (void) snprintf(reason, sizeof(reason), "%s%s", name,
                        r->error == IPC_INVALID_PARAMETER ? " with a wrong confirm" : "");
        AuditRecord a = {
                        .time = r->time,
                        .event = "refused",
                        .factor = *r->factor ? r->factor : NULL,
                        .challenge = *r->challenge ? r->challenge : NULL,
                        .outcome = ipc_error_to_string(r->error),
                        .reason = reason,
                        .door = r->door,
                        .uid = r->uid,
        };

        return store_audit_append(t->store, &a, reterr_msg);
}

static int record_left_out(AuditTrail *t, const RefusalCount *c, usec_t span, char **reterr_msg) {
        _cleanup_free_ char *window = NULL, *text = NULL;

        if (timespan_format(span, &window) < 0 ||
                        asprintf(&text, "%" PRIu64 " more in %s were left out", c->left_out,
                                        window) < 0)
                return -ENOMEM;
        AuditRecord a = {
                        .time = now_realtime(),
                        .event = "refused",
                        .reason = text,
                        .uid = c->uid == (uid_t) -1 ? -1 : (int64_t) c->uid,
        };
        return store_audit_append(t->store, &a, reterr_msg);
}

static int write_refusals(
                AuditTrail *t, const RefusalCount *left, size_t n, usec_t span, char **reterr_msg) {
        int r;

        r = store_begin(t->store, reterr_msg);
        if (r < 0)
                return r;
        for (size_t i = 0; i < t->n_waiting && r >= 0; i++)
                r = record_refusal(t, t->waiting + i, reterr_msg);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = record_left_out(t, left + i, span, reterr_msg);
        return store_end(t->store, r, reterr_msg);
}

/* All that came since the last time in one transaction. What can't be recorded is said instead:
 * nothing was allowed. */
static void record_refusals(AuditTrail *t, usec_t now) {
        RefusalCount left[REFUSALS_OF_ALL + 1];
        _cleanup_free_ char *why = NULL;
        usec_t span = 0;
        size_t n = refusals_end(&t->refusals, now, left, &span);
        int r;

        if (t->n_waiting == 0 && n == 0)
                return;
        r = write_refusals(t, left, n, span, &why);
        if (r < 0)
                log_warning("Cannot record %zu refusals: %s; ignoring", t->n_waiting + n,
                                error_text(why, r));
        t->n_waiting = 0;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        AuditTrail *t = userdata;
        usec_t now = now_boottime(), delay = TICK;

        t->hurried = false;
        record_refusals(t, now);
        if (head_is_due(t))
                write_head(t);
        if (prune_if_due(t))
                delay = TICK_MORE;
        else if (t->refusals.end > 0 && t->refusals.end < usec_add(now, TICK))
                delay = usec_sub(t->refusals.end, now) + USEC_PER_MSEC;
        if (!t->hurried)
                set_timer(t, delay);
        return 0;
}

void audit_trail_problems(const AuditTrail *t, json_object *list) {
        _cleanup_free_ char *what = NULL, *text = NULL;
        int64_t row;
        AuditFault fault = store_audit_fault(t->store, &row);

        if (fault == AUDIT_INTACT) {
                fault = t->seen;
                row = t->seen_row;
        }
        if (fault != AUDIT_INTACT && audit_fault_describe(fault, row, &what) >= 0 &&
                        asprintf(&text,
                                        "The audit trail was tampered with: %s; see factorctl log "
                                        "--verify",
                                        what) >= 0)
                json_object_array_add(list, json_object_new_string(text));
        if (t->stuck)
                json_object_array_add(list,
                                json_object_new_string("The audit trail is larger than [Audit] "
                                                       "MaxSize=, and its oldest record is of a "
                                                       "challenge that is not over"));
}

int audit_trail_new(
                AuditTrail **ret, sd_event *event, Store *store, Api *api, const Config *config) {
        _cleanup_(audit_trail_freep) AuditTrail *t = calloc(1, sizeof(AuditTrail));
        AuditFault fault;
        int64_t row;
        int r;

        if (!t)
                return -ENOMEM;
        t->event = sd_event_ref(event);
        t->api = api;
        t->keep = config->audit_retain;
        t->max_size = config->audit_max_size;
        t->head_at = now_boottime();
        LIST_INIT(&t->readers);
        LIST_INIT(&t->verifiers);
        r = sd_event_add_time_relative(
                        event, &t->timer, CLOCK_BOOTTIME, TICK_FIRST, USEC_PER_MSEC, on_timer, t);
        if (r < 0)
                return r;
        t->store = store;
        store_on_audit(store, on_record, t);
        fault = store_audit_fault(store, &row);
        if (fault != AUDIT_INTACT)
                audit_log_fault(fault, row);
        *ret = TAKE_PTR(t);
        return 0;
}

AuditTrail *audit_trail_free(AuditTrail *t) {
        if (!t)
                return NULL;
        if (t->store) {
                record_refusals(t, USEC_INFINITY); /* also what was left out so far */
                audit_readers_end(t);
                audit_verifiers_end(t);
                write_head(t);
                store_on_audit(t->store, NULL, NULL);
        }
        sd_event_source_disable_unref(t->timer);
        sd_event_unref(t->event);
        free(t);
        return NULL;
}
