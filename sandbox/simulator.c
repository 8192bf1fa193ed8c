/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/simulator.h"

#include <errno.h>
#include <string.h>

#include "sandbox/json-build.h"
#include "sandbox/jws-verify.h"
#include "sandbox/state-file.h"

typedef struct Simulator {
        Call *call;
        Faults *faults;
        RequestLog *log;
        const JsonDoc *doc; /* the request's body; NULL for GET */
} Simulator;

/* The simulator's own errors are plain: {"error": text}. */
static void refuse(Call *c, unsigned status, const char *text) {
        JsonBuilder b = {0};

        json_build_string(&b, "error", text);
        reply_json(&c->reply, status, json_build_end(&b));
}

static void reply_clear(const Simulator *s, const char *key, int64_t n) {
        JsonBuilder b = {0};

        json_build_int(&b, key, n);
        reply_json(&s->call->reply, 200, json_build_end(&b));
}

static void run_clock(const Simulator *s) {
        State *state = s->call->state;
        JsonBuilder b = {0};
        int64_t offset;

        if (!json_doc_integer(s->doc, "offset", &offset) || offset < -CLOCK_OFFSET_MAX ||
                        offset > CLOCK_OFFSET_MAX) {
                refuse(s->call, 400, "offset must be a number of seconds");
                return;
        }
        state->clock_offset = offset * (int64_t) USEC_PER_SEC;
        state->dirty = true;
        s->call->now = state_now(state);
        json_build_int(&b, "offset", offset);
        json_build_time(&b, "now", s->call->now);
        reply_json(&s->call->reply, 200, json_build_end(&b));
}

static void run_faults_list(const Simulator *s) {
        JsonBuilder b = {0};

        json_build_take(&b, "faults", faults_to_json(s->faults));
        reply_json(&s->call->reply, 200, json_build_end(&b));
}

/* {"clear":true} and nothing else. */
static bool is_clear(const JsonDoc *doc) {
        json_object *clear = json_doc_value(doc, "clear");

        return json_object_is_type(clear, json_type_boolean) && json_object_get_boolean(clear) &&
               json_doc_n_members(doc) == 1;
}

static void run_faults(const Simulator *s) {
        _cleanup_free_ char *message = NULL;
        int r;

        if (is_clear(s->doc))
                faults_clear(s->faults);
        else {
                r = faults_add(s->faults, s->doc, &message);
                if (r == -ENOMEM) {
                        reply_failed(&s->call->reply);
                        return;
                }
                if (r < 0) {
                        refuse(s->call, 400, error_text(message, r));
                        return;
                }
        }
        run_faults_list(s);
}

static void run_requests(const Simulator *s) {
        if (!is_clear(s->doc)) {
                refuse(s->call, 400, "want {\"clear\":true}");
                return;
        }
        request_log_clear(s->log);
        reply_clear(s, "requests", 0);
}

static void run_state(const Simulator *s) {
        Call *c = s->call;
        JsonBuilder b = {0};

        for (size_t i = 0; i < c->state->entities.n; i++) {
                const Entity *e = (const Entity *) c->state->entities.items[i];

                for (size_t j = 0; j < e->challenges.n; j++)
                        challenge_expire(c->state, (Challenge *) e->challenges.items[j], c->now);
        }
        b.object = state_to_json(c->state, c->base_url);
        b.failed = !b.object;
        json_build_take(&b, "faults", faults_to_json(s->faults));
        json_build_take(&b, "requests", request_log_to_json(s->log));
        reply_json(&c->reply, 200, json_build_end(&b));
}

static const char *const challenge_keys[] = {"status", "details", "hidden_details", "metadata"};

static const char *check_challenge_call(const JsonDoc *doc) {
        const char *status = json_doc_string(doc, "status");
        JsonSlice raw;

        for (size_t i = 0; i < json_doc_n_members(doc); i++) {
                const char *name = json_doc_member_name(doc, i);
                bool known = false;

                for (size_t j = 0; j < ELEMENTSOF(challenge_keys); j++)
                        known = known || streq(name, challenge_keys[j]);
                if (!known)
                        return "want status, details, hidden_details or metadata";
                if (streq(name, "status"))
                        continue;
                if (json_doc_value(doc, name) &&
                                !json_object_is_type(json_doc_value(doc, name), json_type_object))
                        return "details, hidden_details and metadata must be objects or null";
        }
        if (json_doc_raw(doc, "status", &raw) &&
                        (!status || challenge_status_from_string(status) < 0))
                return "status must be approved, denied, expired or pending";
        return NULL;
}

static int replace(const JsonDoc *doc, const char *key, json_object **target) {
        json_object *copy = NULL;
        JsonSlice raw;

        if (!json_doc_raw(doc, key, &raw))
                return 0;
        if (json_doc_value(doc, key) &&
                        json_object_deep_copy(json_doc_value(doc, key), &copy, NULL) < 0)
                return -ENOMEM;
        json_object_put(*target);
        *target = copy;
        return 0;
}

static void set_status(Challenge *challenge, ChallengeStatus status, usec_t now) {
        bool responded = status == CHALLENGE_APPROVED || status == CHALLENGE_DENIED;

        challenge->status = status;
        challenge->responded = responded ? now : 0;
        challenge->record.updated = now;
}

static void run_challenge(const Simulator *s, const char *sid) {
        Challenge *challenge = state_challenge(s->call->state, sid);
        const char *status = json_doc_string(s->doc, "status");
        const char *wrong = check_challenge_call(s->doc);
        Call *c = s->call;

        if (!challenge) {
                refuse(c, 404, "no such challenge");
                return;
        }
        if (wrong) {
                refuse(c, 400, wrong);
                return;
        }
        c->state->dirty = true;
        if (replace(s->doc, "details", &challenge->details) < 0 ||
                        replace(s->doc, "hidden_details", &challenge->hidden_details) < 0 ||
                        replace(s->doc, "metadata", &challenge->metadata) < 0) {
                reply_failed(&c->reply);
                return;
        }
        if (status)
                set_status(challenge, (ChallengeStatus) challenge_status_from_string(status),
                                c->now);
        reply_json(&c->reply, 200, challenge_to_json(c->state, challenge, c->base_url));
}

static void run_post(Simulator *s, const char *name, const char *body, size_t len) {
        static const char challenges[] = "challenges/";
        static const struct {
                const char *name;
                void (*run)(const Simulator *s);
        } posts[] = {
                        {"clock", run_clock},
                        {"faults", run_faults},
                        {"requests", run_requests},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_free_ char *message = NULL;
        int r;

        r = json_doc_parse(&doc, body, len, &message);
        if (r == -ENOMEM) {
                reply_failed(&s->call->reply);
                return;
        }
        if (r < 0) {
                refuse(s->call, 400, error_text(message, r));
                return;
        }
        s->doc = doc;
        for (size_t i = 0; i < ELEMENTSOF(posts); i++)
                if (streq(name, posts[i].name)) {
                        posts[i].run(s);
                        return;
                }
        if (strncmp(name, challenges, STRLEN("challenges/")) == 0)
                run_challenge(s, name + STRLEN("challenges/"));
        else
                refuse(s->call, 404, "no such call");
}

void simulator_run(Call *c, Faults *faults, RequestLog *log, const char *body, size_t len) {
        Simulator s = {.call = c, .faults = faults, .log = log};
        const char *name = c->path + STRLEN(SIMULATOR_PREFIX);

        if (streq(c->method, "POST"))
                run_post(&s, name, body, len);
        else if (!streq(c->method, "GET"))
                refuse(c, 405, "GET or POST");
        else if (streq(name, "state"))
                run_state(&s);
        else if (streq(name, "faults"))
                run_faults_list(&s);
        else
                refuse(c, 404, "no such call");
}
