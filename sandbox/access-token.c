/* SPDX-License-Identifier: Apache-2.0 */
/* Access tokens: made by a customer's backend for one device's enrolment. */
#include <errno.h>
#include <stdio.h>

#include "base/base64.h"
#include "sandbox/check.h"
#include "sandbox/json-build.h"

#define TTL_MIN 60
#define TTL_MAX 300

/* The sizes of a JWE's parts, for a token that looks like the provider's: five parts, about 1 KiB,
 * with nothing inside that a client could read. */
#define JWE_IV_SIZE 12
#define JWE_TEXT_SIZE 640
#define JWE_TAG_SIZE 16

static int random_part(size_t len, char **ret) {
        uint8_t bytes[JWE_TEXT_SIZE];
        int r;

        r = random_bytes(bytes, len);
        return r < 0 ? r : base64_encode(BASE64_URL, bytes, len, ret);
}

static int opaque_token(char **ret) {
        static const char header[] =
                        "{\"zip\":\"DEF\",\"kid\":\"sandbox\",\"cty\":\"twilio-fpa;v=1\","
                        "\"enc\":\"A256GCM\",\"alg\":\"dir\"}";
        _cleanup_free_ char *first = NULL, *iv = NULL, *text = NULL, *tag = NULL;
        int r;

        r = base64_encode(BASE64_URL, header, sizeof(header) - 1, &first);
        if (r >= 0)
                r = random_part(JWE_IV_SIZE, &iv);
        if (r >= 0)
                r = random_part(JWE_TEXT_SIZE, &text);
        if (r >= 0)
                r = random_part(JWE_TAG_SIZE, &tag);
        if (r < 0)
                return r;
        return asprintf(ret, "%s..%s.%s.%s", first, iv, text, tag) < 0 ? -ENOMEM : 0;
}

json_object *access_token_to_json(const State *s, const AccessToken *t, const char *base_url) {
        JsonBuilder b = {0};

        json_build_string(&b, "sid", t->record.sid);
        json_build_string(&b, "account_sid", s->account_sid);
        json_build_string(&b, "service_sid", t->service->record.sid);
        json_build_string(&b, "entity_identity", t->identity);
        json_build_string(&b, "factor_type", "push");
        json_build_string(&b, "factor_friendly_name", t->friendly_name);
        json_build_string(&b, "token", t->token);
        json_build_int(&b, "ttl", t->ttl);
        json_build_time(&b, "date_created", t->record.created);
        json_build_format(&b, "url", "%s/v2/Services/%s/AccessTokens/%s", base_url,
                        t->service->record.sid, t->record.sid);
        return json_build_end(&b);
}

static const char *token_param(Call *c, const char *name) {
        const char *value = params_get(&c->form, name);

        if (value && *value)
                return value;
        reply_error(&c->reply, 60305, "missing required parameter %s", name);
        return NULL;
}

static bool check_type_and_identity(Call *c, const char *type, const char *identity) {
        if (!streq(type, "push")) {
                reply_error(&c->reply, 60305, "FactorType must be push");
                return false;
        }
        if (!identity_valid(identity)) {
                reply_error(&c->reply, 60305,
                                "Identity must be 8 to 64 letters and digits, "
                                "in groups separated by dashes");
                return false;
        }
        return true;
}

void access_token_create(Call *c) {
        _cleanup_(access_token_freep) AccessToken *t = NULL;
        const char *name = params_get(&c->form, "FactorFriendlyName");
        const char *identity, *type;
        int64_t ttl = TTL_MIN;

        identity = token_param(c, "Identity");
        type = identity ? token_param(c, "FactorType") : NULL;
        if (!type || !check_type_and_identity(c, type, identity) ||
                        !check_integer(c, 60300, "Ttl", params_get(&c->form, "Ttl"), TTL_MIN,
                                        TTL_MAX, &ttl))
                return;
        if (name && !check_length(c, "FactorFriendlyName", name, FRIENDLY_NAME_MAX))
                return;

        t = calloc(1, sizeof(*t));
        if (!t || sid_new("YK", t->record.sid) < 0 || opaque_token(&t->token) < 0) {
                reply_failed(&c->reply);
                return;
        }
        t->service = c->service;
        t->ttl = (unsigned) ttl;
        t->record.created = t->record.updated = c->now;
        if (!copy_text(c, identity, &t->identity) ||
                        (name && !copy_text(c, name, &t->friendly_name)))
                return;
        if (state_add_token(c->state, t) < 0) {
                reply_failed(&c->reply);
                return;
        }
        reply_json(&c->reply, 201, access_token_to_json(c->state, t, c->base_url));
        TAKE_PTR(t);
}

void access_token_fetch(Call *c) {
        const AccessToken *t = state_token_by_sid(c->state, c->sid);

        if (!t || t->service != c->service)
                reply_error(&c->reply, 20404, "%s", c->path);
        else
                reply_json(&c->reply, 200, access_token_to_json(c->state, t, c->base_url));
}
