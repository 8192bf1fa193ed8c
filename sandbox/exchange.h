#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A request on its way to its reply: faults, parsing, the operation, the log. No sockets here. */

#include "sandbox/call.h"
#include "sandbox/faults.h"
#include "sandbox/request-log.h"

/* What all requests share. */
typedef struct Sandbox {
        State *state;
        Faults faults;
        RequestLog log;
        const char *data_path; /* NULL: the state is not kept */
        char *own_url;         /* "http://127.0.0.1:port" */
        const char *scheme;
        bool verbose;
} Sandbox;

/* A request as it came. Strings are borrowed, and NULL when absent. */
typedef struct RawRequest {
        const char *method;
        const char *path;
        const char *query;
        const char *authorization;
        const char *host;
        const char *user_agent;
        const char *content_type;
        const char *accept;
        const char *body; /* NUL-ended */
        size_t body_len;
        bool too_large; /* the body is incomplete */
        bool from_loopback;
        uint64_t connection;
} RawRequest;

typedef struct Outcome {
        Reply reply;
        Fault *fault; /* NULL, or what struck: its delay and cut are still to be done */
} Outcome;

bool is_simulator_path(const char *path);
/* Handles a request. *ret must be zero. Changes are kept before this returns. */
void exchange_run(Sandbox *s, const RawRequest *raw, Outcome *ret);
void outcome_done(Outcome *o);
