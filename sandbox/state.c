/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/state.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "sandbox/json-build.h"

static const char *const kind_names[_KIND_MAX] = {"push", "totp"};
static const char *const status_names[_CHALLENGE_STATUS_MAX] = {
                "pending",
                "expired",
                "approved",
                "denied",
};

const char *factor_kind_to_string(FactorKind k) {
        return kind_names[k];
}

int factor_kind_from_string(const char *s) {
        for (int i = 0; i < _KIND_MAX; i++)
                if (streq(s, kind_names[i]))
                        return i;
        return -EINVAL;
}

const char *challenge_status_to_string(ChallengeStatus s) {
        return status_names[s];
}

int challenge_status_from_string(const char *s) {
        for (int i = 0; i < _CHALLENGE_STATUS_MAX; i++)
                if (streq(s, status_names[i]))
                        return i;
        return -EINVAL;
}

int random_hex(size_t n, char **ret) {
        uint8_t bytes[64];
        char *text;
        int r;

        if (n > sizeof(bytes))
                return -EINVAL;
        r = random_bytes(bytes, n);
        if (r < 0)
                return r;
        text = malloc(2 * n + 1);
        if (!text)
                return -ENOMEM;
        hex_encode(bytes, n, text);
        *ret = text;
        return 0;
}

int sid_new(const char *prefix, char ret[static SID_SIZE]) {
        _cleanup_free_ char *hex = NULL;
        int r;

        r = random_hex(16, &hex);
        if (r < 0)
                return r;
        snprintf(ret, SID_SIZE, "%s%s", prefix, hex);
        return 0;
}

/* Appends a record, which stays its maker's. Returns 0 or -ENOMEM. */
static int record_list_add(RecordList *l, Record *item) {
        if (l->n == l->allocated) {
                size_t allocated = l->allocated == 0 ? 4 : 2 * l->allocated;
                Record **items = reallocarray(l->items, allocated, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                l->items = items;
                l->allocated = allocated;
        }
        l->items[l->n++] = item;
        return 0;
}

static void record_list_remove(RecordList *l, const Record *item) {
        for (size_t i = 0; i < l->n; i++)
                if (l->items[i] == item) {
                        memmove(l->items + i, l->items + i + 1, (l->n - i - 1) * sizeof(*l->items));
                        l->n--;
                        return;
                }
}

int state_new(State **ret) {
        _cleanup_(state_freep) State *s = NULL;

        s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->rate_limits = true;
        s->by_sid = lh_kchar_table_new(64, NULL);
        s->by_credential = lh_kchar_table_new(64, NULL);
        s->by_identity = lh_kchar_table_new(64, NULL);
        s->by_token = lh_kchar_table_new(64, NULL);
        if (!s->by_sid || !s->by_credential || !s->by_identity || !s->by_token)
                return -ENOMEM;
        *ret = TAKE_PTR(s);
        return 0;
}

static void table_free(struct lh_table *t) {
        if (t)
                lh_table_free(t);
}

State *state_free(State *s) {
        if (!s)
                return NULL;
        for (size_t i = 0; i < s->entities.n; i++)
                entity_free((Entity *) s->entities.items[i]);
        for (size_t i = 0; i < s->tokens.n; i++)
                access_token_free((AccessToken *) s->tokens.items[i]);
        for (size_t i = 0; i < s->services.n; i++)
                service_free((Service *) s->services.items[i]);
        free(s->entities.items);
        free(s->tokens.items);
        free(s->services.items);
        table_free(s->by_sid);
        table_free(s->by_credential);
        table_free(s->by_identity);
        table_free(s->by_token);
        secret_string_free(s->auth_token);
        secret_string_free(s->api_key_secret);
        free(s);
        return NULL;
}

usec_t state_now(const State *s) {
        usec_t now = now_realtime();

        return s->clock_offset < 0 ? usec_sub(now, (usec_t) -s->clock_offset)
                                   : usec_add(now, (usec_t) s->clock_offset);
}

static void *table_get(struct lh_table *t, const char *key) {
        void *found = NULL;

        return lh_table_lookup_ex(t, key, &found) ? found : NULL;
}

/* The letters that a SID begins with tell the types in by_sid apart. */
static void *sid_get(const State *s, const char *prefix, const char *sid) {
        return strncmp(sid, prefix, 2) == 0 ? table_get(s->by_sid, sid) : NULL;
}

Service *state_service(const State *s, const char *sid) {
        for (size_t i = 0; i < s->services.n; i++)
                if (streq(s->services.items[i]->sid, sid))
                        return (Service *) s->services.items[i];
        return NULL;
}

static char *entity_key(const Service *service, const char *identity) {
        char *key;

        if (asprintf(&key, "%s/%s", service->record.sid, identity) < 0)
                return NULL;
        for (char *p = key + SID_LEN; *p; p++)
                *p = (char) tolower((unsigned char) *p);
        return key;
}

Entity *state_entity(const State *s, const Service *service, const char *identity) {
        _cleanup_free_ char *key = entity_key(service, identity);

        return key ? table_get(s->by_identity, key) : NULL;
}

Factor *state_factor(const State *s, const char *sid) {
        return sid_get(s, "YF", sid);
}

Factor *state_factor_by_credential(const State *s, const char *credential_sid) {
        return table_get(s->by_credential, credential_sid);
}

Challenge *state_challenge(const State *s, const char *sid) {
        return sid_get(s, "YC", sid);
}

AccessToken *state_token(const State *s, const char *token) {
        return table_get(s->by_token, token);
}

AccessToken *state_token_by_sid(const State *s, const char *sid) {
        return sid_get(s, "YK", sid);
}

static int record_enter(State *s, RecordList *l, Record *item) {
        int r;

        r = record_list_add(l, item);
        if (r < 0)
                return r;
        if (item->seq == 0)
                item->seq = s->last_seq + 1;
        if (item->seq > s->last_seq)
                s->last_seq = item->seq;
        s->dirty = true;
        return 0;
}

/* Enters item into one list and up to two tables, or into none. */
static int record_index(State *s,
                RecordList *l,
                Record *item,
                struct lh_table *first,
                const char *first_key,
                struct lh_table *second,
                const char *second_key) {
        if (lh_table_insert(first, first_key, item) < 0)
                return -ENOMEM;
        if (second && lh_table_insert(second, second_key, item) < 0) {
                lh_table_delete(first, first_key);
                return -ENOMEM;
        }
        if (record_enter(s, l, item) < 0) {
                lh_table_delete(first, first_key);
                if (second)
                        lh_table_delete(second, second_key);
                return -ENOMEM;
        }
        return 0;
}

int state_add_service(State *s, Service *service) {
        return record_enter(s, &s->services, &service->record);
}

int state_add_entity(State *s, Entity *e) {
        return record_index(s, &s->entities, &e->record, s->by_identity, e->key, NULL, NULL);
}

int state_add_factor(State *s, Factor *f) {
        bool push = f->kind == KIND_PUSH;

        return record_index(s, &f->entity->factors, &f->record, s->by_sid, f->record.sid,
                        push ? s->by_credential : NULL, f->credential_sid);
}

int state_add_challenge(State *s, Challenge *c) {
        return record_index(s, &c->entity->challenges, &c->record, s->by_sid, c->record.sid, NULL,
                        NULL);
}

int state_add_token(State *s, AccessToken *t) {
        return record_index(
                        s, &s->tokens, &t->record, s->by_sid, t->record.sid, s->by_token, t->token);
}

static void factor_forget(State *s, Factor *f) {
        lh_table_delete(s->by_sid, f->record.sid);
        if (f->kind == KIND_PUSH)
                lh_table_delete(s->by_credential, f->credential_sid);
}

void state_remove_factor(State *s, Factor *f) {
        factor_forget(s, f);
        record_list_remove(&f->entity->factors, &f->record);
        factor_free(f);
        s->dirty = true;
}

void state_remove_entity(State *s, Entity *e) {
        for (size_t i = 0; i < e->factors.n; i++)
                factor_forget(s, (Factor *) e->factors.items[i]);
        for (size_t i = 0; i < e->challenges.n; i++)
                lh_table_delete(s->by_sid, e->challenges.items[i]->sid);
        lh_table_delete(s->by_identity, e->key);
        record_list_remove(&s->entities, &e->record);
        entity_free(e);
        s->dirty = true;
}

int entity_new(Entity **ret, Service *service, const char *identity, usec_t now) {
        _cleanup_(entity_freep) Entity *e = NULL;
        int r;

        e = calloc(1, sizeof(*e));
        if (!e)
                return -ENOMEM;
        r = sid_new("YE", e->record.sid);
        if (r < 0)
                return r;
        e->service = service;
        e->record.created = e->record.updated = now;
        e->identity = strdup(identity);
        e->key = entity_key(service, identity);
        if (!e->identity || !e->key)
                return -ENOMEM;
        *ret = TAKE_PTR(e);
        return 0;
}

void challenge_expire(State *s, Challenge *c, usec_t now) {
        if (c->status != CHALLENGE_PENDING || now < c->expires)
                return;
        c->status = CHALLENGE_EXPIRED;
        c->record.updated = c->expires;
        s->dirty = true;
}

int auth_payload_record(json_object **array, usec_t now, const char *payload, const char *verdict) {
        JsonBuilder b = {0};

        if (!*array)
                *array = json_object_new_array();
        if (!*array)
                return -ENOMEM;
        json_build_time(&b, "time", now);
        json_build_string(&b, "auth_payload", payload);
        json_build_string(&b, "verdict", verdict);
        return json_array_take(*array, json_build_end(&b));
}
