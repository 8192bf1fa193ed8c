/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/prompt.h"

#include "base/text.h"
#include "daemon/life.h"

const Challenge *prompt_leader(const Challenge *c) {
        return NULL;
}

size_t prompt_repeats(const Challenge *c) {
        return 0;
}

static bool is_undecided(const Challenge *c) {
        return !c->has_decision && !life_is_final(c->view.state);
}

bool prompt_is_quiet(const Challenge *c) {
        return is_undecided(c) && (prompt_leader(c) || c->factor->cooling_until > 0);
}

Confirm prompt_confirm(const Challenge *c) {
        if (!is_undecided(c))
                return CONFIRM_NONE;
        return confirm_kind(&c->view, c->factor->record.match_field, c->factor->cooling_until > 0);
}

bool prompt_withholds(const Challenge *c, const char *label) {
        const char *matched = c->factor->record.match_field;

        return matched && is_undecided(c) && streq(label, matched);
}
