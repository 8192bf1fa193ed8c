/* SPDX-License-Identifier: Apache-2.0 */
/* Streaming the audit trail: back to where it is to begin, then onwards, a piece at a time and no
 * faster than it is taken, and at last what is new. */

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "daemon/audit-trail.h"
#include "daemon/view.h"

/* Unread bytes from which on a reader is waited for. */
#define BACKLOG_MAX (256 * 1024)
#define BACKLOG_PAUSE (50 * USEC_PER_MSEC)

typedef enum ReaderPhase {
        READER_SEEKS,   /* the newest limit records, from the end */
        READER_READS,   /* on from there */
        READER_FOLLOWS, /* what comes */
} ReaderPhase;

struct AuditReader {
        AuditTrail *trail;
        LIST_ENTRY(AuditReader) of_trail;
        Call *call;
        sd_event_source *timer;
        AuditFilter filter;
        ReaderPhase phase;
        bool follow;
        int64_t after;          /* read up to here; while it seeks: nothing before is wanted */
        int64_t before, wanted; /* while it seeks: the oldest one seen, how many more */
        size_t n;               /* records of this turn */
        int result;             /* of sending */
};

bool audit_filter_matches(const AuditFilter *f, const AuditRecord *r) {
        return (!f->factor || streq_ptr(f->factor, r->factor)) &&
               (!f->event || streq_ptr(f->event, r->event)) &&
               (!f->challenge || (r->challenge && strncmp(f->challenge, r->challenge,
                                                                  strlen(f->challenge)) == 0)) &&
               r->time >= f->since;
}

static void filter_done(AuditFilter *f) {
        free(f->factor);
        free(f->challenge);
        free(f->event);
        *f = (AuditFilter){0};
}

static void reader_free(AuditReader *r) {
        LIST_REMOVE(r, of_trail);
        sd_event_source_disable_unref(r->timer);
        call_on_gone(r->call, NULL, NULL);
        call_unref(r->call);
        filter_done(&r->filter);
        free(r);
}

static json_object *view_record(const AuditRecord *r) {
        json_object *o = json_object_new_object();

        view_add_int(o, "id", r->id);
        view_add_time(o, "time", r->time);
        view_add_string(o, "event", r->event);
        view_add_string(o, "factor", r->factor);
        view_add_string(o, "challenge", r->challenge);
        view_add_string(o, "decision", r->decision);
        view_add_string(o, "digest", r->digest);
        view_add_string(o, "verb", r->verb);
        view_add_string(o, "rule", r->rule);
        view_add_string(o, "policy", r->policy);
        view_add_string(o, "outcome", r->outcome);
        view_add_string(o, "reason", r->reason);
        view_add_string(o, "door", r->door);
        view_add(o, "uid", r->uid >= 0 ? json_object_new_int64(r->uid) : NULL);
        return view_reply("record", o);
}

/* 0, or why nothing more can be told. */
static int send_record(AuditReader *r, const AuditRecord *record) {
        int k;

        if (!audit_filter_matches(&r->filter, record))
                return 0;
        k = call_reply_more(r->call, view_record(record));
        return k == -E2BIG ? 0 : k;
}

static void reader_tell(AuditReader *r, const AuditRecord *record) {
        if (r->phase != READER_FOLLOWS)
                return; /* it is read when its turn comes */
        r->after = record->id;
        /* One that can't be told has gone, or was told by its door that it reads too slowly. */
        if (send_record(r, record) < 0)
                reader_free(r);
}

void audit_readers_tell(AuditTrail *t, const AuditRecord *record) {
        AuditReader *r, *next;

        for (r = LIST_FIRST(&t->readers); r; r = next) {
                next = LIST_NEXT(r, of_trail);
                reader_tell(r, record);
        }
}

static int on_seek(const AuditRecord *record, void *userdata) {
        AuditReader *r = userdata;

        if (record->id <= r->after) {
                r->phase = READER_READS;
                return 1;
        }
        r->before = record->id;
        if (audit_filter_matches(&r->filter, record) && --r->wanted == 0)
                r->phase = READER_READS;
        return r->phase == READER_READS || ++r->n == AUDIT_BATCH;
}

static int on_read(const AuditRecord *record, void *userdata) {
        AuditReader *r = userdata;

        r->after = record->id;
        r->result = send_record(r, record);
        return ++r->n == AUDIT_BATCH || r->result < 0;
}

/* A piece of the way. */
static int reader_turn(AuditReader *r, char **reterr_msg) {
        bool seeks = r->phase == READER_SEEKS;
        Store *s = r->trail->store;
        int k;

        r->n = 0;
        k = seeks ? store_audit_each_back(s, r->before, on_seek, r, reterr_msg)
                  : store_audit_each(s, r->after, on_read, r, reterr_msg);
        if (k < 0)
                return k;
        if (k == 0) /* to the end */
                r->phase = seeks ? READER_READS : READER_FOLLOWS;
        if (seeks && r->phase == READER_READS && r->before < INT64_MAX)
                r->after = r->before - 1;
        return 0;
}

static int reader_on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        _cleanup_free_ char *why = NULL;
        AuditReader *r = userdata;
        int k = 0;

        if (r->phase != READER_FOLLOWS && call_backlog(r->call) <= BACKLOG_MAX)
                k = reader_turn(r, &why);
        if (k < 0)
                (void) call_error(r->call, IPC_STORE_ERROR, NULL, "%s", error_text(why, k));
        else if (r->phase == READER_FOLLOWS && !r->follow)
                (void) call_reply(r->call, view_reply("record", NULL));
        if (k < 0 || r->result < 0 || call_is_done(r->call)) {
                reader_free(r);
                return 0;
        }
        if (r->phase == READER_FOLLOWS)
                return 0;
        (void) sd_event_source_set_time_relative(
                        s, call_backlog(r->call) > BACKLOG_MAX ? BACKLOG_PAUSE : AUDIT_PAUSE);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static void reader_gone(Call *call, void *userdata) {
        reader_free(userdata);
}

int audit_reader_new(AuditTrail *t,
                Call *call,
                AuditFilter *filter,
                int64_t after,
                int64_t limit,
                bool follow) {
        AuditReader *r = calloc(1, sizeof(AuditReader));
        int k;

        if (!r)
                return -ENOMEM;
        k = sd_event_add_time_relative(
                        t->event, &r->timer, CLOCK_BOOTTIME, 0, 0, reader_on_timer, r);
        if (k < 0) {
                free(r);
                return k;
        }
        r->trail = t;
        r->call = call_ref(call);
        r->filter = *filter;
        *filter = (AuditFilter){0};
        r->phase = limit < 0 ? READER_READS : READER_SEEKS;
        r->follow = follow;
        r->after = after;
        r->before = INT64_MAX;
        r->wanted = limit;
        if (limit == 0)
                r->phase = READER_FOLLOWS;
        LIST_INSERT_HEAD(&t->readers, r, of_trail);
        call_on_gone(call, reader_gone, r);
        return 0;
}

void audit_readers_end(AuditTrail *t) {
        AuditReader *r;

        while ((r = LIST_FIRST(&t->readers))) {
                (void) call_error(r->call, IPC_EVENTS_LOST, NULL, "factord stops");
                reader_free(r);
        }
}
