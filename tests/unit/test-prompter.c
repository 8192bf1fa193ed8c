/* SPDX-License-Identifier: Apache-2.0 */
/* The prompter's mind: what is shown, what a typed word does, and when. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/prompter.h"

#define SECOND USEC_PER_SEC
/* Boot time zero is this date, by the machine's clock. */
#define START (UINT64_C(1767323045) * SECOND) /* 2026-01-02T03:04:05Z */

#define SID_A "YC0123456789abcdef0123456789abcd01"
#define SID_B "YC0123456789abcdef0123456789abcd02"
#define SID_C "YC0123456789abcdef0123456789abcd03"

static json_object *parse(const char *text) {
        json_object *o = json_tokener_parse(text);

        assert_non_null(o);
        return o;
}

/* A challenge with these members beside the usual ones, and in their place. */
static json_object *view(const char *sid, const char *more) {
        json_object *o =
                        parse("{'digest':'d1','factor':'laptop','factor_type':'push',"
                              "'state':'asking','created':'2026-01-02T03:04:05Z',"
                              "'expires':'2026-01-02T03:09:05Z','repeats':0,'quiet':false,"
                              "'confirm':'none','confirm_field':null,'repeat_of':null}");
        json_object *other = parse(more);

        json_object_object_add(o, "sid", json_object_new_string(sid));
        json_object_object_foreach(other, key, value)
                        json_object_object_add(o, key, json_object_get(value));
        json_object_put(other);
        return o;
}

static void tell(Prompter *p, const char *sid, const char *more, usec_t now) {
        json_object *o = view(sid, more);

        assert_int_equal(prompter_challenge(p, o, now), 0);
        json_object_put(o);
}

static void tell_status(Prompter *p, const char *text, usec_t now) {
        json_object *o = parse(text);

        prompter_status(p, o, now, START + now);
        json_object_put(o);
}

static uint64_t drawn; /* the serial that was drawn last */

/* As the loop does it. Whether it was drawn anew. */
static bool settle(Prompter *p, usec_t now) {
        (void) prompter_tick(p, now);
        if (prompter_serial(p) == drawn)
                return false;
        drawn = prompter_serial(p);
        prompter_drawn(p, now);
        return true;
}

static Prompter *begin(void) {
        Prompter *p;

        drawn = 0;
        assert_int_equal(prompter_new(&p), 0);
        tell_status(p, "{'clock':{'offset_ms':0},'prompt':{'arm_delay_ms':500}}", 0);
        return p;
}

/* With one challenge that is armed. */
static Prompter *begin_asking(const char *more) {
        Prompter *p = begin();

        prompter_list_begins(p);
        tell(p, SID_A, more, 0);
        prompter_list_ends(p);
        assert_true(settle(p, 0));
        assert_int_equal(prompter_stage(p), PROMPTER_ASKING);
        return p;
}

static void assert_said(Prompter *p, const char *part) {
        char *text = prompter_take_notices(p);

        if (!part)
                assert_null(text);
        else if (!text || !strstr(text, part))
                fail_msg("\"%s\" is not in \"%s\"", part, text ? text : "");
        free(text);
}

static void assert_shown(const Prompter *p, const char *sid) {
        json_object *o = prompter_shown(p), *value;

        if (!sid) {
                assert_null(o);
                return;
        }
        assert_non_null(o);
        assert_true(json_object_object_get_ex(o, "sid", &value));
        assert_string_equal(json_object_get_string(value), sid);
}

static void assert_decision(const Prompter *p,
                const char *operation,
                const char *sid,
                const char *digest,
                const char *confirm) {
        PrompterDecision d = prompter_decision(p);

        assert_int_equal(prompter_stage(p), PROMPTER_ANSWERING);
        assert_string_equal(d.operation, operation);
        assert_string_equal(d.sid, sid);
        assert_true(streq_ptr(d.digest, digest));
        assert_true(streq_ptr(d.confirm, confirm));
}

static void answer(Prompter *p, const char *sid, const char *state) {
        json_object *o = view(sid, "{}");

        json_object_object_add(o, "state", json_object_new_string(state));
        prompter_answered(p, o, NULL, NULL);
        json_object_put(o);
}

/* Only whole words do anything, and each does its own. */
static void test_words(void **state) {
        static const struct {
                const char *typed, *type, *operation;
        } cases[] = {
                        {"approve", "push", "Approve"},
                        {"  approve  ", "push", "Approve"},
                        {"deny", "push", "Deny"},
                        {"ignore", "push", "Ignore"},
                        {"approve", "totp", "Approve"},
                        {"ignore", "totp", "Ignore"},
                        {"deny", "totp", NULL},
                        {"", "push", NULL},
                        {"   ", "push", NULL},
                        {"a", "push", NULL},
                        {"y", "push", NULL},
                        {"yes", "push", NULL},
                        {"approv", "push", NULL},
                        {"approved", "push", NULL},
                        {"Approve", "push", NULL},
                        {"APPROVE", "push", NULL},
                        {"approve it", "push", NULL},
                        {"approve approve", "push", NULL},
                        {"help", "push", NULL},
                        {"skip", "push", NULL},
                        {NULL, "push", NULL},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char more[64];
                Prompter *p;

                snprintf(more, sizeof(more), "{'factor_type':'%s'}", cases[i].type);
                p = begin_asking(more);
                if (cases[i].operation) {
                        assert_int_equal(prompter_line(p, cases[i].typed, SECOND), PROMPTER_DECIDE);
                        assert_decision(p, cases[i].operation, SID_A,
                                        streq(cases[i].operation, "Ignore") ? NULL : "d1", NULL);
                } else {
                        assert_int_equal(prompter_line(p, cases[i].typed, SECOND), PROMPTER_GO_ON);
                        assert_int_equal(prompter_stage(p), PROMPTER_ASKING);
                        assert_said(p, "");
                }
                assert_shown(p, SID_A);
                prompter_free(p);
        }
}

static void test_quit_and_idle(void **state) {
        Prompter *p = begin();

        assert_int_equal(prompter_stage(p), PROMPTER_APART);
        prompter_list_begins(p);
        prompter_list_ends(p);
        assert_int_equal(prompter_tick(p, 0), USEC_INFINITY);
        assert_int_equal(prompter_stage(p), PROMPTER_IDLE);
        assert_said(p, NULL);
        assert_int_equal(prompter_line(p, "approve", 0), PROMPTER_GO_ON);
        assert_said(p, "Nothing is asked");
        assert_int_equal(prompter_line(p, "help", 0), PROMPTER_GO_ON);
        assert_said(p, "quit");
        assert_int_equal(prompter_line(p, "quit", 0), PROMPTER_QUIT);
        tell(p, SID_A, "{}", 0);
        (void) settle(p, 0);
        assert_int_equal(prompter_line(p, "quit", SECOND), PROMPTER_QUIT);
        prompter_free(p);
}

/* Input counts from the drawing and the arm delay on, anew for each that is shown. */
static void test_arming(void **state) {
        Prompter *p = begin();

        prompter_list_ends(p);
        tell(p, SID_A, "{}", 0);
        (void) prompter_tick(p, 0);
        assert_false(prompter_takes_input(p, 10 * SECOND)); /* not drawn yet */
        prompter_drawn(p, SECOND);
        assert_false(prompter_takes_input(p, SECOND + SECOND / 2 - 1));
        assert_int_equal(prompter_tick(p, SECOND), SECOND + SECOND / 2);
        assert_true(prompter_takes_input(p, SECOND + SECOND / 2));

        assert_int_equal(prompter_line(p, "approve", 2 * SECOND), PROMPTER_DECIDE);
        assert_false(prompter_takes_input(p, 3 * SECOND)); /* under way */
        tell(p, SID_B, "{}", 3 * SECOND);
        answer(p, SID_A, "approved");
        assert_said(p, "approved " SID_A " (laptop)");
        (void) prompter_tick(p, 3 * SECOND);
        assert_shown(p, SID_B);
        assert_false(prompter_takes_input(p, 9 * SECOND));
        prompter_drawn(p, 9 * SECOND);
        assert_true(prompter_takes_input(p, 10 * SECOND));

        prompter_show_again(p);
        assert_false(prompter_takes_input(p, 20 * SECOND));
        prompter_drawn(p, 20 * SECOND);
        assert_true(prompter_takes_input(p, 21 * SECOND));

        /* What goes on being typed was begun before. */
        prompter_show_again(p);
        prompter_typed_early(p, 21 * SECOND);
        assert_false(prompter_takes_input(p, 25 * SECOND));
        prompter_drawn(p, 25 * SECOND);
        prompter_typed_early(p, 25 * SECOND + SECOND / 4);
        assert_false(prompter_takes_input(p, 25 * SECOND + SECOND / 2));
        assert_int_equal(prompter_tick(p, 25 * SECOND + SECOND / 2), 25 * SECOND + SECOND * 3 / 4);
        assert_true(prompter_takes_input(p, 25 * SECOND + SECOND * 3 / 4));
        prompter_typed_early(p, 26 * SECOND);
        assert_true(prompter_takes_input(p, 26 * SECOND));

        /* No delay longer than a person would wait. */
        tell_status(p, "{'prompt':{'arm_delay_ms':9000000000000}}", 0);
        prompter_drawn(p, 30 * SECOND);
        assert_true(prompter_takes_input(p, 40 * SECOND));
        prompter_free(p);
}

static void test_order(void **state) {
        Prompter *p = begin();

        prompter_list_begins(p);
        tell(p, SID_C, "{'created':'2026-01-02T03:04:07Z'}", 0);
        tell(p, SID_B, "{'created':'2026-01-02T03:04:06Z'}", 0);
        tell(p, SID_A, "{'created':'2026-01-02T03:04:01Z','quiet':true,'confirm':'sid'}", 0);
        prompter_list_ends(p);
        assert_true(settle(p, 0));
        assert_shown(p, SID_B); /* the oldest of those that may pop up */
        assert_int_equal(prompter_n_others(p, 0), 2);

        (void) prompter_line(p, "skip", 0);
        assert_true(settle(p, 0));
        assert_shown(p, SID_C);
        (void) prompter_line(p, "skip", 0);
        assert_true(settle(p, 0));
        assert_shown(p, SID_A);
        (void) prompter_line(p, "skip", 0);
        assert_true(settle(p, 0));
        assert_shown(p, SID_B); /* the first that was skipped comes first again */
        assert_said(p, NULL);

        /* A new one does not push out what is shown, but comes before what was skipped. */
        tell(p, "YC0123456789abcdef0123456789abcd04", "{'created':'2026-01-02T03:04:02Z'}", 0);
        assert_false(settle(p, 0));
        (void) prompter_line(p, "skip", 0);
        assert_true(settle(p, 0));
        assert_shown(p, "YC0123456789abcdef0123456789abcd04");
        prompter_free(p);
}

static void test_skip_alone(void **state) {
        Prompter *p = begin_asking("{}");

        (void) prompter_line(p, "skip", 0);
        assert_said(p, "Nothing else waits");
        assert_false(settle(p, 0));
        prompter_free(p);
}

/* Repeats are counted, not shown; when their leader ends they come. */
static void test_repeats(void **state) {
        Prompter *p = begin_asking("{'repeats':1}");

        tell(p, SID_B, "{'repeat_of':'" SID_A "','quiet':true}", 0);
        assert_int_equal(prompter_n_others(p, 0), 0);
        tell(p, SID_A, "{'repeats':7}", 0);
        assert_false(settle(p, 0));
        assert_said(p, NULL);
        tell(p, SID_A, "{'state':'denied'}", 0);
        assert_said(p, "denied " SID_A);
        tell(p, SID_B, "{}", 0);
        assert_true(settle(p, 0));
        assert_shown(p, SID_B);
        prompter_free(p);
}

/* What became of the one that is shown is said, and the next one comes. */
static void test_ends_while_shown(void **state) {
        static const struct {
                const char *change, *said;
                bool again;
        } cases[] = {
                        {"{'state':'approved'}", "ended elsewhere", false},
                        {"{'state':'superseded','reason':'on the \\u001bphone'}",
                                        "superseded " SID_A " (laptop): on the \\x1bphone", false},
                        {"{'state':'expired'}", "expired", false},
                        {"{'state':'ignored'}", "ignored", false},
                        {"{'state':'answering'}", "is being answered elsewhere", false},
                        {"{'state':'deciding'}", "has changed", false},
                        {"{'digest':'d2'}", "has changed", true},
                        {"{'confirm':'sid'}", "has changed", true},
                        {"{'quiet':true}", "has changed", true},
                        {"{'repeat_of':'" SID_B "'}", "together with an older one", false},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Prompter *p = begin_asking("{}");

                tell(p, SID_B, "{'created':'2026-01-02T03:04:06Z'}", 0);
                assert_false(settle(p, 0));
                tell(p, SID_A, cases[i].change, 0);
                assert_said(p, cases[i].said);
                assert_true(settle(p, 0));
                /* A quiet one waits until the others are done. */
                assert_shown(p, cases[i].again && !strstr(cases[i].change, "quiet") ? SID_A
                                                                                    : SID_B);
                prompter_free(p);
        }
}

static void test_follows(void **state) {
        Prompter *p = begin_asking("{}");

        tell(p, SID_A, "{'state':'answering'}", 0);
        assert_said(p, "answered elsewhere");
        tell(p, SID_A, "{'state':'submitted'}", 0);
        assert_said(p, NULL);
        tell(p, SID_A, "{'state':'approved'}", 0);
        assert_said(p, "approved " SID_A " (laptop)");
        tell(p, SID_A, "{'state':'approved'}", 0);
        assert_said(p, NULL);

        /* Asked anew, with another content. */
        tell(p, SID_B, "{}", 0);
        (void) settle(p, 0);
        tell(p, SID_B, "{'state':'deciding','digest':'d2'}", 0);
        (void) settle(p, 0);
        assert_shown(p, NULL);
        tell(p, SID_B, "{'digest':'d2'}", 0);
        assert_true(settle(p, 0));
        assert_int_equal(prompter_line(p, "deny", SECOND), PROMPTER_DECIDE);
        assert_decision(p, "Deny", SID_B, "d2", NULL);
        prompter_free(p);
}

/* By the provider's clock, whatever this machine's says. */
static void test_expires(void **state) {
        Prompter *p = begin();

        prompter_list_ends(p);
        tell_status(p, "{'clock':{'offset_ms':-3600000}}", 0);
        tell(p, SID_A, "{'expires':'2026-01-02T02:04:10Z'}", 0);
        tell(p, SID_B, "{'created':'2026-01-02T03:04:06Z','expires':'2026-01-02T02:04:07Z'}", 0);
        assert_true(settle(p, 0));
        assert_int_equal(prompter_left(p, 0), 5 * SECOND);
        assert_int_equal(prompter_left(p, SECOND / 4), 5 * SECOND - SECOND / 4);
        assert_int_equal(prompter_tick(p, SECOND / 4), SECOND);
        assert_int_equal(prompter_tick(p, SECOND), 2 * SECOND);
        assert_int_equal(prompter_n_others(p, SECOND), 1);
        (void) prompter_tick(p, 2 * SECOND);
        assert_int_equal(prompter_n_others(p, 2 * SECOND), 0);
        assert_said(p, NULL);
        (void) prompter_tick(p, 5 * SECOND - 1);
        assert_shown(p, SID_A);
        assert_true(settle(p, 5 * SECOND));
        assert_shown(p, NULL);
        assert_said(p, "expired " SID_A " (laptop)");

        /* Nor is it asked when it comes too late; an answer under way is waited for. */
        tell(p, SID_C, "{'expires':'2026-01-02T02:04:10Z'}", 5 * SECOND);
        assert_false(settle(p, 5 * SECOND));
        tell(p, SID_A, "{'expires':'2026-01-02T02:04:12Z'}", 5 * SECOND);
        assert_true(settle(p, 5 * SECOND));
        assert_int_equal(prompter_line(p, "approve", 6 * SECOND), PROMPTER_DECIDE);
        assert_false(settle(p, 60 * SECOND));
        assert_int_equal(prompter_stage(p), PROMPTER_ANSWERING);
        prompter_answered(p, NULL, "Expired", "its time is over");
        assert_said(p, "its time is over");
        (void) settle(p, 60 * SECOND);
        assert_shown(p, NULL);
        prompter_free(p);
}

static void test_confirm_sid(void **state) {
        static const char *const wrong[] = {"", "skip", "cd0", "cd011", "cd 1", "approve", "xd01"};
        Prompter *p = begin_asking("{'confirm':'sid','quiet':true}");

        for (size_t i = 0; i < ELEMENTSOF(wrong); i++) {
                assert_int_equal(prompter_line(p, "approve", SECOND), PROMPTER_GO_ON);
                assert_int_equal(prompter_stage(p), PROMPTER_CONFIRMING);
                assert_said(p, "last four characters");
                assert_int_equal(prompter_line(p, wrong[i], SECOND), PROMPTER_GO_ON);
                assert_int_equal(prompter_stage(p), PROMPTER_ASKING);
                assert_said(p, "othing was decided");
        }
        (void) prompter_line(p, "approve", SECOND);
        assert_int_equal(prompter_line(p, " CD01 ", SECOND), PROMPTER_DECIDE);
        assert_decision(p, "Approve", SID_A, "d1", "cd01");

        /* Refused: it is asked again, without being drawn anew. */
        prompter_answered(p, NULL, "InvalidParameter", "that is not it");
        assert_said(p, "that is not it");
        assert_int_equal(prompter_stage(p), PROMPTER_ASKING);
        assert_false(settle(p, SECOND));
        /* To deny takes nothing. */
        assert_int_equal(prompter_line(p, "deny", SECOND), PROMPTER_DECIDE);
        assert_decision(p, "Deny", SID_A, "d1", NULL);
        prompter_free(p);
}

static void test_confirm_field(void **state) {
        Prompter *p = begin_asking("{'confirm':'field','confirm_field':'Co\\u202ede'}");

        (void) prompter_line(p, "approve", SECOND);
        assert_said(p, "\"Co\\u{202e}de\"");
        /* It may be any text, also one of our words. */
        assert_int_equal(prompter_line(p, " quit me ", SECOND), PROMPTER_DECIDE);
        assert_decision(p, "Approve", SID_A, "d1", "quit me");
        /* The third wrong value: the daemon ends it, and says so before it answers. */
        tell(p, SID_A, "{'state':'ignored'}", SECOND);
        assert_said(p, NULL);
        prompter_answered(p, NULL, "PolicyDenied", "wrong three times");
        assert_said(p, "wrong three times");
        assert_true(settle(p, SECOND));
        assert_shown(p, NULL);
        prompter_free(p);
}

static void test_confirm_impossible(void **state) {
        static const char *const views[] = {
                        "{'confirm':'never','confirm_field':'Code'}",
                        "{'confirm':'something new'}",
                        "{'confirm':'field'}",
        };

        for (size_t i = 0; i < ELEMENTSOF(views); i++) {
                Prompter *p = begin_asking(views[i]);

                assert_int_equal(prompter_line(p, "approve", SECOND), PROMPTER_GO_ON);
                assert_said(p, "can't be approved");
                assert_int_equal(prompter_stage(p), PROMPTER_ASKING);
                assert_int_equal(prompter_line(p, "ignore", SECOND), PROMPTER_DECIDE);
                prompter_free(p);
        }
}

/* What an error means for what is shown. */
static void test_errors(void **state) {
        Prompter *p = begin_asking("{}");

        (void) prompter_line(p, "approve", SECOND);
        prompter_answered(p, NULL, "SessionLocked", NULL);
        assert_said(p, "SessionLocked");
        assert_false(settle(p, SECOND));
        assert_shown(p, SID_A);
        assert_int_equal(prompter_n_decided(p), 0);

        /* Kept, but not confirmed yet: its end is told when it comes. */
        (void) prompter_line(p, "approve", SECOND);
        tell(p, SID_A, "{'state':'answering'}", SECOND);
        assert_said(p, NULL);
        prompter_answered(p, NULL, "Unconfirmed", "it goes on");
        assert_said(p, "it goes on");
        assert_true(settle(p, SECOND));
        assert_shown(p, NULL);
        (void) settle(p, 301 * SECOND);
        tell(p, SID_A, "{'state':'approved'}", 301 * SECOND);
        assert_said(p, "approved " SID_A);

        /* Stale: another digest is shown anew. */
        tell(p, SID_B, "{'expires':'2026-01-02T03:59:05Z'}", 301 * SECOND);
        (void) settle(p, 301 * SECOND);
        (void) prompter_line(p, "approve", 302 * SECOND);
        tell(p, SID_B, "{'digest':'d2','expires':'2026-01-02T03:59:05Z'}", 302 * SECOND);
        prompter_answered(p, NULL, "Stale", "it has changed");
        assert_true(settle(p, 302 * SECOND));
        assert_shown(p, SID_B);
        (void) prompter_line(p, "approve", 303 * SECOND);
        assert_decision(p, "Approve", SID_B, "d2", NULL);
        prompter_free(p);
}

static void test_daemon_leaves(void **state) {
        Prompter *p = begin_asking("{}");

        prompter_apart(p, "it stops");
        assert_said(p, "The daemon is gone (it stops)");
        assert_true(settle(p, 0));
        assert_shown(p, NULL);
        assert_int_equal(prompter_stage(p), PROMPTER_APART);
        prompter_apart(p, NULL);
        assert_said(p, NULL); /* once */
        assert_int_equal(prompter_line(p, "approve", SECOND), PROMPTER_GO_ON);
        assert_said(p, "Nothing is asked");

        prompter_list_begins(p);
        tell(p, SID_A, "{}", 0);
        prompter_list_ends(p);
        assert_said(p, "there again");
        assert_true(settle(p, 0));
        assert_shown(p, SID_A);

        /* With an answer under way; what the list lacks afterwards is over, and its end is told. */
        (void) prompter_line(p, "approve", SECOND);
        prompter_apart(p, NULL);
        assert_said(p, "may be done all the same");
        tell(p, SID_B, "{}", 0);
        prompter_list_begins(p);
        prompter_list_ends(p);
        assert_said(p, "there again");
        (void) settle(p, 0);
        assert_shown(p, NULL);
        tell(p, SID_A, "{'state':'approved'}", 0);
        assert_said(p, "approved " SID_A);
        assert_shown(p, NULL);
        prompter_free(p);
}

static void test_malformed_views(void **state) {
        Prompter *p = begin();
        json_object *none = parse("{'state':'asking'}");

        prompter_list_ends(p);
        assert_int_equal(prompter_challenge(p, none, 0), 0);
        assert_int_equal(prompter_challenge(p, NULL, 0), 0);
        json_object_put(none);
        tell(p, "YC\\x1b[2J", "{}", 0);
        assert_false(settle(p, 0));
        /* Without a date that can be read it has all the time, without a digest no answer. */
        tell(p, SID_A, "{'expires':'soon','digest':null}", 0);
        assert_true(settle(p, 0));
        assert_int_equal(prompter_left(p, 0), USEC_INFINITY);
        assert_int_equal(prompter_line(p, "approve", SECOND), PROMPTER_GO_ON);
        assert_said(p, "nothing was decided");
        prompter_free(p);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_words),
                        cmocka_unit_test(test_quit_and_idle),
                        cmocka_unit_test(test_arming),
                        cmocka_unit_test(test_order),
                        cmocka_unit_test(test_skip_alone),
                        cmocka_unit_test(test_repeats),
                        cmocka_unit_test(test_ends_while_shown),
                        cmocka_unit_test(test_follows),
                        cmocka_unit_test(test_expires),
                        cmocka_unit_test(test_confirm_sid),
                        cmocka_unit_test(test_confirm_field),
                        cmocka_unit_test(test_confirm_impossible),
                        cmocka_unit_test(test_errors),
                        cmocka_unit_test(test_daemon_leaves),
                        cmocka_unit_test(test_malformed_views),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
