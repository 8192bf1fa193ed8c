/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's side of the socket: it knows the present state, and what becomes of a decision. */

#include "ipc-fixture.h"

#include "agent/decisions.h"
#include "agent/link.h"
#include "log/log.h"

#define SID "YC11111111111111111111111111111111"

/* A daemon of one challenge, and what the agent was told of it. */
typedef struct Daemon {
        Fixture *f;
        const char *state; /* of the challenge */
        Call *monitor, *decision, *list;
        bool holds_list;
        unsigned n_status, n_monitor;
        int64_t since;

        Link *link;
        Decisions *decisions;
        unsigned n_told, n_gone, n_changed;
        size_t n_requests;
} Daemon;

static void add(json_object *o, const char *key, json_object *value) {
        assert_true(json_object_object_add(o, key, value) >= 0);
}

static json_object *challenge(const Daemon *d) {
        char text[1024];

        snprintf(text, sizeof(text),
                        "{\"sid\":\"" SID
                        "\",\"digest\":\"%064d\",\"factor\":\"laptop\",\"state\":"
                        "\"%s\",\"expires\":\"2036-01-02T03:04:05Z\"}",
                        0, d->state);
        return json_tokener_parse(text);
}

static json_object *list_of(const char *key, json_object *value) {
        json_object *o = json_object_new_object(), *list = json_object_new_array();

        if (value)
                json_object_array_add(list, value);
        add(o, key, list);
        return o;
}

/* One item a reply, as the daemon does. */
static void answer_list(Call *call, const char *key, json_object *value) {
        if (value)
                assert_int_equal(call_reply_more(call, list_of(key, value)), 0);
        (void) call_reply(call, list_of(key, NULL));
        call_unref(call);
}

static void answer_status(Daemon *d, Call *call) {
        json_object *o = json_object_new_object(), *status = json_object_new_object();

        d->n_status++;
        add(status, "sequence", json_object_new_int64(40 + d->n_status));
        add(o, "status", status);
        (void) call_reply(call, o);
        call_unref(call);
}

static void dispatch(Call *call, void *userdata) {
        Daemon *d = userdata;

        switch (call_operation(call)) {
        case OPERATION_GET_STATUS:
                answer_status(d, call);
                return;
        case OPERATION_LIST_FACTORS:
                answer_list(call, "factors", NULL);
                return;
        case OPERATION_LIST_CHALLENGES:
                if (d->holds_list) {
                        d->list = call;
                        return;
                }
                answer_list(call, "challenges", challenge(d));
                return;
        case OPERATION_MONITOR:
                d->since = json_object_get_int64(json_doc_value(call_parameters(call), "since"));
                d->monitor = call_unref(d->monitor);
                d->monitor = call;
                d->n_monitor++;
                return;
        default:
                assert_null(d->decision);
                d->decision = call;
        }
}

static bool is_administrator(uid_t uid, int fd, void *userdata) {
        return false;
}

static int daemon_path(void *userdata, char **ret) {
        const Daemon *d = userdata;

        *ret = strdup(d->f->path);
        return *ret ? 0 : -ENOMEM;
}

static void on_world(void *userdata, World *w, json_object *challenges, usec_t asked) {
        Daemon *d = userdata;

        d->n_requests = w->n_requests;
        if (!w->connected) {
                d->n_gone++;
                return;
        }
        d->n_told++;
        decisions_look(d->decisions, challenges, asked);
        link_want_final(d->link, decisions_wait(d->decisions));
}

static void on_decisions(void *userdata) {
        Daemon *d = userdata;

        d->n_changed++;
        link_want_final(d->link, decisions_wait(d->decisions));
        link_refresh(d->link);
}

static const LinkHooks hooks = {.path = daemon_path, .changed = on_world};

static void daemon_start(Daemon *d) {
        d->f->options.dispatch = dispatch;
        d->f->options.is_administrator = is_administrator;
        d->f->options.userdata = d;
        fixture_start(d->f);
}

static void daemon_end(Daemon *d) {
        d->f->server = varlink_server_free(d->f->server);
        d->monitor = call_unref(d->monitor);
        d->decision = call_unref(d->decision);
}

static int setup(void **state) {
        Daemon *d = calloc(1, sizeof(*d));
        void *fixture;

        assert_non_null(d);
        assert_int_equal(fixture_setup(&fixture), 0);
        d->f = fixture;
        d->state = "asking";
        daemon_end(d);
        daemon_start(d);
        assert_int_equal(decisions_new(&d->decisions, d->f->event, on_decisions, d), 0);
        assert_int_equal(link_new(&d->link, d->f->event, 0, &hooks, d), 0);
        *state = d;
        return 0;
}

static int teardown(void **state) {
        Daemon *d = *state;
        void *fixture = d->f;

        link_free(d->link);
        decisions_free(d->decisions);
        daemon_end(d);
        (void) fixture_teardown(&fixture);
        free(d);
        return 0;
}

static void follow(Daemon *d) {
        pump_until(d->f, d->n_told == 1 && d->n_monitor == 1);
        assert_int_equal(d->n_requests, 1);
}

static void emit(Daemon *d) {
        json_object *o = json_object_new_object();

        add(o, "event", json_object_new_object());
        assert_int_equal(call_reply_more(d->monitor, o), 0);
}

static void test_follows(void **state) {
        Daemon *d = *state;

        follow(d);
        /* Whatever happens after the state was asked for is heard of. */
        assert_int_equal(d->since, 41);
        d->state = "approved";
        emit(d);
        pump_until(d->f, d->n_requests == 0);
        assert_int_equal(d->n_gone, 0);
}

static void test_burst(void **state) {
        Daemon *d = *state;

        follow(d);
        for (unsigned i = 0; i < 500; i++)
                emit(d);
        d->state = "approved";
        emit(d);
        pump_until(d->f, d->n_requests == 0);
        assert_in_range(d->n_status, 2, 10);
}

/* What happens while the state is asked for is asked for again. */
static void test_event_while_asking(void **state) {
        Daemon *d = *state;

        follow(d);
        emit(d);
        pump_until(d->f, d->n_status == 2);
        d->state = "approved";
        emit(d);
        pump_until(d->f, d->n_requests == 0);
}

static void test_events_lost(void **state) {
        Daemon *d = *state;

        follow(d);
        d->state = "approved";
        assert_int_equal(call_error(d->monitor, IPC_EVENTS_LOST, NULL, "lost"), 0);
        pump_until(d->f, d->n_monitor == 2 && d->n_requests == 0);
        assert_int_equal(d->n_gone, 0);
}

static void test_restart(void **state) {
        Daemon *d = *state;

        follow(d);
        daemon_end(d);
        pump_until(d->f, d->n_gone == 1);
        assert_int_equal(d->n_requests, 0);
        daemon_start(d);
        pump_until(d->f, d->n_told == 2 && d->n_monitor == 2);
        assert_int_equal(d->n_requests, 1);
        assert_int_equal(d->n_gone, 1);
}

/* Decisions. */

static size_t count(Daemon *d, const char *summary) {
        World w = {0};
        PlanInput in = {.world = &w, .now = USEC_PER_DAY};
        size_t n = 0;

        decisions_fill(d->decisions, &in);
        for (size_t i = 0; i < in.n_outcomes; i++)
                n += streq(in.outcomes[i].summary, summary);
        return n;
}

static size_t count_deciding(Daemon *d) {
        World w = {0};
        PlanInput in = {.world = &w};

        decisions_fill(d->decisions, &in);
        return in.n_deciding;
}

static void decide(Daemon *d) {
        NoticeAction a = {.kind = ACTION_APPROVE, .sid = SID};

        memset(a.digest, '7', SHA256_HEX_SIZE - 1);
        decisions_send(d->decisions, d->f->path, &a, "laptop");
        pump_until(d->f, d->decision);
        assert_int_equal(call_operation(d->decision), OPERATION_APPROVE);
        assert_string_equal(json_object_get_string(
                                            json_doc_value(call_parameters(d->decision), "digest")),
                        a.digest);
        assert_string_equal(
                        json_object_get_string(json_doc_value(call_parameters(d->decision), "sid")),
                        SID);
}

static void reply(Daemon *d) {
        json_object *o = json_object_new_object();

        add(o, "challenge", challenge(d));
        (void) call_reply(d->decision, o);
        d->decision = call_unref(d->decision);
}

static void test_approved(void **state) {
        Daemon *d = *state;

        follow(d);
        decide(d);
        assert_int_equal(count_deciding(d), 1);
        d->state = "approved";
        reply(d);
        pump_until(d->f, d->n_changed == 1);
        assert_int_equal(count(d, "Approved: laptop"), 1);
        /* The state that is known is older: it asks nobody. */
        assert_int_equal(d->n_requests, 1);
        assert_int_equal(count_deciding(d), 1);
        pump_until(d->f, d->n_requests == 0 && count_deciding(d) == 0);
        assert_int_equal(count(d, "Approved: laptop"), 1);
}

/* A state that was asked for before the answer came is older, too. */
static void test_approved_while_asking(void **state) {
        Daemon *d = *state;

        follow(d);
        d->holds_list = true;
        emit(d);
        pump_until(d->f, d->list);
        decide(d);
        d->state = "approved";
        reply(d);
        pump_until(d->f, d->n_changed == 1);
        d->state = "asking";
        answer_list(TAKE_PTR(d->list), "challenges", challenge(d));
        pump_until(d->f, d->n_told == 2);
        assert_int_equal(d->n_requests, 1);
        assert_int_equal(count_deciding(d), 1);
        d->state = "approved";
        pump_until(d->f, d->list);
        answer_list(TAKE_PTR(d->list), "challenges", challenge(d));
        pump_until(d->f, d->n_told == 3);
        assert_int_equal(d->n_requests, 0);
        assert_int_equal(count_deciding(d), 0);
}

static void test_refused(void **state) {
        Daemon *d = *state;

        follow(d);
        decide(d);
        (void) call_error(d->decision, IPC_STALE, NULL, "changed");
        d->decision = call_unref(d->decision);
        pump_until(d->f, count(d, "Not approved: laptop") == 1);
        /* It is asked again. */
        pump_until(d->f, count_deciding(d) == 0);
        assert_int_equal(d->n_requests, 1);
}

static void test_unconfirmed(void **state) {
        Daemon *d = *state;

        follow(d);
        decide(d);
        d->state = "submitted";
        (void) call_error(d->decision, IPC_UNCONFIRMED, NULL, "wait");
        d->decision = call_unref(d->decision);
        pump_until(d->f, count(d, "Not confirmed yet: laptop") == 1 && d->n_told == 2);
        assert_int_equal(count_deciding(d), 1);
        d->state = "approved";
        emit(d);
        pump_until(d->f, count(d, "Approved: laptop") == 1);
        assert_int_equal(count(d, "Not confirmed yet: laptop"), 0);
        assert_int_equal(count_deciding(d), 0);
}

/* The daemon ends after it took the decision: what became of it is told when it is back. */
static void test_restart_while_deciding(void **state) {
        Daemon *d = *state;

        follow(d);
        decide(d);
        daemon_end(d);
        pump_until(d->f, d->n_gone == 1 && d->n_changed == 1);
        assert_int_equal(count_deciding(d), 1);
        d->state = "approved";
        daemon_start(d);
        pump_until(d->f, count(d, "Approved: laptop") == 1);
        assert_int_equal(count_deciding(d), 0);
}

static void test_no_daemon(void **state) {
        NoticeAction a = {.kind = ACTION_DENY, .sid = SID};
        Daemon *d = *state;

        decisions_send(d->decisions, "/no/such/socket", &a, "laptop");
        assert_int_equal(count(d, "Not denied: laptop"), 1);
}

#define DAEMON(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                        DAEMON(test_follows),
                        DAEMON(test_burst),
                        DAEMON(test_event_while_asking),
                        DAEMON(test_events_lost),
                        DAEMON(test_restart),
                        DAEMON(test_approved),
                        DAEMON(test_approved_while_asking),
                        DAEMON(test_refused),
                        DAEMON(test_unconfirmed),
                        DAEMON(test_restart_while_deciding),
                        DAEMON(test_no_daemon),
        };

        log_open("test-agent-link", LOG_EMERG);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
