/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/session-rule.h"

#include <string.h>

#include "base/text.h"

bool login_class_is_user(const char *class) {
        return streq(class, "user") || strncmp(class, "user-", STRLEN("user-")) == 0;
}

bool login_type_is_graphical(const char *type) {
        return streq(type, "x11") || streq(type, "wayland") || streq(type, "mir");
}

static bool counts(const LoginSession *s, uid_t uid) {
        return s->uid == uid && s->user && !s->closing;
}

bool login_sessions_locked(const LoginSession *sessions, size_t n, uid_t uid) {
        bool locked = false;

        for (size_t i = 0; i < n; i++) {
                const LoginSession *s = &sessions[i];
                if (!counts(s, uid))
                        continue;
                if (s->active && !s->locked)
                        return false;
                locked = locked || s->locked;
        }
        return locked;
}

bool login_screen_locked(const LoginSession *sessions, size_t n, uid_t uid) {
        for (size_t i = 0; i < n; i++)
                if (counts(&sessions[i], uid) && sessions[i].graphical && sessions[i].locked)
                        return true;
        return false;
}

bool login_sessions_unsettled(const LoginSession *sessions, size_t n) {
        for (size_t i = 0; i < n; i++) {
                uid_t uid = sessions[i].uid;
                if (!counts(&sessions[i], uid) || !sessions[i].locked)
                        continue;
                for (size_t j = 0; j < n; j++)
                        if (counts(&sessions[j], uid) && sessions[j].active && !sessions[j].locked)
                                return true;
        }
        return false;
}

bool login_session_equal(const LoginSession *a, const LoginSession *b) {
        return a->uid == b->uid && a->user == b->user && a->graphical == b->graphical &&
               a->closing == b->closing && a->active == b->active && a->locked == b->locked;
}
