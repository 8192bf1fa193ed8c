/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/audit-log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

/* sd_journal_sendv() would otherwise add this file's own place. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/message-ids.h"
#include "ipc/audit-journal.h"
#include "log/log.h"

#define FIELDS_MAX 20

static const AuditEvent events[] = {
                {"decision", MESSAGE_ID_AUDIT_DECISION, LOG_INFO},
                {"void", MESSAGE_ID_AUDIT_VOID, LOG_NOTICE},
                {"outcome", MESSAGE_ID_AUDIT_OUTCOME, LOG_INFO},
                {"enrolled", MESSAGE_ID_AUDIT_ENROLLED, LOG_INFO},
                {"import", MESSAGE_ID_AUDIT_IMPORT, LOG_INFO},
                {"owner", MESSAGE_ID_AUDIT_OWNER, LOG_INFO},
                {"match-field", MESSAGE_ID_AUDIT_MATCH_FIELD, LOG_INFO},
                {"removed", MESSAGE_ID_AUDIT_REMOVED, LOG_INFO},
                {"revoked", MESSAGE_ID_AUDIT_REVOKED, LOG_WARNING},
                {"restored", MESSAGE_ID_AUDIT_RESTORED, LOG_INFO},
                {"alarm", MESSAGE_ID_AUDIT_ALARM, LOG_WARNING},
                {"mismatch", MESSAGE_ID_AUDIT_MISMATCH, LOG_NOTICE},
                {"policy", MESSAGE_ID_AUDIT_POLICY, LOG_NOTICE},
                {"ticket", MESSAGE_ID_AUDIT_TICKET, LOG_INFO},
                {"ticket-used", MESSAGE_ID_AUDIT_TICKET_USED, LOG_INFO},
                {"ticket-revoked", MESSAGE_ID_AUDIT_TICKET_REVOKED, LOG_INFO},
                {"refused", MESSAGE_ID_AUDIT_REFUSED, LOG_NOTICE},
};

const AuditEvent *audit_events(size_t *ret_n) {
        *ret_n = ELEMENTSOF(events);
        return events;
}

static const AuditEvent *find_event(const char *name) {
        static const AuditEvent other = {"record", MESSAGE_ID_AUDIT_RECORD, LOG_INFO};

        for (size_t i = 0; i < ELEMENTSOF(events); i++)
                if (streq(events[i].name, name))
                        return events + i;
        return &other;
}

int audit_record_text(const AuditRecord *r, char **ret) {
        _cleanup_(secret_done) Secret text = {0};
        const struct {
                const char *before, *value;
        } parts[] = {
                        {"", r->event},
                        {" ", r->outcome ? r->outcome : r->verb},
                        {", factor ", r->factor},
                        {", challenge ", r->challenge},
                        {", rule ", r->rule},
                        {", behind the ", r->door},
                        {": ", r->reason},
        };
        char uid[32];
        int k = 0;

        (void) snprintf(uid, sizeof(uid), ", by uid %" PRId64, r->uid);
        for (size_t i = 0; i < ELEMENTSOF(parts) && k >= 0; i++) {
                if (i == 5 && r->uid >= 0)
                        k = secret_append_string(&text, uid);
                if (k >= 0 && parts[i].value) {
                        k = secret_append_string(&text, parts[i].before);
                        if (k >= 0)
                                k = secret_append_string(&text, parts[i].value);
                }
        }
        if (k < 0)
                return k;
        *ret = strdup(secret_string(&text));
        return *ret ? 0 : -ENOMEM;
}

/* A journal entry that grows. */
typedef struct Entry {
        struct iovec fields[FIELDS_MAX];
        size_t n;
        bool failed;
} Entry;

static void entry_done(Entry *e) {
        for (size_t i = 0; i < e->n; i++)
                free(e->fields[i].iov_base);
}

static void entry_add(Entry *e, const char *name, const char *value) {
        char *text = NULL;

        if (!value || e->n == FIELDS_MAX)
                return;
        if (asprintf(&text, "%s=%s", name, value) < 0) {
                e->failed = true;
                return;
        }
        e->fields[e->n++] = (struct iovec){text, strlen(text)};
}

static void entry_add_int(Entry *e, const char *name, int64_t value) {
        char text[32];

        (void) snprintf(text, sizeof(text), "%" PRId64, value);
        entry_add(e, name, text);
}

static void entry_begin(Entry *e, int priority, const char *id, const char *message) {
        entry_add(e, "MESSAGE", message);
        entry_add_int(e, "PRIORITY", priority);
        entry_add(e, "SYSLOG_IDENTIFIER", "factord");
        entry_add(e, "MESSAGE_ID", id);
}

static void entry_send(const Entry *e) {
        int r = e->failed ? -ENOMEM : sd_journal_sendv(e->fields, (int) e->n);

        if (r < 0)
                log_error("Cannot write to the journal: %s; ignoring", strerror(-r));
}

static void entry_add_record(Entry *e, const AuditRecord *r) {
        entry_add(e, AUDIT_FIELD_EVENT, r->event);
        entry_add(e, "FACTORD_FACTOR", r->factor);
        entry_add(e, "FACTORD_CHALLENGE", r->challenge);
        entry_add(e, "FACTORD_DECISION", r->decision);
        entry_add(e, "FACTORD_VERB", r->verb);
        entry_add(e, "FACTORD_RULE", r->rule);
        entry_add(e, "FACTORD_POLICY", r->policy);
        entry_add(e, "FACTORD_OUTCOME", r->outcome);
        entry_add(e, "FACTORD_REASON", r->reason);
        entry_add(e, "FACTORD_DOOR", r->door);
        if (r->uid >= 0)
                entry_add_int(e, "FACTORD_UID", r->uid);
        entry_add_int(e, AUDIT_FIELD_ID, r->id);
}

void audit_log_record(const AuditRecord *r) {
        const AuditEvent *event = find_event(strempty(r->event));
        _cleanup_free_ char *text = NULL;
        _cleanup_(entry_done) Entry e = {0};

        if (audit_record_text(r, &text) < 0) {
                log_error("Cannot log audit record %" PRId64 ": out of memory; ignoring", r->id);
                return;
        }
        if (!log_goes_to_journal()) {
                log_write(event->priority, __FILE__, __LINE__, "audit %" PRId64 ": %s", r->id,
                                text);
                return;
        }
        entry_begin(&e, event->priority, event->id, text);
        entry_add_record(&e, r);
        entry_send(&e);
}

void audit_log_head(const char *store, const AuditHead *head) {
        _cleanup_(entry_done) Entry e = {0};
        char text[128];

        if (!log_goes_to_journal())
                return;
        (void) snprintf(text, sizeof(text), "The audit trail goes to record %" PRId64, head->id);
        entry_begin(&e, LOG_INFO, MESSAGE_ID_AUDIT_HEAD, text);
        entry_add(&e, AUDIT_FIELD_EVENT, AUDIT_EVENT_HEAD);
        entry_add(&e, AUDIT_FIELD_STORE, store);
        entry_add_int(&e, AUDIT_FIELD_ID, head->id);
        entry_add(&e, AUDIT_FIELD_HEAD, head->mac);
        entry_add_int(&e, "FACTORD_LENGTH", (int64_t) head->length);
        entry_send(&e);
}

void audit_log_fault(AuditFault fault, int64_t row) {
        _cleanup_free_ char *what = NULL, *text = NULL;
        _cleanup_(entry_done) Entry e = {0};

        if (audit_fault_describe(fault, row, &what) < 0 ||
                        asprintf(&text, "The audit trail was tampered with: %s", what) < 0)
                return;
        if (!log_goes_to_journal()) {
                log_error("%s", text);
                return;
        }
        entry_begin(&e, LOG_ERR, MESSAGE_ID_AUDIT_BROKEN, text);
        entry_add_int(&e, AUDIT_FIELD_ID, row);
        entry_send(&e);
}
