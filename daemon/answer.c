/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/answer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "daemon/backoff.h"
#include "daemon/life.h"
#include "log/log.h"
#include "push/payload.h"

#define ANSWER_BACKOFF_FIRST (250 * USEC_PER_MSEC)
#define ANSWER_BACKOFF_MAX (30 * USEC_PER_SEC)
#define ANSWER_CODES_MAX 3 /* two before the provider's cap of five wrong codes */
/* Dates have whole seconds: a later one is another one. */
#define CLOCK_RECHECK USEC_PER_SEC
/* So much later looks for a code who has an older one before him: a fetch's time. */
#define CODE_TURN (100 * USEC_PER_MSEC)
/* How long after expiry an unknown outcome is still asked for. */
#define ANSWER_INQUIRE_MAX (10 * USEC_PER_MINUTE)

static ApiWho answer_who(const Challenge *c) {
        return c->view.factor_type == FACTOR_PUSH ? (ApiWho){.device = c->factor}
                                                  : (ApiWho){.account = c->factor->account};
}

static VerifyEntity answer_entity(const Challenge *c) {
        return (VerifyEntity){c->factor->record.service_sid, c->factor->record.identity};
}

/* Takes the request. The oldest challenge goes first, an answer before the fetches of younger ones.
 */
static int answer_send(Challenge *c, VerifyRequest *request, api_callback_t callback) {
        ApiWho who = answer_who(c);
        ApiTurn turn = {.since = c->view.created};

        return api_send(c->host->api, &c->call, request, &who, &turn, callback, c);
}

/* Nothing is lost: the decision stays, and the next attempt begins with a fetch. */
static void answer_later(Challenge *c, const char *reason, usec_t retry_after) {
        bool unknown = c->view.state == CHALLENGE_SUBMITTED;
        usec_t until = unknown ? usec_add(c->view.expires, ANSWER_INQUIRE_MAX) : c->view.expires;
        usec_t delay;

        if (challenge_is_past(c, until)) {
                challenge_complete(c, CHALLENGE_EXPIRED,
                                unknown ? "it expired before the provider said what became of it"
                                        : reason);
                return;
        }
        challenge_set_reason(c, reason);
        delay = backoff_delay(
                        ANSWER_BACKOFF_FIRST, ANSWER_BACKOFF_MAX, ++c->n_failures, retry_after);
        challenge_schedule_by(c, delay, until);
}

static void answer_fail(Challenge *c, const ApiReply *reply) {
        c->http_status = reply->http_status;
        c->code = reply->code;
        challenge_complete(c, CHALLENGE_FAILED, reply->text);
}

/* What any request's failure means. */
static void answer_refused(Challenge *c, const ApiReply *reply) {
        switch (reply->outcome) {
        case API_TRANSIENT:
        case API_NOT_SENT:
        case API_UNKNOWN:
                answer_later(c, reply->text, reply->retry_after);
                return;
        case API_UNAUTHORIZED:
                if (c->view.factor_type != FACTOR_PUSH) {
                        /* The account's credentials are wrong, not this answer: they may yet
                         * be mended. */
                        answer_later(c, reply->text, 0);
                        return;
                }
                /* This one ends first, with the provider's words; revoking ends the others. */
                answer_fail(c, reply);
                c->host->revoked(c->factor, reply->text, c->host->userdata);
                return;
        case API_REFUSED:
                if (reply->code == VERIFY_CODE_EXPIRED)
                        challenge_complete(c, CHALLENGE_EXPIRED, NULL);
                else if (reply->code == VERIFY_CODE_ALREADY_RESPONDED)
                        answer_later(c, reply->text, 0); /* a fetch tells whose answer that is */
                else
                        answer_fail(c, reply);
                return;
        case API_OK:
                break;
        }
        assert(false);
}

static ProviderStatus answer_wanted(const Challenge *c) {
        return c->decision.verb == VERB_APPROVE ? PROVIDER_APPROVED : PROVIDER_DENIED;
}

static bool answer_is_ours(const Challenge *c, const VerifyChallenge *record) {
        return c->has_decision && record->decision && streq(record->decision, c->decision.id) &&
               record->status == answer_wanted(c);
}

/* Ends the challenge if the provider's record is final. */
static bool answer_ended(Challenge *c, const VerifyChallenge *record) {
        bool ours = answer_is_ours(c, record);
        ChallengeState outcome = life_outcome(record->status, ours);

        if (outcome == _CHALLENGE_STATE_MAX)
                return false;
        challenge_complete(c, outcome,
                        outcome == CHALLENGE_SUPERSEDED ? "it was answered elsewhere" : NULL);
        return true;
}

/* The pieces of a submission. */
typedef struct Submission {
        Secret payload;
        char *metadata;
} Submission;

static void submission_done(Submission *s) {
        secret_done(&s->payload);
        free(s->metadata);
}

static int submit_push(Challenge *c,
                const VerifyChallenge *record,
                const char *signature_fields,
                Submission *s) {
        const char *status = c->decision.verb == VERB_APPROVE ? "approved" : "denied";
        PushRefusal refusal;
        int r;

        r = push_challenge_jws(c->factor->push_key, record->doc, strempty(signature_fields), status,
                        &s->payload, &refusal);
        if (r < 0)
                return r;
        if (refusal != PUSH_OK) {
                challenge_complete(c, CHALLENGE_FAILED, push_refusal_text(refusal));
                return -ECANCELED;
        }
        return 0;
}

/* How many older ones wait for this factor's codes: they go first when the next step comes. */
static unsigned answer_rank(const Challenge *c) {
        const Challenge *o;
        unsigned rank = 0;

        LIST_FOREACH(o, &c->factor->challenges, of_factor)
        rank += o->has_decision && !life_is_final(o->view.state) &&
                (o->view.created < c->view.created ||
                                (o->view.created == c->view.created &&
                                                strcmp(o->view.sid, c->view.sid) < 0));
        return rank;
}

/* A step's code leaves this machine once, and a challenge gets few. -ECANCELED: it ended, or waits
 * for the next step. */
static int submit_totp(Challenge *c, Submission *s) {
        usec_t wait;
        int r;

        if (c->attempts >= ANSWER_CODES_MAX && c->n_wrong < ANSWER_CODES_MAX) {
                /* Not all were refused: it is no definite end, and may yet be approved. */
                answer_later(c,
                                "three codes were sent and it is not known what became of them "
                                "all; "
                                "no more are sent",
                                0);
                return -ECANCELED;
        }
        if (c->attempts >= ANSWER_CODES_MAX) {
                challenge_complete(c, CHALLENGE_FAILED,
                                "three codes were sent and none was accepted; check the factor's "
                                "secret and the clocks");
                return -ECANCELED;
        }
        if (server_clock_is_settling(api_clock(c->host->api), now_boottime())) {
                challenge_set_reason(c,
                                "the provider's clock differs from the one in use; "
                                "waiting for a second reply that says so");
                challenge_schedule(c, CLOCK_RECHECK);
                return -ECANCELED;
        }
        r = factor_take_code(c->factor, c->host->store, api_now(c->host->api), &s->payload, &wait);
        if (r != -EEXIST)
                return r;
        challenge_set_reason(c, "this period's code was used; waiting for the next one");
        challenge_schedule_by(c, wait + answer_rank(c) * CODE_TURN, c->view.expires);
        return -ECANCELED;
}

static void answer_submitted(ApiCall *call, const ApiReply *reply, void *userdata);

static int answer_submit(
                Challenge *c, const VerifyChallenge *record, const char *signature_fields) {
        _cleanup_(submission_done) Submission s = {0};
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_free_ char *why = NULL;
        VerifyEntity entity = answer_entity(c);
        int r;

        r = metadata_build(METADATA_DECISION, c->decision.id, c->host->facts, VERIFY_METADATA_MAX,
                        &s.metadata);
        if (r < 0)
                return r;
        r = c->view.factor_type == FACTOR_PUSH ? submit_push(c, record, signature_fields, &s)
                                               : submit_totp(c, &s);
        if (r < 0)
                return r;
        VerifyChallengeUpdate update = {
                        .challenge_sid = c->view.sid,
                        .auth_payload = &s.payload,
                        .metadata = s.metadata,
        };
        r = verify_challenge_update(&request, &entity, &update, &why);
        /* Counted before it is sent: a code whose outcome stays unknown is one of the few, too. */
        c->attempts += c->view.factor_type == FACTOR_TOTP;
        if (r >= 0)
                r = challenge_move(c, CHALLENGE_SUBMITTED, NULL, &why);
        if (r < 0) {
                c->attempts -= c->view.factor_type == FACTOR_TOTP;
                log_error("Cannot submit the answer to %s: %s", c->view.sid, error_text(why, r));
                return r;
        }
        return answer_send(c, &request, answer_submitted);
}

/* A wrong code: the provider says 200 and leaves the challenge pending (or 403, as it once did). */
static void answer_wrong_code(Challenge *c) {
        _cleanup_free_ char *why = NULL;
        int r;

        c->n_wrong++;
        r = challenge_move(c, CHALLENGE_ANSWERING,
                        "the provider refused the code; waiting for the next one", &why);
        if (r < 0)
                log_error("Cannot record an attempt on %s: %s", c->view.sid, error_text(why, r));
        /* The attempt at the next step says when the tries are used up. */
        challenge_schedule(c, c->attempts >= ANSWER_CODES_MAX
                                              ? 0
                                              : factor_step_left(c->factor, api_now(c->host->api)));
}

/* A code that nobody looked at is none of the few. 429 and 503 say so (RFC 6585 §4, RFC 9110
 * §15.6.4); behind another 5xx somebody may have. */
static bool answer_was_not_looked_at(const ApiReply *reply) {
        return reply->outcome == API_NOT_SENT ||
               (reply->outcome == API_TRANSIENT &&
                               (reply->http_status == 429 || reply->http_status == 503));
}

static void answer_submitted(ApiCall *call, const ApiReply *reply, void *userdata) {
        Challenge *c = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(c->call);
        _cleanup_(verify_challenge_done) VerifyChallenge record = {0};
        _cleanup_free_ char *why = NULL;
        int r;

        if (reply->outcome == API_REFUSED && reply->code == VERIFY_CODE_VERIFICATION_FAILED &&
                        c->view.factor_type == FACTOR_TOTP) {
                answer_wrong_code(c);
                return;
        }
        if (answer_was_not_looked_at(reply))
                c->attempts -= c->view.factor_type == FACTOR_TOTP;
        if (reply->outcome != API_OK) {
                answer_refused(c, reply);
                return;
        }
        r = verify_challenge_read(&record, reply->body, reply->len, &why);
        if (r < 0 || !streq(record.sid, c->view.sid)) {
                answer_later(c,
                                r < 0 ? error_text(why, r)
                                      : "the provider's reply is for another challenge",
                                0);
                return;
        }
        /* The provider took this very request: its word is enough, unless it names another's. */
        if (record.status == answer_wanted(c) && !record.decision) {
                challenge_complete(c, life_outcome(record.status, true), NULL);
                return;
        }
        if (record.status != answer_wanted(c) && record.status != PROVIDER_PENDING &&
                        record.status != PROVIDER_EXPIRED) {
                answer_later(c, "the provider's reply contradicts what was sent", 0);
                return;
        }
        if (answer_ended(c, &record))
                return;
        if (c->view.factor_type == FACTOR_TOTP)
                answer_wrong_code(c);
        else
                answer_later(c, "the provider took the answer but the challenge is still pending",
                                0);
}

/* The provider's record must be of the challenge that was shown. */
static bool answer_is_same(const Challenge *c, const VerifyChallenge *record) {
        return streq(record->sid, c->view.sid) && streq(record->factor_sid, c->view.factor_sid) &&
               factor_is_of(c->factor, record->account_sid, record->service_sid, record->identity);
}

static void answer_go_on(Challenge *c, VerifyChallenge *record, const char *signature_fields) {
        _cleanup_free_ char *why = NULL;
        char digest[SHA256_HEX_SIZE];
        int r;

        /* The outcome of an earlier submission was unknown, and it did not arrive. */
        if (c->view.state == CHALLENGE_SUBMITTED) {
                r = challenge_move(c, CHALLENGE_ANSWERING, c->view.reason, &why);
                if (r < 0) {
                        answer_later(c, error_text(why, r), 0);
                        return;
                }
        }
        if (challenge_is_expired(c)) {
                challenge_complete(c, CHALLENGE_EXPIRED, NULL);
                return;
        }
        r = challenge_digest(c, record, digest);
        if (r >= 0 && !streq(digest, c->decision.digest)) {
                r = challenge_stale(c, record, &why);
                if (r < 0)
                        answer_later(c, error_text(why, r), 0);
                return;
        }
        if (r >= 0)
                r = answer_submit(c, record, signature_fields);
        if (r < 0 && r != -ECANCELED)
                answer_later(c, strerror(-r), 0);
}

static void answer_fetched(ApiCall *call, const ApiReply *reply, void *userdata) {
        Challenge *c = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(c->call);
        _cleanup_(verify_challenge_done) VerifyChallenge record = {0};
        _cleanup_free_ char *why = NULL;
        int r;

        if (reply->outcome != API_OK) {
                answer_refused(c, reply);
                return;
        }
        r = verify_challenge_read(&record, reply->body, reply->len, &why);
        if (r < 0) {
                (void) error_wrap(
                                &why, r, "the provider's reply cannot be used, nothing was signed");
                answer_later(c, error_text(why, r), 0);
                return;
        }
        if (!answer_is_same(c, &record)) {
                challenge_complete(c, CHALLENGE_FAILED,
                                "the provider's reply names another challenge, factor, service or "
                                "identity; nothing was signed");
                return;
        }
        if (answer_ended(c, &record))
                return;
        if (record.status != PROVIDER_PENDING) {
                answer_later(c, "the provider gives the challenge a status that is not known here",
                                0);
                return;
        }
        answer_go_on(c, &record, reply->signature_fields);
}

static int answer_fetch(Challenge *c, api_callback_t callback) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        VerifyEntity entity = answer_entity(c);
        ApiWho who = answer_who(c);
        int r;

        if (c->factor->detached)
                return -EXDEV; /* another provider has it: neither credential nor SID is for this
                                  one */
        if (!who.device && !who.account)
                return -ENOKEY;
        r = verify_challenge_fetch(&request, &entity, c->view.sid, NULL);
        if (r < 0)
                return r;
        return answer_send(c, &request, callback);
}

void answer_attempt(Challenge *c) {
        int r;

        if (c->call)
                return;
        r = answer_fetch(c, answer_fetched);
        if (r == -EXDEV)
                answer_later(c, "its factor was enrolled at another BaseUrl", 0);
        else if (r == -ENOKEY)
                answer_later(c, "the configuration has no account for its factor", 0);
        else if (r < 0)
                answer_later(c, strerror(-r), 0);
}

static void answer_inquired(ApiCall *call, const ApiReply *reply, void *userdata) {
        Challenge *c = userdata;
        _cleanup_(api_call_freep) _unused_ ApiCall *done = TAKE_PTR(c->call);
        _cleanup_(verify_challenge_done) VerifyChallenge record = {0};
        _cleanup_free_ char *why = NULL;
        int r;

        /* It was decided meanwhile: that attempt waited for this request to end. */
        if (c->view.state == CHALLENGE_ANSWERING || c->view.state == CHALLENGE_SUBMITTED) {
                answer_attempt(c);
                return;
        }
        if (reply->outcome == API_REFUSED && reply->http_status == 404) {
                challenge_complete(c, CHALLENGE_SUPERSEDED, "the provider no longer has it");
                return;
        }
        /* Anything else that goes wrong here proves nothing: the next round asks again. */
        if (reply->outcome != API_OK ||
                        verify_challenge_read(&record, reply->body, reply->len, NULL) < 0 ||
                        !answer_is_same(c, &record) || answer_ended(c, &record))
                return;
        if ((c->view.state != CHALLENGE_ASKING && c->view.state != CHALLENGE_DECIDING) ||
                        challenge_shows(c, &record))
                return;
        r = challenge_stale(c, &record, &why);
        if (r < 0)
                log_error("Cannot record that %s has changed: %s", c->view.sid, error_text(why, r));
}

void answer_inquire(Challenge *c) {
        assert(!c->call);
        if (answer_fetch(c, answer_inquired) < 0)
                log_debug("Cannot ask what became of %s", c->view.sid);
}
