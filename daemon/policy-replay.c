/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/policy-replay.h"

#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "daemon/policy-ask.h"
#include "daemon/ticket.h"
#include "daemon/view.h"

#define REPLAY_BATCH 100
#define REPLAY_PAUSE (2 * USEC_PER_MSEC)
/* Unread bytes from which on the caller is waited for. */
#define REPLAY_BACKLOG_MAX (256 * 1024)
#define REPLAY_BACKLOG_PAUSE (50 * USEC_PER_MSEC)

struct PolicyReplay {
        Manager *manager;
        LIST_ENTRY(PolicyReplay) of_manager;
        Call *call;
        sd_event_source *timer;
        usec_t since;
        uint64_t after, last; /* sequence numbers: done, and the last one when it began */
        json_object *all;     /* for who wants one reply */
};

static void replay_free(PolicyReplay *p) {
        LIST_REMOVE(p, of_manager);
        sd_event_source_disable_unref(p->timer);
        call_on_gone(p->call, NULL, NULL);
        call_unref(p->call);
        json_object_put(p->all);
        free(p);
}

/* What became of it by the rules of then: a person, or nobody, decides what rules ask about. */
static const char *decided_verb(const StoreChallenge *row) {
        bool by_rule = row->has_decision && row->decision.rule;

        return verb_to_string(by_rule ? row->decision.verb : VERB_ASK);
}

static json_object *replay_item(
                const StoreChallenge *row, const ChallengeView *v, const PolicyVerdict *verdict) {
        json_object *o = view_object_of_string("sid", row->sid);
        _cleanup_free_ char *would = NULL;

        (void) policy_verdict_decision(verdict, &would);
        view_add_string(o, "factor", v->factor);
        view_add_time(o, "created", v->created);
        view_add_string(o, "state", challenge_state_to_string(row->state));
        view_add_string(o, "decision", decided_verb(row));
        view_add_string(o, "rule", row->has_decision ? row->decision.rule : NULL);
        view_add_string(o, "would", strempty(would));
        view_add_string(o, "would_rule", verdict->rule);
        view_add_string(o, "reason", verdict->reason);
        view_add(o, "same", json_object_new_boolean(streq_ptr(would, decided_verb(row))));
        return o;
}

/* The ticket that the decision used; NULL when it used none, or when the ticket can't be told. */
static int ticket_of_row(Ticket **ret, Manager *m, Factor *f, const StoreChallenge *row) {
        usec_t made = row->decision.made;
        StoreTicket used = {0};
        int r = 0;

        *ret = NULL;
        if (row->has_decision && row->decision.rule)
                r = store_ticket_used_by(m->store, row->decision.id, made,
                                usec_add(made, TICKET_LIFE_MAX), &used, NULL);
        if (r >= 0 && used.id != 0)
                r = ticket_restore(ret, f, &used, api_clock(m->api), NULL);
        store_ticket_done(&used);
        return r == -EBADMSG ? 0 : r;
}

/* What can't be read any more, or was left by a factor that has gone, is passed over: *ret is NULL.
 * A rule decided at the time that its decision has; otherwise its creation is the best guess. */
static int replay_row(Manager *m, const StoreChallenge *row, json_object **ret) {
        _cleanup_(policy_verdict_done) PolicyVerdict verdict = {0};
        _cleanup_(verify_challenge_done) VerifyChallenge record = {0};
        _cleanup_(challenge_view_done) ChallengeView v = {0};
        _cleanup_(ticket_freep) Ticket *used = NULL;
        Factor *f = manager_factor_by_id(m, row->factor_id);
        PolicyTicket ticket;
        int r;

        if (!f || verify_challenge_read(&record, row->document, strlen(row->document), NULL) < 0)
                return 0;
        r = challenge_view_take(&v, &record, &f->record);
        if (r >= 0)
                r = ticket_of_row(&used, m, f, row);
        if (r < 0)
                return r;
        usec_t then = row->has_decision && row->decision.rule ? row->decision.made : v.created;
        if (used)
                ticket = ticket_for_policy(used, api_clock(m->api));
        r = policy_ask_then(m, row->factor_id, &v, used ? &ticket : NULL, then, &verdict);
        if (r >= 0)
                *ret = replay_item(row, &v, &verdict);
        return r;
}

static int replay_send(PolicyReplay *p, const StoreChallenge *row) {
        json_object *item = NULL, *list;
        int r;

        r = replay_row(p->manager, row, &item);
        if (r < 0 || !item)
                return r;
        if (p->all)
                return json_object_array_add(p->all, item) < 0 ? -ENOMEM : 0;
        list = json_object_new_array();
        if (!list || json_object_array_add(list, item) < 0) {
                json_object_put(item);
                json_object_put(list);
                return -ENOMEM;
        }
        return call_reply_more(p->call, view_reply("challenges", list));
}

/* Returns 1 when there may be more, 0 at the end, -errno. */
static int replay_turn(PolicyReplay *p, char **reterr_msg) {
        StoreChallenge *rows = NULL;
        size_t n = 0;
        int r;

        r = store_challenges_page(
                        p->manager->store, p->after, p->since, REPLAY_BATCH, &rows, &n, reterr_msg);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                p->after = rows[i].sequence;
                if (r >= 0 && p->after <= p->last)
                        r = replay_send(p, &rows[i]);
                store_challenge_done(&rows[i]);
        }
        free(rows);
        return r < 0 ? r : n == REPLAY_BATCH && p->after < p->last;
}

static void replay_end(PolicyReplay *p) {
        json_object *list = p->all ? TAKE_PTR(p->all) : json_object_new_array();

        (void) call_reply(p->call, view_reply("challenges", list));
        replay_free(p);
}

static int replay_on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        _cleanup_free_ char *why = NULL;
        PolicyReplay *p = userdata;
        usec_t pause = REPLAY_PAUSE;
        int r = 1;

        if (call_backlog(p->call) <= REPLAY_BACKLOG_MAX)
                r = replay_turn(p, &why);
        else
                pause = REPLAY_BACKLOG_PAUSE;
        if (r < 0 || call_is_done(p->call)) {
                (void) call_error(p->call, IPC_STORE_ERROR, NULL, "%s", error_text(why, r));
                replay_free(p);
                return 0;
        }
        if (r == 0) {
                replay_end(p);
                return 0;
        }
        (void) sd_event_source_set_time_relative(s, pause);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static void replay_gone(Call *call, void *userdata) {
        replay_free(userdata);
}

int policy_replay_new(Manager *m, Call *call, usec_t since) {
        PolicyReplay *p = calloc(1, sizeof(PolicyReplay));
        int r;

        if (!p)
                return -ENOMEM;
        r = sd_event_add_time_relative(
                        m->event, &p->timer, CLOCK_BOOTTIME, 0, 0, replay_on_timer, p);
        if (r < 0) {
                free(p);
                return r;
        }
        p->manager = m;
        p->call = call_ref(call);
        p->since = since;
        p->last = store_sequence(m->store);
        p->all = call_wants_more(call) ? NULL : json_object_new_array();
        LIST_INSERT_HEAD(&m->replays, p, of_manager);
        call_on_gone(call, replay_gone, p);
        return 0;
}

void policy_replay_cancel_all(Manager *m) {
        PolicyReplay *p;

        while ((p = LIST_FIRST(&m->replays)))
                replay_free(p);
}
