#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP transport: libcurl multi on sd-event. One connection pool, TLS 1.2 or later, no
 * redirects, no other protocols, http only to loopback, bounded replies and times. */

#include <systemd/sd-event.h>

#include "verify/request.h"

typedef struct HttpClient HttpClient;
typedef struct HttpSlot HttpSlot;

typedef struct HttpOptions {
        const char *base_url;              /* scheme://host[:port][/prefix], no trailing slash */
        const char *certificate_authority; /* a PEM file; NULL: the system's */
        const char *proxy;                 /* NULL: none; the environment is never asked */
        const char *user_agent;            /* "factord/VERSION" */
        usec_t connect_timeout;
        usec_t request_timeout;
        usec_t stall_timeout;     /* a transfer in which nothing moves for so long is given up */
        unsigned max_connections; /* that are kept open for the next request */
} HttpOptions;

/* Checks a base URL: https, or http with a loopback host (127.0.0.0/8, ::1, localhost); no user,
 * query or fragment. Returns 0 or -EINVAL with a message. Pure. */
int http_check_base_url(const char *url, char **reterr_msg);
/* Checks that certificates can be read from a file. Returns 0 or -EINVAL with a message. */
int http_check_authority(const char *path, char **reterr_msg);

/* Returns 0, -EINVAL with a message, -ENOMEM. References the event loop. The program must ignore
 * SIGPIPE. A loopback server (http://) is never asked through the proxy. */
int http_client_new(HttpClient **ret, sd_event *event, const HttpOptions *o, char **reterr_msg);
/* Leaves the connections that are open now to what runs on them: they may have died unseen, in a
 * suspend or with a network. */
void http_client_refresh(HttpClient *c);
/* Cancels what is in flight; no callback fires. Slots stay their owners' to free. May be called
 * from a callback. Takes NULL, returns NULL. */
HttpClient *http_client_free(HttpClient *c);
DEFINE_CLEANUP(HttpClient *, http_client_free);

/* Whose request it is: HTTP Basic (RFC 7617). */
typedef struct HttpCredential {
        const char *user; /* account SID, API key SID, or "token" */
        const Secret *password;
} HttpCredential;

typedef enum HttpOutcome {
        HTTP_REPLIED,  /* a whole reply is there, of whatever status */
        HTTP_NOT_SENT, /* certain that the server can not have acted: no byte of the request, or of
                        * a POST's body, left (no name, no route, refused, no trusted TLS) */
        HTTP_UNKNOWN,  /* it may have been applied: cut, timed out, reply too large or unreadable */
} HttpOutcome;

typedef struct HttpReply {
        HttpOutcome outcome;
        const char *error; /* a sentence for a person when not HTTP_REPLIED */
        int status;
        const char *body; /* NUL-ended */
        size_t len;
        bool too_large;   /* over VERIFY_REPLY_MAX, or 64 KiB of headers */
        const char *date; /* headers, or NULL (also when repeated) */
        const char *retry_after;
        const char *signature_fields; /* Twilio-Verify-Signature-Fields; "," when it came twice,
                                       * which no reader takes for a list of names */
        bool has_age;                 /* an Age header: a cache answered, its Date is no clock */
        usec_t sent, received;        /* boot time */
} HttpReply;

/* Fires once, from the event loop, never from inside http_send(). The reply is borrowed for the
 * call. The callback may free its own slot, or any other. */
typedef void (*http_callback_t)(HttpSlot *slot, const HttpReply *reply, void *userdata);

/* Sends a request; request and credential are copied. Dropping the slot cancels: the callback will
 * not fire. A POST's body is never resent by itself, not even on a fresh connection. Returns 0,
 * -ENOMEM, -EINVAL. */
int http_send(HttpClient *c,
                HttpSlot **ret,
                const VerifyRequest *request,
                const HttpCredential *credential,
                http_callback_t callback,
                void *userdata);
/* Takes NULL, returns NULL. */
HttpSlot *http_slot_free(HttpSlot *s);
DEFINE_CLEANUP(HttpSlot *, http_slot_free);

/* Reads an HTTP date (RFC 9110 §5.6.7). Returns 0 or -EINVAL. Pure. */
int http_date_parse(const char *text, usec_t *ret);
/* Reads Retry-After: seconds, or a date against now (server time). Returns 0 or -EINVAL. Pure. */
int http_retry_after_parse(const char *text, usec_t now, usec_t *ret_delay);
