#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Api: requests with a credential, each in its turn, the server's clock kept right, replies sorted.
 *
 * Every request waits in the lane of its account until there is room: at most MaxConcurrentRequests
 * in flight, at most RequestsPerSecond for an account. Polls give way to everything else. */

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

/* When a call goes, among those of its account that wait. */
typedef struct ApiTurn {
        bool poll;    /* gives way to everything else, and waits out hold and pause */
        bool suspect; /* a poll whose last round failed: it proves little about the others */
        usec_t since; /* the oldest goes first: a challenge's creation (server time), or when a poll
                         was due (boot time) */
} ApiTurn;

typedef enum ApiOutcome {
        API_OK,
        API_UNAUTHORIZED, /* 401; of a device: twice, with a corrected clock */
        API_REFUSED,      /* a definite no, with a code */
        API_TRANSIENT,    /* 408, 429, 5xx: later perhaps */
        API_NOT_SENT,     /* the server saw nothing */
        API_UNKNOWN,      /* it may have been applied */
} ApiOutcome;

/* Whether it may be another one later: nothing was said for good. */
static inline bool api_outcome_is_transient(ApiOutcome o) {
        return o == API_TRANSIENT || o == API_NOT_SENT || o == API_UNKNOWN;
}

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

#define API_SUMMARY_SIZE 256

/* What a log may say of a reply (NULL: one that could not be read): the transport's own words, or
 * the numbers of what the provider said, never its text. Returns ret. */
const char *api_reply_summary(const ApiReply *reply, char ret[static API_SUMMARY_SIZE]);

typedef void (*api_callback_t)(ApiCall *call, const ApiReply *reply, void *userdata);

typedef struct ApiOptions {
        HttpOptions http;
        unsigned max_concurrent;      /* requests in flight, of all accounts */
        unsigned requests_per_second; /* of an account */
} ApiOptions;

/* References the event loop. Returns 0 or -errno with a message. */
int api_new(Api **ret, sd_event *event, const ApiOptions *options, char **reterr_msg);
/* Cancels what is in flight or waits. Takes NULL, returns NULL. */
Api *api_free(Api *a);
DEFINE_CLEANUP(Api *, api_free);

/* Server time now, microseconds; and the clock itself, borrowed. */
usec_t api_now(const Api *a);
ServerClock *api_clock(Api *a);

/* Sends a request when its turn comes, and takes it (zeroed). turn: NULL for one that is neither a
 * poll nor an answer: it goes as it comes. A 401 to a device's JWT corrects the clock and is tried
 * once more, unless the request creates. Dropping the call cancels: the callback will not fire. It
 * never fires from inside api_send(). The callback may free its own call. Returns 0 or -ENOMEM. */
int api_send(Api *a,
                ApiCall **ret,
                VerifyRequest *request,
                const ApiWho *who,
                const ApiTurn *turn,
                api_callback_t callback,
                void *userdata);
/* Takes NULL, returns NULL. */
ApiCall *api_call_free(ApiCall *c);
DEFINE_CLEANUP(ApiCall *, api_call_free);

/* Whether requests of this credential keep failing, for a reason that is not its own. */
bool api_is_failing(const Api *a, const ApiWho *who);
/* Forgets all pauses, not what the server asked for. */
void api_hurry(Api *a);
/* Asks on new connections: the old ones may have died unseen while the machine slept. */
void api_refresh(Api *a);

/* How an account's requests fare. */
typedef struct ApiLaneView {
        unsigned n_waiting; /* requests that wait for their turn */
        usec_t spacing;     /* between two requests */
        usec_t poll_in;     /* no poll is sent before so long; 0: now */
        const char *error;  /* of the last request, when that failed for a while; untrusted */
} ApiLaneView;

/* Never fails: an account that has asked nothing yet has all zero but the spacing. */
ApiLaneView api_lane_view(const Api *a, const char *account_sid);
