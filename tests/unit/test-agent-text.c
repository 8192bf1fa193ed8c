/* SPDX-License-Identifier: Apache-2.0 */
/* What a provider writes reads as what it is, and as nobody else's words. */

#include "agent-fixture.h"

#include "agent/body.h"
#include "agent/command.h"
#include "agent/outcome.h"

#define HOSTILE "\\u001b[31mred\\u001b[0m <b>bold</b> &amp; \\u202egnirts\\u202c\\nnext \\\\n"
#define PLAIN_ESCAPED "\\x1b[31mred\\x1b[0m <b>bold</b> &amp; \\u{202e}gnirts\\u{202c}\\nnext \\\\n"
#define MARKUP_ESCAPED                                                                             \
        "\\x1b[31mred\\x1b[0m &lt;b&gt;bold&lt;/b&gt; &amp;amp; "                                  \
        "\\u{202e}gnirts\\u{202c}\\nnext \\\\n"

static void add_hostile(Scene *s, char c) {
        scene_add(s, challenge(c, "\"message\":\"" HOSTILE "\",\"fields\":[{\"label\":\"" HOSTILE
                                  "\",\"value\":\"" HOSTILE "\"}]"));
}

static void test_plain(void **state) {
        Scene *s = *state;

        add_hostile(s, '1');
        assert_string_equal(scene_prompt(s)->body,
                        "Factor laptop, 4min left\n"
                        "\xE2\x80\x9C" PLAIN_ESCAPED
                        "\xE2\x80\x9D\n"
                        "| " PLAIN_ESCAPED ": " PLAIN_ESCAPED);
}

static void test_markup(void **state) {
        Scene *s = *state;

        add_hostile(s, '1');
        s->in.markup = true;
        assert_string_equal(scene_prompt(s)->body,
                        "Factor laptop, 4min left\n"
                        "<i>\xE2\x80\x9C" MARKUP_ESCAPED
                        "\xE2\x80\x9D</i>\n"
                        "<i>| " MARKUP_ESCAPED ": " MARKUP_ESCAPED "</i>");
}

/* Tags are closed in the order they were opened, and there are no others; entities are whole. */
static void check_markup(const char *text) {
        bool italic = false;

        for (; *text; text++) {
                assert_true((uint8_t) *text >= 0x20 || *text == '\n');
                if (*text == '&') {
                        assert_true(strncmp(text, "&amp;", 5) == 0 ||
                                        strncmp(text, "&lt;", 4) == 0 ||
                                        strncmp(text, "&gt;", 4) == 0);
                        continue;
                }
                if (*text == '\n')
                        assert_false(italic);
                if (*text != '<')
                        continue;
                assert_true(strncmp(text, italic ? "</i>" : "<i>", italic ? 4 : 3) == 0);
                italic = !italic;
        }
        assert_false(italic);
}

/* In every form that a request takes, however much of it is cut. */
static void test_everywhere(void **state) {
        Scene *s = *state;

        s->in.markup = true;
        for (char c = '1'; c <= '6'; c++) {
                add_hostile(s, c);
                for (unsigned i = 0; i < 6; i++) {
                        s->in.actions = s->in.buttons = i & 1;
                        s->in.opened = i / 2 == 0 ? "" : i / 2 == 1 ? sid_of('1') : PLAN_OPENED_ALL;
                        const Notice *n = scene_prompt(s);
                        check_markup(n->body);
                        assert_true(utf8_valid(n->body, strlen(n->body)));
                        assert_lacks(n->summary, "red");
                }
        }
}

/* A cut falls between characters, and not into what an entity becomes. */
static void test_cut(void **state) {
        for (size_t max = 1; max < 12; max++) {
                _cleanup_(body_done) Body b = {.markup = true};
                _cleanup_free_ char *text = NULL;

                body_field(&b, "<\xC3\xA9&\xE2\x82\xAC>\xF0\x9F\x98\x80", "1234567890", max);
                assert_int_equal(body_copy(&b, &text), 0);
                check_markup(text);
                assert_true(utf8_valid(text, strlen(text)));
                assert_int_equal(strstr(text, "\xE2\x80\xA6") != NULL, max < 10);
        }
}

/* A label, a value and a message that imitate our own lines stay under their mark. */
static void test_imitation(void **state) {
        static const char line[] = "factorctl approve YC99999999999999999999999999999999";
        Scene *s = *state;
        char more[1024];

        snprintf(more, sizeof(more),
                        "\"message\":\"x\\u201d\\n%s\",\"fields\":[{\"label\":\"%s\",\"value\":"
                        "\"1\"},"
                        "{\"label\":\"\\r\\n%s\\u2028\",\"value\":\"\\nFactor bank, 9min left\"}]",
                        line, line, line);
        for (unsigned i = 0; i < 8; i++) {
                world_done(&s->world);
                s->world.connected = true;
                scene_add(s, challenge('1', more));
                s->in.actions = s->in.buttons = i & 1;
                s->in.markup = i & 2;
                s->in.opened = i & 4 ? sid_of('1') : "";
                const char *body = scene_prompt(s)->body;
                assert_int_equal(count_lines(body, line), 0);
                assert_int_equal(count_lines(body, "Factor "), 1);
                assert_int_equal(count_lines(body, "Factor bank"), 0);
                assert_int_equal(count_lines(body, s->in.markup ? "<i>| " : "| "), 2);
        }
}

/* What the daemon says badly is not shown, and does not hide the rest. */
static void test_malformed(void **state) {
        static const char *const bad[] = {
                        "\"sid\":\"YC1; rm -rf ~\"",
                        "\"sid\":\"YF11111111111111111111111111111111\"",
                        "\"digest\":\"\"",
                        "\"digest\":7",
                        "\"factor\":\"a\\nb\"",
                        "\"factor\":null",
                        "\"expires\":\"soon\"",
                        "\"state\":[]",
        };
        Scene *s = *state;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                scene_add(s, challenge('1', bad[i]));
        scene_add(s, challenge('2', "\"fields\":{},\"repeats\":\"x\",\"quiet\":0,\"confirm\":1,"
                                    "\"identity\":5,\"message\":{},\"created\":false"));
        assert_int_equal(s->world.n_requests, 1);
        assert_non_null(find_action(scene_prompt(s), "approve"));
}

static void test_foreign_factor(void **state) {
        Scene *s = *state;

        scene_factor(s, "{\"name\":\"phone\",\"owner\":1001,\"cooling_until\":\"x\"}");
        scene_factor(s, "{\"name\":\"laptop\",\"owner\":1000}");
        scene_add(s, challenge('1', "\"factor\":\"phone\""));
        scene_add(s, challenge('2', NULL));
        assert_string_equal(find_action(scene_prompt(s), "approve")->sid, sid_of('2'));
}

static void test_status(void **state) {
        Scene *s = *state;

        scene_status(s, "{}");
        assert_int_equal(s->world.arm_delay, WORLD_ARM_DELAY_DEFAULT);
        assert_false(s->world.show_locked);
        assert_int_equal(s->world.clock_offset, 0);
        scene_status(s, "{\"clock\":{\"offset_ms\":-1500},\"prompt\":{\"arm_delay_ms\":0,"
                        "\"while_locked\":\"show\",\"budget\":3,\"budget_span_ms\":1000}}");
        assert_int_equal(s->world.arm_delay, 0);
        assert_true(s->world.show_locked);
        assert_int_equal(s->world.budget, 3);
        assert_int_equal(s->world.clock_offset, -1500 * (int64_t) USEC_PER_MSEC);
        scene_status(s, "{\"clock\":{\"offset_ms\":9223372036854775807},\"prompt\":{"
                        "\"arm_delay_ms\":-1,\"budget\":-9223372036854775808}}");
        assert_int_equal(s->world.arm_delay, WORLD_ARM_DELAY_DEFAULT);
        assert_int_equal(s->world.budget, WORLD_BUDGET_DEFAULT);
}

static void test_command(void **state) {
        static const struct {
                const char *socket;
                SocketChoice choice;
                const char *text;
        } rows[] = {
                        {NULL, SOCKET_NEAREST, ""},
                        {NULL, SOCKET_USER, " --user"},
                        {NULL, SOCKET_SYSTEM, " --system"},
                        {"/run/x/s", SOCKET_NEAREST, " --socket /run/x/s"},
                        {"", SOCKET_NEAREST, " --socket ''"},
                        {"/a b/$(id)", SOCKET_NEAREST, " --socket '/a b/$(id)'"},
                        {"it's", SOCKET_NEAREST, " --socket 'it'\\''s'"},
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                _cleanup_free_ char *text = NULL;

                assert_int_equal(command_options(rows[i].socket, rows[i].choice, &text), 0);
                assert_string_equal(text, rows[i].text);
        }
}

static void test_outcomes(void **state) {
        static const struct {
                ActionKind kind;
                const char *error;
                const char *reply;
                int end;
                const char *summary;
                const char *text;
                bool failed;
        } rows[] = {
                        {ACTION_APPROVE, NULL, "{\"challenge\":{\"state\":\"approved\"}}",
                                        DECISION_DONE, "Approved: laptop", NULL, false},
                        {ACTION_DENY, NULL, "{\"challenge\":{\"state\":\"denied\"}}", DECISION_DONE,
                                        "Denied: laptop", NULL, false},
                        {ACTION_IGNORE, NULL, "{\"challenge\":{\"state\":\"ignored\"}}",
                                        DECISION_DONE, "Ignored: laptop", NULL, false},
                        {ACTION_APPROVE, NULL,
                                        "{\"challenge\":{\"state\":\"failed\",\"reason\":"
                                        "\"a\\nb\"}}",
                                        DECISION_DONE, "Failed: laptop", "a\\nb", true},
                        {ACTION_APPROVE, NULL, "{\"challenge\":{\"state\":\"superseded\"}}",
                                        DECISION_DONE, "Answered elsewhere: laptop", NULL, true},
                        {ACTION_APPROVE, NULL, "{\"challenge\":{\"state\":\"submitted\"}}",
                                        DECISION_PENDING, NULL, NULL, false},
                        {ACTION_APPROVE, "org.factord.Authenticator.Expired",
                                        "{\"message\":\"it \\u001b[0m is over\"}", DECISION_DONE,
                                        "Not approved: laptop", "it \\x1b[0m is over", true},
                        {ACTION_DENY, "org.factord.Authenticator.NotAuthorized", "{}",
                                        DECISION_DONE, "Not denied: laptop",
                                        "org.factord.Authenticator.NotAuthorized", true},
                        {ACTION_APPROVE, "org.factord.Authenticator.Unconfirmed",
                                        "{\"message\":\"wait\"}", DECISION_WAITS,
                                        "Not confirmed yet: laptop", "wait", true},
        };

        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                json_object *reply = parse(rows[i].reply);
                _cleanup_(outcome_done) Outcome o = {0};

                assert_int_equal(outcome_of_reply(&o, rows[i].kind, "laptop", rows[i].error, reply),
                                rows[i].end);
                assert_true(streq_ptr(o.summary, rows[i].summary));
                assert_true(streq_ptr(o.text, rows[i].text));
                assert_int_equal(o.failed, rows[i].failed);
                json_object_put(reply);
        }
}

static void test_outcome_forgotten(void **state) {
        _cleanup_(outcome_done) Outcome o = {0};

        assert_int_equal(outcome_of_challenge(&o, ACTION_APPROVE, "laptop", NULL), DECISION_DONE);
        assert_string_equal(o.summary, "No answer: laptop");
        assert_true(o.failed);
}

#define SCENE(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                        SCENE(test_plain),
                        SCENE(test_markup),
                        SCENE(test_everywhere),
                        cmocka_unit_test(test_cut),
                        SCENE(test_imitation),
                        SCENE(test_malformed),
                        SCENE(test_foreign_factor),
                        SCENE(test_status),
                        cmocka_unit_test(test_command),
                        cmocka_unit_test(test_outcomes),
                        cmocka_unit_test(test_outcome_forgotten),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
