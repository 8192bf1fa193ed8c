/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/refusals.h"

static RefusalCount *find_uid(Refusals *r, uid_t uid) {
        for (size_t i = 0; i < r->n_uids; i++)
                if (r->uids[i].uid == uid)
                        return r->uids + i;
        if (r->n >= REFUSALS_OF_ALL)
                return NULL;
        r->uids[r->n_uids] = (RefusalCount){.uid = uid};
        return r->uids + r->n_uids++;
}

bool refusals_take(Refusals *r, uid_t uid, usec_t now) {
        RefusalCount *c = find_uid(r, uid);

        if (r->end == 0) {
                r->window = r->window > 0 ? r->window : REFUSALS_WINDOW;
                r->end = usec_add(now, r->window);
        }
        if (!c) {
                r->left_out++;
                return false;
        }
        if (c->n >= REFUSALS_OF_UID || r->n >= REFUSALS_OF_ALL) {
                c->left_out++;
                return false;
        }
        c->n++;
        r->n++;
        return true;
}

size_t refusals_end(Refusals *r, usec_t now, RefusalCount *ret, usec_t *ret_span) {
        usec_t window = r->window;
        size_t n = 0;

        if (r->end == 0 || now < r->end)
                return 0;
        for (size_t i = 0; i < r->n_uids; i++)
                if (r->uids[i].left_out > 0)
                        ret[n++] = r->uids[i];
        if (r->left_out > 0)
                ret[n++] = (RefusalCount){.uid = (uid_t) -1, .left_out = r->left_out};

        *r = (Refusals){.window = REFUSALS_WINDOW};
        if (n > 0)
                r->window = 2 * window < REFUSALS_WINDOW_MAX ? 2 * window : REFUSALS_WINDOW_MAX;
        *ret_span = window;
        return n;
}
