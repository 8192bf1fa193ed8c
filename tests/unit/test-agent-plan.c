/* SPDX-License-Identifier: Apache-2.0 */
/* Which notifications stand, and what a click on them means. */

#include "agent-fixture.h"

/* One request. */

static void test_nothing(void **state) {
        Scene *s = *state;

        assert_int_equal(scene_plan(s)->n, 0);
        assert_true(s->plan.next == USEC_INFINITY);
        s->world.connected = false;
        scene_add(s, challenge('1', NULL));
        assert_int_equal(scene_plan(s)->n, 0);
}

static void test_single(void **state) {
        Scene *s = *state;
        const NoticeAction *a;
        const Notice *n;

        scene_add(s, challenge('1', "\"fields\":[{\"label\":\"IP\",\"value\":\"192.0.2.1\"}]"));
        n = scene_prompt(s);
        assert_string_equal(n->summary, "Approve? laptop");
        assert_string_equal(n->body,
                        "Factor laptop, 4min left\n"
                        "\xE2\x80\x9CSign in?\xE2\x80\x9D\n"
                        "| IP: 192.0.2.1");
        assert_string_equal(action_keys(n), "default approve deny ");
        a = find_action(n, "approve");
        assert_int_equal(a->kind, ACTION_APPROVE);
        assert_string_equal(a->sid, sid_of('1'));
        assert_string_equal(a->digest, s->world.requests[0].digest);
        assert_int_equal(n->lasts, s->world.requests[0].expires - s->in.now);
        assert_int_equal(find_action(n, "default")->kind, ACTION_OPEN);
        assert_string_equal(find_action(n, "default")->label, "Details");
        assert_int_equal(find_action(n, "deny")->kind, ACTION_DENY);
}

static void test_other_states(void **state) {
        Scene *s = *state;

        scene_add(s, challenge('1', "\"state\":\"answering\""));
        scene_add(s, challenge('2', "\"state\":\"approved\""));
        scene_add(s, challenge('3', "\"state\":\"no such\""));
        assert_int_equal(scene_plan(s)->n, 0);
}

static void test_totp(void **state) {
        Scene *s = *state;
        const Notice *n;

        scene_add(s, challenge('1', "\"factor_type\":\"totp\",\"message\":null"));
        n = scene_prompt(s);
        assert_string_equal(n->body, "Factor laptop, 4min left");
        assert_string_equal(action_keys(n), "default approve ignore ");
        assert_int_equal(find_action(n, "ignore")->kind, ACTION_IGNORE);
        s->in.actions = s->in.buttons = false;
        n = scene_prompt(s);
        assert_int_equal(count_lines(n->body, "factorctl ignore YC11"), 1);
        assert_lacks(n->body, "deny");
}

static void test_details(void **state) {
        Scene *s = *state;
        const Notice *n;

        scene_add(s, challenge('1', NULL));
        s->in.opened = sid_of('1');
        s->in.options = " --system";
        n = scene_prompt(s);
        assert_contains(n->body, "\nIdentity: alice-001\n");
        assert_contains(n->body, "\nService: VA000");
        assert_contains(n->body, "\nChallenge: YC111");
        assert_contains(n->body, "\nCreated: 2026-01-02T03:03:01Z\n");
        assert_contains(n->body, "\nExpires: 2026-01-02T03:08:35Z\n");
        assert_contains(n->body, "\nfactorctl approve YC11111111111111111111111111111111 --system");
        assert_string_equal(action_keys(n), "default approve deny ");
        assert_int_equal(find_action(n, "default")->kind, ACTION_OPEN);
        assert_string_equal(find_action(n, "default")->label, "");
}

/* Nobody says yes to what was left out. */
static void test_long(void **state) {
        Scene *s = *state;
        json_object *o = challenge('1', NULL), *fields = json_object_new_array();
        char text[256], *before;
        const Notice *n;

        for (unsigned i = 0; i < 20; i++) {
                snprintf(text, sizeof(text), "{\"label\":\"%036u\",\"value\":\"%0128u\"}", i, i);
                json_object_array_add(fields, parse(text));
        }
        set(o, "fields", fields);
        scene_add(s, o);
        n = scene_prompt(s);
        assert_int_equal(count_lines(n->body, "| "), PLAN_FIELDS_MAX);
        assert_contains(n->body, "not all of it");
        assert_string_equal(action_keys(n), "default details deny ");
        assert_int_equal(find_action(n, "details")->kind, ACTION_OPEN);
        /* A server that draws a button for the default action draws none without a label. */
        assert_string_equal(find_action(n, "details")->label, "Details");
        assert_string_equal(find_action(n, "default")->label, "");
        before = strdup(n->meaning);

        s->in.opened = sid_of('1');
        n = scene_prompt(s);
        assert_int_equal(count_lines(n->body, "| "), 20);
        snprintf(text, sizeof(text), "\n| %036u: %0128u", 19, 19);
        assert_contains(n->body, text);
        assert_lacks(n->body, "not all of it");
        assert_string_equal(action_keys(n), "default approve deny ");
        /* The button that comes up waits for the arm delay. */
        assert_string_not_equal(n->meaning, before);
        free(before);

        /* Where nothing can be opened all is there at once. */
        s->in.opened = "";
        s->in.actions = s->in.buttons = false;
        n = scene_prompt(s);
        assert_int_equal(count_lines(n->body, "| "), 20);
        assert_int_equal(count_lines(n->body, "factorctl approve "), 1);
}

static void test_long_message(void **state) {
        char text[1024], message[700];
        Scene *s = *state;
        const Notice *n;

        memset(message, 'm', sizeof(message));
        message[PLAN_TEXT_MAX] = '\0';
        snprintf(text, sizeof(text), "\"message\":\"%s\"", message);
        scene_add(s, challenge('1', text));
        assert_non_null(find_action(scene_prompt(s), "approve"));
        message[PLAN_TEXT_MAX] = 'm';
        message[PLAN_TEXT_MAX + 1] = '\0';
        snprintf(text, sizeof(text), "\"message\":\"%s\",\"expires\":\"2026-01-02T03:08:35Z\"",
                        message);
        world_done(&s->world);
        s->world.connected = true;
        scene_add(s, challenge('1', text));
        n = scene_prompt(s);
        assert_null(find_action(n, "approve"));
        assert_contains(n->body, "mmm\xE2\x80\xA6\xE2\x80\x9D\n");
}

static void test_no_actions(void **state) {
        Scene *s = *state;
        const Notice *n;

        scene_add(s, challenge('1', NULL));
        s->in.actions = s->in.buttons = false;
        n = scene_prompt(s);
        assert_int_equal(n->n_actions, 0);
        assert_contains(n->body,
                        "\nfactorctl approve YC11111111111111111111111111111111\n"
                        "factorctl deny YC11111111111111111111111111111111");
}

/* A server that takes actions and draws none: they are there for its own menu, and the commands. */
static void test_no_buttons(void **state) {
        Scene *s = *state;
        const Notice *n;

        scene_add(s, challenge('1', NULL));
        s->in.buttons = false;
        n = scene_prompt(s);
        assert_string_equal(action_keys(n), "default approve deny ");
        assert_contains(n->body,
                        "\nfactorctl approve YC11111111111111111111111111111111\n"
                        "factorctl deny YC11111111111111111111111111111111");
        scene_add(s, challenge('2', NULL));
        n = scene_prompt(s);
        assert_string_equal(action_keys(n), "default review-1 review-2 ");
        assert_contains(n->body, "\nfactorctl deny YC22222222222222222222222222222222");
}

/* What may be cut off must not leave a command that decides unseen. */
static void test_no_buttons_long(void **state) {
        Scene *s = *state;
        const Notice *n;
        char more[512];

        snprintf(more, sizeof(more), "\"message\":\"%0121d\"", 0);
        scene_add(s, challenge('1', more));
        s->in.actions = s->in.buttons = false;
        n = scene_prompt(s);
        assert_contains(n->body,
                        "\nfactorctl approve YC11111111111111\nfactorctl deny YC11111111111111");
        assert_null(strstr(n->body, "YC111111111111111"));
        s->in.actions = s->in.buttons = true;
        s->in.opened = sid_of('1');
        assert_contains(scene_prompt(s)->body,
                        "\nfactorctl approve YC11111111111111111111111111111111");
}

static void test_deciding(void **state) {
        const char deciding[1][SID_SIZE] = {"YC11111111111111111111111111111111"};
        Scene *s = *state;

        scene_add(s, challenge('1', NULL));
        scene_add(s, challenge('2', NULL));
        s->in.deciding = deciding;
        s->in.n_deciding = 1;
        /* What is decided asks nothing, and is not in the way of the other. */
        assert_string_equal(find_action(scene_prompt(s), "approve")->sid, sid_of('2'));
}

/* What approving wants typed. */

static void check_confirm(Scene *s, const char *more, bool typed) {
        char line[64];
        const Notice *n;

        world_done(&s->world);
        s->world.connected = true;
        scene_add(s, challenge('1', more));
        snprintf(line, sizeof(line), "factorctl approve %.34s", sid_of('1'));
        s->in.actions = s->in.buttons = true;
        for (unsigned opened = 0; opened < 2; opened++) {
                s->in.opened = opened ? sid_of('1') : "";
                n = scene_prompt(s);
                assert_string_equal(action_keys(n), "default deny ");
                assert_int_equal(count_lines(n->body, line), typed);
        }
        s->in.actions = s->in.buttons = false;
        assert_int_equal(count_lines(scene_prompt(s)->body, line), typed);
}

static void test_confirm(void **state) {
        Scene *s = *state;

        check_confirm(s, "\"confirm\":\"sid\"", true);
        check_confirm(s, "\"confirm\":\"field\",\"confirm_field\":\"Number\"", true);
        check_confirm(s, "\"confirm\":\"never\"", false);
        /* A kind that a newer daemon knows is no reason for a button. */
        check_confirm(s, "\"confirm\":\"fingerprint\"", true);
}

static void test_confirm_field_is_withheld(void **state) {
        Scene *s = *state;

        scene_add(s, challenge('1', "\"confirm\":\"field\",\"confirm_field\":\"Number\",\"fields\":"
                                    "[{\"label\":\"Number\",\"value\":null}]"));
        assert_contains(scene_prompt(s)->body, "| Number: (withheld: it has to be typed)\n");
}

/* Several. */

static void test_several(void **state) {
        Scene *s = *state;
        const Notice *n;

        scene_add(s, challenge('2', "\"fields\":[{\"label\":\"IP\",\"value\":\"192.0.2.1\"},"
                                    "{\"label\":\"City\",\"value\":\"Rome\"}]"));
        scene_add(s, challenge('1', "\"fields\":[{\"label\":\"IP\",\"value\":\"192.0.2.1\"},"
                                    "{\"label\":\"City\",\"value\":\"Oslo\"}],"
                                    "\"factor\":\"phone\""));
        n = scene_prompt(s);
        assert_string_equal(n->summary, "2 requests: which did you start?");
        assert_string_equal(n->body,
                        "1. phone, 4min left\n"
                        "Identity: alice-001\n"
                        "| City: Oslo\n"
                        "2. laptop, 4min left\n"
                        "Identity: alice-001\n"
                        "| City: Rome");
        assert_string_equal(action_keys(n), "default review-1 review-2 ");
        assert_string_equal(find_action(n, "review-1")->label, "Review 1");
        assert_string_equal(find_action(n, "review-1")->sid, sid_of('1'));
        assert_int_equal(find_action(n, "review-1")->kind, ACTION_OPEN);
        assert_int_equal(find_action(n, "default")->kind, ACTION_ALL);

        s->in.opened = PLAN_OPENED_ALL;
        n = scene_prompt(s);
        assert_string_equal(find_action(n, "default")->label, "");
        assert_int_equal(count_lines(n->body, "| IP: 192.0.2.1"), 2);
        assert_string_equal(action_keys(n), "default review-1 review-2 ");
}

/* Two deliberate clicks. */
static void test_review(void **state) {
        Scene *s = *state;
        char *meaning;
        const Notice *n;

        scene_add(s, challenge('1', NULL));
        scene_add(s, challenge('2', NULL));
        meaning = strdup(scene_prompt(s)->meaning);
        s->in.opened = sid_of('2');
        n = scene_prompt(s);
        assert_int_equal(n->lasts, s->world.requests[1].expires - s->in.now);
        assert_string_equal(action_keys(n), "default approve deny all ");
        assert_string_equal(find_action(n, "approve")->sid, sid_of('2'));
        assert_int_equal(find_action(n, "all")->kind, ACTION_BACK);
        assert_contains(n->body, "\n1 more: compare");
        assert_string_not_equal(meaning, n->meaning);
        free(meaning);
        /* A third changes what a click may mean. */
        meaning = strdup(n->meaning);
        scene_add(s, challenge('3', NULL));
        assert_string_not_equal(scene_prompt(s)->meaning, meaning);
        free(meaning);
}

static void test_several_messages(void **state) {
        Scene *s = *state;

        scene_add(s, challenge('1', "\"message\":\"Buy a house\""));
        scene_add(s, challenge('2', NULL));
        assert_contains(scene_prompt(s)->body,
                        "\xE2\x80\x9C"
                        "Buy a house");
        assert_contains(scene_prompt(s)->body,
                        "\xE2\x80\x9C"
                        "Sign in?");
}

static void test_several_the_same(void **state) {
        Scene *s = *state;

        scene_add(s, challenge('1', NULL));
        scene_add(s, challenge('2', NULL));
        assert_int_equal(count_lines(scene_prompt(s)->body, "\xE2\x80\x9CSign in?"), 2);
}

static void test_many(void **state) {
        Scene *s = *state;
        const Notice *n;

        for (char c = '1'; c <= '9'; c++)
                scene_add(s, challenge(c, NULL));
        n = scene_prompt(s);
        assert_string_equal(action_keys(n), "default review-1 review-2 review-3 review-4 ");
        assert_contains(n->body, "\nSee all with: factorctl pending");
        assert_lacks(n->body, "5. ");
        s->in.actions = s->in.buttons = false;
        n = scene_prompt(s);
        assert_int_equal(count_lines(n->body, "factorctl approve "), 4);
        assert_int_equal(count_lines(n->body, "factorctl deny "), 4);
}

static void test_no_single_click(void **state) {
        Scene *s = *state;

        for (char c = '1'; c <= '9'; c++) {
                scene_add(s, challenge(c, NULL));
                assert_int_equal(c == '1', find_action(scene_prompt(s), "approve") != NULL);
        }
}

/* Repeats are one request, asked again; but which of them is meant a click can't tell. */
static void test_repeats(void **state) {
        Scene *s = *state;
        char *matter, more[128];
        const Notice *n;

        scene_add(s, challenge('1', NULL));
        matter = strdup(scene_prompt(s)->matter);
        world_done(&s->world);
        s->world.connected = true;
        scene_add(s, challenge('1', "\"repeats\":2"));
        for (char c = '2'; c <= '3'; c++) {
                snprintf(more, sizeof(more), "\"quiet\":true,\"repeat_of\":\"%.34s\"", sid_of('1'));
                scene_add(s, challenge(c, more));
        }
        n = scene_prompt(s);
        assert_int_equal(count_lines(n->body, "1. laptop, 4min left, asked 3 times"), 1);
        assert_lacks(n->body, "2. ");
        assert_string_equal(action_keys(n), "default review-1 ");
        /* One that was sent away does not come back for them. */
        assert_string_equal(n->matter, matter);
        free(matter);
        s->in.opened = sid_of('1');
        n = scene_prompt(s);
        assert_int_equal(count_lines(n->body, "Factor laptop, 4min left, asked 3 times"), 1);
        assert_non_null(find_action(n, "approve"));
}

static void test_quiet_alone(void **state) {
        Scene *s = *state;

        scene_add(s, challenge('1', "\"quiet\":true"));
        assert_int_equal(scene_plan(s)->n, 0);
        /* It can't be opened, either. */
        s->in.opened = sid_of('1');
        assert_int_equal(scene_plan(s)->n, 0);
}

/* Bombing. */

static void test_alarm(void **state) {
        Scene *s = *state;
        const Notice *n;
        char *before;

        scene_status(s, "{\"prompt\":{\"budget\":7,\"budget_span_ms\":600000}}");
        for (char c = '1'; c <= '9'; c++)
                scene_add(s, challenge(c, "\"confirm\":\"sid\""));
        scene_cool(s, "laptop");
        assert_int_equal(scene_plan(s)->n, 1);
        n = find_notice(&s->plan, "alarm laptop");
        assert_int_equal(n->type, NOTICE_ALARM);
        assert_string_equal(n->summary, "Alarm: too many requests of laptop");
        assert_contains(n->body, "More than 7 requests of laptop came within 10min.");
        assert_contains(n->body, "do not approve what you did not start");
        assert_contains(n->body, "factorctl pending");
        assert_int_equal(n->n_actions, 0);

        /* More of them are no news. */
        before = strdup(n->body);
        scene_add(s, challenge('a', "\"confirm\":\"sid\",\"quiet\":true"));
        assert_string_equal(find_notice(scene_plan(s), "alarm laptop")->body, before);
        free(before);
}

static void test_alarm_and_another(void **state) {
        Scene *s = *state;
        const Notice *n;

        scene_cool(s, "laptop");
        scene_add(s, challenge('1', "\"quiet\":true"));
        scene_add(s, challenge('2', "\"factor\":\"phone\""));
        assert_int_equal(scene_plan(s)->n, 2);
        n = find_notice(&s->plan, "prompt ");
        assert_string_equal(action_keys(n), "default review-1 ");
        assert_contains(n->body, "1 of factors that cool down are not shown");
}

/* The screen is locked. */

static void test_locked(void **state) {
        const Outcome outcome = {.summary = (char[]){"Approved: laptop"}, .until = NOW + 1};
        Scene *s = *state;
        const Notice *n;

        scene_add(s, challenge('1', NULL));
        scene_cool(s, "phone");
        s->in.locked = true;
        s->in.outcomes = &outcome;
        s->in.n_outcomes = 1;
        assert_int_equal(scene_plan(s)->n, 0);

        scene_status(s, "{\"prompt\":{\"while_locked\":\"show\"}}");
        assert_int_equal(scene_plan(s)->n, 1);
        n = find_notice(&s->plan, "locked ");
        assert_int_equal(n->n_actions, 0);
        assert_lacks(n->summary, "laptop");
        assert_lacks(n->body, "laptop");
        assert_lacks(n->body, "Sign in?");
        assert_lacks(n->body, "YC");
}

static void test_locked_nothing(void **state) {
        Scene *s = *state;

        scene_status(s, "{\"prompt\":{\"while_locked\":\"show\"}}");
        scene_add(s, challenge('1', "\"quiet\":true"));
        s->in.locked = true;
        assert_int_equal(scene_plan(s)->n, 0);
}

/* Time. */

static void test_time_left(void **state) {
        static const struct {
                unsigned left, drawn;
        } rows[] = {
                        {3601, 3600},
                        {3599, 3540},
                        {181, 180},
                        {180, 180},
                        {179, 120},
                        {121, 120},
                        {120, 120},
                        {119, 105},
                        {105, 105},
                        {104, 90},
                        {29, 15},
                        {15, 15},
                        {14, 0},
                        {1, 0},
                        {0, 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++)
                assert_int_equal(time_left_drawn(rows[i].left * USEC_PER_SEC),
                                rows[i].drawn * USEC_PER_SEC);
}

/* The plan is asked for when it says, and each time draws something else, until it is over. */
static void test_steps(void **state) {
        char last[4096] = "";
        Scene *s = *state;
        unsigned n = 0;

        scene_add(s, challenge('1', NULL));
        while (scene_plan(s)->n > 0) {
                assert_string_not_equal(s->plan.notices[0].body, last);
                (void) stpcpy(last, s->plan.notices[0].body);
                assert_true(s->plan.next > s->in.now);
                s->in.now = s->plan.next;
                n++;
        }
        /* From 4 min 30 s: 4, 3, 2 minutes, then 105 s … 15 s, less. */
        assert_int_equal(n, 3 + 7 + 1);
        assert_contains(last, "less than 15s left");
        assert_int_equal(s->in.now, NOW + 270 * USEC_PER_SEC);
        assert_true(s->plan.next == USEC_INFINITY);
}

static void test_time_is_no_meaning(void **state) {
        char *meaning, *matter;
        Scene *s = *state;

        scene_add(s, challenge('1', NULL));
        meaning = strdup(scene_prompt(s)->meaning);
        matter = strdup(s->plan.notices[0].matter);
        s->in.now += 2 * USEC_PER_MINUTE;
        assert_string_equal(scene_prompt(s)->meaning, meaning);
        assert_string_equal(s->plan.notices[0].matter, matter);
        free(meaning);
        free(matter);
}

static void test_outcome(void **state) {
        const Outcome outcome = {
                        .summary = (char[]){"Not approved: laptop"},
                        .text = (char[]){"it <i>expired</i>"},
                        .failed = true,
                        .sid = "YC11111111111111111111111111111111",
                        .until = NOW + USEC_PER_SEC,
        };
        Scene *s = *state;

        s->in.outcomes = &outcome;
        s->in.n_outcomes = 1;
        s->in.markup = true;
        assert_int_equal(scene_plan(s)->n, 1);
        assert_int_equal(s->plan.notices[0].type, NOTICE_FAILURE);
        assert_string_equal(s->plan.notices[0].summary, "Not approved: laptop");
        assert_string_equal(s->plan.notices[0].body, "it &lt;i&gt;expired&lt;/i&gt;");
        assert_int_equal(s->plan.next, NOW + USEC_PER_SEC);
        s->in.now = s->plan.next;
        assert_int_equal(scene_plan(s)->n, 0);
}

#define SCENE(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                        SCENE(test_nothing),
                        SCENE(test_single),
                        SCENE(test_other_states),
                        SCENE(test_totp),
                        SCENE(test_details),
                        SCENE(test_long),
                        SCENE(test_long_message),
                        SCENE(test_no_actions),
                        SCENE(test_no_buttons),
                        SCENE(test_no_buttons_long),
                        SCENE(test_deciding),
                        SCENE(test_confirm),
                        SCENE(test_confirm_field_is_withheld),
                        SCENE(test_several),
                        SCENE(test_review),
                        SCENE(test_several_messages),
                        SCENE(test_several_the_same),
                        SCENE(test_many),
                        SCENE(test_no_single_click),
                        SCENE(test_repeats),
                        SCENE(test_quiet_alone),
                        SCENE(test_alarm),
                        SCENE(test_alarm_and_another),
                        SCENE(test_locked),
                        SCENE(test_locked_nothing),
                        cmocka_unit_test(test_time_left),
                        SCENE(test_steps),
                        SCENE(test_time_is_no_meaning),
                        SCENE(test_outcome),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
