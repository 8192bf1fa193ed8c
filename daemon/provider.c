/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/provider.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "daemon/provider-call.h"
#include "daemon/view.h"

/* A challenge that was just created, of a factor here perhaps: then it is looked for at once. */
static void provider_hurry(Manager *m, const VerifyChallenge *c) {
        const Factor *f = registry_factor(&m->registry, c->factor_sid);

        if (f)
                poller_hurry(m->poller, f);
}

/* The provider's object, checked by our reader, passed on whole. */
static bool provider_pass_challenge(ProviderCall *p, const ApiReply *reply) {
        _cleanup_(verify_challenge_done) VerifyChallenge c = {0};
        _cleanup_free_ char *why = NULL;

        if (reply->outcome != API_OK)
                provider_failed(p->call, reply);
        else if (verify_challenge_read(&c, reply->body, reply->len, &why) < 0)
                (void) call_error(p->call, IPC_API_ERROR, view_api_error(reply->http_status, 0),
                                "The provider's reply cannot be read: %s", strempty(why));
        else {
                if (p->creates)
                        provider_hurry(p->manager, &c);
                provider_redact(p->manager, &c, json_doc_object(c.doc));
                (void) call_reply(p->call,
                                view_reply("challenge", json_object_get(json_doc_object(c.doc))));
        }
        return false;
}

typedef struct CreateParameters {
        char *target, *factor_sid, *expiration_date, *message, *fields, *hidden_details;
        int64_t expires_in;
        Secret auth_payload;
} CreateParameters;

static const JsonField create_fields[] = {
                {"target", JSON_RAW, offsetof(CreateParameters, target), JSON_MANDATORY},
                {"factor_sid", JSON_STRING, offsetof(CreateParameters, factor_sid), JSON_NULLABLE},
                {"expiration_date", JSON_STRING, offsetof(CreateParameters, expiration_date),
                                JSON_NULLABLE},
                {"expires_in_ms", JSON_INT, offsetof(CreateParameters, expires_in), JSON_NULLABLE},
                {"message", JSON_STRING, offsetof(CreateParameters, message), JSON_NULLABLE},
                {"fields", JSON_RAW, offsetof(CreateParameters, fields), JSON_NULLABLE},
                {"hidden_details", JSON_STRING, offsetof(CreateParameters, hidden_details),
                                JSON_NULLABLE},
                {"auth_payload", JSON_SECRET, offsetof(CreateParameters, auth_payload),
                                JSON_NULLABLE},
};

static void create_parameters_done(CreateParameters *p) {
        json_fields_done(create_fields, ELEMENTSOF(create_fields), p);
}

#define EXPIRES_IN_MAX ((int64_t) (USEC_PER_DAY / USEC_PER_MSEC))

/* A span becomes a date by the provider's clock: the caller's may be wrong. Answers the call when
 * it makes no sense. */
static bool create_expires(Call *call, CreateParameters *c, usec_t now) {
        char date[RFC3339_SIZE];

        if (c->expiration_date || c->expires_in <= 0) {
                (void) call_invalid(call, "expires_in_ms",
                                "expires_in_ms must be above 0, and stands in place of "
                                "expiration_date");
                return false;
        }
        /* The request's builder knows the limit, which is far below. */
        usec_t span = c->expires_in < EXPIRES_IN_MAX ? (usec_t) c->expires_in * USEC_PER_MSEC
                                                     : USEC_PER_DAY;
        rfc3339_format(usec_add(now, span), date);
        return text_set(&c->expiration_date, date) >= 0;
}

void provider_challenge_create(Manager *m, Call *call) {
        _cleanup_(create_parameters_done) CreateParameters c = {0};
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_(provider_call_freep) ProviderCall *p = NULL;
        _cleanup_(field_list_done) FieldList fields = {0};
        _cleanup_free_ char *why = NULL;
        int r = 0;

        p = provider_call_new(m, call);
        if (!p || !parameters_read(call, create_fields, ELEMENTSOF(create_fields), &c) ||
                        !provider_target(p, c.target))
                return;
        if (p->who.device) {
                (void) call_invalid(call, "account",
                                "Factor %s has a device credential alone, and creating a challenge "
                                "wants an account; name one",
                                p->factor->record.name);
                return;
        }
        /* Another factor of the same identity may be named, of another type. */
        if (p->factor && p->factor->record.type == FACTOR_PUSH && !c.factor_sid && !c.message) {
                (void) call_invalid(call, "message",
                                "Details.Message is missing; a push challenge needs one");
                return;
        }
        if (parameter_given(call, "expires_in_ms") && !create_expires(call, &c, api_now(m->api)))
                return;
        if (c.fields)
                r = field_list_read(c.fields, &fields, &why);
        if (r < 0) {
                (void) call_invalid(call, "fields", "%s", error_text(why, r));
                return;
        }
        VerifyChallengeCreate create = {
                        .factor_sid = c.factor_sid ? c.factor_sid
                                                   : (p->factor ? p->factor->record.sid : NULL),
                        .expiration_date = c.expiration_date,
                        .message = c.message,
                        .fields = fields.items,
                        .n_fields = fields.n,
                        .hidden_details = c.hidden_details,
                        .auth_payload = parameter_given(call, "auth_payload") ? &c.auth_payload
                                                                              : NULL,
        };
        p->creates = true;
        p->replied = provider_pass_challenge;
        r = verify_challenge_create(&request, &p->entity, &create, api_now(m->api), &why);
        provider_send(TAKE_PTR(p), &request, r, why);
}

typedef struct FetchParameters {
        char *target, *sid;
} FetchParameters;

static const JsonField fetch_fields[] = {
                {"target", JSON_RAW, offsetof(FetchParameters, target), JSON_MANDATORY},
                {"sid", JSON_STRING, offsetof(FetchParameters, sid), JSON_MANDATORY},
};

static void fetch_parameters_done(FetchParameters *p) {
        json_fields_done(fetch_fields, ELEMENTSOF(fetch_fields), p);
}

void provider_challenge_fetch(Manager *m, Call *call) {
        _cleanup_(fetch_parameters_done) FetchParameters f = {0};
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_(provider_call_freep) ProviderCall *p = NULL;
        _cleanup_free_ char *why = NULL;
        int r;

        p = provider_call_new(m, call);
        if (!p || !parameters_read(call, fetch_fields, ELEMENTSOF(fetch_fields), &f) ||
                        !provider_target(p, f.target))
                return;
        p->replied = provider_pass_challenge;
        r = verify_challenge_fetch(&request, &p->entity, f.sid, &why);
        provider_send(TAKE_PTR(p), &request, r, why);
}

typedef struct UpdateParameters {
        char *target, *sid, *metadata;
        Secret auth_payload;
} UpdateParameters;

static const JsonField update_fields[] = {
                {"target", JSON_RAW, offsetof(UpdateParameters, target), JSON_MANDATORY},
                {"sid", JSON_STRING, offsetof(UpdateParameters, sid), JSON_MANDATORY},
                {"auth_payload", JSON_SECRET, offsetof(UpdateParameters, auth_payload),
                                JSON_NULLABLE},
                {"metadata", JSON_STRING, offsetof(UpdateParameters, metadata), JSON_NULLABLE},
};

static void update_parameters_done(UpdateParameters *p) {
        json_fields_done(update_fields, ELEMENTSOF(update_fields), p);
}

void provider_challenge_update(Manager *m, Call *call) {
        _cleanup_(update_parameters_done) UpdateParameters u = {0};
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_(provider_call_freep) ProviderCall *p = NULL;
        _cleanup_free_ char *why = NULL;
        int r;

        p = provider_call_new(m, call);
        if (!p || !parameters_read(call, update_fields, ELEMENTSOF(update_fields), &u) ||
                        !provider_target(p, u.target))
                return;
        VerifyChallengeUpdate update = {
                        .challenge_sid = u.sid,
                        .auth_payload = parameter_given(call, "auth_payload") ? &u.auth_payload
                                                                              : NULL,
                        .metadata = u.metadata,
        };
        p->replied = provider_pass_challenge;
        r = verify_challenge_update(&request, &p->entity, &update, &why);
        provider_send(TAKE_PTR(p), &request, r, why);
}

typedef struct TokenParameters {
        char *account, *service_sid, *identity, *friendly_name;
        int64_t ttl;
} TokenParameters;

static const JsonField token_fields[] = {
                {"account", JSON_STRING, offsetof(TokenParameters, account), JSON_MANDATORY},
                {"service_sid", JSON_STRING, offsetof(TokenParameters, service_sid),
                                JSON_MANDATORY},
                {"identity", JSON_STRING, offsetof(TokenParameters, identity), JSON_MANDATORY},
                {"friendly_name", JSON_STRING, offsetof(TokenParameters, friendly_name),
                                JSON_NULLABLE},
                {"ttl", JSON_INT, offsetof(TokenParameters, ttl), JSON_NULLABLE},
};

static void token_parameters_done(TokenParameters *p) {
        json_fields_done(token_fields, ELEMENTSOF(token_fields), p);
}

static bool provider_pass_token(ProviderCall *p, const ApiReply *reply) {
        _cleanup_(verify_access_token_done) VerifyAccessToken token = {0};
        _cleanup_free_ char *why = NULL;
        json_object *o;

        if (reply->outcome != API_OK) {
                provider_failed(p->call, reply);
                return false;
        }
        if (verify_access_token_read(&token, reply->body, reply->len, &why) < 0) {
                (void) call_error(p->call, IPC_API_ERROR, view_api_error(reply->http_status, 0),
                                "The provider's reply cannot be read: %s", strempty(why));
                return false;
        }
        o = view_object_of_string("sid", token.sid);
        view_add_string(o, "token", secret_string(&token.token));
        view_add_int(o, "ttl", token.ttl);
        (void) call_reply(p->call, o);
        return false;
}

void provider_access_token_create(Manager *m, Call *call) {
        _cleanup_(token_parameters_done) TokenParameters t = {0};
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_(provider_call_freep) ProviderCall *p = NULL;
        _cleanup_free_ char *why = NULL;
        int r;

        p = provider_call_new(m, call);
        if (!p || !parameters_read(call, token_fields, ELEMENTSOF(token_fields), &t))
                return;
        p->who.account = manager_account(m, t.account);
        if (!p->who.account) {
                (void) call_invalid(call, "account",
                                "There is no [Account %s] in the configuration", t.account);
                return;
        }
        VerifyAccessTokenCreate create = {
                        .service_sid = t.service_sid,
                        .identity = t.identity,
                        .factor_friendly_name = t.friendly_name,
                        .ttl = t.ttl,
        };
        p->replied = provider_pass_token;
        if (parameter_given(call, "ttl") && t.ttl == 0)
                r = error_set(&why, -EINVAL, "Ttl is 0; it must be from %i to %i",
                                VERIFY_TOKEN_TTL_MIN, VERIFY_TOKEN_TTL_MAX);
        else
                r = verify_access_token_create(&request, &create, &why);
        provider_send(TAKE_PTR(p), &request, r, why);
}

/* 404, and 401 to its own key, mean that it is gone there already. */
static bool provider_is_gone(const ProviderCall *p, const ApiReply *reply) {
        return reply->outcome == API_OK ||
               (reply->outcome == API_REFUSED && reply->http_status == 404) ||
               (reply->outcome == API_UNAUTHORIZED && p->who.device);
}

static bool provider_removed(ProviderCall *p, const ApiReply *reply) {
        Actor actor = manager_actor(p->call);
        _cleanup_free_ char *why = NULL;
        int r;

        if (!provider_is_gone(p, reply)) {
                provider_failed(p->call, reply);
                return false;
        }
        r = p->factor->removed ? 0 : manager_drop_factor(p->manager, p->factor, &actor, &why);
        if (r < 0)
                (void) call_error(p->call, IPC_STORE_ERROR, NULL, "%s", error_text(why, r));
        else
                (void) call_reply(p->call, NULL);
        return false;
}

void provider_remove_factor(Manager *m, Call *call, Factor *f) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_(provider_call_freep) ProviderCall *p = NULL;
        _cleanup_free_ char *why = NULL;
        uint64_t sequence;
        int r;

        p = provider_call_new(m, call);
        if (!p)
                return;
        p->factor = factor_ref(f);
        if (f->push_key)
                p->who.device = f;
        else
                p->who.account = f->account;
        if (!p->who.device && !p->who.account) {
                (void) call_invalid(call, "name",
                                "The configuration has no account for factor %s; use --local to "
                                "remove it here alone",
                                f->record.name);
                return;
        }
        /* A store that can't be written must show before the provider has deleted anything. */
        r = store_sequence_next(m->store, &sequence, &why);
        if (r < 0) {
                (void) call_error(call, IPC_STORE_ERROR, NULL, "Nothing was removed: %s",
                                error_text(why, r));
                return;
        }
        p->replied = provider_removed;
        p->entity = (VerifyEntity){f->record.service_sid, f->record.identity};
        r = verify_factor_delete(&request, &p->entity, f->record.sid, &why);
        provider_send(TAKE_PTR(p), &request, r, why);
}
