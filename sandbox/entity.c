/* SPDX-License-Identifier: Apache-2.0 */
/* Entities: a service's users. */
#include "sandbox/check.h"
#include "sandbox/json-build.h"
#include "sandbox/paging.h"

json_object *entity_to_json(const State *s, const Entity *e, const char *base_url) {
        static const char *const links[][2] = {
                        {"factors", "Factors"},
                        {"new_factors", "Factors"},
                        {"challenges", "Challenges"},
        };
        const char *service = e->service->record.sid;
        JsonBuilder b = {0}, l = {0};

        json_build_string(&b, "sid", e->record.sid);
        json_build_string(&b, "identity", e->identity);
        json_build_string(&b, "account_sid", s->account_sid);
        json_build_string(&b, "service_sid", service);
        json_build_time(&b, "date_created", e->record.created);
        json_build_time(&b, "date_updated", e->record.updated);
        json_build_format(
                        &b, "url", "%s/v2/Services/%s/Entities/%s", base_url, service, e->identity);
        for (size_t i = 0; i < ELEMENTSOF(links); i++)
                json_build_format(&l, links[i][0], "%s/v2/Services/%s/Entities/%s/%s", base_url,
                                service, e->identity, links[i][1]);
        json_build_take(&b, "links", json_build_end(&l));
        return json_build_end(&b);
}

/* Entities are kept in the order of creation, so only the newest ones matter. */
static bool created_too_fast(const Call *c) {
        const RecordList *l = &c->state->entities;

        return c->state->rate_limits && l->n >= ENTITY_CREATIONS_PER_SECOND &&
               within(l->items[l->n - ENTITY_CREATIONS_PER_SECOND]->created, c->now, USEC_PER_SEC);
}

Entity *entity_ensure(Call *c, const char *identity) {
        _cleanup_(entity_freep) Entity *e = NULL;
        Entity *known = state_entity(c->state, c->service, identity);

        if (known)
                return known;
        if (created_too_fast(c)) {
                reply_error(&c->reply, 60328, NULL);
                return NULL;
        }
        if (entity_new(&e, c->service, identity, c->now) < 0 || state_add_entity(c->state, e) < 0) {
                reply_failed(&c->reply);
                return NULL;
        }
        return TAKE_PTR(e);
}

void entity_create(Call *c) {
        const char *identity = require_param(c, "Identity");
        const Entity *e;

        if (!identity)
                return;
        if (!identity_valid(identity)) {
                reply_error(&c->reply, 60306,
                                "Identity must be 8 to 64 letters and digits, "
                                "in groups separated by dashes");
                return;
        }
        if (state_entity(c->state, c->service, identity)) {
                reply_error(&c->reply, 60301, NULL);
                return;
        }
        e = entity_ensure(c, identity);
        if (e)
                reply_json(&c->reply, 201, entity_to_json(c->state, e, c->base_url));
}

static bool entity_matches(Call *c, const Record *item) {
        return ((const Entity *) item)->service == c->service;
}

static json_object *entity_render(Call *c, const Record *item) {
        return entity_to_json(c->state, (const Entity *) item, c->base_url);
}

void entity_list(Call *c) {
        const PageSource source = {
                        .key = "entities",
                        .list = &c->state->entities,
                        .matches = entity_matches,
                        .render = entity_render,
        };

        page_reply(c, &source);
}

void entity_fetch(Call *c) {
        if (c->entity)
                reply_json(&c->reply, 200, entity_to_json(c->state, c->entity, c->base_url));
        else
                reply_error(&c->reply, 20404, "%s", c->path);
}

void entity_delete(Call *c) {
        if (!c->entity) {
                reply_error(&c->reply, 20404, "%s", c->path);
                return;
        }
        state_remove_entity(c->state, TAKE_PTR(c->entity));
        reply_no_content(&c->reply);
}
