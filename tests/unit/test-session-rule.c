/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/session-rule.h"

#define ME 1000
#define OTHER 1001

/* What a desktop looks like in use, behind its lock screen, and while another session has the
 * seat; and a login by SSH, which is always active. */
static const LoginSession used = {ME, .user = true, .graphical = true, .active = true};
static const LoginSession locked = {
                ME, .user = true, .graphical = true, .active = true, .locked = true};
static const LoginSession away_used = {ME, .user = true, .graphical = true};
static const LoginSession away_locked = {ME, .user = true, .graphical = true, .locked = true};
static const LoginSession ssh = {ME, .user = true, .active = true};

static LoginSession of(uid_t uid, LoginSession s) {
        s.uid = uid;
        return s;
}

static LoginSession closing(LoginSession s) {
        s.closing = true;
        return s;
}

static LoginSession no_person(LoginSession s) {
        s.user = false;
        return s;
}

#define LIST(...)                                                                                  \
        ((LoginSession[]){__VA_ARGS__}),                                                           \
                        sizeof((LoginSession[]){__VA_ARGS__}) / sizeof(LoginSession)

static void test_nobody(void **state) {
        assert_false(login_sessions_locked(NULL, 0, ME));
        assert_false(login_screen_locked(NULL, 0, ME));
        assert_false(login_sessions_unsettled(NULL, 0));
        assert_false(login_sessions_locked(LIST(of(OTHER, locked)), ME));
        assert_false(login_screen_locked(LIST(of(OTHER, locked)), ME));
        assert_true(login_sessions_locked(LIST(of(OTHER, locked)), OTHER));
}

static void test_one_session(void **state) {
        assert_false(login_sessions_locked(LIST(used), ME));
        assert_true(login_sessions_locked(LIST(locked), ME));
        assert_false(login_sessions_locked(LIST(away_used), ME));
        assert_true(login_sessions_locked(LIST(away_locked), ME));
        assert_false(login_sessions_locked(LIST(ssh), ME));
        assert_true(login_screen_locked(LIST(locked), ME));
        assert_false(login_screen_locked(LIST(used), ME));
}

/* Somebody who is there by another way is not locked out; the screen stays what it is. */
static void test_presence(void **state) {
        assert_false(login_sessions_locked(LIST(locked, ssh), ME));
        assert_true(login_screen_locked(LIST(locked, ssh), ME));
        assert_true(login_sessions_unsettled(LIST(locked, ssh)));
        assert_false(login_sessions_locked(LIST(ssh, locked), ME));
        /* Another's presence is not mine. */
        assert_true(login_sessions_locked(LIST(locked, of(OTHER, ssh)), ME));
        assert_false(login_sessions_unsettled(LIST(locked, of(OTHER, ssh))));
}

static void test_several_seats(void **state) {
        LoginSession second = locked;

        assert_false(login_sessions_locked(LIST(locked, used), ME));
        assert_true(login_screen_locked(LIST(locked, used), ME));
        assert_true(login_sessions_locked(LIST(locked, second), ME));
        /* Unlocked, but another session has the seat: nobody sits there. */
        assert_true(login_sessions_locked(LIST(locked, away_used), ME));
        assert_false(login_sessions_unsettled(LIST(locked, away_used)));
        assert_false(login_sessions_locked(LIST(away_locked, used), ME));
}

/* A login that has ended, and what is no person's, is neither presence nor a lock. */
static void test_what_does_not_count(void **state) {
        assert_true(login_sessions_locked(LIST(locked, closing(ssh)), ME));
        assert_false(login_sessions_unsettled(LIST(locked, closing(ssh))));
        assert_false(login_sessions_locked(LIST(closing(locked)), ME));
        assert_false(login_screen_locked(LIST(closing(locked)), ME));
        assert_true(login_sessions_locked(LIST(locked, no_person(used)), ME));
        assert_false(login_sessions_locked(LIST(no_person(locked)), ME));
        assert_false(login_screen_locked(LIST(no_person(locked)), ME));
        assert_false(login_sessions_unsettled(LIST(no_person(locked), ssh)));
}

/* A lock on a text console locks, but is no screen on which a notification would stand. */
static void test_console(void **state) {
        LoginSession console = locked;

        console.graphical = false;
        assert_true(login_sessions_locked(LIST(console), ME));
        assert_false(login_screen_locked(LIST(console), ME));
}

static void test_words(void **state) {
        static const char *const people[] = {
                        "user", "user-early", "user-incomplete", "user-light", "user-early-light"};
        static const char *const others[] = {"", "greeter", "lock-screen", "background",
                        "background-light", "manager", "manager-early", "none", "username", "User"};

        for (size_t i = 0; i < ELEMENTSOF(people); i++)
                assert_true(login_class_is_user(people[i]));
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_false(login_class_is_user(others[i]));
        assert_true(login_type_is_graphical("x11"));
        assert_true(login_type_is_graphical("wayland"));
        assert_true(login_type_is_graphical("mir"));
        assert_false(login_type_is_graphical("tty"));
        assert_false(login_type_is_graphical("web"));
        assert_false(login_type_is_graphical("unspecified"));
        assert_false(login_type_is_graphical(""));
}

static void test_equal(void **state) {
        assert_true(login_session_equal(&locked, &locked));
        for (unsigned bit = 0; bit < 6; bit++) {
                LoginSession other = locked;
                bool *flags[] = {&other.user, &other.graphical, &other.closing, &other.active,
                                &other.locked};
                if (bit < ELEMENTSOF(flags))
                        *flags[bit] = !*flags[bit];
                else
                        other.uid = OTHER;
                assert_false(login_session_equal(&locked, &other));
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_nobody),
                        cmocka_unit_test(test_one_session),
                        cmocka_unit_test(test_presence),
                        cmocka_unit_test(test_several_seats),
                        cmocka_unit_test(test_what_does_not_count),
                        cmocka_unit_test(test_console),
                        cmocka_unit_test(test_words),
                        cmocka_unit_test(test_equal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
