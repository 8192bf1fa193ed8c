/* SPDX-License-Identifier: Apache-2.0 */
#include "model-api.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "model-daemon.h"
#include "model-rules.h"
#include "model-sim.h"
#include "push/payload.h"

#define RETRY_AFTER_MAX 90 /* seconds */
#define CALLS_MAX 16

struct ApiCall {
        Api *api; /* NULL: of a daemon that has crashed, or told already */
        VerifyRequest request;
        VerifyMethod method;
        Remote *remote;
        uint64_t number;
        usec_t sent;
        bool processed;
        Reply reply;
        api_callback_t callback;
        void *userdata;
};

struct Api {
        ServerClock clock;
        ApiCall *calls[CALLS_MAX];
        unsigned n_calls;
        usec_t held_until;
};

Api *model_api_new(void) {
        Api *a = calloc(1, sizeof(Api));

        assert_non_null(a);
        server_clock_init(&a->clock, __wrap_now_realtime(), sim.boot);
        return a;
}

void model_api_free(Api *a) {
        if (!a)
                return;
        assert_int_equal(a->n_calls, 0);
        free(a);
}

usec_t api_now(const Api *a) {
        return server_clock_now(&a->clock, sim.boot);
}

ServerClock *api_clock(Api *a) {
        return &a->clock;
}

void model_api_observe(Api *a) {
        usec_t date = provider_now() / USEC_PER_SEC * USEC_PER_SEC;

        (void) server_clock_observe(&a->clock, date, sim.boot, sim.boot);
}

int api_send(Api *a,
                ApiCall **ret,
                VerifyRequest *request,
                const ApiWho *who,
                const ApiTurn *turn,
                api_callback_t callback,
                void *userdata) {
        const char *slash = strrchr(request->path, '/');
        ApiCall *c = calloc(1, sizeof(ApiCall));

        assert_non_null(c);
        c->request = *request;
        c->method = request->method;
        *request = (VerifyRequest){0};
        c->remote = slash ? provider_by_sid(slash + 1) : NULL;
        c->sent = sim.boot;
        c->callback = callback;
        c->userdata = userdata;
        *ret = c;
        if (daemon_point("before sending"))
                return 0;
        if (!c->remote)
                sim_fail("A request for %s", c->request.path);
        sim_trace("%s %u leaves", c->method == VERIFY_GET ? "fetch" : "update", c->remote->index);
        c->number = rules_sent(c->remote, &c->request, who);
        assert_true(a->n_calls < CALLS_MAX);
        c->api = a;
        a->calls[a->n_calls++] = c;
        (void) daemon_point("after sending");
        return 0;
}

static void api_call_detach(ApiCall *c) {
        Api *a = c->api;

        for (unsigned i = 0; a && i < a->n_calls; i++)
                if (a->calls[i] == c) {
                        a->calls[i] = a->calls[--a->n_calls];
                        c->api = NULL;
                        return;
                }
}

ApiCall *api_call_free(ApiCall *c) {
        if (!c)
                return NULL;
        /* Dropping it takes no byte back. */
        if (c->api && !c->processed && c->method == VERIFY_POST && sim_chance(50))
                provider_delay(&c->request);
        api_call_detach(c);
        verify_request_done(&c->request);
        reply_done(&c->reply);
        free(c);
        return NULL;
}

static ApiCall *api_pick(Api *a, bool processed) {
        ApiCall *found[CALLS_MAX];
        unsigned n = 0;

        for (unsigned i = 0; i < a->n_calls; i++)
                if (a->calls[i]->processed == processed)
                        found[n++] = a->calls[i];
        return n > 0 ? found[sim_below(n)] : NULL;
}

bool model_api_process(Api *a, HeaderFault header) {
        ApiCall *c = api_pick(a, false);

        if (!c)
                return false;
        provider_handle(&c->request, header, &c->reply);
        c->processed = true;
        return true;
}

static bool is_transient(const ApiReply *r, bool readable) {
        return r->outcome == API_TRANSIENT || r->outcome == API_NOT_SENT ||
               r->outcome == API_UNKNOWN || (r->outcome == API_OK && !readable);
}

/* Tells whoever sent it. The call may be gone afterwards. */
static void api_tell(ApiCall *c, ApiReply *reply, bool header_good, bool date) {
        Api *a = c->api;
        const Remote *r = c->remote;
        VerifyMethod method = c->method;
        _cleanup_(verify_challenge_done) VerifyChallenge record = {0};
        bool readable = reply->body &&
                        verify_challenge_read(&record, reply->body, reply->len, NULL) >= 0;
        bool transient = is_transient(reply, readable);

        if (date)
                model_api_observe(a);
        if (reply->outcome != API_OK && !reply->text)
                reply->text = "it went wrong";
        sim_trace("%s %u: outcome %d, HTTP %d, code %d", method == VERIFY_GET ? "fetch" : "update",
                        r->index, (int) reply->outcome, reply->http_status, (int) reply->code);
        if (reply->retry_after > 0)
                a->held_until = usec_add(sim.boot, reply->retry_after);
        rules_reply(r, method, c->number, reply, transient, header_good);
        api_call_detach(c);
        c->callback(c, reply, c->userdata);
        rules_replied(r, reply, transient);
}

bool model_api_deliver(Api *a) {
        ApiCall *c = api_pick(a, true);
        VerifyError error = {0};
        Reply from;
        ApiReply reply = {0};

        if (!c)
                return false;
        from = c->reply;
        c->reply = (Reply){0};
        reply.http_status = from.status;
        reply.body = from.body;
        reply.len = strlen(from.body);
        reply.signature_fields = from.signature_fields;
        switch (verify_reply_classify(from.status, from.body, reply.len, &error)) {
        case VERIFY_OK:
                reply.outcome = API_OK;
                break;
        case VERIFY_UNAUTHORIZED:
                reply.outcome = API_UNAUTHORIZED;
                break;
        case VERIFY_REFUSED:
                reply.outcome = API_REFUSED;
                break;
        case VERIFY_TRANSIENT:
        case _VERIFY_OUTCOME_MAX:
                reply.outcome = API_TRANSIENT;
                break;
        }
        reply.code = error.code;
        reply.text = error.message;
        api_tell(c, &reply, from.header_good, sim_chance(80));
        verify_error_done(&error);
        reply_done(&from);
        return true;
}

/* Another challenge's record in the place of this one's. */
static char *other_body(const Remote *r) {
        Remote other = *r;

        other.sid[SID_LEN - 1] = 'f';
        other.status = sim_chance(50) ? PROVIDER_APPROVED : PROVIDER_PENDING;
        return provider_body(&other, false);
}

static void fail_with_body(ApiCall *c, Fault fault) {
        _cleanup_free_ char *body = NULL;
        ApiReply reply = {.outcome = API_OK, .http_status = 200};

        if (!c->processed && c->method == VERIFY_POST && sim_chance(50)) {
                provider_handle(&c->request, HEADER_GOOD, &c->reply);
                c->processed = true;
        }
        body = fault == FAULT_OTHER ? other_body(c->remote) : provider_body(c->remote, false);
        if (fault == FAULT_MALFORMED)
                body[strlen(body) / 2] = '\0';
        reply.body = body;
        reply.len = strlen(body);
        reply.signature_fields = push_usual_fields;
        api_tell(c, &reply, true, sim_chance(80));
}

bool model_api_fail(Api *a, Fault fault) {
        ApiCall *c = api_pick(a, sim_chance(50));
        ApiReply reply = {0};

        if (!c)
                return false;
        if (c->processed && (fault == FAULT_NOT_SENT || fault == FAULT_BUSY))
                fault = FAULT_UNKNOWN;
        switch (fault) {
        case FAULT_NOT_SENT:
                reply.outcome = API_NOT_SENT;
                break;
        case FAULT_UNKNOWN:
                reply.outcome = API_UNKNOWN;
                if (!c->processed && c->method == VERIFY_POST && sim_chance(70))
                        provider_delay(&c->request);
                break;
        case FAULT_BUSY:
                reply.outcome = API_TRANSIENT;
                reply.http_status = 429;
                if (sim_chance(60))
                        reply.retry_after = (1 + sim_below(RETRY_AFTER_MAX)) * USEC_PER_SEC;
                break;
        case FAULT_SERVER:
                reply.outcome = API_TRANSIENT;
                reply.http_status = c->processed ? 500 : 503;
                break;
        case FAULT_MALFORMED:
        case FAULT_OTHER:
                fail_with_body(c, fault);
                return true;
        case _FAULT_MAX:
                return false;
        }
        api_tell(c, &reply, false, reply.outcome == API_TRANSIENT && sim_chance(80));
        return true;
}

bool model_api_lose_update(Api *a) {
        ApiReply reply = {.outcome = API_UNKNOWN};

        for (unsigned i = 0; i < a->n_calls; i++)
                if (a->calls[i]->method == VERIFY_POST && !a->calls[i]->processed) {
                        provider_delay(&a->calls[i]->request);
                        api_tell(a->calls[i], &reply, false, false);
                        return true;
                }
        return false;
}

void model_api_time_out(Api *a) {
        for (unsigned i = 0; i < a->n_calls && !daemon_is_dead();) {
                ApiCall *c = a->calls[i];
                ApiReply reply = {.outcome = API_UNKNOWN, .text = "it took too long"};

                if (sim.boot < c->sent + MODEL_REQUEST_TIMEOUT) {
                        i++;
                        continue;
                }
                if (!c->processed && c->method == VERIFY_POST && sim_chance(70))
                        provider_delay(&c->request);
                api_tell(c, &reply, false, false);
                i = 0;
        }
}
