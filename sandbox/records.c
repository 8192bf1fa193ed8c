/* SPDX-License-Identifier: Apache-2.0 */
/* How the state's objects are freed. */
#include "sandbox/state.h"

Service *service_free(Service *s) {
        if (!s)
                return NULL;
        free(s->friendly_name);
        free(s);
        return NULL;
}

Entity *entity_free(Entity *e) {
        if (!e)
                return NULL;
        for (size_t i = 0; i < e->factors.n; i++)
                factor_free((Factor *) e->factors.items[i]);
        for (size_t i = 0; i < e->challenges.n; i++)
                challenge_free((Challenge *) e->challenges.items[i]);
        free(e->factors.items);
        free(e->challenges.items);
        free(e->factor_creations);
        free(e->identity);
        free(e->key);
        free(e);
        return NULL;
}

Factor *factor_free(Factor *f) {
        if (!f)
                return NULL;
        free(f->friendly_name);
        free(f->public_key);
        free(f->sdk_version);
        free(f->app_id);
        free(f->platform);
        free(f->notification_token);
        json_object_put(f->metadata);
        json_object_put(f->auth_payloads);
        EVP_PKEY_free(f->key);
        secret_done(&f->secret);
        free(f);
        return NULL;
}

Challenge *challenge_free(Challenge *c) {
        if (!c)
                return NULL;
        json_object_put(c->details);
        json_object_put(c->hidden_details);
        json_object_put(c->metadata);
        json_object_put(c->auth_payloads);
        free(c);
        return NULL;
}

AccessToken *access_token_free(AccessToken *t) {
        if (!t)
                return NULL;
        free(t->identity);
        free(t->friendly_name);
        secret_string_free(t->token);
        free(t);
        return NULL;
}
