/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/confirm.h"

#include <string.h>

#include "base/secret.h"
#include "base/text.h"

const char *confirm_to_string(Confirm c) {
        static const char *const words[_CONFIRM_MAX] = {
                        [CONFIRM_NONE] = "none",
                        [CONFIRM_SID] = "sid",
                        [CONFIRM_FIELD] = "field",
                        [CONFIRM_NEVER] = "never",
        };

        return (unsigned) c < _CONFIRM_MAX ? words[c] : NULL;
}

/* The value of the one detail with that label; NULL when there is none, or which one is meant can't
 * be told, or nothing stands in it. */
static const char *matched_value(const ChallengeView *v, const char *label) {
        const char *found = NULL;

        for (size_t i = 0; i < v->n_fields; i++) {
                if (!streq(v->fields[i].label, label))
                        continue;
                if (found)
                        return NULL;
                found = v->fields[i].value;
        }
        return found && *found ? found : NULL;
}

Confirm confirm_kind(const ChallengeView *v, const char *match_field, bool cooling) {
        if (match_field)
                return matched_value(v, match_field) ? CONFIRM_FIELD : CONFIRM_NEVER;
        return cooling ? CONFIRM_SID : CONFIRM_NONE;
}

static bool text_fits(const char *wanted, const char *typed) {
        _cleanup_(secret_done) Secret a = {0}, b = {0};

        return wanted && typed && secret_append_string(&a, wanted) >= 0 &&
               secret_append_string(&b, typed) >= 0 && secret_equal(&a, &b);
}

bool confirm_fits(
                Confirm kind, const ChallengeView *v, const char *match_field, const char *typed) {
        switch (kind) {
        case CONFIRM_NONE:
                return true;
        case CONFIRM_SID:
                return text_fits(v->sid + strlen(v->sid) - CONFIRM_SID_LEN, typed);
        case CONFIRM_FIELD:
                return text_fits(matched_value(v, match_field), typed);
        case CONFIRM_NEVER:
        case _CONFIRM_MAX:
                break;
        }
        return false;
}
