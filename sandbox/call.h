#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* One request and the reply that is made for it. */

#include "sandbox/auth.h"
#include "sandbox/params.h"
#include "sandbox/reply.h"

#define BODY_MAX ((size_t) 64 * 1024)
#define SEGMENTS_MAX 8

typedef struct Call {
        State *state;
        usec_t now; /* the server's clock */
        /* The request, borrowed from the server. */
        const char *method;
        const char *path;     /* as sent, without the query */
        const char *base_url; /* "http://host:port", no slash at its end */
        Params query;
        Params form;
        Auth auth;
        /* What the path named, once it was resolved. */
        Service *service;
        char *identity; /* decoded; the entity may not exist */
        Entity *entity;
        Factor *factor;
        Challenge *challenge;
        char sid[SID_SIZE]; /* of an access token */
        Reply reply;
} Call;

/* Frees what the call holds. */
void call_done(Call *c);

/* Answers a request under /v2 (router.c). malformed is NULL, or what is wrong with the request's
 * form: it is told to those only who have good credentials. */
void call_route(Call *c, const char *malformed);

/* Operations, by resource. Each fills c->reply. */
void access_token_create(Call *c);
void access_token_fetch(Call *c);
void entity_create(Call *c);
void entity_list(Call *c);
void entity_fetch(Call *c);
void entity_delete(Call *c);
void factor_create(Call *c);
void factor_list(Call *c);
void factor_fetch(Call *c);
void factor_update(Call *c);
void factor_delete(Call *c);
void challenge_create(Call *c);
void challenge_list(Call *c);
void challenge_fetch(Call *c);
void challenge_answer(Call *c);
void notification_create(Call *c);

/* The entity that the path names, made when it is not there yet. Returns NULL with the reply set.
 */
Entity *entity_ensure(Call *c, const char *identity);

/* Objects as the API shows them; base_url begins the URLs in them. NULL when memory is short. */
json_object *entity_to_json(const State *s, const Entity *e, const char *base_url);
json_object *factor_to_json(
                const State *s, const Factor *f, const char *base_url, bool with_binding);
json_object *challenge_to_json(const State *s, const Challenge *c, const char *base_url);
json_object *access_token_to_json(const State *s, const AccessToken *t, const char *base_url);

/* The top-level members of a challenge that its answer has to sign. */
extern const char *const signature_fields[];
extern const size_t n_signature_fields;
