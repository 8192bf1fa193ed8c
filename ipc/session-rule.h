#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* When a person's screen counts as locked: a rule over what logind says of the sessions. Pure. */

#include <sys/types.h>

#include "base/macros.h"

/* One of logind's sessions, reduced to what the rule asks for. */
typedef struct LoginSession {
        uid_t uid;
        bool user;      /* a person's own, not a greeter's, a job's or a service manager's */
        bool graphical; /* on a screen of its own */
        bool closing;   /* its person has left; processes may remain */
        bool active;    /* in the foreground of its seat; always, without a seat (SSH) */
        bool locked;    /* LockedHint: the desktop says that it shows its lock screen */
} LoginSession;

/* Whether a session of that Class= is a person's: "user" and its kin ("user-early", …). */
bool login_class_is_user(const char *class);
/* Whether a session of that Type= has a screen: x11, wayland, mir. */
bool login_type_is_graphical(const char *type);

/* Whether that user's sessions are locked: at least one is, and no active one is unlocked, so that
 * nothing shows that the person is there. A session that closes, or is no person's, says nothing.
 */
bool login_sessions_locked(const LoginSession *sessions, size_t n, uid_t uid);
/* Whether one of the user's graphical sessions is locked: anybody may stand before that screen. */
bool login_screen_locked(const LoginSession *sessions, size_t n, uid_t uid);
/* Whether somebody's answer rests on a session that may begin to close, which logind does not tell:
 * an active one that is unlocked, beside a locked one. */
bool login_sessions_unsettled(const LoginSession *sessions, size_t n);

bool login_session_equal(const LoginSession *a, const LoginSession *b);
