#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A reply under construction: status, headers, body. Running out of memory turns it into a 500
 * without a body, so that no caller has to check. */

#include <json-c/json_types.h>

#include "base/time.h"

typedef struct ReplyHeader {
        char *name;
        char *value;
} ReplyHeader;

typedef struct Reply {
        unsigned status; /* 0: nothing yet */
        int code;        /* the API's error code, 0 for none */
        ReplyHeader *headers;
        size_t n_headers;
        char *body; /* NULL for none */
        size_t body_len;
} Reply;

/* Frees and zeroes. */
void reply_done(Reply *r);
/* A JSON body. o is taken over; NULL means that memory was short when it was made. */
void reply_json(Reply *r, unsigned status, json_object *o);
void reply_no_content(Reply *r);
/* The API's error with that code: its HTTP status comes from the table in reply.c, more text may
 * follow its title. detail may be NULL. */
void reply_error(Reply *r, int code, const char *detail, ...) _printf_(3, 4);
/* As reply_error(), with another HTTP status than the table's. */
void reply_error_status(Reply *r, unsigned status, int code, const char *detail);
/* 500 without a body: this program could not do its job. */
void reply_failed(Reply *r);
/* Sets a header, or removes it (value NULL). Names are compared without case. */
void reply_header(Reply *r, const char *name, const char *value);
/* The headers that every reply of the API has. */
void reply_standard_headers(Reply *r, usec_t now, const char *request_id);
/* Replaces the body by a copy of text. */
void reply_body(Reply *r, const char *text);
