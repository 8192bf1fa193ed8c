/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/api.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/queue.h"
#include "log/log.h"

#define API_ACCURACY USEC_PER_MSEC
/* A server that asks for more is asked again all the same. */
#define API_RETRY_AFTER_MAX (10 * USEC_PER_MINUTE)
/* A single failure may be one request's own bad luck: this many in a row are said. */
#define API_FAILING 2
/* ... and so often at most: some targets may fail and others work. */
#define API_SAY_INTERVAL (10 * USEC_PER_MINUTE)

/* How it works. api_send() queues; api_run() starts what may go, until the queue holds the rest
 * back, and sets the timer to when that ends. Whatever else changes it (a call that comes, ends or
 * is dropped) has api_run() called soon. So nothing is sent, and nobody called back, but from the
 * event loop. */

struct Api {
        HttpClient *http;
        ServerClock clock;
        Queue queue;
        sd_event_source *soon, *timer;
        usec_t said;     /* boot time when it was said that requests keep failing; 0: never */
        bool is_failing; /* that was said, and not yet that they work again */
};

struct ApiCall {
        QueueItem item; /* the first: the queue hands out items */
        Api *api;
        HttpSlot *slot;
        VerifyRequest request;
        Factor *device;
        Account *account;
        Secret token;
        bool retried;
        int64_t signed_base; /* of the clock that a retry was signed by: its reply is to prove it */
        api_callback_t callback;
        void *userdata;
};

static int api_on_soon(sd_event_source *source, void *userdata);
static int api_on_timer(sd_event_source *source, uint64_t usec, void *userdata);

int api_new(Api **ret, sd_event *event, const ApiOptions *options, char **reterr_msg) {
        _cleanup_(api_freep) Api *a = NULL;
        int r;

        a = calloc(1, sizeof(Api));
        if (!a)
                return -ENOMEM;
        queue_init(&a->queue, options->max_concurrent, options->requests_per_second);
        server_clock_init(&a->clock, now_realtime(), now_boottime());
        r = sd_event_add_time(event, &a->timer, CLOCK_BOOTTIME, USEC_INFINITY, API_ACCURACY,
                        api_on_timer, a);
        if (r >= 0)
                r = sd_event_add_defer(event, &a->soon, api_on_soon, a);
        if (r >= 0)
                r = sd_event_source_set_enabled(a->soon, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = http_client_new(&a->http, event, &options->http, reterr_msg);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(a);
        return 0;
}

Api *api_free(Api *a) {
        if (!a)
                return NULL;
        http_client_free(a->http);
        sd_event_source_disable_unref(a->timer);
        sd_event_source_disable_unref(a->soon);
        queue_done(&a->queue);
        free(a);
        return NULL;
}

usec_t api_now(const Api *a) {
        return server_clock_now(&a->clock, now_boottime());
}

ServerClock *api_clock(Api *a) {
        return &a->clock;
}

static void api_run_soon(Api *a) {
        (void) sd_event_source_set_enabled(a->soon, SD_EVENT_ONESHOT);
}

ApiCall *api_call_free(ApiCall *c) {
        if (!c)
                return NULL;
        if (c->item.lane) {
                queue_remove(&c->api->queue, &c->item);
                api_run_soon(c->api);
        }
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
                /* A retry's time is the one that the refusal named. */
                usec_t now = c->retried ? server_clock_trial(&c->api->clock, now_boottime())
                                        : api_now(c->api);
                r = factor_jwt(c->device, now, &credential.password);
                if (r < 0)
                        return r;
        } else if (c->account) {
                credential.user = c->account->config->user;
                credential.password = &c->account->config->password;
        }
        return http_send(c->api->http, &c->slot, &c->request, &credential, api_call_done, c);
}

/* The call's own: it may be freed. */
static void api_call_finish(ApiCall *c, const ApiReply *reply) {
        queue_remove(&c->api->queue, &c->item);
        api_run_soon(c->api);
        c->callback(c, reply, c->userdata);
}

static void api_run(Api *a) {
        QueueItem *i;
        usec_t when;

        while ((i = queue_next(&a->queue, now_boottime(), &when))) {
                ApiCall *c = (ApiCall *) i;
                int r = api_call_dispatch(c);
                if (r < 0)
                        api_call_finish(c, &(ApiReply){
                                                           .outcome = API_NOT_SENT,
                                                           .text = strerror(-r),
                                           });
        }
        (void) sd_event_source_set_time(a->timer, when);
        (void) sd_event_source_set_enabled(a->timer, SD_EVENT_ONESHOT);
}

static int api_on_soon(sd_event_source *source, void *userdata) {
        api_run(userdata);
        return 0;
}

static int api_on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        api_run(userdata);
        return 0;
}

/* A 401 to a device may mean that its clock was wrong, once. */
static bool api_call_may_retry(const ApiCall *c) {
        return c->device && !c->retried && !c->request.creates;
}

static int api_call_retry(ApiCall *c) {
        const ServerClock *clock = &c->api->clock;

        c->retried = true;
        c->signed_base = clock->has_candidate ? clock->candidate : clock->base;
        factor_drop_jwt(c->device);
        c->slot = http_slot_free(c->slot);
        pace_take(&c->item.lane->pace, now_boottime());
        return api_call_dispatch(c);
}

/* Only the date of a server that proved who it is counts, and none that a cache kept (the transport
 * lets nothing else through than verified TLS or loopback). Returns true when the clock moved. */
static bool api_observe_date(Api *a, const HttpReply *reply, bool retry) {
        usec_t date;

        if (!reply->date || reply->has_age || http_date_parse(reply->date, &date) < 0)
                return false;
        return retry ? server_clock_observe_retry(&a->clock, date, reply->sent, reply->received)
                     : server_clock_observe(&a->clock, date, reply->sent, reply->received);
}

/* Whether the server's clock, as it is known now, is the one that the retry was signed by. */
static bool api_call_was_timely(const ApiCall *c) {
        const ServerClock *clock = &c->api->clock;
        int64_t off = clock->base - c->signed_base;

        return clock->heard && !clock->has_candidate && off <= (int64_t) CLOCK_AGREE &&
               off >= -(int64_t) CLOCK_AGREE;
}

static void api_account_note(Account *account, const ApiReply *reply) {
        bool refused = reply->outcome == API_UNAUTHORIZED;

        if (!account || api_outcome_is_transient(reply->outcome))
                return;
        account->used = true;
        if (refused && !account->refused)
                log_warning("The provider refuses the credentials of account %s (HTTP %i, code "
                            "%" PRId64 "); check its AccountSid, User and password",
                                account->config->name, reply->http_status, reply->code);
        account->refused = refused;
        (void) text_set(&account->error, refused ? reply->text : NULL);
}

const char *api_reply_summary(const ApiReply *reply, char ret[static API_SUMMARY_SIZE]) {
        if (!reply)
                snprintf(ret, API_SUMMARY_SIZE, "the reply cannot be read");
        else if (reply->http_status == 0)
                snprintf(ret, API_SUMMARY_SIZE, "%s", strempty(reply->text));
        else
                snprintf(ret, API_SUMMARY_SIZE, "HTTP %i, code %" PRId64, reply->http_status,
                                reply->code);
        return ret;
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

/* Whether the reply tells of the provider or the account, and not of this one request: then the
 * others wait, too. */
static bool api_fault(const HttpReply *http, const ApiReply *reply, QueueFault *ret) {
        *ret = reply->http_status == 429 ? QUEUE_FAULT_ACCOUNT : QUEUE_FAULT_HOST;
        if (http->outcome == HTTP_REPLIED && reply->outcome == API_NOT_SENT)
                return false; /* a device's 401 that proves nothing */
        switch (reply->outcome) {
        case API_TRANSIENT:
                return true;
        case API_NOT_SENT:
        case API_UNKNOWN:
                return !http->too_large;
        case API_OK:
        case API_UNAUTHORIZED:
        case API_REFUSED:
                break;
        }
        return false;
}

static void api_say_failing(Api *a, const ApiReply *reply) {
        char summary[API_SUMMARY_SIZE];
        usec_t now = now_boottime();

        if (a->is_failing || (a->said > 0 && now < usec_add(a->said, API_SAY_INTERVAL)))
                return;
        a->said = now;
        a->is_failing = true;
        log_warning("Requests to the provider keep failing (%s); trying again with growing pauses; "
                    "factorctl status says why",
                        api_reply_summary(reply, summary));
}

/* Feeds the back-off, and says in the log when requests begin to fail and when they work again. */
static void api_note_pace(ApiCall *c, const HttpReply *http, const ApiReply *reply) {
        QueueLane *lane = c->item.lane;
        QueueFault fault;
        unsigned n;

        if (api_fault(http, reply, &fault)) {
                n = queue_failed(&c->api->queue, &c->item, fault, now_boottime(),
                                reply->retry_after);
                if (n >= API_FAILING)
                        api_say_failing(c->api, reply);
                (void) text_set(&lane->error, reply->text);
                return;
        }
        (void) queue_passed(&c->api->queue, &c->item);
        if (c->api->is_failing)
                log_info("Requests to the provider work again");
        c->api->is_failing = false;
        /* It is the reason of a hold that stands, too. */
        if (pace_poll_ready(&lane->pace) <= now_boottime())
                (void) text_set(&lane->error, NULL);
}

static void api_call_done(HttpSlot *slot, const HttpReply *http, void *userdata) {
        ApiCall *c = userdata;
        _cleanup_(verify_error_done) VerifyError error = {0};
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
        bool moved = api_observe_date(c->api, http, c->retried);
        if (moved && c->device && !c->retried)
                factor_drop_jwt(c->device);
        /* Signed by a time that no Date bears out: that proves nothing about the key. */
        if (reply.outcome == API_UNAUTHORIZED && c->retried && !api_call_was_timely(c))
                reply.outcome = API_NOT_SENT;
        if (retry) {
                if (api_call_retry(c) >= 0)
                        return;
                reply.outcome = API_NOT_SENT; /* one refusal proves nothing */
        }
        reply.code = error.code;
        if (reply.outcome != API_OK)
                reply.text = reply_text(http, &error, buffer, sizeof(buffer));
        if (http->retry_after &&
                        http_retry_after_parse(http->retry_after, api_now(c->api),
                                        &reply.retry_after) >= 0 &&
                        reply.retry_after > API_RETRY_AFTER_MAX)
                reply.retry_after = API_RETRY_AFTER_MAX;
        log_debug("%s: HTTP %i, code %" PRId64,
                        c->request.method == VERIFY_GET    ? "GET"
                        : c->request.method == VERIFY_POST ? "POST"
                                                           : "DELETE",
                        reply.http_status, reply.code);
        api_account_note(c->account, &reply);
        api_note_pace(c, http, &reply);
        api_call_finish(c, &reply);
}

static const char *who_account(const ApiWho *who) {
        if (who->device)
                return strempty(who->device->record.account_sid);
        return who->account ? who->account->config->account_sid : "";
}

int api_send(Api *a,
                ApiCall **ret,
                VerifyRequest *request,
                const ApiWho *who,
                const ApiTurn *turn,
                api_callback_t callback,
                void *userdata) {
        _cleanup_(api_call_freep) ApiCall *c = NULL;
        QueueLane *lane;
        int r;

        assert((who->device != NULL) + (who->account != NULL) + (who->token != NULL) == 1);
        lane = queue_lane_make(&a->queue, who_account(who));
        c = calloc(1, sizeof(ApiCall));
        if (!lane || !c)
                return -ENOMEM;
        *c = (ApiCall){
                        .item.poll = turn && turn->poll,
                        .item.suspect = turn && turn->suspect,
                        .item.since = turn ? turn->since : api_now(a),
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
        c->item.lane = lane;
        queue_add(&c->item);
        api_run_soon(a);
        *ret = TAKE_PTR(c);
        return 0;
}

bool api_is_failing(const Api *a, const ApiWho *who) {
        const QueueLane *l = queue_lane(&a->queue, who_account(who));

        return a->queue.host.n_failures >= API_FAILING || (l && l->pace.n_failures >= API_FAILING);
}

void api_hurry(Api *a) {
        queue_hurry(&a->queue);
        api_run_soon(a);
}

void api_refresh(Api *a) {
        http_client_refresh(a->http);
}

ApiLaneView api_lane_view(const Api *a, const char *account_sid) {
        const QueueLane *l = queue_lane(&a->queue, account_sid);
        Pace fresh;
        usec_t lane, host = pace_poll_ready(&a->queue.host);

        pace_init(&fresh, a->queue.requests_per_second);
        lane = pace_poll_ready(l ? &l->pace : &fresh);
        return (ApiLaneView){
                        .n_waiting = l ? l->n_waiting : 0,
                        .spacing = fresh.spacing,
                        .poll_in = usec_sub(lane > host ? lane : host, now_boottime()),
                        .error = l ? l->error : NULL,
        };
}
