/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/exchange.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "sandbox/json-build.h"
#include "sandbox/simulator.h"
#include "sandbox/state-file.h"

#define FORM_TYPE "application/x-www-form-urlencoded"

bool is_simulator_path(const char *path) {
        return strncmp(path, SIMULATOR_PREFIX, STRLEN(SIMULATOR_PREFIX)) == 0;
}

void outcome_done(Outcome *o) {
        reply_done(&o->reply);
        fault_unref(o->fault);
        *o = (Outcome){0};
}

/* URLs in replies begin as the client addressed this server. */
static int base_url(const Sandbox *s, const char *host, char **ret) {
        bool usable = host && *host;

        for (const char *p = strempty(host); *p; p++)
                usable = usable && (isalnum((unsigned char) *p) || strchr(".:-[]_", *p));
        if (!usable) {
                *ret = strdup(s->own_url);
                return *ret ? 0 : -ENOMEM;
        }
        if (asprintf(ret, "%s://%s", s->scheme, host) < 0) {
                *ret = NULL;
                return -ENOMEM;
        }
        return 0;
}

static bool is_form(const char *type) {
        size_t len = STRLEN(FORM_TYPE);

        return type && strncasecmp(type, FORM_TYPE, len) == 0 &&
               (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

/* Reads query and body. *ret_malformed is NULL, or what is wrong with them. */
static int read_params(const RawRequest *raw, Call *c, const char **ret_malformed) {
        const char *query = strempty(raw->query);
        int r;

        r = params_parse(query, strlen(query), &c->query);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                *ret_malformed = "the query is malformed";
        if (raw->body_len == 0 || raw->too_large || !streq(raw->method, "POST"))
                return 0;
        if (!is_form(raw->content_type)) {
                *ret_malformed = "Content-Type must be " FORM_TYPE;
                return 0;
        }
        r = params_parse(raw->body, raw->body_len, &c->form);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                *ret_malformed = "the form is malformed";
        return 0;
}

static void run_api(Sandbox *s, const RawRequest *raw, const Fault *fault, Call *c) {
        const char *malformed = NULL;

        /* A fault hides what the server would say, not what the client sent: that is logged. */
        if (read_params(raw, c, &malformed) < 0 ||
                        auth_check(c->state, c->now, raw->authorization, &c->auth) < 0) {
                reply_failed(&c->reply);
                return;
        }
        if (fault && fault->cut == CUT_BEFORE)
                return;
        if (fault && fault->status > 0) {
                c->reply.status = fault->status;
                reply_header(&c->reply, "Content-Type", "application/json");
        } else if (raw->too_large)
                reply_error_status(&c->reply, 413, 60300, "the request's body is too large");
        else
                call_route(c, malformed);
}

static void run_simulator(Sandbox *s, const RawRequest *raw, Call *c) {
        JsonBuilder b = {0};

        if (raw->from_loopback && !raw->too_large) {
                simulator_run(c, &s->faults, &s->log, raw->body, raw->body_len);
                return;
        }
        json_build_string(&b, "error",
                        raw->too_large ? "the request's body is too large"
                                       : "simulator calls come from loopback addresses only");
        reply_json(&c->reply, raw->too_large ? 413 : 403, json_build_end(&b));
}

static void apply_fault(Reply *r, const Fault *fault) {
        if (fault->body)
                reply_body(r, fault->body);
        if (!fault->headers)
                return;
        json_object_object_foreach(fault->headers, name, value) {
                reply_header(r, name, value ? json_object_get_string(value) : NULL);
        }
}

/* The state is on disk before the client hears of it. */
static void keep_state(Sandbox *s, Reply *reply) {
        _cleanup_free_ char *message = NULL;
        int r;

        if (!s->data_path || !s->state->dirty)
                return;
        r = state_save(s->state, s->data_path, &message);
        if (r >= 0)
                return;
        fprintf(stderr, "factord-sandbox: %s\n", error_text(message, r));
        reply_failed(reply);
}

static void log_request(Sandbox *s, const RawRequest *raw, const Call *c, const Fault *fault) {
        const RequestFacts facts = {
                        .query = raw->query,
                        .authorization = raw->authorization,
                        .user_agent = raw->user_agent,
                        .content_type = raw->content_type,
                        .accept = raw->accept,
                        .connection = raw->connection,
                        .fault = fault,
        };

        if (request_log_add(&s->log, c, &facts) < 0)
                fprintf(stderr, "factord-sandbox: no memory to log a request, ignoring\n");
}

static void add_headers(Call *c) {
        char id[SID_SIZE] = "";

        if (sid_new("RQ", id) < 0)
                reply_failed(&c->reply);
        reply_standard_headers(&c->reply, c->now, id);
}

void exchange_run(Sandbox *s, const RawRequest *raw, Outcome *ret) {
        bool simulator = is_simulator_path(raw->path);
        _cleanup_free_ char *url = NULL;
        Call c = {
                        .state = s->state,
                        .now = state_now(s->state),
                        .method = raw->method,
                        .path = raw->path,
        };
        Fault *fault = NULL;

        if (base_url(s, raw->host, &url) < 0) {
                reply_failed(&ret->reply);
                return;
        }
        c.base_url = url;
        if (simulator)
                run_simulator(s, raw, &c);
        else {
                fault = faults_take(&s->faults, raw->method, raw->path);
                run_api(s, raw, fault, &c);
        }
        keep_state(s, &c.reply);
        add_headers(&c);
        if (fault)
                apply_fault(&c.reply, fault);
        if (!simulator)
                log_request(s, raw, &c, fault);
        if (s->verbose)
                fprintf(stderr, "%s %s %u %d\n", c.method, c.path, c.reply.status, c.reply.code);

        ret->reply = c.reply;
        ret->fault = fault;
        c.reply = (Reply){0};
        call_done(&c);
}
