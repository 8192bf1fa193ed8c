#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Api: requests with a credential, the server's clock kept right, replies sorted. */

#include "daemon/clock.h"
#include "daemon/factor.h"
#include "verify/http.h"
#include "verify/reply.h"

typedef struct Api Api;
typedef struct ApiCall ApiCall;

/* With which credential: exactly one is set. */
typedef struct ApiWho {
        Factor *device;      /* its JWT */
        Account *account;    /* account SID or API key */
        const Secret *token; /* an access token; copied */
} ApiWho;

typedef enum ApiOutcome {
        API_OK,
        API_UNAUTHORIZED, /* 401; of a device: twice, with a corrected clock */
        API_REFUSED,      /* a definite no, with a code */
        API_TRANSIENT,    /* 408, 429, 5xx: later perhaps */
        API_NOT_SENT,     /* the server saw nothing */
        API_UNKNOWN,      /* it may have been applied */
} ApiOutcome;

/* Borrowed for the callback. */
typedef struct ApiReply {
        ApiOutcome outcome;
        int http_status;  /* 0: none */
        int64_t code;     /* the provider's, 0: none */
        const char *text; /* a sentence for a person, unless API_OK; may quote the provider:
                             untrusted */
        const char *body;
        size_t len;
        const char *signature_fields;
        usec_t retry_after; /* 0: the server said nothing */
        bool too_large;
} ApiReply;

typedef void (*api_callback_t)(ApiCall *call, const ApiReply *reply, void *userdata);

/* References the event loop. Returns 0 or -errno with a message. */
int api_new(Api **ret, sd_event *event, const HttpOptions *options, char **reterr_msg);
/* Cancels what is in flight. Takes NULL, returns NULL. */
Api *api_free(Api *a);
DEFINE_CLEANUP(Api *, api_free);

/* Server time now, microseconds; and the clock itself, borrowed. */
usec_t api_now(const Api *a);
const ServerClock *api_clock(const Api *a);

/* Sends a request, which is taken (zeroed). A 401 to a device's JWT corrects the clock and is tried
 * once more, unless the request creates. Dropping the call cancels: the callback will not fire. It
 * never fires from inside api_send(). The callback may free its own call. Returns 0 or -errno. */
int api_send(Api *a,
                ApiCall **ret,
                VerifyRequest *request,
                const ApiWho *who,
                api_callback_t callback,
                void *userdata);
/* Takes NULL, returns NULL. */
ApiCall *api_call_free(ApiCall *c);
DEFINE_CLEANUP(ApiCall *, api_call_free);
