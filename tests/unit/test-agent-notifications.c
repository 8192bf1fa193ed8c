/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent to a notification server, and what its answers and a person's clicks do. */

#include "agent-fixture.h"

#include <errno.h>

#include "agent/notifications.h"

#define DELAY (500 * USEC_PER_MSEC)
/* Keys of the first request's buttons. */
#define FOUR(c) c c c c
#define SIXTEEN(c) FOUR(FOUR(c))
#define APPROVE "approve-" SIXTEEN("1")
#define DENY "deny-" SIXTEEN("1")

/* A notification server that answers when it is told to, and the agent's part in between. */
typedef struct Server {
        Scene *scene;
        Notifications *notifications;
        usec_t now;

        Standing *asked[8]; /* Notify calls that are not answered yet, in order */
        uint32_t replaces[8];
        char body[8][512];
        size_t n_asked;
        uint32_t next_id;
        uint32_t closed; /* the last id that the agent closed */
        unsigned n_notify, n_close;
        bool fails;

        NoticeAction action; /* the last one */
        unsigned n_actions, n_dismissed;
        bool armed, current;
} Server;

static int server_notify(void *userdata, const Notice *n, uint32_t replaces, Standing *s) {
        Server *v = userdata;

        if (v->fails)
                return -EIO;
        assert_true(v->n_asked < ELEMENTSOF(v->asked));
        v->asked[v->n_asked] = s;
        v->replaces[v->n_asked] = replaces;
        snprintf(v->body[v->n_asked], sizeof(v->body[0]), "%s", n->body);
        v->n_asked++;
        v->n_notify++;
        return 0;
}

static void server_close(void *userdata, uint32_t id) {
        Server *v = userdata;

        v->closed = id;
        v->n_close++;
}

static void replan(Server *v) {
        (void) scene_plan(v->scene);
        assert_int_equal(notifications_set(v->notifications, &v->scene->plan), 0);
}

static void server_action(void *userdata, const NoticeAction *a, bool armed, bool current) {
        Server *v = userdata;

        v->action = *a;
        v->armed = armed;
        v->current = current;
        v->n_actions++;
        replan(v);
}

static void server_dismissed(void *userdata, NoticeType type) {
        Server *v = userdata;

        v->n_dismissed++;
        v->scene->in.opened = "";
        replan(v);
}

static const NotificationsHooks hooks = {
                .notify = server_notify,
                .close = server_close,
                .action = server_action,
                .dismissed = server_dismissed,
};

/* Answers the oldest Notify with its own id if it replaces one, else with a new one. */
static uint32_t answer(Server *v) {
        Standing *s = v->asked[0];
        uint32_t id = v->replaces[0] ? v->replaces[0] : v->next_id++;

        assert_true(v->n_asked > 0);
        v->n_asked--;
        memmove(v->asked, v->asked + 1, sizeof(v->asked) - sizeof(v->asked[0]));
        memmove(v->replaces, v->replaces + 1, sizeof(v->replaces) - sizeof(v->replaces[0]));
        memmove(v->body, v->body + 1, sizeof(v->body) - sizeof(v->body[0]));
        notifications_shown(v->notifications, s, id, v->now);
        return id;
}

static void click(Server *v, uint32_t id, const char *key) {
        notifications_clicked(v->notifications, id, key, v->now, DELAY);
}

static int setup(void **state) {
        Server *v = calloc(1, sizeof(*v));
        void *scene;

        assert_non_null(v);
        assert_int_equal(scene_setup(&scene), 0);
        v->scene = scene;
        v->now = 100 * USEC_PER_SEC;
        v->next_id = 7;
        assert_int_equal(notifications_new(&v->notifications, &hooks, v), 0);
        notifications_ready(v->notifications);
        *state = v;
        return 0;
}

static int teardown(void **state) {
        Server *v = *state;
        void *scene = v->scene;

        notifications_free(v->notifications);
        (void) scene_teardown(&scene);
        free(v);
        return 0;
}

/* One request stands, shown just now. */
static uint32_t show_one(Server *v) {
        scene_add(v->scene, challenge('1', NULL));
        replan(v);
        assert_int_equal(v->n_asked, 1);
        assert_int_equal(v->replaces[0], 0);
        return answer(v);
}

static void remove_all(Server *v) {
        world_done(&v->scene->world);
        v->scene->world.connected = true;
        replan(v);
}

static void test_shown_once(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        replan(v);
        replan(v);
        assert_int_equal(v->n_notify, 1);
        remove_all(v);
        assert_int_equal(v->closed, id);
        assert_int_equal(v->n_close, 1);
        assert_false(notifications_wanted(v->notifications));
        replan(v);
        assert_int_equal(v->n_close, 1);
}

static void test_replaced(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->scene->in.now += USEC_PER_MINUTE;
        replan(v);
        assert_int_equal(v->n_notify, 2);
        assert_int_equal(v->replaces[0], id);
        /* One at a time: what changes meanwhile goes out when this one is answered. */
        v->scene->in.now += USEC_PER_MINUTE;
        replan(v);
        replan(v);
        assert_int_equal(v->n_notify, 2);
        assert_int_equal(answer(v), id);
        assert_int_equal(v->n_notify, 3);
        assert_contains(v->body[0], "2min left");
        assert_int_equal(answer(v), id);
        assert_int_equal(v->n_close, 0);
}

static void test_withdrawn_while_sent(void **state) {
        Server *v = *state;
        uint32_t id;

        scene_add(v->scene, challenge('1', NULL));
        replan(v);
        remove_all(v);
        assert_int_equal(v->n_close, 0);
        id = answer(v);
        assert_int_equal(v->closed, id);
        assert_int_equal(v->n_close, 1);
}

static void test_other_id(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);
        Standing *s;

        v->scene->in.now += USEC_PER_MINUTE;
        replan(v);
        s = v->asked[0];
        v->n_asked = 0;
        notifications_shown(v->notifications, s, 99, v->now);
        assert_int_equal(v->closed, id);
        remove_all(v);
        assert_int_equal(v->closed, 99);
}

/* Clicks. */

static void test_approve(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->now += DELAY;
        click(v, id, APPROVE);
        assert_int_equal(v->n_actions, 1);
        assert_int_equal(v->action.kind, ACTION_APPROVE);
        assert_string_equal(v->action.sid, sid_of('1'));
        assert_true(v->armed && v->current);
        /* The id is given up at once: a second click on it is nothing. */
        click(v, id, APPROVE);
        assert_int_equal(v->n_actions, 1);
}

static void test_not_ours(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->now += DELAY;
        click(v, id + 1, APPROVE);
        click(v, 0, APPROVE);
        click(v, id, "no such");
        click(v, id, "");
        notifications_closed(v->notifications, id + 1, 2);
        notifications_closed(v->notifications, 0, 2);
        assert_int_equal(v->n_actions + v->n_dismissed, 0);
        assert_int_equal(v->n_notify, 1);
}

static void test_arm_delay(void **state) {
        static const char *const keys[] = {APPROVE, DENY};
        Server *v = *state;
        uint32_t id = show_one(v);

        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                v->now += DELAY - 1;
                click(v, id, keys[i]);
                assert_false(v->armed);
                /* The server closes what was clicked: it stands again, and waits again. */
                notifications_closed(v->notifications, id, 2);
                assert_int_equal(v->n_dismissed, 0);
                assert_int_equal(v->n_asked, 1);
                assert_int_equal(v->replaces[0], 0);
                id = answer(v);
        }
        v->now += DELAY;
        click(v, id, DENY);
        assert_true(v->armed && v->current);
}

/* Drawing the time that is left is no reason to wait again. */
static void test_time_left_keeps_armed(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->now += DELAY;
        v->scene->in.now += USEC_PER_MINUTE;
        replan(v);
        assert_int_equal(answer(v), id);
        click(v, id, APPROVE);
        assert_true(v->armed && v->current);
}

/* A click counts for what was shown when it came: the answer to Notify tells before from after. */
static void test_meaning_changes(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->now += DELAY;
        scene_add(v->scene, challenge('2', NULL));
        replan(v);
        assert_int_equal(v->n_asked, 1);
        click(v, id, APPROVE);
        assert_string_equal(v->action.sid, sid_of('1'));
        assert_true(v->armed);
        assert_false(v->current);

        id = answer(v);
        click(v, id, APPROVE);
        assert_int_equal(v->n_actions, 1);
        click(v, id, "review-2");
        assert_int_equal(v->action.kind, ACTION_OPEN);
        assert_false(v->armed);
}

static void test_replaced_meaning_waits(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->now += DELAY;
        scene_add(v->scene, challenge('2', NULL));
        v->scene->in.opened = sid_of('2');
        replan(v);
        assert_int_equal(answer(v), id);
        v->now += DELAY - 1;
        click(v, id, "approve-" SIXTEEN("2"));
        assert_string_equal(v->action.sid, sid_of('2'));
        assert_false(v->armed);
}

/* A menu that stood open while what it was about went, and something else came in its place. */
static void test_old_menu(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        world_done(&v->scene->world);
        v->scene->world.connected = true;
        scene_add(v->scene, challenge('2', NULL));
        replan(v);
        assert_int_equal(v->replaces[0], id);
        assert_int_equal(answer(v), id);
        v->now += DELAY;
        click(v, id, APPROVE);
        assert_int_equal(v->n_actions, 0);
        click(v, id, "approve-" SIXTEEN("2"));
        assert_int_equal(v->n_actions, 1);
}

/* A click that does not count, while the same is drawn anew: what the server draws stays. */
static void test_clicked_while_sent(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->scene->in.now += USEC_PER_MINUTE;
        replan(v);
        click(v, id, DENY);
        assert_false(v->armed);
        notifications_closed(v->notifications, id, 2);
        assert_int_equal(answer(v), id);
        assert_int_equal(v->n_close + v->n_dismissed, 0);
        v->now += DELAY;
        click(v, id, DENY);
        assert_true(v->armed && v->current);
}

/* Sent away. */

static void test_dismissed(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        notifications_closed(v->notifications, id, 2);
        assert_int_equal(v->n_dismissed, 1);
        v->scene->in.now += 2 * USEC_PER_MINUTE;
        replan(v);
        assert_int_equal(v->n_notify, 1);
        /* Another request brings it back, and is another matter to be sent away. */
        scene_add(v->scene, challenge('2', NULL));
        replan(v);
        assert_int_equal(v->n_notify, 2);
        notifications_closed(v->notifications, answer(v), 2);
        replan(v);
        assert_int_equal(v->n_notify, 2);
        /* And what comes back after it had gone is asked anew. */
        remove_all(v);
        (void) show_one(v);
        assert_int_equal(v->n_notify, 3);
}

static void test_dismissed_details(void **state) {
        Server *v = *state;
        uint32_t id;

        v->scene->in.opened = sid_of('1');
        id = show_one(v);
        notifications_closed(v->notifications, id, 2);
        assert_string_equal(v->scene->in.opened, "");
        assert_int_equal(v->n_notify, 1);
}

/* A review that is sent away leaves what there is to compare. */
static void test_dismissed_review(void **state) {
        Server *v = *state;

        scene_add(v->scene, challenge('2', NULL));
        v->scene->in.opened = sid_of('2');
        notifications_closed(v->notifications, show_one(v), 2);
        assert_int_equal(v->n_asked, 1);
        assert_contains(v->body[0], "1. laptop");
}

static void test_ran_out(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        notifications_closed(v->notifications, id, 1);
        assert_int_equal(v->n_dismissed, 0);
        replan(v);
        assert_int_equal(v->n_notify, 1);
        v->scene->in.now += USEC_PER_MINUTE;
        replan(v);
        assert_int_equal(v->n_notify, 2);
}

/* Closed by the server before it read what replaces it. */
static void test_closed_while_sent(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->scene->in.now += USEC_PER_MINUTE;
        replan(v);
        notifications_closed(v->notifications, id, 2);
        assert_int_equal(v->n_dismissed, 0);
        id = answer(v);
        v->now += DELAY - 1;
        click(v, id, APPROVE);
        assert_false(v->armed);
}

/* The server. */

static void test_restart(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->scene->in.now += USEC_PER_MINUTE;
        replan(v);
        notifications_forget(v->notifications);
        v->n_asked = 0;
        click(v, id, APPROVE);
        replan(v);
        assert_int_equal(v->n_notify, 2);
        assert_int_equal(v->n_actions, 0);
        notifications_ready(v->notifications);
        assert_int_equal(v->n_asked, 1);
        assert_int_equal(v->replaces[0], 0);
        v->now += DELAY;
        id = answer(v);
        click(v, id, APPROVE);
        assert_false(v->armed);
}

static void test_gone_meanwhile(void **state) {
        Server *v = *state;

        (void) show_one(v);
        notifications_forget(v->notifications);
        remove_all(v);
        notifications_ready(v->notifications);
        assert_int_equal(v->n_notify, 1);
        assert_int_equal(v->n_close, 0);
}

static void test_refused(void **state) {
        Server *v = *state;
        Standing *s;

        scene_add(v->scene, challenge('1', NULL));
        replan(v);
        s = v->asked[0];
        v->n_asked = 0;
        notifications_refused(v->notifications, s);
        assert_true(notifications_has_refused(v->notifications));
        replan(v);
        assert_int_equal(v->n_notify, 1);
        v->fails = true;
        notifications_retry(v->notifications);
        assert_true(notifications_has_refused(v->notifications));
        v->fails = false;
        notifications_retry(v->notifications);
        assert_int_equal(v->n_notify, 2);
        (void) answer(v);
        assert_false(notifications_has_refused(v->notifications));
}

/* What could not be replaced is withdrawn all the same. */
static void test_refused_replacement(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        v->fails = true;
        v->scene->in.now += USEC_PER_MINUTE;
        replan(v);
        remove_all(v);
        assert_int_equal(v->closed, id);
}

static void test_close_all(void **state) {
        Server *v = *state;
        uint32_t id = show_one(v);

        notifications_close_all(v->notifications);
        assert_int_equal(v->closed, id);
}

#define SERVER(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                        SERVER(test_shown_once),
                        SERVER(test_replaced),
                        SERVER(test_withdrawn_while_sent),
                        SERVER(test_other_id),
                        SERVER(test_approve),
                        SERVER(test_not_ours),
                        SERVER(test_arm_delay),
                        SERVER(test_time_left_keeps_armed),
                        SERVER(test_meaning_changes),
                        SERVER(test_replaced_meaning_waits),
                        SERVER(test_old_menu),
                        SERVER(test_clicked_while_sent),
                        SERVER(test_dismissed),
                        SERVER(test_dismissed_details),
                        SERVER(test_dismissed_review),
                        SERVER(test_ran_out),
                        SERVER(test_closed_while_sent),
                        SERVER(test_restart),
                        SERVER(test_gone_meanwhile),
                        SERVER(test_refused),
                        SERVER(test_refused_replacement),
                        SERVER(test_close_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
