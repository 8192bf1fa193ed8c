/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/enrollment.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "daemon/backoff.h"
#include "daemon/view.h"
#include "log/log.h"
#include "push/payload.h"

#define ENROLL_RETRY_FIRST (500 * USEC_PER_MSEC)
#define ENROLL_RETRY_MAX (30 * USEC_PER_SEC)
#define ENROLL_CODES_MAX 3    /* TOTP codes for one verification */
#define ENROLL_PAGES_MAX 1000 /* of a list that is searched */

/* One enrolment under way. The store holds the factor, and with it how far this has come, before
 * anything is sent: a restart goes on from there. */
struct Enrollment {
        Manager *manager;
        Enrollment *next;
        Factor *factor;
        Call *call; /* who waits; NULL after a restart, or when it was told Unconfirmed */
        Actor actor;
        ApiCall *request;
        sd_event_source *retry;
        sd_event_source *timeout;
        unsigned n_failures;
        unsigned n_codes;
        unsigned n_pages;
        char *failure;                  /* why it is being rolled back */
        char summary[API_SUMMARY_SIZE]; /* why it failed, for the log */
        int http_status;
        int64_t code;
};

static Enrollment *enrollment_free(Enrollment *e) {
        if (!e)
                return NULL;
        for (Enrollment **i = &e->manager->enrollments; *i; i = &(*i)->next)
                if (*i == e) {
                        *i = e->next;
                        break;
                }
        api_call_free(e->request);
        sd_event_source_disable_unref(e->retry);
        sd_event_source_disable_unref(e->timeout);
        call_unref(e->call);
        factor_unref(e->factor);
        free(e->failure);
        free(e);
        return NULL;
}

void enrollment_cancel_all(Manager *m) {
        while (m->enrollments) {
                if (m->enrollments->call)
                        (void) call_error(m->enrollments->call, IPC_UNCONFIRMED, NULL,
                                        "factord stops; the enrolment goes on when it starts "
                                        "again");
                enrollment_free(m->enrollments);
        }
}

static int enrollment_timed_out(sd_event_source *s, uint64_t usec, void *userdata) {
        Enrollment *e = userdata;

        if (e->call)
                (void) call_error(e->call, IPC_UNCONFIRMED, NULL,
                                "The enrolment of %s is not confirmed yet and goes on",
                                e->factor->record.name);
        e->call = call_unref(e->call);
        return 0;
}

static Enrollment *enrollment_new(Manager *m, Factor *f, Call *call) {
        Enrollment *e = calloc(1, sizeof(Enrollment));
        usec_t timeout = CHALLENGE_CONFIRM_TIMEOUT + (usec_t) f->record.period * USEC_PER_SEC;

        if (!e)
                return NULL;
        e->manager = m;
        e->next = m->enrollments;
        m->enrollments = e;
        e->factor = factor_ref(f);
        if (call) {
                e->call = call_ref(call);
                e->actor = manager_actor(call);
                (void) sd_event_add_time_relative(m->event, &e->timeout, CLOCK_BOOTTIME, timeout, 0,
                                enrollment_timed_out, e);
        }
        return e;
}

static ApiWho enrollment_who(const Enrollment *e) {
        return e->factor->push_key ? (ApiWho){.device = e->factor}
                                   : (ApiWho){.account = e->factor->account};
}

static VerifyEntity enrollment_entity(const Enrollment *e) {
        return (VerifyEntity){e->factor->record.service_sid, e->factor->record.identity};
}

/* The end of one that failed: nothing stays here, and who waits is told. Frees e. */
static void enrollment_drop(Enrollment *e) {
        _cleanup_free_ char *why = NULL;
        int r = 0;

        log_warning("Enrolling factor %s failed (%s)", e->factor->record.name, e->summary);
        if (!e->factor->removed)
                r = manager_drop_factor(
                                e->manager, e->factor, e->actor.door ? &e->actor : NULL, &why);
        if (r < 0)
                log_error("Cannot remove the unfinished factor %s: %s", e->factor->record.name,
                                error_text(why, r));
        if (e->call)
                (void) call_error(e->call, IPC_API_ERROR, view_api_error(e->http_status, e->code),
                                "%s was not enrolled: %s", e->factor->record.name,
                                strempty(e->failure));
        enrollment_free(e);
}

static void enrollment_fail(Enrollment *e, const ApiReply *reply, const char *text) {
        if (reply) {
                e->http_status = reply->http_status;
                e->code = reply->code;
        }
        (void) api_reply_summary(reply, e->summary);
        (void) text_set(&e->failure, text);
}

static void enrollment_deleted(ApiCall *request, const ApiReply *reply, void *userdata) {
        Enrollment *e = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(e->request);

        if (reply->outcome != API_OK && reply->http_status != 404)
                log_warning("Factor %s could not be deleted at the provider; it stays there "
                            "unverified until the provider drops it; ignoring",
                                e->factor->record.sid);
        enrollment_drop(e);
}

/* Takes back what the provider has, then what is here. Frees e, now or later. */
static void enrollment_roll_back(Enrollment *e) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        VerifyEntity entity = enrollment_entity(e);
        ApiWho who = enrollment_who(e);
        int r = -ENOKEY;

        if (e->factor->record.sid && (who.device || who.account)) {
                r = verify_factor_delete(&request, &entity, e->factor->record.sid, NULL);
                if (r >= 0)
                        r = api_send(e->manager->api, &e->request, &request, &who, NULL,
                                        enrollment_deleted, e);
        }
        if (r < 0)
                enrollment_drop(e);
}

static void enrollment_fetch(Enrollment *e);
static void enrollment_look_up(Enrollment *e, const VerifyList *page);

static int enrollment_retry_due(sd_event_source *s, uint64_t usec, void *userdata) {
        Enrollment *e = userdata;

        e->retry = sd_event_source_disable_unref(e->retry);
        if (e->factor->record.status != FACTOR_ENROLLING) {
                enrollment_fetch(e);
                return 0;
        }
        e->n_pages = 0;
        enrollment_look_up(e, &(VerifyList){.page = -1});
        return 0;
}

static void enrollment_retry(Enrollment *e, usec_t delay) {
        e->retry = sd_event_source_disable_unref(e->retry);
        if (sd_event_add_time_relative(e->manager->event, &e->retry, CLOCK_BOOTTIME, delay, 0,
                            enrollment_retry_due, e) < 0)
                log_error("Cannot go on with enrolling %s before the next start",
                                e->factor->record.name);
}

static void enrollment_later(Enrollment *e, const ApiReply *reply) {
        enrollment_retry(e, backoff_delay(ENROLL_RETRY_FIRST, ENROLL_RETRY_MAX, ++e->n_failures,
                                            reply->retry_after));
}

static void enrollment_succeed(Enrollment *e) {
        Factor *f = e->factor;
        _cleanup_free_ char *why = NULL;
        int r;

        f->record.status = FACTOR_VERIFIED;
        r = manager_update_factor(
                        e->manager, f, "enrolled", e->actor.door ? &e->actor : NULL, &why);
        if (r < 0) {
                /* The next start asks the provider how it stands. */
                f->record.status = FACTOR_UNVERIFIED;
                log_error("Cannot record that factor %s is verified: %s", f->record.name,
                                error_text(why, r));
                if (e->call)
                        (void) call_error(e->call, IPC_STORE_ERROR, NULL, "%s", error_text(why, r));
        } else {
                log_info("Factor %s is enrolled", f->record.name);
                if (e->call)
                        (void) call_reply(e->call, view_reply("factor", view_factor(f)));
        }
        enrollment_free(e);
}

/* Nothing definite: the network, the provider's state, an account whose credentials may be mended.
 */
static bool enrollment_is_open(const ApiReply *reply, const ApiWho *who) {
        return api_outcome_is_transient(reply->outcome) ||
               (reply->outcome == API_UNAUTHORIZED && who->account);
}

/* A wrong code: the next step's may be right. */
static void enrollment_wrong_code(Enrollment *e, const ApiReply *reply) {
        if (e->n_codes < ENROLL_CODES_MAX) {
                enrollment_retry(e, factor_step_left(e->factor, api_now(e->manager->api)));
                return;
        }
        enrollment_fail(e, reply, "the provider refused three codes; check the clocks");
        enrollment_roll_back(e);
}

static void enrollment_verified(ApiCall *request, const ApiReply *reply, void *userdata) {
        Enrollment *e = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(e->request);
        _cleanup_(verify_factor_done) VerifyFactor factor = {0};
        bool totp = e->factor->record.type == FACTOR_TOTP;
        ApiWho who = enrollment_who(e);
        int r = 0;

        if (reply->outcome == API_OK)
                r = verify_factor_read(&factor, reply->body, reply->len, NULL);
        if (enrollment_is_open(reply, &who) || r < 0)
                enrollment_later(e, reply); /* it may have been applied: a fetch tells */
        else if (reply->outcome == API_OK && factor.verified)
                enrollment_succeed(e);
        else if (totp && (reply->outcome == API_OK ||
                                         reply->code == VERIFY_CODE_FACTOR_VERIFICATION_FAILED))
                enrollment_wrong_code(e, reply);
        else {
                enrollment_fail(e, reply,
                                reply->outcome == API_OK ? "the provider did not accept the proof"
                                                         : reply->text);
                enrollment_roll_back(e);
        }
}

static int enrollment_payload(Enrollment *e, Secret *ret) {
        usec_t wait;
        int r;

        if (e->factor->push_key)
                return push_factor_payload(e->factor->push_key, e->factor->record.sid, ret);
        if (!e->factor->otp_key)
                return -ENOKEY;
        if (server_clock_is_settling(api_clock(e->manager->api), now_boottime())) {
                /* No code is wasted on a clock in doubt: the fetch that comes first settles it. */
                enrollment_retry(e, USEC_PER_SEC);
                return -EEXIST;
        }
        r = factor_take_code(e->factor, e->manager->store, api_now(e->manager->api), ret, &wait);
        if (r == -EEXIST)
                enrollment_retry(e, wait);
        else if (r >= 0)
                e->n_codes++;
        return r;
}

static void enrollment_verify(Enrollment *e) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_(secret_done) Secret payload = {0};
        VerifyEntity entity = enrollment_entity(e);
        ApiWho who = enrollment_who(e);
        int r;

        r = enrollment_payload(e, &payload);
        if (r == -EEXIST)
                return;
        VerifyFactorUpdate update = {
                        .factor_sid = e->factor->record.sid,
                        .auth_payload = &payload,
                        .skew = -1,
        };
        if (r >= 0)
                r = verify_factor_update(&request, &entity, &update, NULL);
        if (r >= 0)
                r = api_send(e->manager->api, &e->request, &request, &who, NULL,
                                enrollment_verified, e);
        if (r < 0) {
                enrollment_fail(e, NULL, strerror(-r));
                enrollment_roll_back(e);
        }
}

static void enrollment_fetched(ApiCall *request, const ApiReply *reply, void *userdata) {
        Enrollment *e = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(e->request);
        _cleanup_(verify_factor_done) VerifyFactor factor = {0};
        ApiWho who = enrollment_who(e);
        int r = 0;

        if (reply->outcome == API_OK)
                r = verify_factor_read(&factor, reply->body, reply->len, NULL);
        if (enrollment_is_open(reply, &who) || r < 0)
                enrollment_later(e, reply);
        else if (reply->outcome != API_OK) {
                enrollment_fail(e, reply, reply->text);
                enrollment_roll_back(e);
        } else if (factor.verified)
                enrollment_succeed(e);
        else
                enrollment_verify(e);
}

/* How it stands at the provider, before a proof is sent again: after a restart, or when the last
 * one's outcome is unknown. */
static void enrollment_fetch(Enrollment *e) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        VerifyEntity entity = enrollment_entity(e);
        ApiWho who = enrollment_who(e);
        int r = -ENOKEY;

        if (who.account || e->factor->push_key)
                r = verify_factor_fetch(&request, &entity, e->factor->record.sid, NULL);
        if (r >= 0)
                r = api_send(e->manager->api, &e->request, &request, &who, NULL, enrollment_fetched,
                                e);
        if (r < 0) {
                /* The configuration may have the account again at the next start. */
                log_error("Cannot go on with enrolling %s: %s", e->factor->record.name,
                                strerror(-r));
                enrollment_free(e);
        }
}

/* The provider has the factor: keep its SIDs, then prove the key. Frees e on failure. */
static void enrollment_created(Enrollment *e, const VerifyFactor *v) {
        Factor *f = e->factor;
        _cleanup_free_ char *why = NULL;
        int r;

        r = text_set(&f->record.sid, v->sid);
        if (r >= 0)
                r = text_set(&f->record.account_sid, v->account_sid);
        if (r >= 0)
                r = text_set(&f->record.credential_sid, v->credential_sid);
        f->record.status = FACTOR_UNVERIFIED;
        if (r >= 0 && f->removed)
                r = error_set(&why, -ECANCELED, "the factor was removed meanwhile");
        if (r >= 0)
                r = registry_index_factor(&e->manager->registry, f);
        if (r == -EEXIST) {
                /* Another factor of ours has that SID: it must not be deleted in this one's place.
                 */
                (void) text_set(&f->record.sid, NULL);
                (void) error_set(&why, r, "the provider's reply names the SID of another factor");
        }
        if (r >= 0)
                r = manager_update_factor(e->manager, f, NULL, NULL, &why);
        if (r < 0) {
                enrollment_fail(e, NULL, error_text(why, r));
                enrollment_roll_back(e);
                return;
        }
        e->n_failures = 0;
        enrollment_verify(e);
}

static bool enrollment_can_use(const Enrollment *e, const VerifyFactor *v, const char **ret_why) {
        const StoreFactor *f = &e->factor->record;

        if (!streq(v->service_sid, f->service_sid) || strcasecmp(v->identity, f->identity) != 0)
                *ret_why = "the provider's reply names another service or identity";
        else if (f->type == FACTOR_PUSH && !v->credential_sid)
                *ret_why = "the provider's reply has no config.credential_sid, without which the "
                           "device cannot sign in";
        else
                return true;
        return false;
}

static void enrollment_listed(ApiCall *request, const ApiReply *reply, void *userdata) {
        Enrollment *e = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(e->request);
        _cleanup_(verify_factor_list_done) VerifyFactorList list = {0};
        ApiWho who = {.account = e->factor->account};
        const char *problem;
        int r = 0;

        if (reply->outcome == API_OK)
                r = verify_factor_list_read(&list, reply->body, reply->len, NULL);
        if (enrollment_is_open(reply, &who) || r < 0) {
                enrollment_later(e, reply);
                return;
        }
        for (size_t i = 0; i < list.n_items; i++) {
                const VerifyFactor *v = &list.items[i];
                if (v->metadata && strstr(v->metadata, e->factor->fingerprint) &&
                                enrollment_can_use(e, v, &problem)) {
                        enrollment_created(e, v);
                        return;
                }
        }
        if (list.page_token && ++e->n_pages < ENROLL_PAGES_MAX) {
                enrollment_look_up(e, &(VerifyList){.page = list.next_page,
                                                      .page_token = list.page_token});
                return;
        }
        enrollment_fail(e, reply->outcome == API_OK ? NULL : reply,
                        reply->outcome == API_OK ? "the reply to its creation was lost, and the "
                                                   "provider does not have it"
                                                 : reply->text);
        enrollment_drop(e);
}

/* The create's reply was lost: the key's fingerprint in the factor's metadata tells whether it
 * arrived. */
static void enrollment_look_up(Enrollment *e, const VerifyList *page) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        VerifyEntity entity = enrollment_entity(e);
        ApiWho who = {.account = e->factor->account};
        int r;

        if (!who.account) {
                enrollment_fail(e, NULL,
                                "the provider's reply was lost, and an access token cannot ask for "
                                "it; the provider may keep an unverified factor for a day; enrol "
                                "again with a new token");
                enrollment_drop(e);
                return;
        }
        r = verify_factor_list(&request, &entity, page, NULL);
        if (r >= 0)
                r = api_send(e->manager->api, &e->request, &request, &who, NULL, enrollment_listed,
                                e);
        if (r < 0) {
                enrollment_fail(e, NULL, strerror(-r));
                enrollment_drop(e);
        }
}

static void enrollment_replied(ApiCall *request, const ApiReply *reply, void *userdata) {
        Enrollment *e = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(e->request);
        _cleanup_(verify_factor_done) VerifyFactor factor = {0};
        _cleanup_free_ char *why = NULL;
        const char *problem = NULL;

        if (reply->outcome == API_OK &&
                        verify_factor_read(&factor, reply->body, reply->len, &why) >= 0) {
                if (enrollment_can_use(e, &factor, &problem)) {
                        enrollment_created(e, &factor);
                        return;
                }
                enrollment_fail(e, reply, problem);
                enrollment_drop(e);
                return;
        }
        /* It may have arrived: cut, unreadable, or a fault behind the provider's door. */
        if (reply->outcome == API_UNKNOWN || reply->outcome == API_OK ||
                        reply->http_status >= 500) {
                enrollment_look_up(e, &(VerifyList){.page = -1});
                return;
        }
        enrollment_fail(e, reply, reply->text);
        enrollment_drop(e);
}

void enrollment_resume(Manager *m) {
        for (size_t i = 0; i < m->registry.n_factors; i++) {
                Factor *f = m->registry.factors[i];
                Enrollment *e;

                if (factor_status(f) != FACTOR_ENROLLING && factor_status(f) != FACTOR_UNVERIFIED)
                        continue;
                e = enrollment_new(m, f, NULL);
                if (e)
                        enrollment_retry(e, 0);
        }
}

void enrollment_begin(Manager *m,
                Factor *f,
                Call *call,
                VerifyRequest *request,
                const Secret *access_token) {
        Enrollment *e = enrollment_new(m, f, call);
        ApiWho who = {
                        .token = access_token,
                        .account = access_token ? NULL : f->account,
        };
        int r;

        if (!e) {
                (void) call_error(call, IPC_STORE_ERROR, NULL, "Out of memory");
                return;
        }
        r = api_send(m->api, &e->request, request, &who, NULL, enrollment_replied, e);
        if (r < 0) {
                enrollment_fail(e, NULL, strerror(-r));
                enrollment_drop(e);
        }
}
