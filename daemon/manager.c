/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/manager.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "base/file.h"
#include "base/text.h"
#include "daemon/authorize.h"
#include "daemon/decider.h"
#include "daemon/enrollment.h"
#include "daemon/examine.h"
#include "daemon/exit.h"
#include "daemon/life.h"
#include "daemon/manager-policy.h"
#include "daemon/manager-poll.h"
#include "daemon/manager-session.h"
#include "daemon/policy-replay.h"
#include "daemon/provider.h"
#include "daemon/rules.h"
#include "daemon/view.h"
#include "log/log.h"

#define TIDY_INTERVAL USEC_PER_MINUTE
#define STALL_TIMEOUT (30 * USEC_PER_SEC)
#define PRUNE_INTERVAL USEC_PER_HOUR
#define CHALLENGE_KEPT (10 * USEC_PER_MINUTE) /* in memory, after its expiry */
#define TEXT_KEPT (30 * USEC_PER_DAY)         /* provider text in the store */

Actor manager_actor(const Call *call) {
        return (Actor){.uid = call_peer(call)->uid, .door = call_door_name(call)};
}

Account *manager_account(Manager *m, const char *name) {
        for (size_t i = 0; i < m->config->n_accounts; i++)
                if (streq(m->accounts[i].config->name, name))
                        return &m->accounts[i];
        return NULL;
}

Factor *manager_visible_factor(Manager *m, Call *call, const char *name_or_sid) {
        Factor *f = registry_factor(&m->registry, name_or_sid);

        if (f && call_peer_may(call_peer(call), f->record.owner))
                return f;
        (void) call_error(call, IPC_NO_SUCH_FACTOR, view_object_of_string("name", name_or_sid),
                        "There is no factor %s", name_or_sid);
        return NULL;
}

void manager_notify_status(Manager *m) {
        (void) sd_notifyf(false, "STATUS=%zu factors, %u challenges pending", m->registry.n_factors,
                        m->n_open);
}

void manager_poke(Manager *m) {
        poller_poke(m->poller);
        examine_revoked(m);
}

static void manager_challenge_changed(Challenge *c, void *userdata) {
        Manager *m = userdata;
        const ChallengeView *v = &c->view;

        c->factor->active = now_boottime();
        if (life_is_final(v->state)) {
                c->factor->n_open--;
                m->n_open--;
        }
        /* An answer that has to be tried again and again is news once. */
        int level = c->n_failures > 0 && !life_is_final(v->state) ? LOG_DEBUG : LOG_INFO;
        log_write(level, __FILE__, __LINE__, "Challenge %s of factor %s: %s", v->sid, v->factor,
                        challenge_state_to_string(v->state));
        monitor_challenge(m->monitor, c);
        helper_challenge(m->helper, c);
        manager_notify_status(m);
}

static void manager_unconfirmed(const Call *call, void *userdata) {
        Manager *m = userdata;

        audit_trail_refused(m->audit, call, IPC_INVALID_PARAMETER);
}

int manager_hold(Manager *m, Challenge *c) {
        int r = registry_add_challenge(&m->registry, c);
        if (r >= 0 && !life_is_final(c->view.state)) {
                c->factor->n_open++;
                m->n_open++;
        }
        return r;
}

static bool challenge_is_done_with(const Challenge *c, void *userdata) {
        const usec_t *now = userdata;

        /* The provider names the expiry, which may lie far away. */
        return life_is_final(c->view.state) &&
               (usec_add(c->view.expires, CHALLENGE_KEPT) < *now ||
                               usec_add(c->changed, USEC_PER_DAY) < now_realtime());
}

static void manager_prune_tickets(Manager *m, usec_t now) {
        usec_t retain = m->config->audit_retain;
        usec_t before = usec_sub(now, retain < TICKET_KEPT ? retain : TICKET_KEPT);
        _cleanup_free_ char *why = NULL;
        int r;

        r = store_tickets_prune(m->store, before, &why);
        if (r < 0)
                log_warning("Cannot drop old tickets from the store: %s; ignoring",
                                error_text(why, r));
}

static void manager_prune(Manager *m) {
        usec_t now = api_now(m->api);
        _cleanup_free_ char *why = NULL;
        int r;

        m->pruned = now_boottime();
        r = store_challenges_prune(m->store, usec_sub(now, TEXT_KEPT),
                        usec_sub(now, m->config->audit_retain), &why);
        if (r < 0)
                log_warning("Cannot drop old challenges from the store: %s; ignoring",
                                error_text(why, r));
        manager_prune_tickets(m, now);
}

static int manager_on_tidy(sd_event_source *s, uint64_t usec, void *userdata) {
        Manager *m = userdata;
        usec_t server_now = api_now(m->api);

        registry_drop_challenges(&m->registry, challenge_is_done_with, &server_now);
        if (m->registry.n_challenges < REGISTRY_CHALLENGES_MAX / 2)
                m->is_full = false;
        /* By the server's time: a wall clock that was set ahead makes nothing old. */
        if (api_clock(m->api)->heard && usec_add(m->pruned, PRUNE_INTERVAL) <= now_boottime())
                manager_prune(m);
        manager_tidy_prompts(m);
        tickets_tidy(m->tickets);
        examine_due(m);
        (void) sd_event_source_set_time_relative(s, TIDY_INTERVAL);
        return sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
}

static bool gid_in(gid_t gid, const gid_t *groups, size_t n) {
        for (size_t i = 0; i < n; i++)
                if (groups[i] == gid)
                        return true;
        return false;
}

/* uid 0, the daemon's own, and on the system socket the members of Group=. */
static bool manager_is_administrator(uid_t uid, int fd, void *userdata) {
        Manager *m = userdata;
        gid_t groups[NGROUPS_MAX];
        socklen_t size = sizeof(groups);
        struct ucred cred;
        socklen_t cred_size = sizeof(cred);

        if (uid == 0 || uid == geteuid())
                return true;
        if (!m->config->system || m->config->gid == (gid_t) -1)
                return false;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &cred_size) == 0 &&
                        cred.gid == m->config->gid)
                return true;
        return getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) == 0 &&
               gid_in(m->config->gid, groups, size / sizeof(gid_t));
}

static int manager_load_factors(Manager *m, char **reterr_msg) {
        StoreFactor *records = NULL;
        size_t n = 0, i;
        int r;

        r = store_factors_load(m->store, &records, &n, reterr_msg);
        if (r < 0)
                return r;
        for (i = 0; i < n && r >= 0; i++)
                r = manager_add_factor(m, &records[i], NULL, reterr_msg);
        for (i = 0; i < n; i++)
                store_factor_done(&records[i]);
        free(records);
        return r;
}

Factor *manager_factor_by_id(Manager *m, int64_t id) {
        for (size_t i = 0; i < m->registry.n_factors; i++)
                if (m->registry.factors[i]->record.id == id)
                        return m->registry.factors[i];
        return NULL;
}

static void manager_restore(Manager *m, const StoreChallenge *row) {
        _cleanup_(challenge_freep) Challenge *c = NULL;
        _cleanup_free_ char *why = NULL;
        Factor *f = manager_factor_by_id(m, row->factor_id);
        int r;

        if (!f)
                return;
        r = challenge_restore(&c, &m->host, f, row, &why);
        if (r >= 0)
                r = manager_hold(m, c);
        if (r < 0)
                log_warning("Cannot take challenge %s from the store: %s; ignoring", row->sid,
                                error_text(why, r));
        else
                c = NULL;
}

static int manager_load_challenges(Manager *m, char **reterr_msg) {
        StoreChallenge *rows = NULL;
        size_t n = 0;
        int r;

        r = store_challenges_load(m->store, now_realtime(), &rows, &n, reterr_msg);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                manager_restore(m, &rows[i]);
                store_challenge_done(&rows[i]);
        }
        free(rows);
        return 0;
}

static int manager_open_store(Manager *m, int *ret_exit, char **reterr_msg) {
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/store.key", m->config->state_directory) < 0)
                return -ENOMEM;
        KeySource key = key_source_file(path);
        *ret_exit = EXIT_STORE;
        r = store_open(&m->store, m->config->state_directory, &key, reterr_msg);
        if (r == -EBUSY)
                *ret_exit = EXIT_IN_USE;
        if (r < 0)
                return r;
        m->host.store = m->store;
        r = manager_prepare_prompts(m);
        if (r < 0)
                return r;
        m->host.prompts = m->prompts;
        r = tickets_new(&m->tickets, m->store, api_clock(m->api));
        if (r < 0)
                return r;
        m->host.tickets = m->tickets;
        r = audit_trail_new(&m->audit, m->event, m->store, m->api, m->config);
        if (r < 0)
                return r;
        r = manager_prepare_policy(m, reterr_msg);
        if (r >= 0)
                r = manager_load_factors(m, reterr_msg);
        if (r >= 0)
                r = manager_resume_budgets(m, reterr_msg);
        if (r >= 0)
                r = tickets_load(m->tickets, &m->registry, reterr_msg);
        if (r < 0)
                return r;
        return manager_load_challenges(m, reterr_msg);
}

static int manager_prepare_api(Manager *m, char **reterr_msg) {
        const Config *c = m->config;
        ApiOptions api = {
                        .http =
                                        {
                                                        .base_url = c->base_url,
                                                        .certificate_authority =
                                                                        c->certificate_authority,
                                                        .proxy = c->proxy,
                                                        .user_agent = "factord/" FACTORD_VERSION,
                                                        .connect_timeout = c->connect_timeout,
                                                        .request_timeout = c->request_timeout,
                                                        .stall_timeout = STALL_TIMEOUT,
                                                        .max_connections =
                                                                        c->max_concurrent_requests,
                                        },
                        .max_concurrent = c->max_concurrent_requests,
                        .requests_per_second = c->requests_per_second,
        };
        PollerOptions options = {c->poll_interval, c->poll_idle_interval};
        int r;

        r = api_new(&m->api, m->event, &api, reterr_msg);
        if (r < 0)
                return r;
        PollerHandler handler = manager_poll_handler(m);
        return poller_new(&m->poller, m->event, m->api, &options, &handler);
}

static void manager_clock_jumped(int64_t by, void *userdata) {
        Manager *m = userdata;
        usec_t size = usec_magnitude(by);
        usec_t unit = size >= USEC_PER_MINUTE ? USEC_PER_SEC : 100 * USEC_PER_MSEC;
        _cleanup_free_ char *span = NULL;

        server_clock_note_local(api_clock(m->api), now_realtime(), now_boottime());
        if (timespan_format((size + unit / 2) / unit * unit, &span) >= 0)
                log_notice("This machine's clock was set %s by %s; %s", by < 0 ? "back" : "forward",
                                span,
                                api_clock(m->api)->heard
                                                ? "the provider's time counts, nothing changes"
                                                : "no provider was heard yet, so it counts");
}

/* What came up meanwhile has waited long enough. */
static void manager_resumed(usec_t slept, void *userdata) {
        Manager *m = userdata;

        log_info("This machine slept for %" PRIu64 " s; polling now", slept / USEC_PER_SEC);
        api_refresh(m->api);
        manager_poke(m);
}

static int manager_watch_clock(Manager *m) {
        ClockWatchHandler handler = {
                        .jumped = manager_clock_jumped,
                        .resumed = manager_resumed,
                        .userdata = m,
        };

        return clock_watch_new(&m->clock_watch, m->event, &handler);
}

/* The facts that every answer carries. */
static int manager_gather_facts(Manager *m) {
        int r = metadata_facts_gather(&m->facts, m->config->metadata);
        for (size_t i = 0; r >= 0 && i < m->config->n_custom; i++) {
                r = metadata_facts_add(
                                &m->facts, m->config->custom[i].key, m->config->custom[i].value);
                if (r == -EEXIST) {
                        log_warning("[Device] Custom.%s is a known fact's name already; ignoring",
                                        m->config->custom[i].key);
                        r = 0;
                }
        }
        return r;
}

static int manager_prepare(Manager *m, const ErrorList *warnings) {
        int r;

        m->accounts = calloc(m->config->n_accounts + 1, sizeof(Account));
        if (!m->accounts)
                return -ENOMEM;
        for (size_t i = 0; i < m->config->n_accounts; i++)
                m->accounts[i].config = &m->config->accounts[i];
        for (size_t i = 0; i < warnings->n; i++) {
                r = error_list_add(&m->problems, "%s", warnings->messages[i]);
                if (r < 0)
                        return r;
        }
        r = manager_gather_facts(m);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(m->event, &m->tidy, CLOCK_BOOTTIME, TIDY_INTERVAL,
                        USEC_PER_SEC, manager_on_tidy, m);
        if (r < 0)
                return r;
        return monitor_new(&m->monitor);
}

static int manager_listen(Manager *m, int listen_fd, int *ret_exit, char **reterr_msg) {
        const Config *c = m->config;
        _cleanup_free_ char *folder = strdup(c->socket);
        char *slash = folder ? strrchr(folder, '/') : NULL;
        int r;

        if (!folder || !slash)
                return -ENOMEM;
        if (listen_fd < 0 && slash > folder) {
                *slash = '\0';
                *ret_exit = EXIT_CONFIGURATION;
                r = directory_make(folder, c->system ? 0755 : 0700, reterr_msg);
                if (r < 0)
                        return r;
        }
        VarlinkServerOptions options = {
                        .path = c->socket,
                        .mode = c->system ? 0666 : 0600,
                        .listen_fd = listen_fd,
                        .version = FACTORD_VERSION,
                        .is_administrator = manager_is_administrator,
                        .dispatch = manager_dispatch,
                        .userdata = m,
        };
        r = varlink_server_new(&m->server, m->event, &options, reterr_msg);
        *ret_exit = r == -EADDRINUSE ? EXIT_IN_USE : EXIT_FAILURE;
        return r;
}

/* polkit stands beside the system bus: a user's daemon, or one without a bus, does not ask it. */
static int manager_join_bus(Manager *m, char **reterr_msg) {
        BusKind kind = bus_kind(m->config);
        int r = 0;

        if (kind == BUS_SYSTEM)
                r = polkit_new(&m->polkit, m->event);
        if (r >= 0 && kind != BUS_NONE)
                r = bus_new(&m->bus, m, kind);
        return r < 0 ? error_set(reterr_msg, r, "D-Bus: %s", strerror(-r)) : 0;
}

int manager_new(Manager **ret,
                sd_event *event,
                const ManagerOptions *options,
                int *ret_exit,
                char **reterr_msg) {
        _cleanup_(manager_freep) Manager *m = NULL;
        int r;

        *ret_exit = EXIT_FAILURE;
        m = calloc(1, sizeof(Manager));
        if (!m)
                return -ENOMEM;
        m->event = sd_event_ref(event);
        m->config = options->config;
        m->source = options->source;
        m->started = now_realtime();
        m->host = (ChallengeHost){
                        .event = event,
                        .facts = &m->facts,
                        .changed = manager_challenge_changed,
                        .revoked = manager_revoked,
                        .unconfirmed = manager_unconfirmed,
                        .userdata = m,
        };
        manager_host_policy(&m->host);
        r = manager_prepare(m, options->warnings);
        if (r < 0)
                return r;
        *ret_exit = EXIT_CONFIGURATION;
        r = manager_prepare_api(m, reterr_msg);
        if (r < 0)
                return r;
        r = manager_watch_clock(m);
        if (r >= 0)
                r = manager_watch_sessions(m);
        if (r < 0)
                return r;
        m->host.api = m->api;
        r = manager_open_store(m, ret_exit, reterr_msg);
        if (r < 0)
                return r;
        r = manager_listen(m, options->listen_fd, ret_exit, reterr_msg);
        if (r < 0)
                return r;
        r = manager_join_bus(m, reterr_msg);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

void manager_start(Manager *m) {
        for (size_t i = 0; i < m->registry.n_challenges; i++)
                challenge_begin(m->registry.challenges[i]);
        manager_number_anew(m);
        for (size_t i = 0; i < m->registry.n_challenges; i++)
                helper_challenge(m->helper, m->registry.challenges[i]);
        enrollment_resume(m);
        for (size_t i = 0; i < m->registry.n_factors; i++)
                manager_poll_factor(m, m->registry.factors[i]);
        manager_notify_status(m);
}

Manager *manager_free(Manager *m) {
        if (!m)
                return NULL;
        /* Who asks goes first, then what answers, then what remembers. */
        clock_watch_free(m->clock_watch);
        helper_free(m->helper);
        session_lock_free(m->session_lock);
        authorize_cancel_all(m);
        polkit_free(m->polkit);
        enrollment_cancel_all(m);
        provider_cancel_all(m);
        examine_cancel_all(m);
        policy_replay_cancel_all(m);
        poller_free(m->poller);
        tickets_free(m->tickets);
        registry_done(&m->registry);
        deciders_free(m->deciders);
        rules_free(m->rules);
        bus_free(m->bus);
        prompts_free(m->prompts);
        monitor_free(m->monitor);
        m->audit = audit_trail_free(m->audit);
        varlink_server_free(m->server);
        api_free(m->api);
        store_close(m->store);
        sd_event_source_disable_unref(m->tidy);
        for (size_t i = 0; m->accounts && i < m->config->n_accounts; i++)
                free(m->accounts[i].error);
        free(m->accounts);
        metadata_facts_done(&m->facts);
        error_list_done(&m->problems);
        error_list_done(&m->faults);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}
