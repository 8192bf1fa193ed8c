/* SPDX-License-Identifier: Apache-2.0 */
/* The operations that need nothing from the provider, and the table of all. */

#include <errno.h>
#include <json-c/json.h>
#include <stddef.h>
#include <stdio.h>

#include "base/text.h"
#include "daemon/authorize.h"
#include "daemon/enroll.h"
#include "daemon/import.h"
#include "daemon/life.h"
#include "daemon/list-reply.h"
#include "daemon/manager-session.h"
#include "daemon/operations-audit.h"
#include "daemon/operations-factor.h"
#include "daemon/operations-policy.h"
#include "daemon/operations-ticket.h"
#include "daemon/parameters.h"
#include "daemon/provider.h"
#include "daemon/rules.h"
#include "daemon/view.h"
#include "log/log.h"

static json_object *status_accounts(const Manager *m) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < m->config->n_accounts; i++) {
                const Account *a = &m->accounts[i];
                json_object *o = view_object_of_string("name", a->config->name);
                view_add_string(o, "account_sid", a->config->account_sid);
                view_add_string(o, "user", a->config->user);
                view_add_string(o, "state", a->refused ? "refused" : a->used ? "ok" : "unused");
                view_add_string(o, "error", a->error);
                json_object_array_add(list, o);
        }
        return list;
}

static void status_add_problem(json_object *list, const char *intro, const char *what) {
        _cleanup_free_ char *text = NULL;

        if (asprintf(&text, "%s%s", intro, what) < 0) {
                text = NULL;
                return;
        }
        json_object_array_add(list, json_object_new_string(text));
}

/* What an administrator has to know of the daemon as a whole. */
static void status_add_problems(const Manager *m, json_object *list) {
        if (store_problem(m->store))
                json_object_array_add(list, json_object_new_string(store_problem(m->store)));
        if (bus_problem(m->bus))
                json_object_array_add(list, json_object_new_string(bus_problem(m->bus)));
        if (m->is_full)
                json_object_array_add(list,
                                json_object_new_string("So many challenges are pending that newer "
                                                       "ones of the factors that have many are not "
                                                       "taken up"));
        audit_trail_problems(m->audit, list);
        rules_problems(m->rules, list);
        for (size_t i = 0; i < m->faults.n; i++)
                status_add_problem(list,
                                "The configuration has faults, and the old one stays in force: ",
                                m->faults.messages[i]);
        for (size_t i = 0; i < m->problems.n; i++)
                status_add_problem(list, "", m->problems.messages[i]);
}

/* And each owner of his factors. */
static json_object *status_problems(const Manager *m, const CallPeer *peer) {
        json_object *list = json_object_new_array();

        if (peer->administrator)
                status_add_problems(m, list);
        for (size_t i = 0; i < m->registry.n_factors; i++) {
                const Factor *f = m->registry.factors[i];
                char until[RFC3339_SIZE], text[256];
                if (f->cooling_until == 0 || !call_peer_may(peer, f->record.owner))
                        continue;
                (void) snprintf(text, sizeof(text),
                                "Factor %s cools down until %s or longer: more challenges came "
                                "than [Prompt] Budget= allows",
                                f->record.name, rfc3339_format(f->cooling_until, until));
                json_object_array_add(list, json_object_new_string(text));
        }
        return list;
}

static json_object *status_clock(const Manager *m) {
        const ServerClock *clock = api_clock(m->api);
        json_object *o = json_object_new_object();

        view_add_int(o, "offset_ms",
                        server_clock_offset(clock, now_realtime(), now_boottime()) /
                                        (int64_t) USEC_PER_MSEC);
        view_add_string(o, "source", clock->heard ? "server" : "local");
        view_add(o, "candidate_ms",
                        clock->has_candidate ? json_object_new_int64(server_clock_candidate(clock) /
                                                                     (int64_t) USEC_PER_MSEC)
                                             : NULL);
        return o;
}

/* The longest idle interval of all accounts. */
static usec_t status_idle_interval(const Manager *m) {
        usec_t longest = m->config->poll_idle_interval;
        PollGroupView g;

        for (size_t i = 0; poller_group(m->poller, i, &g); i++)
                longest = g.idle_interval > longest ? g.idle_interval : longest;
        return longest;
}

static json_object *status_polling(const Manager *m) {
        json_object *list = json_object_new_array();
        PollGroupView g;

        for (size_t i = 0; poller_group(m->poller, i, &g); i++) {
                ApiLaneView lane = api_lane_view(m->api, g.account_sid);
                usec_t until = lane.poll_in > 0 ? usec_add(now_realtime(), lane.poll_in) : 0;
                json_object *o = view_object_of_string("account_sid", g.account_sid);
                view_add_int(o, "targets", (int64_t) g.n_targets);
                view_add_int(o, "effective_idle_interval_ms",
                                (int64_t) (g.idle_interval / USEC_PER_MSEC));
                view_add_int(o, "waiting", lane.n_waiting);
                view_add_time(o, "backoff_until", until);
                view_add_string(o, "error", lane.error);
                json_object_array_add(list, o);
        }
        return list;
}

static json_object *status_prompt(const Config *c) {
        json_object *o = json_object_new_object();

        view_add_int(o, "arm_delay_ms", (int64_t) (c->arm_delay / USEC_PER_MSEC));
        view_add_string(o, "while_locked", c->show_while_locked ? "show" : "hold");
        view_add_int(o, "budget", c->budget);
        view_add_int(o, "budget_span_ms", (int64_t) (c->budget_span / USEC_PER_MSEC));
        return o;
}

/* How far things are, as the caller may know: what happens to others does not show in it. */
static void status_add_progress(const Manager *m, const CallPeer *peer, json_object *o) {
        uint64_t sequence = peer->administrator ? store_sequence(m->store) : 0;
        usec_t last_poll = peer->administrator ? m->last_poll : 0;

        for (size_t i = 0; i < m->registry.n_factors; i++) {
                const Factor *f = m->registry.factors[i];
                if (!call_peer_may(peer, f->record.owner))
                        continue;
                sequence = f->sequence > sequence ? f->sequence : sequence;
                last_poll = f->last_poll > last_poll ? f->last_poll : last_poll;
        }
        for (size_t i = 0; i < m->registry.n_challenges; i++) {
                const Challenge *c = m->registry.challenges[i];
                if (call_peer_may(peer, c->view.owner) && c->sequence > sequence)
                        sequence = c->sequence;
        }
        view_add_int(o, "sequence", (int64_t) sequence);
        view_add_time(o, "last_poll", last_poll);
}

/* Counts what the caller may see. */
static void operation_get_status(Manager *m, Call *call) {
        const CallPeer *peer = call_peer(call);
        json_object *o = json_object_new_object();
        int64_t factors = 0, pending = 0;

        for (size_t i = 0; i < m->registry.n_factors; i++) {
                const Factor *f = m->registry.factors[i];
                if (!call_peer_may(peer, f->record.owner))
                        continue;
                factors++;
                pending += f->n_open;
        }
        view_add_string(o, "version", FACTORD_VERSION);
        view_add_string(o, "mode", m->config->system ? "system" : "user");
        view_add_time(o, "started", m->started);
        view_add_string(o, "base_url", m->config->base_url);
        view_add_string(o, "default",
                        m->config->default_decision == CONFIG_DEFAULT_ASK ? "ask" : "ignore");
        view_add_int(o, "factors", factors);
        view_add_int(o, "pending", pending);
        status_add_progress(m, peer, o);
        view_add(o, "accounts", peer->administrator ? status_accounts(m) : json_object_new_array());
        view_add(o, "clock", status_clock(m));
        view_add_int(o, "poll_interval_ms", (int64_t) (m->config->poll_interval / USEC_PER_MSEC));
        view_add_int(o, "idle_interval_ms",
                        (int64_t) (m->config->poll_idle_interval / USEC_PER_MSEC));
        view_add_int(o, "effective_idle_interval_ms",
                        (int64_t) (status_idle_interval(m) / USEC_PER_MSEC));
        view_add(o, "polling", peer->administrator ? status_polling(m) : json_object_new_array());
        view_add_string(o, "store_problem", peer->administrator ? store_problem(m->store) : NULL);
        view_add(o, "problems", status_problems(m, peer));
        view_add(o, "prompt", status_prompt(m->config));
        view_add(o, "policy", peer->administrator ? view_policy(m) : NULL);
        view_add(o, "locked", json_object_new_boolean(manager_is_locked(m, peer->uid)));
        (void) call_reply(call, view_reply("status", o));
}

/* What keeps its account's requests from working keeps it, too. */
static json_object *status_factor(const Manager *m, const Factor *f) {
        json_object *o = view_factor(f);

        if (!f->record.error && !f->poll_error && factor_is_active(f))
                view_add_string(o, "error",
                                api_lane_view(m->api, strempty(f->record.account_sid)).error);
        return o;
}

static void operation_list_factors(Manager *m, Call *call) {
        static const JsonField fields[] = {{"name", JSON_STRING, 0, JSON_NULLABLE}};
        _cleanup_free_ char *name = NULL;
        ListReply list;
        Factor *only = NULL;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &name))
                return;
        if (name) {
                only = manager_visible_factor(m, call, name);
                if (!only)
                        return;
        }
        list_begin(&list, call, "factors");
        for (size_t i = 0; i < m->registry.n_factors; i++) {
                const Factor *f = m->registry.factors[i];
                if ((only && f != only) || !call_peer_may(call_peer(call), f->record.owner))
                        continue;
                if (!list_item(&list, status_factor(m, f)))
                        break;
        }
        list_end(&list);
}

typedef struct ListChallengesParameters {
        char *factor;
        bool all;
} ListChallengesParameters;

static void operation_list_challenges(Manager *m, Call *call) {
        static const JsonField fields[] = {
                        {"factor", JSON_STRING, offsetof(ListChallengesParameters, factor),
                                        JSON_NULLABLE},
                        {"all", JSON_BOOL, offsetof(ListChallengesParameters, all), JSON_NULLABLE},
        };
        ListChallengesParameters p = {0};
        const Factor *only = NULL;
        ListReply list;
        bool wanted, all;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &p))
                return;
        all = p.all;
        only = p.factor ? manager_visible_factor(m, call, p.factor) : NULL;
        wanted = only || !p.factor;
        json_fields_done(fields, ELEMENTSOF(fields), &p);
        if (!wanted)
                return;
        list_begin(&list, call, "challenges");
        for (size_t i = 0; i < m->registry.n_challenges; i++) {
                const Challenge *c = m->registry.challenges[i];
                if ((only && c->factor != only) || !call_peer_may(call_peer(call), c->view.owner) ||
                                (!all && life_is_final(c->view.state)))
                        continue;
                if (!list_item(&list, view_challenge(c)))
                        break;
        }
        list_end(&list);
}

static bool challenge_visible(const Challenge *c, const void *userdata) {
        return call_peer_may(userdata, c->view.owner);
}

Challenge *manager_visible_challenge(Manager *m, Call *call, const char *sid) {
        Challenge *c = NULL;
        int r;

        r = registry_find_challenge(&m->registry, sid, challenge_visible, call_peer(call), &c);
        switch (r) {
        case 0:
                return c;
        case -EINVAL:
                (void) call_invalid(call, "sid",
                                "%s is too short; give at least %i characters of the SID", sid,
                                SID_PREFIX_MIN);
                return NULL;
        case -ENOTUNIQ:
                (void) call_invalid(call, "sid", "More than one challenge begins with %s", sid);
                return NULL;
        }
        (void) call_error(call, IPC_NO_SUCH_CHALLENGE, view_object_of_string("sid", sid),
                        "There is no challenge %s", sid);
        return NULL;
}

static void operation_get_challenge(Manager *m, Call *call) {
        static const JsonField fields[] = {{"sid", JSON_STRING, 0, JSON_MANDATORY}};
        _cleanup_free_ char *sid = NULL;
        const Challenge *c;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &sid))
                return;
        c = manager_visible_challenge(m, call, sid);
        if (c)
                (void) call_reply(call, view_reply("challenge", view_challenge(c)));
}

static void operation_monitor(Manager *m, Call *call) {
        static const JsonField fields[] = {{"since", JSON_INT, 0, JSON_NULLABLE}};
        int64_t since = -1;

        if (!parameters_read(call, fields, ELEMENTSOF(fields), &since))
                return;
        if (parameter_given(call, "since") && since < 0) {
                (void) call_invalid(call, "since", "since is a sequence number, 0 or more");
                return;
        }
        if (since >= 0 && monitor_replay(&m->registry, call, (uint64_t) since) < 0)
                return;
        if (monitor_add(m->monitor, call) < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "Out of memory");
}

typedef struct DecideParameters {
        char *sid, *digest;
        Secret confirm;
} DecideParameters;

/* What stands on a locked screen may be read by anybody, and its keyboard used: nothing is approved
 * from there. Answers call when so. To deny or ignore gives nothing away. */
static bool is_locked_out(const Manager *m, Call *call, Verb verb) {
        if (verb != VERB_APPROVE || !manager_is_locked(m, call_peer(call)->uid))
                return false;
        (void) call_error(call, IPC_SESSION_LOCKED, NULL,
                        "Your session is locked; unlock it to approve");
        return true;
}

static void decide(Manager *m, Call *call, Verb verb) {
        const JsonField fields[] = {
                        {"sid", JSON_STRING, offsetof(DecideParameters, sid), JSON_MANDATORY},
                        {"digest", JSON_STRING, offsetof(DecideParameters, digest), JSON_MANDATORY},
                        {"confirm", JSON_SECRET, offsetof(DecideParameters, confirm),
                                        JSON_NULLABLE},
        };
        size_t n = verb == VERB_IGNORE ? 1 : verb == VERB_DENY ? 2 : 3;
        DecideParameters p = {0};
        Challenge *c;

        if (!parameters_read(call, fields, n, &p))
                return;
        c = manager_visible_challenge(m, call, p.sid);
        if (c && verb != VERB_IGNORE && !streq(p.sid, c->view.sid))
                (void) call_invalid(call, "sid", "A decision names the whole SID");
        else if (c && !is_locked_out(m, call, verb) && manager_authorize(m, call, c->view.factor)) {
                Actor actor = manager_actor(call);
                const char *confirm =
                                parameter_given(call, "confirm") ? secret_string(&p.confirm) : NULL;
                challenge_decide(c, verb, p.digest, confirm, &actor, call);
        }
        json_fields_done(fields, n, &p);
}

static void operation_approve(Manager *m, Call *call) {
        decide(m, call, VERB_APPROVE);
}

static void operation_deny(Manager *m, Call *call) {
        decide(m, call, VERB_DENY);
}

static void operation_ignore(Manager *m, Call *call) {
        decide(m, call, VERB_IGNORE);
}

static void operation_poll(Manager *m, Call *call) {
        manager_poke(m);
        (void) call_reply(call, NULL);
}

/* Whoever refuses it, and why: it is recorded. */
static void operation_failed(const Call *call, IpcError error, void *userdata) {
        Manager *m = userdata;

        if (m->audit && (error == IPC_NOT_AUTHORIZED || error == IPC_SESSION_LOCKED))
                audit_trail_refused(m->audit, call, error);
}

void manager_dispatch(Call *call, void *userdata) {
        static void (*const handlers[_OPERATION_MAX])(Manager * m, Call * call) = {
                        [OPERATION_GET_STATUS] = operation_get_status,
                        [OPERATION_LIST_FACTORS] = operation_list_factors,
                        [OPERATION_LIST_CHALLENGES] = operation_list_challenges,
                        [OPERATION_GET_CHALLENGE] = operation_get_challenge,
                        [OPERATION_MONITOR] = operation_monitor,
                        [OPERATION_GET_CODE] = operation_get_code,
                        [OPERATION_APPROVE] = operation_approve,
                        [OPERATION_DENY] = operation_deny,
                        [OPERATION_IGNORE] = operation_ignore,
                        [OPERATION_EXPECT] = operation_expect,
                        [OPERATION_LIST_TICKETS] = operation_list_tickets,
                        [OPERATION_REVOKE_TICKET] = operation_revoke_ticket,
                        [OPERATION_ENROLL_PUSH] = enroll_push,
                        [OPERATION_ENROLL_TOTP] = enroll_totp,
                        [OPERATION_IMPORT] = import_accounts,
                        [OPERATION_SET_OWNER] = operation_set_owner,
                        [OPERATION_SET_MATCH_FIELD] = operation_set_match_field,
                        [OPERATION_REMOVE] = operation_remove,
                        [OPERATION_POLL] = operation_poll,
                        [OPERATION_CHALLENGE_CREATE] = provider_challenge_create,
                        [OPERATION_CHALLENGE_FETCH] = provider_challenge_fetch,
                        [OPERATION_CHALLENGE_LIST] = provider_challenge_list,
                        [OPERATION_CHALLENGE_UPDATE] = provider_challenge_update,
                        [OPERATION_ACCESS_TOKEN_CREATE] = provider_access_token_create,
                        [OPERATION_READ_AUDIT] = operation_read_audit,
                        [OPERATION_VERIFY_AUDIT] = operation_verify_audit,
                        [OPERATION_RELOAD] = operation_reload,
                        [OPERATION_EXPLAIN_POLICY] = operation_explain_policy,
                        [OPERATION_REPLAY_POLICY] = operation_replay_policy,
        };
        _cleanup_(call_unrefp) Call *held = call;

        call_on_error(held, operation_failed, userdata);
        log_debug("%s asked by uid %u", operations[call_operation(call)].name,
                        call_peer(call)->uid);
        if (!authorize_administrator(held))
                return;
        if (operations[call_operation(call)].right == RIGHT_ADMINISTRATOR &&
                        !manager_authorize(userdata, held, NULL))
                return;
        handlers[call_operation(call)](userdata, held);
}
