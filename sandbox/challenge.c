/* SPDX-License-Identifier: Apache-2.0 */
/* Challenges: creating, listing and fetching them. Answers are in challenge-answer.c. */
#include "sandbox/challenge.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sandbox/check.h"
#include "sandbox/factor-totp.h"
#include "sandbox/json-build.h"
#include "sandbox/paging.h"

#define LIFE_DEFAULT (5 * USEC_PER_MINUTE)
#define LIFE_MAX (60 * USEC_PER_MINUTE)
#define MESSAGE_MAX 256
#define FIELDS_MAX 20
#define LABEL_MAX 36
#define VALUE_MAX 128

/* How many challenges a TOTP factor may get, by the length of its codes. */
#define SHORT_CODE_LENGTH 4
#define SHORT_CODE_PER_DAY 10
#define LONG_CODE_PER_HOUR 50
#define LONG_CODE_PER_DAY 100

const char *const signature_fields[] = {
                "account_sid",
                "service_sid",
                "identity",
                "factor_sid",
                "sid",
                "date_created",
                "expiration_date",
                "details",
                "hidden_details",
};
const size_t n_signature_fields = ELEMENTSOF(signature_fields);

static void build_urls(JsonBuilder *b, const Challenge *c, const char *base_url) {
        JsonBuilder links = {0};
        _cleanup_free_ char *url = NULL;

        if (asprintf(&url, "%s/v2/Services/%s/Entities/%s/Challenges/%s", base_url,
                            c->entity->service->record.sid, c->entity->identity,
                            c->record.sid) < 0) {
                url = NULL;
                b->failed = true;
                return;
        }
        json_build_string(b, "url", url);
        json_build_format(&links, "notifications", "%s/Notifications", url);
        json_build_take(b, "links", json_build_end(&links));
}

json_object *challenge_to_json(const State *s, const Challenge *c, const char *base_url) {
        JsonBuilder b = {0};

        json_build_string(&b, "sid", c->record.sid);
        json_build_string(&b, "account_sid", s->account_sid);
        json_build_string(&b, "service_sid", c->entity->service->record.sid);
        json_build_string(&b, "entity_sid", c->entity->record.sid);
        json_build_string(&b, "identity", c->entity->identity);
        json_build_string(&b, "factor_sid", c->factor_sid);
        json_build_time(&b, "date_created", c->record.created);
        json_build_time(&b, "date_updated", c->record.updated);
        json_build_time(&b, "date_responded", c->responded);
        json_build_time(&b, "expiration_date", c->expires);
        json_build_string(&b, "status", challenge_status_to_string(c->status));
        json_build_string(&b, "responded_reason", "none");
        json_build_borrow(&b, "details", c->details);
        json_build_borrow(&b, "hidden_details", c->hidden_details);
        json_build_borrow(&b, "metadata", c->metadata);
        json_build_string(&b, "factor_type", factor_kind_to_string(c->kind));
        build_urls(&b, c, base_url);
        return json_build_end(&b);
}

static bool too_many(Call *c, const Factor *f) {
        const RecordList *l = &c->entity->challenges;
        size_t in_hour = 0, in_day = 0;

        if (!c->state->rate_limits || f->kind != KIND_TOTP)
                return false;
        for (size_t i = 0; i < l->n; i++) {
                const Challenge *other = (const Challenge *) l->items[i];

                if (!streq(other->factor_sid, f->record.sid))
                        continue;
                in_hour += within(other->record.created, c->now, USEC_PER_HOUR);
                in_day += within(other->record.created, c->now, USEC_PER_DAY);
        }
        if (f->code_length <= SHORT_CODE_LENGTH ? in_day < SHORT_CODE_PER_DAY
                                                : in_hour < LONG_CODE_PER_HOUR &&
                                                                  in_day < LONG_CODE_PER_DAY)
                return false;
        reply_error(&c->reply, 60312, NULL);
        return true;
}

static Factor *challenged_factor(Call *c) {
        const char *sid = require_param(c, "FactorSid");
        Factor *f;

        if (!sid)
                return NULL;
        if (!sid_valid(sid, "YF")) {
                reply_error(&c->reply, 60306, "FactorSid is not a SID of type YF");
                return NULL;
        }
        f = state_factor(c->state, sid);
        if (!f || f->entity != c->entity) {
                reply_error(&c->reply, 20404, "factor %s", sid);
                return NULL;
        }
        if (!f->verified) {
                reply_error(&c->reply, 60318, NULL);
                return NULL;
        }
        return too_many(c, f) ? NULL : f;
}

/* Expiry is kept in whole seconds, as it is shown and signed. */
static bool read_expiration(Call *c, Challenge *challenge) {
        const char *text = params_get(&c->form, "ExpirationDate");
        usec_t t = usec_add(c->now, LIFE_DEFAULT);

        if (text && (rfc3339_parse(text, &t) < 0 || t <= c->now ||
                                    t > usec_add(c->now, LIFE_MAX))) {
                reply_error(&c->reply, 60306,
                                "ExpirationDate must be an ISO 8601 date within the next hour");
                return false;
        }
        challenge->expires = t - t % USEC_PER_SEC;
        return true;
}

static bool field_text(Call *c, const JsonDoc *doc, const char *key, size_t max, JsonBuilder *b) {
        json_object *v = json_doc_value(doc, key);

        if (!json_object_is_type(v, json_type_string)) {
                reply_error(&c->reply, 60306, "Details.Fields wants a %s that is a string", key);
                return false;
        }
        if (!check_length(c, key, json_object_get_string(v), max))
                return false;
        json_build_string(b, key, json_object_get_string(v));
        return true;
}

static bool read_field(Call *c, const char *text, json_object *fields) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        JsonBuilder b = {0};
        bool good;
        int r;

        r = json_doc_parse(&doc, text, strlen(text), NULL);
        if (r < 0) {
                if (r == -EBADMSG)
                        reply_error(&c->reply, 60306, "Details.Fields must be JSON objects");
                else
                        reply_failed(&c->reply);
                return false;
        }
        good = field_text(c, doc, "label", LABEL_MAX, &b) &&
               field_text(c, doc, "value", VALUE_MAX, &b);
        if (!good) {
                json_object_put(json_build_end(&b));
                return false;
        }
        if (json_array_take(fields, json_build_end(&b)) < 0) {
                reply_failed(&c->reply);
                return false;
        }
        return true;
}

static bool read_fields(Call *c, json_object **ret) {
        _cleanup_json_ json_object *fields = json_object_new_array();

        if (!fields) {
                reply_failed(&c->reply);
                return false;
        }
        for (size_t i = 0; i < c->form.n; i++) {
                if (!streq(c->form.items[i].name, "Details.Fields"))
                        continue;
                if (json_object_array_length(fields) == FIELDS_MAX) {
                        reply_error(&c->reply, 60300, "more than %d Details.Fields", FIELDS_MAX);
                        return false;
                }
                if (!read_field(c, c->form.items[i].value, fields))
                        return false;
        }
        *ret = TAKE_PTR(fields);
        return true;
}

static bool read_details(Call *c, Challenge *challenge) {
        const char *message = params_get(&c->form, "Details.Message");
        const char *hidden = params_get(&c->form, "HiddenDetails");
        json_object *fields = NULL;
        JsonBuilder b = {0};

        if (challenge->kind == KIND_PUSH && !require_param(c, "Details.Message"))
                return false;
        if (hidden && !check_string_map(c, "HiddenDetails", hidden, &challenge->hidden_details))
                return false;
        if (!message && !params_get(&c->form, "Details.Fields"))
                return true;
        if ((message && !check_length(c, "Details.Message", message, MESSAGE_MAX)) ||
                        !read_fields(c, &fields))
                return false;
        json_build_string(&b, "message", message);
        json_build_take(&b, "fields", fields);
        challenge->details = json_build_end(&b);
        if (!challenge->details)
                reply_failed(&c->reply);
        return challenge->details;
}

static Challenge *challenge_new(Call *c, const Factor *f) {
        _cleanup_(challenge_freep) Challenge *challenge = calloc(1, sizeof(*challenge));

        if (!challenge ||
                        sid_new(f->kind == KIND_PUSH ? "YC03" : "YC02", challenge->record.sid) < 0)
                return NULL;
        memcpy(challenge->factor_sid, f->record.sid, sizeof(challenge->factor_sid));
        challenge->entity = f->entity;
        challenge->kind = f->kind;
        challenge->record.created = challenge->record.updated = c->now;
        return TAKE_PTR(challenge);
}

void challenge_create(Call *c) {
        const char *code = params_get(&c->form, "AuthPayload");
        _cleanup_(challenge_freep) Challenge *challenge = NULL;
        Factor *f = challenged_factor(c);

        if (!f)
                return;
        challenge = challenge_new(c, f);
        if (!challenge) {
                reply_failed(&c->reply);
                return;
        }
        if (!read_expiration(c, challenge) || !read_details(c, challenge))
                return;
        if (f->kind == KIND_PUSH)
                code = NULL; /* for TOTP only */
        if (code && (!totp_check_code_length(c, code) ||
                                    !challenge_try_code(c, challenge, f, code)))
                return;
        if (state_add_challenge(c->state, challenge) < 0) {
                reply_failed(&c->reply);
                return;
        }
        reply_json(&c->reply, 201, challenge_to_json(c->state, challenge, c->base_url));
        TAKE_PTR(challenge);
}

static bool challenge_matches(Call *c, const Record *item) {
        const Challenge *challenge = (const Challenge *) item;
        const char *factor = params_get(&c->query, "FactorSid");
        const char *status = params_get(&c->query, "Status");

        if (c->auth.kind == AUTH_DEVICE)
                factor = c->auth.factor->record.sid;
        return (!factor || streq(factor, challenge->factor_sid)) &&
               (!status || streq(status, challenge_status_to_string(challenge->status)));
}

static json_object *challenge_render(Call *c, const Record *item) {
        return challenge_to_json(c->state, (const Challenge *) item, c->base_url);
}

static bool check_filters(Call *c) {
        const char *factor = params_get(&c->query, "FactorSid");
        const char *status = params_get(&c->query, "Status");
        const char *order = params_get(&c->query, "Order");
        const char *wrong = NULL;

        if (factor && !sid_valid(factor, "YF"))
                wrong = "FactorSid is not a SID of type YF";
        else if (status && challenge_status_from_string(status) < 0)
                wrong = "Status must be pending, expired, approved or denied";
        else if (order && !streq(order, "asc") && !streq(order, "desc"))
                wrong = "Order must be asc or desc";
        if (wrong) {
                reply_error(&c->reply, 60306, "%s", wrong);
                return false;
        }
        if (c->auth.kind == AUTH_DEVICE && factor && !streq(factor, c->auth.factor->record.sid)) {
                reply_error(&c->reply, 20404, "factor %s", factor);
                return false;
        }
        return true;
}

void challenge_list(Call *c) {
        static const char *const filters[] = {"FactorSid", "Status", "Order", NULL};
        const char *order = params_get(&c->query, "Order");
        const PageSource source = {
                        .key = "challenges",
                        .list = c->entity ? &c->entity->challenges : NULL,
                        .descending = order && streq(order, "desc"),
                        .matches = challenge_matches,
                        .render = challenge_render,
                        .filters = filters,
        };

        if (!check_filters(c))
                return;
        if (!c->entity) {
                reply_error(&c->reply, 20404, "%s", c->path);
                return;
        }
        for (size_t i = 0; i < c->entity->challenges.n; i++)
                challenge_expire(c->state, (Challenge *) c->entity->challenges.items[i], c->now);
        page_reply(c, &source);
}

static void add_signature_fields(Reply *r) {
        char list[256] = "";
        size_t n = 0;

        for (size_t i = 0; i < n_signature_fields; i++)
                n += (size_t) snprintf(list + n, sizeof(list) - n, "%s%s", i > 0 ? "," : "",
                                signature_fields[i]);
        reply_header(r, "Twilio-Verify-Signature-Fields", list);
}

void challenge_fetch(Call *c) {
        challenge_expire(c->state, c->challenge, c->now);
        reply_json(&c->reply, 200, challenge_to_json(c->state, c->challenge, c->base_url));
        add_signature_fields(&c->reply);
}
