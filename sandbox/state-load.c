/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a state file. It is this program's own, but a broken one gives a message, not a crash. */
#include "sandbox/state-file.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "sandbox/jws-verify.h"
#include "totp/base32.h"

/* Readers of members. Each gives -EBADMSG for another type, -ENOMEM, or 0. */

static const char *member_string(json_object *o, const char *key) {
        json_object *v = json_object_object_get(o, key);

        return json_object_is_type(v, json_type_string) ? json_object_get_string(v) : NULL;
}

static int read_string(json_object *o, const char *key, bool nullable, char **ret) {
        const char *text = member_string(o, key);
        char *copy;

        if (!text)
                return nullable && !json_object_object_get(o, key) ? 0 : -EBADMSG;
        copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        free(*ret);
        *ret = copy;
        return 0;
}

static int read_sid(
                json_object *o, const char *key, const char *prefix, char ret[static SID_SIZE]) {
        const char *text = member_string(o, key);

        if (!text || !sid_valid(text, prefix))
                return -EBADMSG;
        memcpy(ret, text, SID_SIZE);
        return 0;
}

static int read_int(json_object *o, const char *key, int64_t min, int64_t max, int64_t *ret) {
        json_object *v = json_object_object_get(o, key);

        if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < min ||
                        json_object_get_int64(v) > max)
                return -EBADMSG;
        *ret = json_object_get_int64(v);
        return 0;
}

static int read_count(json_object *o, const char *key, int64_t min, int64_t max, unsigned *ret) {
        int64_t v;
        int r;

        r = read_int(o, key, min, max, &v);
        if (r >= 0)
                *ret = (unsigned) v;
        return r;
}

static int read_time(json_object *o, const char *key, bool nullable, usec_t *ret) {
        const char *text = member_string(o, key);

        if (!text)
                return nullable && !json_object_object_get(o, key) ? 0 : -EBADMSG;
        return rfc3339_parse(text, ret) < 0 ? -EBADMSG : 0;
}

static int read_value(json_object *o, const char *key, json_type type, json_object **ret) {
        json_object *v = json_object_object_get(o, key);

        if (!v)
                return 0;
        if (!json_object_is_type(v, type))
                return -EBADMSG;
        return json_object_deep_copy(v, ret, NULL) < 0 ? -ENOMEM : 0;
}

static int read_record(json_object *o, const char *prefix, Record *ret) {
        int64_t seq;
        int r;

        r = read_sid(o, "sid", prefix, ret->sid);
        if (r >= 0)
                r = read_int(o, "seq", 1, INT64_MAX / 2, &seq);
        if (r >= 0)
                ret->seq = (uint64_t) seq;
        if (r >= 0)
                r = read_time(o, "date_created", streq(prefix, "VA"), &ret->created);
        if (r >= 0)
                r = read_time(o, "date_updated", true, &ret->updated);
        return r;
}

static int find_service(const State *s, json_object *o, Service **ret) {
        const char *sid = member_string(o, "service_sid");

        *ret = sid ? state_service(s, sid) : NULL;
        return *ret ? 0 : -EBADMSG;
}

static int find_entity(const State *s, json_object *o, Entity **ret) {
        const char *identity = member_string(o, "identity");
        Service *service;
        int r;

        r = find_service(s, o, &service);
        if (r < 0)
                return r;
        *ret = identity ? state_entity(s, service, identity) : NULL;
        return *ret ? 0 : -EBADMSG;
}

static int load_service(State *s, json_object *o) {
        _cleanup_(service_freep) Service *service = calloc(1, sizeof(*service));
        int r;

        if (!service)
                return -ENOMEM;
        r = read_record(o, "VA", &service->record);
        if (r >= 0)
                r = read_string(o, "friendly_name", false, &service->friendly_name);
        if (r >= 0)
                r = state_add_service(s, service);
        if (r >= 0)
                TAKE_PTR(service);
        return r;
}

static int read_creations(json_object *o, Entity *e) {
        json_object *array = json_object_object_get(o, "factor_creations");
        size_t n;

        if (!json_object_is_type(array, json_type_array))
                return -EBADMSG;
        n = json_object_array_length(array);
        e->factor_creations = calloc(n + 1, sizeof(*e->factor_creations));
        if (!e->factor_creations)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                json_object *v = json_object_array_get_idx(array, i);

                if (!json_object_is_type(v, json_type_string) ||
                                rfc3339_parse(json_object_get_string(v), &e->factor_creations[i]) <
                                                0)
                        return -EBADMSG;
        }
        e->n_factor_creations = n;
        return 0;
}

static int load_entity(State *s, json_object *o) {
        const char *identity = member_string(o, "identity");
        _cleanup_(entity_freep) Entity *e = NULL;
        Service *service;
        int r;

        r = find_service(s, o, &service);
        if (r < 0)
                return r;
        if (!identity || !identity_valid(identity) || state_entity(s, service, identity))
                return -EBADMSG;
        r = entity_new(&e, service, identity, 0);
        if (r >= 0)
                r = read_record(o, "YE", &e->record);
        if (r >= 0)
                r = read_creations(o, e);
        if (r >= 0)
                r = state_add_entity(s, e);
        if (r >= 0)
                TAKE_PTR(e);
        return r;
}

static int load_push(json_object *o, json_object *config, Factor *f) {
        int r;

        r = read_string(o, "public_key", false, &f->public_key);
        if (r >= 0)
                r = es256_key_parse(&f->key, f->public_key);
        if (r >= 0)
                r = read_sid(config, "credential_sid", "CR", f->credential_sid);
        if (r >= 0)
                r = read_string(config, "sdk_version", false, &f->sdk_version);
        if (r >= 0)
                r = read_string(config, "app_id", false, &f->app_id);
        if (r >= 0)
                r = read_string(config, "notification_platform", false, &f->platform);
        if (r >= 0)
                r = read_string(config, "notification_token", true, &f->notification_token);
        return r;
}

static int load_totp(json_object *o, json_object *config, Factor *f) {
        const char *secret = member_string(o, "secret"), *alg = member_string(config, "alg");
        int r, a = alg ? otp_algorithm_from_string(alg) : -EINVAL;

        if (!secret || a < 0)
                return -EBADMSG;
        f->algorithm = (OtpAlgorithm) a;
        r = base32_decode(secret, strlen(secret), &f->secret);
        if (r >= 0 && f->secret.len == 0)
                r = -EBADMSG;
        if (r >= 0)
                r = read_count(config, "skew", 0, 2, &f->skew);
        if (r >= 0)
                r = read_count(config, "code_length", 3, 8, &f->code_length);
        if (r >= 0)
                r = read_count(config, "time_step", 20, 60, &f->time_step);
        if (r >= 0)
                r = read_int(o, "last_step", -1, INT64_MAX / 2, &f->last_step);
        return r;
}

static int read_factor(State *s, json_object *o, Factor *f) {
        json_object *config = json_object_object_get(o, "config");
        const char *status = member_string(o, "status"), *type = member_string(o, "factor_type");
        int r, kind = type ? factor_kind_from_string(type) : -EINVAL;

        if (kind < 0 || !status || !json_object_is_type(config, json_type_object))
                return -EBADMSG;
        f->kind = (FactorKind) kind;
        f->verified = streq(status, "verified");
        r = read_record(o, "YF", &f->record);
        if (r >= 0)
                r = find_entity(s, o, &f->entity);
        if (r >= 0)
                r = read_string(o, "friendly_name", false, &f->friendly_name);
        if (r >= 0)
                r = read_value(o, "metadata", json_type_object, &f->metadata);
        if (r >= 0)
                r = read_value(o, "auth_payloads", json_type_array, &f->auth_payloads);
        if (r >= 0)
                r = read_count(o, "attempts", 0, INT32_MAX, &f->attempts);
        if (r < 0)
                return r;
        return kind == KIND_PUSH ? load_push(o, config, f) : load_totp(o, config, f);
}

static int load_factor(State *s, json_object *o) {
        _cleanup_(factor_freep) Factor *f = calloc(1, sizeof(*f));
        int r;

        if (!f)
                return -ENOMEM;
        r = read_factor(s, o, f);
        if (r >= 0 && state_factor(s, f->record.sid))
                r = -EBADMSG;
        if (r >= 0)
                r = state_add_factor(s, f);
        if (r >= 0)
                TAKE_PTR(f);
        return r;
}

static int read_challenge(State *s, json_object *o, Challenge *c) {
        const char *status = member_string(o, "status"), *type = member_string(o, "factor_type");
        int r, kind = type ? factor_kind_from_string(type) : -EINVAL;
        int word = status ? challenge_status_from_string(status) : -EINVAL;

        if (kind < 0 || word < 0)
                return -EBADMSG;
        c->kind = (FactorKind) kind;
        c->status = (ChallengeStatus) word;
        r = read_record(o, "YC", &c->record);
        if (r >= 0)
                r = find_entity(s, o, &c->entity);
        if (r >= 0)
                r = read_sid(o, "factor_sid", "YF", c->factor_sid);
        if (r >= 0)
                r = read_time(o, "date_responded", true, &c->responded);
        if (r >= 0)
                r = read_time(o, "expiration_date", false, &c->expires);
        if (r >= 0)
                r = read_value(o, "details", json_type_object, &c->details);
        if (r >= 0)
                r = read_value(o, "hidden_details", json_type_object, &c->hidden_details);
        if (r >= 0)
                r = read_value(o, "metadata", json_type_object, &c->metadata);
        if (r >= 0)
                r = read_value(o, "auth_payloads", json_type_array, &c->auth_payloads);
        if (r >= 0)
                r = read_count(o, "attempts", 0, INT32_MAX, &c->attempts);
        if (r >= 0)
                r = read_count(o, "updates", 0, INT32_MAX, &c->updates);
        return r;
}

static int load_challenge(State *s, json_object *o) {
        _cleanup_(challenge_freep) Challenge *c = calloc(1, sizeof(*c));
        int r;

        if (!c)
                return -ENOMEM;
        r = read_challenge(s, o, c);
        if (r >= 0 && state_challenge(s, c->record.sid))
                r = -EBADMSG;
        if (r >= 0)
                r = state_add_challenge(s, c);
        if (r >= 0)
                TAKE_PTR(c);
        return r;
}

static int load_token(State *s, json_object *o) {
        _cleanup_(access_token_freep) AccessToken *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return -ENOMEM;
        r = read_record(o, "YK", &t->record);
        if (r >= 0)
                r = find_service(s, o, &t->service);
        if (r >= 0)
                r = read_string(o, "entity_identity", false, &t->identity);
        if (r >= 0)
                r = read_string(o, "factor_friendly_name", true, &t->friendly_name);
        if (r >= 0)
                r = read_string(o, "token", false, &t->token);
        if (r >= 0)
                r = read_count(o, "ttl", 1, INT32_MAX, &t->ttl);
        if (r >= 0 && (state_token(s, t->token) || state_token_by_sid(s, t->record.sid)))
                r = -EBADMSG;
        if (r >= 0)
                r = state_add_token(s, t);
        if (r >= 0)
                TAKE_PTR(t);
        return r;
}

static int load_top(State *s, json_object *o) {
        json_object *clock = json_object_object_get(o, "clock");
        int64_t seconds;
        int r;

        if (!json_object_is_type(clock, json_type_object))
                return -EBADMSG;
        r = read_int(clock, "offset", -CLOCK_OFFSET_MAX, CLOCK_OFFSET_MAX, &seconds);
        if (r >= 0)
                s->clock_offset = seconds * (int64_t) USEC_PER_SEC;
        if (r >= 0)
                r = read_sid(o, "account_sid", "AC", s->account_sid);
        if (r >= 0)
                r = read_sid(o, "api_key_sid", "SK", s->api_key_sid);
        if (r >= 0)
                r = read_string(o, "auth_token", false, &s->auth_token);
        if (r >= 0)
                r = read_string(o, "api_key_secret", false, &s->api_key_secret);
        return r;
}

int state_load(State *s, const char *path, char **reterr_msg) {
        static const struct {
                const char *key;
                int (*load)(State *s, json_object *o);
        } lists[] = {
                        {"services", load_service},
                        {"entities", load_entity},
                        {"factors", load_factor},
                        {"challenges", load_challenge},
                        {"access_tokens", load_token},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(secret_done) Secret text = {0};
        int r;

        r = file_read_named(&text, path, STATE_FILE_MAX, reterr_msg);
        if (r < 0)
                return r;
        r = json_doc_parse(&doc, secret_string(&text), text.len, reterr_msg);
        if (r < 0)
                return error_wrap(reterr_msg, r, "%s", path);
        r = load_top(s, json_doc_object(doc));
        if (r < 0)
                return error_set(reterr_msg, r, "%s is not a state file of this program", path);

        for (size_t i = 0; i < ELEMENTSOF(lists); i++) {
                json_object *array = json_doc_value(doc, lists[i].key);

                if (!json_object_is_type(array, json_type_array))
                        return error_set(reterr_msg, -EBADMSG, "%s: no %s", path, lists[i].key);
                for (size_t j = 0; j < json_object_array_length(array); j++) {
                        r = lists[i].load(s, json_object_array_get_idx(array, j));
                        if (r < 0)
                                return error_set(reterr_msg, r, "%s: %s[%zu] is broken", path,
                                                lists[i].key, j);
                }
        }
        s->dirty = false;
        return 0;
}
