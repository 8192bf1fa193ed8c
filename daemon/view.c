/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/view.h"

#include "daemon/prompt.h"

void view_add(json_object *o, const char *key, json_object *value) {
        if (!o || json_object_object_add(o, key, value) < 0)
                json_object_put(value);
}

void view_add_string(json_object *o, const char *key, const char *value) {
        view_add(o, key, value ? json_object_new_string(value) : NULL);
}

void view_add_int(json_object *o, const char *key, int64_t value) {
        view_add(o, key, json_object_new_int64(value));
}

void view_add_time(json_object *o, const char *key, usec_t t) {
        char text[RFC3339_SIZE];

        view_add_string(o, key, t > 0 ? rfc3339_format(t, text) : NULL);
}

json_object *view_reply(const char *key, json_object *value) {
        json_object *o = json_object_new_object();

        view_add(o, key, value);
        return o;
}

json_object *view_object_of_string(const char *key, const char *value) {
        return view_reply(key, json_object_new_string(value));
}

json_object *view_api_error(int http_status, int64_t code) {
        json_object *o = json_object_new_object();

        view_add_int(o, "http_status", http_status);
        view_add_int(o, "code", code);
        return o;
}

static json_object *view_shown_fields(const Challenge *c) {
        const ChallengeView *v = &c->view;
        json_object *fields = json_object_new_array();

        for (size_t i = 0; i < v->n_fields; i++) {
                json_object *f = view_object_of_string("label", v->fields[i].label);
                view_add_string(f, "value",
                                prompt_withholds(c, v->fields[i].label) ? NULL
                                                                        : v->fields[i].value);
                if (json_object_array_add(fields, f) < 0)
                        json_object_put(f);
        }
        return fields;
}

json_object *view_fields(const DetailField *fields, size_t n) {
        json_object *list = json_object_new_array();

        for (size_t i = 0; i < n; i++) {
                json_object *f = view_object_of_string("label", fields[i].label);
                view_add_string(f, "value", fields[i].value);
                if (json_object_array_add(list, f) < 0)
                        json_object_put(f);
        }
        return list;
}

/* What a prompter goes by. */
static void view_add_prompt(json_object *o, const Challenge *c) {
        const Challenge *leader = prompt_leader(c);
        Confirm confirm = prompt_confirm(c);

        view_add_string(o, "repeat_of", leader ? leader->view.sid : NULL);
        view_add_int(o, "repeats", (int64_t) prompt_repeats(c));
        view_add(o, "quiet", json_object_new_boolean(prompt_is_quiet(c)));
        view_add_string(o, "confirm", confirm_to_string(confirm));
        view_add_string(o, "confirm_field",
                        confirm == CONFIRM_FIELD || confirm == CONFIRM_NEVER
                                        ? c->factor->record.match_field
                                        : NULL);
}

json_object *view_challenge(const Challenge *c) {
        const ChallengeView *v = &c->view;
        json_object *o = json_object_new_object();

        view_add_string(o, "sid", v->sid);
        view_add_string(o, "digest", v->digest);
        view_add_string(o, "factor", v->factor);
        view_add_string(o, "factor_sid", v->factor_sid);
        view_add_string(o, "factor_type", factor_type_to_string(v->factor_type));
        view_add_string(o, "state", challenge_state_to_string(v->state));
        view_add_string(o, "service_sid", v->service_sid);
        view_add_string(o, "identity", v->identity);
        view_add_string(o, "message", v->message);
        view_add(o, "fields", view_shown_fields(c));
        view_add_time(o, "created", v->created);
        view_add_time(o, "expires", v->expires);
        view_add_string(o, "reason", v->reason);
        view_add_prompt(o, c);
        return o;
}

json_object *view_factor(const Factor *f) {
        const StoreFactor *r = &f->record;
        json_object *o = json_object_new_object();
        bool otp = r->type != FACTOR_PUSH;

        view_add_string(o, "name", r->name);
        view_add_string(o, "sid", r->sid);
        view_add_string(o, "type", factor_type_to_string(r->type));
        view_add_string(o, "status", factor_status_to_string(factor_status(f)));
        view_add_int(o, "owner", r->owner);
        view_add_string(o, "account_sid", r->account_sid);
        view_add_string(o, "service_sid", r->service_sid);
        view_add_string(o, "identity", r->identity);
        view_add_string(o, "account", r->account);
        view_add_string(o, "base_url", r->base_url);
        view_add_string(o, "issuer", r->issuer);
        view_add_string(o, "label", r->label);
        view_add_string(o, "algorithm", r->algorithm);
        view_add(o, "digits", otp ? json_object_new_int64(r->digits) : NULL);
        view_add(o, "period", r->type == FACTOR_TOTP ? json_object_new_int64(r->period) : NULL);
        view_add_time(o, "created", r->created);
        view_add_time(o, "last_poll", f->last_poll);
        view_add_string(o, "error", r->error ? r->error : f->poll_error);
        view_add_string(o, "match_field", r->match_field);
        view_add_time(o, "cooling_until", f->cooling_until);
        return o;
}
