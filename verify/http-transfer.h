#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* One transfer: what libcurl is told, what it is given and gives, and what came of it. The inside
 * of verify/http.h, for verify/http.c alone. */

#include <curl/curl.h>

#include "verify/http.h"

/* What all transfers of a client have in common. */
typedef struct TransferOptions {
        char *base_url; /* without a slash at its end */
        char *certificate_authority;
        char *proxy, *proxy_name; /* NULL: none; proxy_name has no password */
        char *user_agent;
        struct curl_slist *headers, *headers_post;
        long connect_timeout, request_timeout; /* milliseconds */
        long stall_timeout;                    /* seconds */
        bool tls;
} TransferOptions;

/* Checks and copies. Returns 0, -EINVAL with a message, -ENOMEM; *ret is to be done in any case. */
int transfer_options_init(TransferOptions *ret, const HttpOptions *o, char **reterr_msg);
void transfer_options_done(TransferOptions *o);

typedef struct Transfer Transfer;

/* Sets a request up, and sends nothing. Request and credential are copied, the options borrowed;
 * transfer_owner() gives owner back. Returns 0 or -ENOMEM. */
int transfer_new(Transfer **ret,
                const TransferOptions *options,
                const VerifyRequest *request,
                const HttpCredential *credential,
                void *owner);
/* Reuses no connection that is older than age; fresh: none at all. Returns 0 or -ENOMEM. */
int transfer_limit_reuse(Transfer *t, usec_t age, bool fresh);
/* It must be out of libcurl's multi handle. Takes NULL, returns NULL. */
Transfer *transfer_free(Transfer *t);
DEFINE_CLEANUP(Transfer *, transfer_free);

/* libcurl's handle of it, borrowed. */
CURL *transfer_handle(const Transfer *t);
/* Whose transfer a handle is. */
void *transfer_owner(CURL *handle);

/* What came of it; code is libcurl's word, started and now are boot time. The reply borrows from
 * the transfer. *ret_error is new: reply->error, or NULL. */
void transfer_reply(const Transfer *t,
                CURLcode code,
                usec_t started,
                usec_t now,
                HttpReply *ret,
                char **ret_error);
