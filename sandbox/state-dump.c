/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/state-file.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "sandbox/call.h"
#include "sandbox/factor-totp.h"
#include "sandbox/json-build.h"

/* A builder that goes on with an object which the API shows. */
static JsonBuilder extend(json_object *o) {
        return (JsonBuilder){.object = o, .failed = !o};
}

static void build_payloads(JsonBuilder *b, json_object *payloads) {
        if (payloads)
                json_build_borrow(b, "auth_payloads", payloads);
        else
                json_build_take(b, "auth_payloads", json_object_new_array());
}

static json_object *service_dump(const Service *s) {
        JsonBuilder b = {0};

        json_build_string(&b, "sid", s->record.sid);
        json_build_int(&b, "seq", (int64_t) s->record.seq);
        json_build_string(&b, "friendly_name", s->friendly_name);
        return json_build_end(&b);
}

static json_object *entity_dump(const State *s, const Entity *e, const char *base_url) {
        JsonBuilder b = extend(entity_to_json(s, e, base_url));
        json_object *creations = json_object_new_array();

        for (size_t i = 0; creations && i < e->n_factor_creations; i++) {
                char text[RFC3339_SIZE];

                rfc3339_format(e->factor_creations[i], text);
                if (json_array_take(creations, json_object_new_string(text)) < 0) {
                        json_object_put(creations);
                        creations = NULL;
                }
        }
        json_build_int(&b, "seq", (int64_t) e->record.seq);
        json_build_take(&b, "factor_creations", creations);
        return json_build_end(&b);
}

static void build_pem(JsonBuilder *b, EVP_PKEY *key) {
        BIO *bio = BIO_new(BIO_s_mem());
        const char *text;
        long len;

        if (!bio || PEM_write_bio_PUBKEY(bio, key) != 1 || (len = BIO_get_mem_data(bio, &text)) < 0)
                b->failed = true;
        else
                json_build_format(b, "public_key_pem", "%.*s", (int) len, text);
        BIO_free(bio);
}

static json_object *factor_dump(const State *s, const Factor *f, const char *base_url) {
        JsonBuilder b = extend(factor_to_json(s, f, base_url, false));

        json_build_int(&b, "seq", (int64_t) f->record.seq);
        json_build_int(&b, "attempts", f->attempts);
        build_payloads(&b, f->auth_payloads);
        if (f->kind == KIND_PUSH) {
                json_build_string(&b, "public_key", f->public_key);
                build_pem(&b, f->key);
        } else {
                _cleanup_(secret_string_freep) char *secret = NULL;

                if (totp_secret_text(f, &secret) < 0)
                        b.failed = true;
                json_build_string(&b, "secret", secret);
                json_build_int(&b, "last_step", f->last_step);
        }
        return json_build_end(&b);
}

static json_object *challenge_dump(const State *s, const Challenge *c, const char *base_url) {
        JsonBuilder b = extend(challenge_to_json(s, c, base_url));

        json_build_int(&b, "seq", (int64_t) c->record.seq);
        json_build_int(&b, "attempts", c->attempts);
        json_build_int(&b, "updates", c->updates);
        build_payloads(&b, c->auth_payloads);
        return json_build_end(&b);
}

static json_object *token_dump(const State *s, const AccessToken *t, const char *base_url) {
        JsonBuilder b = extend(access_token_to_json(s, t, base_url));

        json_build_int(&b, "seq", (int64_t) t->record.seq);
        return json_build_end(&b);
}

static json_object *clock_dump(const State *s) {
        JsonBuilder b = {0};

        json_build_int(&b, "offset", s->clock_offset / (int64_t) USEC_PER_SEC);
        json_build_time(&b, "now", state_now(s));
        return json_build_end(&b);
}

/* Appends each item of a list, as dump shows it. Returns 0 or -ENOMEM. */
static int dump_into(json_object *array,
                const RecordList *l,
                const State *s,
                const char *base_url,
                json_object *(*dump)(const State *s, const Record *item, const char *base_url)) {
        for (size_t i = 0; i < l->n; i++)
                if (json_array_take(array, dump(s, l->items[i], base_url)) < 0)
                        return -ENOMEM;
        return 0;
}

static json_object *any_service(const State *s, const Record *item, const char *base_url) {
        return service_dump((const Service *) item);
}

static json_object *any_entity(const State *s, const Record *item, const char *base_url) {
        return entity_dump(s, (const Entity *) item, base_url);
}

static json_object *any_factor(const State *s, const Record *item, const char *base_url) {
        return factor_dump(s, (const Factor *) item, base_url);
}

static json_object *any_challenge(const State *s, const Record *item, const char *base_url) {
        return challenge_dump(s, (const Challenge *) item, base_url);
}

static json_object *any_token(const State *s, const Record *item, const char *base_url) {
        return token_dump(s, (const AccessToken *) item, base_url);
}

static void build_lists(JsonBuilder *b, const State *s, const char *base_url) {
        json_object *services = json_object_new_array(), *entities = json_object_new_array();
        json_object *factors = json_object_new_array(), *challenges = json_object_new_array();
        json_object *tokens = json_object_new_array();
        int r = 0;

        if (!services || !entities || !factors || !challenges || !tokens)
                r = -ENOMEM;
        if (r >= 0)
                r = dump_into(services, &s->services, s, base_url, any_service);
        if (r >= 0)
                r = dump_into(entities, &s->entities, s, base_url, any_entity);
        for (size_t i = 0; r >= 0 && i < s->entities.n; i++) {
                const Entity *e = (const Entity *) s->entities.items[i];

                r = dump_into(factors, &e->factors, s, base_url, any_factor);
                if (r >= 0)
                        r = dump_into(challenges, &e->challenges, s, base_url, any_challenge);
        }
        if (r >= 0)
                r = dump_into(tokens, &s->tokens, s, base_url, any_token);
        json_build_take(b, "services", services);
        json_build_take(b, "entities", entities);
        json_build_take(b, "factors", factors);
        json_build_take(b, "challenges", challenges);
        json_build_take(b, "access_tokens", tokens);
        if (r < 0)
                b->failed = true;
}

json_object *state_to_json(const State *s, const char *base_url) {
        JsonBuilder b = {0}, quirks = {0};

        json_build_take(&b, "clock", clock_dump(s));
        json_build_string(&b, "account_sid", s->account_sid);
        json_build_string(&b, "auth_token", s->auth_token);
        json_build_string(&b, "api_key_sid", s->api_key_sid);
        json_build_string(&b, "api_key_secret", s->api_key_secret);
        build_lists(&b, s, base_url);
        json_build_int(&quirks, "lower_case_page_token", (int64_t) s->n_odd_page_tokens);
        json_build_take(&b, "quirks", json_build_end(&quirks));
        return json_build_end(&b);
}

int state_save(State *s, const char *path, char **reterr_msg) {
        _cleanup_json_ json_object *o = state_to_json(s, "");
        const char *text;
        size_t len;
        int r;

        text = o ? json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &len) : NULL;
        if (!text)
                return -ENOMEM;
        r = file_write_atomic(path, text, len, 0600, reterr_msg);
        if (r >= 0)
                s->dirty = false;
        return r;
}
