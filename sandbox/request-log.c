/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/request-log.h"

#include <errno.h>

#include "sandbox/json-build.h"

static json_object *pair_to_json(const Param *p) {
        _cleanup_json_ json_object *pair = json_object_new_array_ext(2);

        if (!pair || json_array_take(pair, json_object_new_string(p->name)) < 0 ||
                        json_array_take(pair, json_object_new_string(p->value)) < 0)
                return NULL;
        return TAKE_PTR(pair);
}

static json_object *params_to_json(const Params *p) {
        _cleanup_json_ json_object *array = json_object_new_array();

        for (size_t i = 0; array && i < p->n; i++)
                if (json_array_take(array, pair_to_json(&p->items[i])) < 0)
                        return NULL;
        return TAKE_PTR(array);
}

static void build_auth(JsonBuilder *b, const Call *c, const RequestFacts *facts) {
        json_build_string(b, "auth", auth_kind_to_string(c->auth.kind));
        json_build_string(b, "credential", *c->auth.credential ? c->auth.credential : NULL);
        json_build_string(b, "auth_refused", c->auth.refused);
        json_build_string(b, "authorization", facts->authorization);
}

static void build_outcome(JsonBuilder *b, const Call *c, const Fault *fault) {
        bool cut = fault && fault->cut != CUT_NONE;

        if (cut && fault->cut == CUT_BEFORE)
                json_build_null(b, "status");
        else
                json_build_int(b, "status", c->reply.status);
        if (c->reply.code != 0)
                json_build_int(b, "error_code", c->reply.code);
        else
                json_build_null(b, "error_code");
        if (fault)
                json_build_int(b, "fault", fault->id);
        else
                json_build_null(b, "fault");
        json_build_string(b, "cut", cut ? fault_cut_to_string(fault->cut) : NULL);
}

int request_log_add(RequestLog *l, const Call *c, const RequestFacts *facts) {
        JsonBuilder b = {0};
        json_object *entry, **place;

        json_build_int(&b, "seq", (int64_t) (l->last_seq + 1));
        json_build_time(&b, "time", c->now);
        json_build_string(&b, "method", c->method);
        json_build_string(&b, "path", c->path);
        json_build_string(&b, "query", facts->query);
        build_auth(&b, c, facts);
        json_build_string(&b, "user_agent", facts->user_agent);
        json_build_string(&b, "content_type", facts->content_type);
        json_build_string(&b, "accept", facts->accept);
        json_build_take(&b, "params", params_to_json(&c->form));
        build_outcome(&b, c, facts->fault);
        json_build_int(&b, "connection", (int64_t) facts->connection);
        entry = json_build_end(&b);
        if (!entry)
                return -ENOMEM;

        place = &l->entries[l->last_seq++ % REQUEST_LOG_MAX];
        json_object_put(*place);
        *place = entry;
        if (l->n < REQUEST_LOG_MAX)
                l->n++;
        return 0;
}

/* The numbering goes on, so that a later look tells new from old. */
void request_log_clear(RequestLog *l) {
        for (size_t i = 0; i < REQUEST_LOG_MAX; i++) {
                json_object_put(l->entries[i]);
                l->entries[i] = NULL;
        }
        l->n = 0;
}

json_object *request_log_to_json(const RequestLog *l) {
        _cleanup_json_ json_object *array = json_object_new_array();

        for (uint64_t seq = l->last_seq - l->n; array && seq < l->last_seq; seq++)
                if (json_array_take(array, json_object_get(l->entries[seq % REQUEST_LOG_MAX])) < 0)
                        return NULL;
        return TAKE_PTR(array);
}
