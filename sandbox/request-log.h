#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The last requests, for tests that look at what a client really sent. */

#include <json-c/json_types.h>

#include "sandbox/call.h"
#include "sandbox/faults.h"

#define REQUEST_LOG_MAX 1000

typedef struct RequestLog {
        json_object *entries[REQUEST_LOG_MAX]; /* a ring */
        uint64_t last_seq;
        size_t n;
} RequestLog;

/* What the call itself doesn't know of a request. Strings may be NULL. */
typedef struct RequestFacts {
        const char *query; /* as sent */
        const char *authorization;
        const char *user_agent;
        const char *content_type;
        const char *accept;
        uint64_t connection;
        const Fault *fault;
} RequestFacts;

/* Adds a request whose reply is made. Returns 0 or -ENOMEM. */
int request_log_add(RequestLog *l, const Call *c, const RequestFacts *facts);
void request_log_clear(RequestLog *l);
/* An array, oldest first. NULL when memory is short. */
json_object *request_log_to_json(const RequestLog *l);
