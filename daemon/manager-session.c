/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/manager-session.h"

#include <unistd.h>

#include "log/log.h"

#define DOOR_HELPER "helper"

bool manager_is_locked(const Manager *m, uid_t uid) {
        return session_lock_is_locked(m->session_lock, uid);
}

static void manager_lock_changed(void *userdata) {
        Manager *m = userdata;

        helper_review(m->helper);
}

/* Its screen is that of the daemon's own user. Somebody may sit there who did not log in, although
 * the user is present elsewhere. */
static bool manager_helper_may_show(void *userdata) {
        const Manager *m = userdata;

        return !manager_is_locked(m, geteuid()) &&
               !session_lock_is_screen_locked(m->session_lock, geteuid());
}

static void manager_helper_approved(
                Challenge *c, const char *digest, const char *confirm, void *userdata) {
        Actor actor = {.uid = geteuid(), .door = DOOR_HELPER};

        if (!manager_helper_may_show(userdata)) {
                log_notice("The helper's yes to challenge %s came when the session was locked; it "
                           "decides nothing",
                                c->view.sid);
                return;
        }
        challenge_decide(c, VERB_APPROVE, digest, confirm, &actor, NULL);
}

int manager_watch_sessions(Manager *m) {
        HelperHost host = {
                        .event = m->event,
                        .path = m->config->helper,
                        .arm_delay = m->config->arm_delay,
                        .may_show = manager_helper_may_show,
                        .approved = manager_helper_approved,
                        .userdata = m,
        };
        int r = 0;

        if (m->config->bus != CONFIG_BUS_NONE)
                r = session_lock_new(&m->session_lock, m->event, manager_lock_changed, m);
        if (r >= 0 && m->config->helper)
                r = helper_new(&m->helper, &host);
        return r;
}
