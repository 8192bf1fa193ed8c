/* SPDX-License-Identifier: Apache-2.0 */

#include <string.h>

#include "base/text.h"
#include "daemon/prompt.h"
#include "daemon/provider-call.h"

static json_object *member(json_object *o, const char *key, json_type type) {
        json_object *value = NULL;

        if (!json_object_is_type(o, json_type_object) ||
                        !json_object_object_get_ex(o, key, &value) ||
                        !json_object_is_type(value, type))
                return NULL;
        return value;
}

static bool is_withheld(const Manager *m, const Factor *f, const VerifyChallenge *c) {
        const Challenge *held = registry_challenge(&m->registry, c->sid);

        return c->status == PROVIDER_PENDING &&
               (!held || prompt_withholds(held, f->record.match_field));
}

void provider_redact(const Manager *m, const VerifyChallenge *c, json_object *o) {
        const Factor *f = registry_factor(&m->registry, c->factor_sid);
        json_object *fields =
                        member(member(o, "details", json_type_object), "fields", json_type_array);

        if (!fields || !f || !f->record.match_field || !is_withheld(m, f, c))
                return;
        for (size_t i = 0; i < json_object_array_length(fields); i++) {
                json_object *item = json_object_array_get_idx(fields, i);
                json_object *label = member(item, "label", json_type_string);
                if (label && streq(json_object_get_string(label), f->record.match_field))
                        (void) json_object_object_add(item, "value", NULL);
        }
}
