#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/api.h on the model's provider: requests that are under way until the model says what
 * becomes of them. */

#include "daemon/api.h"
#include "model-provider.h"

/* How a request fails. */
typedef enum Fault {
        FAULT_NOT_SENT,
        FAULT_UNKNOWN,   /* before or after the provider acted */
        FAULT_BUSY,      /* 429, often with Retry-After */
        FAULT_SERVER,    /* 5xx */
        FAULT_MALFORMED, /* a reply that can't be read */
        FAULT_OTHER,     /* the reply of another challenge */
        _FAULT_MAX,
} Fault;

#define MODEL_REQUEST_TIMEOUT (15 * USEC_PER_SEC)

Api *model_api_new(void);
/* What is under way may still arrive. Takes NULL. */
void model_api_free(Api *a);
/* The Date of a reply to somebody else's request (the poller's). */
void model_api_observe(Api *a);
/* The provider acts on one of the requests that are under way; false: there is none. */
bool model_api_process(Api *a, HeaderFault header);
/* The reply to one of those that it acted on comes back. */
bool model_api_deliver(Api *a);
/* One of the requests fails. */
bool model_api_fail(Api *a, Fault fault);
/* An update is cut off, and arrives some time; false: none is under way. */
bool model_api_lose_update(Api *a);
/* What takes too long fails. */
void model_api_time_out(Api *a);
