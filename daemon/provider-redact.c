/* SPDX-License-Identifier: Apache-2.0 */

#include <json-c/json.h>

#include "base/json-member.h"
#include "base/text.h"
#include "daemon/prompt.h"
#include "daemon/provider-call.h"

static bool is_withheld(const Manager *m, const Factor *f, const VerifyChallenge *c) {
        const Challenge *held = registry_challenge(&m->registry, c->sid);

        return c->status == PROVIDER_PENDING &&
               (!held || prompt_withholds(held, f->record.match_field));
}

void provider_redact(const Manager *m, const VerifyChallenge *c, json_object *o) {
        const Factor *f = registry_factor(&m->registry, c->factor_sid);
        json_object *fields = get_array(get_object(o, "details"), "fields");

        if (!f || !f->record.match_field || !is_withheld(m, f, c))
                return;
        for (size_t i = 0; i < count_items(fields); i++) {
                json_object *item = json_object_array_get_idx(fields, i);
                if (streq_ptr(get_string(item, "label"), f->record.match_field))
                        (void) json_object_object_add(item, "value", NULL);
        }
}
