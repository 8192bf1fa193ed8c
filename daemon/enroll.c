/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/enroll.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "daemon/enrollment.h"
#include "daemon/parameters.h"
#include "totp/base32.h"

#define ENROLL_APP_ID "factord" /* Config.AppId */

typedef struct EnrollParameters {
        char *name, *service_sid, *identity, *account, *friendly_name, *algorithm;
        Secret access_token;
        int64_t owner, digits, period;
} EnrollParameters;

#define FIELD(json, type, member, flags)                                                           \
        { json, type, offsetof(EnrollParameters, member), flags }

static const JsonField push_fields[] = {
                FIELD("name", JSON_STRING, name, JSON_MANDATORY),
                FIELD("service_sid", JSON_STRING, service_sid, JSON_MANDATORY),
                FIELD("identity", JSON_STRING, identity, JSON_MANDATORY),
                FIELD("account", JSON_STRING, account, JSON_NULLABLE),
                FIELD("friendly_name", JSON_STRING, friendly_name, JSON_NULLABLE),
                FIELD("owner", JSON_INT, owner, JSON_NULLABLE),
                FIELD("access_token", JSON_SECRET, access_token, JSON_NULLABLE),
};

static const JsonField totp_fields[] = {
                FIELD("name", JSON_STRING, name, JSON_MANDATORY),
                FIELD("account", JSON_STRING, account, JSON_MANDATORY),
                FIELD("service_sid", JSON_STRING, service_sid, JSON_MANDATORY),
                FIELD("identity", JSON_STRING, identity, JSON_MANDATORY),
                FIELD("friendly_name", JSON_STRING, friendly_name, JSON_NULLABLE),
                FIELD("algorithm", JSON_STRING, algorithm, JSON_NULLABLE),
                FIELD("digits", JSON_INT, digits, JSON_NULLABLE),
                FIELD("period", JSON_INT, period, JSON_NULLABLE),
                FIELD("owner", JSON_INT, owner, JSON_NULLABLE),
};

static void enroll_parameters_done(EnrollParameters *p) {
        json_fields_done(push_fields, ELEMENTSOF(push_fields), p);
        json_fields_done(totp_fields, ELEMENTSOF(totp_fields), p);
}

static bool enroll_check(Manager *m, Call *call, const EnrollParameters *p, uid_t *ret_owner) {
        if (!parameter_new_name(m, call, p->name))
                return false;
        if (m->registry.n_factors >= STORE_FACTORS_MAX)
                (void) call_invalid(
                                call, "name", "There are %i factors already", STORE_FACTORS_MAX);
        else if (p->account && !manager_account(m, p->account))
                (void) call_invalid(call, "account",
                                "There is no [Account %s] in the configuration", p->account);
        else
                return parameter_owner(call, p->owner, ret_owner);
        return false;
}

/* A record of what is common to both types. */
static int enroll_record(Manager *m, const EnrollParameters *p, StoreFactor *ret) {
        int r;

        ret->status = FACTOR_ENROLLING;
        ret->created = now_realtime();
        r = text_set(&ret->name, p->name);
        if (r >= 0)
                r = text_set(&ret->service_sid, p->service_sid);
        if (r >= 0)
                r = text_set(&ret->identity, p->identity);
        if (r >= 0)
                r = text_set(&ret->account, p->account);
        if (r >= 0)
                r = text_set(&ret->base_url, m->config->base_url);
        if (r >= 0)
                r = text_set(&ret->label, p->friendly_name ? p->friendly_name : p->name);
        return r;
}

/* The create's request. seed: TOTP's, in the clear; NULL for push. */
static int enroll_request(const Manager *m,
                const Factor *f,
                const Secret *seed,
                VerifyRequest *ret,
                char **reterr_msg) {
        const StoreFactor *s = &f->record;
        VerifyEntity entity = {s->service_sid, s->identity};
        _cleanup_(secret_done) Secret base32 = {0};
        _cleanup_free_ char *metadata = NULL, *public_key = NULL;
        int r;

        r = metadata_build("enrolment", f->fingerprint, &m->facts, VERIFY_METADATA_MAX, &metadata);
        if (r < 0)
                return r;
        if (!f->push_key) {
                r = base32_encode(seed, &base32);
                if (r < 0)
                        return r;
                VerifyFactorCreateTotp create = {
                                .friendly_name = s->label,
                                .secret = &base32,
                                .time_step = s->period,
                                .skew = -1,
                                .code_length = s->digits,
                                .alg = s->algorithm,
                                .metadata = metadata,
                };
                return verify_factor_create_totp(ret, &entity, &create, reterr_msg);
        }
        r = push_key_public(f->push_key, &public_key);
        if (r < 0)
                return r;
        VerifyFactorCreatePush create = {
                        .friendly_name = s->label,
                        .public_key = public_key,
                        .app_id = ENROLL_APP_ID,
                        .sdk_version = FACTORD_VERSION,
                        .metadata = metadata,
        };
        return verify_factor_create_push(ret, &entity, &create, reterr_msg);
}

/* Stores the factor and builds its create, both or neither: a parameter that does not fit leaves
 * nothing. */
static int enroll_prepare(Manager *m,
                StoreFactor *record,
                Factor **ret,
                VerifyRequest *ret_request,
                char **reterr_msg) {
        _cleanup_(secret_done) Secret seed = {0};
        Factor *f = NULL;
        int r;

        r = secret_copy(&seed, &record->secret);
        if (r >= 0)
                r = store_begin(m->store, reterr_msg);
        if (r >= 0)
                r = store_factor_add(m->store, record, reterr_msg);
        if (r >= 0)
                r = manager_add_factor(m, record, &f, reterr_msg);
        if (r >= 0)
                r = enroll_request(m, f, &seed, ret_request, reterr_msg);
        r = store_end(m->store, r, reterr_msg);
        if (r < 0) {
                if (f)
                        registry_remove_factor(&m->registry, f);
                return r;
        }
        *ret = f;
        return 0;
}

/* Takes the record. */
static void enroll_start(Manager *m, Call *call, const EnrollParameters *p, StoreFactor *record) {
        _cleanup_(verify_request_done) VerifyRequest request = {0};
        _cleanup_free_ char *why = NULL;
        Factor *f = NULL;
        int r;

        r = enroll_prepare(m, record, &f, &request, &why);
        store_factor_done(record);
        if (r == -EINVAL || r == -EEXIST) {
                (void) call_invalid(call, "parameters", "%s", error_text(why, r));
                return;
        }
        if (r < 0) {
                (void) call_error(call, IPC_STORE_ERROR, NULL, "%s", error_text(why, r));
                return;
        }
        enrollment_begin(m, f, call, &request, p->access_token.data ? &p->access_token : NULL);
}

void enroll_push(Manager *m, Call *call) {
        _cleanup_(enroll_parameters_done) EnrollParameters p = {0};
        _cleanup_(store_factor_done) StoreFactor record = {.type = FACTOR_PUSH};
        _cleanup_(push_key_freep) PushKey *key = NULL;
        int r;

        if (!parameters_read(call, push_fields, ELEMENTSOF(push_fields), &p) ||
                        !enroll_check(m, call, &p, &record.owner))
                return;
        if ((p.account != NULL) == (p.access_token.data != NULL)) {
                (void) call_invalid(
                                call, "account", "Give an account or an access token, one of them");
                return;
        }
        r = push_key_generate(&key);
        if (r >= 0)
                r = push_key_to_pkcs8(key, &record.secret);
        if (r >= 0)
                r = enroll_record(m, &p, &record);
        if (r < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "No key could be made: %s",
                                strerror(-r));
        else
                enroll_start(m, call, &p, &record);
}

/* A seed as long as the hash's output (RFC 6238, section 5.1 with RFC 4226, section 4). */
static size_t seed_size(OtpAlgorithm algorithm) {
        switch (algorithm) {
        case OTP_SHA256:
                return 32;
        case OTP_SHA512:
                return 64;
        case OTP_SHA1:
        case _OTP_ALGORITHM_MAX:
                break;
        }
        return 20;
}

void enroll_totp(Manager *m, Call *call) {
        _cleanup_(enroll_parameters_done) EnrollParameters p = {.digits = 6, .period = 30};
        _cleanup_(store_factor_done) StoreFactor record = {.type = FACTOR_TOTP};
        int algorithm, r;

        if (!parameters_read(call, totp_fields, ELEMENTSOF(totp_fields), &p) ||
                        !enroll_check(m, call, &p, &record.owner))
                return;
        algorithm = p.algorithm ? otp_algorithm_from_string(p.algorithm) : OTP_SHA1;
        if (algorithm < 0) {
                (void) call_invalid(call, "algorithm", "%s is not one of sha1, sha256, sha512",
                                p.algorithm);
                return;
        }
        if (p.digits < VERIFY_CODE_LENGTH_MIN || p.digits > VERIFY_CODE_LENGTH_MAX) {
                (void) call_invalid(call, "digits",
                                "%" PRIi64 " digits; a Verify code has %i to %i", p.digits,
                                VERIFY_CODE_LENGTH_MIN, VERIFY_CODE_LENGTH_MAX);
                return;
        }
        if (p.period < VERIFY_TIME_STEP_MIN || p.period > VERIFY_TIME_STEP_MAX) {
                (void) call_invalid(call, "period",
                                "A period of %" PRIi64 " seconds; Verify takes %i to %i", p.period,
                                VERIFY_TIME_STEP_MIN, VERIFY_TIME_STEP_MAX);
                return;
        }
        record.digits = p.digits;
        record.period = p.period;
        r = text_set(&record.algorithm, otp_algorithm_to_string((OtpAlgorithm) algorithm));
        if (r >= 0)
                r = secret_resize(&record.secret, seed_size((OtpAlgorithm) algorithm));
        if (r >= 0)
                r = random_bytes(record.secret.data, record.secret.len);
        if (r >= 0)
                r = enroll_record(m, &p, &record);
        if (r < 0)
                (void) call_error(call, IPC_STORE_ERROR, NULL, "No secret could be made: %s",
                                strerror(-r));
        else
                enroll_start(m, call, &p, &record);
}
