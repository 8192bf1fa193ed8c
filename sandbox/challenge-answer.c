/* SPDX-License-Identifier: Apache-2.0 */
/* Answers to challenges: a signed payload (push) or a code (TOTP). */
#include "sandbox/challenge.h"

#include <errno.h>
#include <string.h>

#include "sandbox/check.h"
#include "sandbox/factor-totp.h"
#include "sandbox/json-build.h"
#include "sandbox/jws-verify.h"

#define AUTH_PAYLOAD_MAX 5456

/* Ends a challenge as approved or denied. */
static void challenge_respond(Call *c, Challenge *challenge, ChallengeStatus status) {
        challenge->status = status;
        challenge->responded = challenge->record.updated = c->now;
        challenge->updates++;
        c->state->dirty = true;
}

static bool record(Call *c, Challenge *challenge, const char *payload, const char *verdict) {
        c->state->dirty = true;
        if (auth_payload_record(&challenge->auth_payloads, c->now, payload, verdict) >= 0)
                return true;
        reply_failed(&c->reply);
        return false;
}

bool challenge_try_code(Call *c, Challenge *challenge, Factor *f, const char *code) {
        bool right;

        if (totp_check_code(c->state, f, c->now, code, &right) < 0) {
                reply_failed(&c->reply);
                return false;
        }
        if (right)
                challenge_respond(c, challenge, CHALLENGE_APPROVED);
        else
                challenge->attempts++;
        return record(c, challenge, code, right ? "approved" : "wrong");
}

/* Returns what is wrong with a verified payload, or NULL with the status that it asks for. */
static const char *compare(const Jws *jws, json_object *shown, ChallengeStatus *ret) {
        const char *status = json_doc_string(jws->payload, "status");
        JsonSlice raw;

        for (size_t i = 0; i < n_signature_fields; i++) {
                const char *key = signature_fields[i];

                if (!json_doc_raw(jws->payload, key, &raw))
                        return "a signature field is missing";
                if (!json_object_equal(json_doc_value(jws->payload, key),
                                    json_object_object_get(shown, key)))
                        return "a signature field differs";
        }
        if (!status)
                return "status is missing";
        if (streq(status, "approved"))
                *ret = CHALLENGE_APPROVED;
        else if (streq(status, "denied"))
                *ret = CHALLENGE_DENIED;
        else
                return "status is neither approved nor denied";
        return NULL;
}

/* Returns 0 or -errno; *ret_wrong is NULL when the payload is good. */
static int
judge(Call *c, const Factor *f, const char *payload, ChallengeStatus *ret, const char **ret_wrong) {
        _cleanup_json_ json_object *shown = NULL;
        _cleanup_(jws_done) Jws jws = {0};
        bool good;
        int r;

        r = jws_parse(&jws, payload);
        if (r == -EBADMSG) {
                *ret_wrong = "not a JWS";
                return 0;
        }
        if (r < 0)
                return r;
        r = jws_verify(&jws, f->key, &good);
        if (r < 0)
                return r;
        if (!good) {
                *ret_wrong = "wrong signature";
                return 0;
        }
        shown = challenge_to_json(c->state, c->challenge, c->base_url);
        if (!shown)
                return -ENOMEM;
        *ret_wrong = compare(&jws, shown, ret);
        return 0;
}

static bool answer_push(Call *c, const Factor *f, const char *payload) {
        ChallengeStatus status;
        const char *wrong = NULL;

        if (strlen(payload) > AUTH_PAYLOAD_MAX) {
                reply_error(&c->reply, 60300, "AuthPayload is longer than %d characters",
                                AUTH_PAYLOAD_MAX);
                return false;
        }
        if (judge(c, f, payload, &status, &wrong) < 0) {
                reply_failed(&c->reply);
                return false;
        }
        if (!record(c, c->challenge, payload, wrong ? wrong : challenge_status_to_string(status)))
                return false;
        if (wrong) {
                reply_error(&c->reply, 60324, "%s", wrong);
                return false;
        }
        challenge_respond(c, c->challenge, status);
        return true;
}

static bool answer_totp(Call *c, Factor *f, const char *code) {
        if (!totp_check_code_length(c, code))
                return false;
        if (c->challenge->attempts >= ATTEMPTS_MAX) {
                if (record(c, c->challenge, code, "exhausted"))
                        reply_error(&c->reply, 60308, NULL);
                return false;
        }
        return challenge_try_code(c, c->challenge, f, code);
}

/* Refuses a challenge that takes no answer, noting that one came. */
static bool answerable(Call *c, const Factor *f, const char *payload) {
        int code = 0;

        challenge_expire(c->state, c->challenge, c->now);
        if (c->challenge->status == CHALLENGE_EXPIRED)
                code = 60323;
        else if (c->challenge->status != CHALLENGE_PENDING)
                code = 60322;
        else if (!f->verified)
                code = 60318;
        if (code == 0)
                return true;
        if (record(c, c->challenge, payload, challenge_status_to_string(c->challenge->status)))
                reply_error(&c->reply, code, NULL);
        return false;
}

void challenge_answer(Call *c) {
        const char *payload = require_param(c, "AuthPayload");
        const char *metadata = params_get(&c->form, "Metadata");
        _cleanup_json_ json_object *map = NULL;
        _cleanup_free_ char *opaque = NULL;
        Factor *f = state_factor(c->state, c->challenge->factor_sid);
        bool push = c->challenge->kind == KIND_PUSH;

        if (!payload || (metadata && !check_string_map(c, "Metadata", metadata, &map)))
                return;
        if (!f) {
                reply_error(&c->reply, 20404, "factor %s", c->challenge->factor_sid);
                return;
        }
        if (!answerable(c, f, payload))
                return;
        if (!(push ? answer_push(c, f, payload) : answer_totp(c, f, payload)))
                return;
        if (map && c->challenge->status != CHALLENGE_PENDING) {
                json_object_put(c->challenge->metadata);
                c->challenge->metadata = TAKE_PTR(map);
        }
        reply_json(&c->reply, 200, challenge_to_json(c->state, c->challenge, c->base_url));
        if (random_hex(32, &opaque) >= 0)
                reply_header(&c->reply, "Twilio-Verify-Challenge-Signature", opaque);
}
