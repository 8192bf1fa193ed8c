/* SPDX-License-Identifier: Apache-2.0 */
/* Factors: what a user proves to hold, a device's key (push) or a shared secret (TOTP). */
#include <strings.h>

#include "sandbox/check.h"
#include "sandbox/factor-push.h"
#include "sandbox/factor-totp.h"
#include "sandbox/json-build.h"
#include "sandbox/paging.h"

json_object *factor_to_json(
                const State *s, const Factor *f, const char *base_url, bool with_binding) {
        bool push = f->kind == KIND_PUSH;
        JsonBuilder b = {0};

        json_build_string(&b, "sid", f->record.sid);
        json_build_string(&b, "account_sid", s->account_sid);
        json_build_string(&b, "service_sid", f->entity->service->record.sid);
        json_build_string(&b, "entity_sid", f->entity->record.sid);
        json_build_string(&b, "identity", f->entity->identity);
        if (with_binding) {
                json_build_take(&b, "binding",
                                push ? push_binding_to_json(f) : totp_binding_to_json(f));
                json_build_null(&b, "options");
        }
        json_build_time(&b, "date_created", f->record.created);
        json_build_time(&b, "date_updated", f->record.updated);
        json_build_string(&b, "friendly_name", f->friendly_name);
        json_build_string(&b, "status", f->verified ? "verified" : "unverified");
        json_build_string(&b, "factor_type", factor_kind_to_string(f->kind));
        json_build_take(&b, "config", push ? push_config_to_json(f) : totp_config_to_json(f));
        json_build_borrow(&b, "metadata", f->metadata);
        json_build_format(&b, "url", "%s/v2/Services/%s/Entities/%s/Factors/%s", base_url,
                        f->entity->service->record.sid, f->entity->identity, f->record.sid);
        return json_build_end(&b);
}

static bool token_permits(Call *c, FactorKind kind) {
        const AccessToken *t = c->auth.token;

        if (c->auth.kind != AUTH_ACCESS_TOKEN ||
                        (kind == KIND_PUSH && t->service == c->service &&
                                        strcasecmp(t->identity, c->identity) == 0))
                return true;
        reply_error(&c->reply, 60313, NULL);
        return false;
}

static bool read_kind(Call *c, FactorKind *ret) {
        const char *type = require_param(c, "FactorType");
        int kind;

        if (!type)
                return false;
        kind = factor_kind_from_string(type);
        if (kind < 0) {
                reply_error(&c->reply, 60306, "FactorType must be push or totp");
                return false;
        }
        *ret = (FactorKind) kind;
        return true;
}

static bool same_binding(const Factor *a, const Factor *b) {
        return a->kind == b->kind && (a->kind == KIND_PUSH ? EVP_PKEY_eq(a->key, b->key) == 1
                                                           : secret_equal(&a->secret, &b->secret));
}

/* The entity may be NULL: it is about to be made. */
static bool fits_entity(Call *c, const Factor *f) {
        size_t n = 0, max = f->kind == KIND_PUSH ? PUSH_FACTORS_MAX : TOTP_FACTORS_MAX;

        for (size_t i = 0; c->entity && i < c->entity->factors.n; i++) {
                const Factor *other = (const Factor *) c->entity->factors.items[i];

                if (same_binding(f, other)) {
                        reply_error(&c->reply, 60317, NULL);
                        return false;
                }
                n += other->kind == f->kind;
        }
        if (n < max)
                return true;
        reply_error(&c->reply, 60315, "an entity has at most %zu", max);
        return false;
}

/* Counts a creation against the day's limit. */
static bool count_creation(Call *c, Entity *e) {
        usec_t *creations;
        size_t kept = 0;

        for (size_t i = 0; i < e->n_factor_creations; i++)
                if (within(e->factor_creations[i], c->now, USEC_PER_DAY))
                        e->factor_creations[kept++] = e->factor_creations[i];
        e->n_factor_creations = kept;
        if (c->state->rate_limits && kept >= FACTOR_CREATIONS_PER_DAY) {
                reply_error(&c->reply, 60326, NULL);
                return false;
        }
        creations = reallocarray(e->factor_creations, kept + 1, sizeof(*creations));
        if (!creations) {
                reply_failed(&c->reply);
                return false;
        }
        e->factor_creations = creations;
        e->factor_creations[e->n_factor_creations++] = c->now;
        return true;
}

static Factor *factor_new(Call *c, FactorKind kind) {
        _cleanup_(factor_freep) Factor *f = calloc(1, sizeof(*f));

        /* The two digits after the prefix are the provider's habit. */
        if (!f || sid_new(kind == KIND_PUSH ? "YF03" : "YF02", f->record.sid) < 0 ||
                        sid_new("CR", f->credential_sid) < 0)
                return NULL;
        f->kind = kind;
        f->record.created = f->record.updated = c->now;
        f->algorithm = OTP_SHA1;
        f->time_step = 30;
        f->code_length = 6;
        f->skew = 1;
        f->last_step = -1;
        return TAKE_PTR(f);
}

static bool read_name(Call *c, const char *name, Factor *f) {
        return check_length(c, "FriendlyName", name, FRIENDLY_NAME_MAX) &&
               copy_text(c, name, &f->friendly_name);
}

static bool read_new_factor(Call *c, Factor *f) {
        const char *name = require_param(c, "FriendlyName");
        const char *metadata = params_get(&c->form, "Metadata");

        return name && read_name(c, name, f) &&
               (!metadata || check_string_map(c, "Metadata", metadata, &f->metadata)) &&
               (f->kind == KIND_PUSH ? push_read_binding(c, f) && push_read_config(c, f, true)
                                     : totp_read_binding(c, f) && totp_read_config(c, f));
}

/* Judges an AuthPayload for a factor. Returns false with the reply set when it is refused with an
 * error; a wrong code is not an error. */
static bool factor_prove(Call *c, Factor *f, const char *payload) {
        bool push = f->kind == KIND_PUSH, right = false;
        int r;

        if (!push && !totp_check_code_length(c, payload))
                return false;
        if (!push && f->attempts >= ATTEMPTS_MAX) {
                if (auth_payload_record(&f->auth_payloads, c->now, payload, "exhausted") < 0)
                        reply_failed(&c->reply);
                else
                        reply_error(&c->reply, 60310, NULL);
                c->state->dirty = true;
                return false;
        }
        r = push ? push_check_signature(f, payload, &right)
                 : totp_check_code(c->state, f, c->now, payload, &right);
        if (r >= 0)
                r = auth_payload_record(
                                &f->auth_payloads, c->now, payload, right ? "accepted" : "wrong");
        if (r < 0) {
                reply_failed(&c->reply);
                return false;
        }
        c->state->dirty = true;
        f->attempts = right ? 0 : f->attempts + 1;
        if (right)
                f->verified = true;
        if (right || !push)
                return true;
        reply_error(&c->reply, 60311, NULL);
        return false;
}

void factor_create(Call *c) {
        _cleanup_(factor_freep) Factor *owned = NULL;
        FactorKind kind;
        Factor *f;

        if (!read_kind(c, &kind) || !token_permits(c, kind))
                return;
        owned = factor_new(c, kind);
        if (!owned) {
                reply_failed(&c->reply);
                return;
        }
        if (!read_new_factor(c, owned) || !fits_entity(c, owned))
                return;
        c->entity = entity_ensure(c, c->identity);
        if (!c->entity || !count_creation(c, c->entity))
                return;
        owned->entity = c->entity;
        if (state_add_factor(c->state, owned) < 0) {
                reply_failed(&c->reply);
                return;
        }
        f = TAKE_PTR(owned);
        reply_json(&c->reply, 201, factor_to_json(c->state, f, c->base_url, true));
}

static bool factor_matches(Call *c, const Record *item) {
        return c->auth.kind != AUTH_DEVICE || (const Factor *) item == c->auth.factor;
}

static json_object *factor_render(Call *c, const Record *item) {
        return factor_to_json(c->state, (const Factor *) item, c->base_url, false);
}

void factor_list(Call *c) {
        const PageSource source = {
                        .key = "factors",
                        .list = c->entity ? &c->entity->factors : NULL,
                        .matches = factor_matches,
                        .render = factor_render,
        };

        if (c->entity)
                page_reply(c, &source);
        else
                reply_error(&c->reply, 20404, "%s", c->path);
}

void factor_fetch(Call *c) {
        reply_json(&c->reply, 200, factor_to_json(c->state, c->factor, c->base_url, false));
}

#define SWAP(a, b)                                                                                 \
        do {                                                                                       \
                __typeof__(a) _kept = (a);                                                         \
                (a) = (b);                                                                         \
                (b) = _kept;                                                                       \
        } while (0)

static void swap_settings(Factor *a, Factor *b) {
        SWAP(a->friendly_name, b->friendly_name);
        SWAP(a->sdk_version, b->sdk_version);
        SWAP(a->app_id, b->app_id);
        SWAP(a->platform, b->platform);
        SWAP(a->notification_token, b->notification_token);
        SWAP(a->algorithm, b->algorithm);
        SWAP(a->skew, b->skew);
        SWAP(a->code_length, b->code_length);
        SWAP(a->time_step, b->time_step);
}

static bool copy_settings(Call *c, const Factor *f, Factor *draft) {
        draft->algorithm = f->algorithm;
        draft->skew = f->skew;
        draft->code_length = f->code_length;
        draft->time_step = f->time_step;
        return copy_text(c, f->friendly_name, &draft->friendly_name) &&
               (f->kind == KIND_TOTP ||
                               (copy_text(c, f->sdk_version, &draft->sdk_version) &&
                                               copy_text(c, f->app_id, &draft->app_id) &&
                                               copy_text(c, f->platform, &draft->platform))) &&
               (!f->notification_token ||
                               copy_text(c, f->notification_token, &draft->notification_token));
}

static bool update_settings(Call *c, Factor *f) {
        const char *name = params_get(&c->form, "FriendlyName");

        if (name && !*name) {
                reply_error(&c->reply, 60300, "FriendlyName is empty");
                return false;
        }
        return (!name || read_name(c, name, f)) &&
               (f->kind == KIND_PUSH ? push_read_config(c, f, false) : totp_read_config(c, f));
}

void factor_update(Call *c) {
        _cleanup_(factor_freep) Factor *draft = calloc(1, sizeof(*draft));
        const char *payload = params_get(&c->form, "AuthPayload");
        Factor *f = c->factor;

        if (!draft) {
                reply_failed(&c->reply);
                return;
        }
        /* All of a request is accepted or nothing: changes are read into a draft first. */
        draft->kind = f->kind;
        if (!copy_settings(c, f, draft) || !update_settings(c, draft))
                return;
        if (payload && !factor_prove(c, f, payload))
                return;
        swap_settings(f, draft);
        f->record.updated = c->now;
        c->state->dirty = true;
        if (payload && f->kind == KIND_PUSH) {
                _cleanup_free_ char *opaque = NULL;

                if (random_hex(32, &opaque) >= 0)
                        reply_header(&c->reply, "Twilio-Verify-Factor-Signature", opaque);
        }
        reply_json(&c->reply, 200, factor_to_json(c->state, f, c->base_url, false));
}

void factor_delete(Call *c) {
        state_remove_factor(c->state, TAKE_PTR(c->factor));
        c->auth.factor = NULL;
        reply_no_content(&c->reply);
}
