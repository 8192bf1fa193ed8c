/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/api.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "daemon/log.h"

/* A server that asks for more is asked again all the same. */
#define API_RETRY_AFTER_MAX (10 * USEC_PER_MINUTE)

struct Api {
        HttpClient *http;
        ServerClock clock;
};

struct ApiCall {
        Api *api;
        HttpSlot *slot;
        VerifyRequest request;
        Factor *device;
        Account *account;
        Secret token;
        bool retried;
        api_callback_t callback;
        void *userdata;
};

int api_new(Api **ret, sd_event *event, const HttpOptions *options, char **reterr_msg) {
        _cleanup_(api_freep) Api *a = NULL;
        int r;

        a = calloc(1, sizeof(Api));
        if (!a)
                return -ENOMEM;
        server_clock_init(&a->clock, now_realtime(), now_boottime());
        r = http_client_new(&a->http, event, options, reterr_msg);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

Api *api_free(Api *a) {
        if (!a)
                return NULL;
        http_client_free(a->http);
        free(a);
        return NULL;
}

usec_t api_now(const Api *a) {
        return server_clock_now(&a->clock, now_boottime());
}

const ServerClock *api_clock(const Api *a) {
        return &a->clock;
}

ApiCall *api_call_free(ApiCall *c) {
        if (!c)
                return NULL;
        http_slot_free(c->slot);
        verify_request_done(&c->request);
        factor_unref(c->device);
        secret_done(&c->token);
        free(c);
        return NULL;
}

static void api_call_done(HttpSlot *slot, const HttpReply *reply, void *userdata);

static int api_call_dispatch(ApiCall *c) {
        HttpCredential credential = {.user = "token", .password = &c->token};
        int r;

        if (c->device) {
                r = factor_jwt(c->device, api_now(c->api), &credential.password);
                if (r < 0)
                        return r;
        } else if (c->account) {
                credential.user = c->account->config->user;
                credential.password = &c->account->config->password;
        }
        return http_send(c->api->http, &c->slot, &c->request, &credential, api_call_done, c);
}

/* A 401 to a device may mean that its clock was wrong, once. */
static bool api_call_may_retry(const ApiCall *c) {
        return c->device && !c->retried && !c->request.creates;
}

static int api_call_retry(ApiCall *c) {
        c->retried = true;
        factor_drop_jwt(c->device);
        c->slot = http_slot_free(c->slot);
        return api_call_dispatch(c);
}

/* Only the date of a server that proved who it is counts, and none that a cache kept (the transport
 * lets nothing else through than verified TLS or loopback). Returns true when the clock moved. */
static bool api_observe_date(Api *a, const HttpReply *reply, bool refusal) {
        usec_t date;

        if (!reply->date || reply->has_age || http_date_parse(reply->date, &date) < 0)
                return false;
        return refusal ? server_clock_observe_refusal(&a->clock, date, reply->sent, reply->received)
                       : server_clock_observe(&a->clock, date, reply->sent, reply->received);
}

static void api_account_note(Account *account, const ApiReply *reply) {
        bool refused = reply->outcome == API_UNAUTHORIZED;

        if (!account || reply->outcome == API_TRANSIENT || reply->outcome == API_NOT_SENT ||
                        reply->outcome == API_UNKNOWN)
                return;
        account->used = true;
        if (refused && !account->refused)
                log_warning("The provider refuses the credentials of account %s (HTTP %i, code "
                            "%" PRId64 "); check its AccountSid, User and password",
                                account->config->name, reply->http_status, reply->code);
        account->refused = refused;
        (void) text_set(&account->error, refused ? reply->text : NULL);
}

static const char *reply_text(
                const HttpReply *http, const VerifyError *e, char *buffer, size_t size) {
        if (http->outcome != HTTP_REPLIED)
                return strempty(http->error);
        if (e->code != 0)
                snprintf(buffer, size, "the provider answered HTTP %i, code %" PRId64 ": %s",
                                e->http_status, e->code, strempty(e->message));
        else
                snprintf(buffer, size, "the provider answered HTTP %i%s%s", e->http_status,
                                e->message ? ": " : "", strempty(e->message));
        return buffer;
}

static ApiOutcome outcome_of(const HttpReply *http, VerifyError *ret_error) {
        if (http->outcome == HTTP_NOT_SENT)
                return API_NOT_SENT;
        if (http->outcome == HTTP_UNKNOWN)
                return API_UNKNOWN;
        switch (verify_reply_classify(http->status, http->body, http->len, ret_error)) {
        case VERIFY_OK:
                return API_OK;
        case VERIFY_UNAUTHORIZED:
                return API_UNAUTHORIZED;
        case VERIFY_REFUSED:
                return API_REFUSED;
        case VERIFY_TRANSIENT:
        case _VERIFY_OUTCOME_MAX:
                break;
        }
        return API_TRANSIENT;
}

static void api_call_done(HttpSlot *slot, const HttpReply *http, void *userdata) {
        ApiCall *c = userdata;
        VerifyError error = {0};
        char buffer[1024];
        ApiReply reply = {
                        .http_status = http->status,
                        .body = http->body,
                        .len = http->len,
                        .signature_fields = http->signature_fields,
                        .too_large = http->too_large,
        };

        reply.outcome = outcome_of(http, &error);
        bool retry = reply.outcome == API_UNAUTHORIZED && api_call_may_retry(c);
        if (api_observe_date(c->api, http, retry) && c->device)
                factor_drop_jwt(c->device);
        if (retry) {
                if (api_call_retry(c) >= 0) {
                        verify_error_done(&error);
                        return;
                }
                reply.outcome = API_NOT_SENT; /* one refusal proves nothing */
        }
        reply.code = error.code;
        if (reply.outcome != API_OK)
                reply.text = reply_text(http, &error, buffer, sizeof(buffer));
        if (http->retry_after)
                (void) http_retry_after_parse(
                                http->retry_after, api_now(c->api), &reply.retry_after);
        if (reply.retry_after > API_RETRY_AFTER_MAX)
                reply.retry_after = API_RETRY_AFTER_MAX;
        log_debug("%s: HTTP %i, code %" PRId64,
                        c->request.method == VERIFY_GET    ? "GET"
                        : c->request.method == VERIFY_POST ? "POST"
                                                           : "DELETE",
                        reply.http_status, reply.code);
        api_account_note(c->account, &reply);
        c->callback(c, &reply, c->userdata);
        verify_error_done(&error);
}

int api_send(Api *a,
                ApiCall **ret,
                VerifyRequest *request,
                const ApiWho *who,
                api_callback_t callback,
                void *userdata) {
        _cleanup_(api_call_freep) ApiCall *c = NULL;
        int r;

        assert((who->device != NULL) + (who->account != NULL) + (who->token != NULL) == 1);
        c = calloc(1, sizeof(ApiCall));
        if (!c)
                return -ENOMEM;
        *c = (ApiCall){
                        .api = a,
                        .request = *request,
                        .device = who->device ? factor_ref(who->device) : NULL,
                        .account = who->account,
                        .callback = callback,
                        .userdata = userdata,
        };
        *request = (VerifyRequest){0};
        if (who->token) {
                r = secret_copy(&c->token, who->token);
                if (r < 0)
                        return r;
        }
        r = api_call_dispatch(c);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(c);
        return 0;
}
