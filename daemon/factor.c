/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/factor.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "push/payload.h"

/* Returns 0 also when the key can't be used: the record then says so. */
static int factor_prepare_key(Factor *f) {
        const StoreFactor *s = &f->record;
        int r;

        if (s->type == FACTOR_PUSH)
                r = push_key_from_pkcs8(&f->push_key, &s->secret);
        else if (s->type == FACTOR_TOTP && s->period <= 0)
                r = -EINVAL;
        else {
                r = otp_algorithm_from_string(strempty(s->algorithm));
                if (r >= 0)
                        r = otp_key_new(&f->otp_key, (OtpAlgorithm) r, &s->secret);
        }
        if (r >= 0 || r == -ENOMEM)
                return r;
        return text_set(&f->record.error,
                        "its stored key cannot be used; remove it and enrol again");
}

/* Of the public key, or of the random seed: it travels in the enrolment's Metadata, so that a
 * create whose reply was lost is found again. */
static int factor_prepare_fingerprint(Factor *f) {
        static const char label[] = "factord enrolment";
        _cleanup_free_ char *public_key = NULL;
        _cleanup_(digest_freep) Digest *d = NULL;
        uint8_t hash[SHA256_SIZE];
        int r;

        if (!f->push_key && !f->otp_key)
                return 0;
        if (f->push_key) {
                r = push_key_public(f->push_key, &public_key);
                if (r < 0)
                        return r;
        }
        r = digest_new(&d);
        if (r >= 0)
                r = digest_add_part(d, label, sizeof(label) - 1);
        if (r >= 0)
                r = public_key ? digest_add_part(d, public_key, strlen(public_key))
                               : digest_add_part(d, f->record.secret.data, f->record.secret.len);
        if (r >= 0)
                r = digest_finish(d, hash);
        if (r >= 0)
                hex_encode(hash, FINGERPRINT_SIZE / 2, f->fingerprint);
        return r;
}

int factor_new(Factor **ret, StoreFactor *record) {
        _cleanup_(factor_unrefp) Factor *f = NULL;
        int r;

        f = calloc(1, sizeof(Factor));
        if (!f)
                return -ENOMEM;
        f->n_ref = 1;
        f->record = *record;
        *record = (StoreFactor){0};

        r = factor_prepare_key(f);
        if (r < 0)
                return r;
        r = factor_prepare_fingerprint(f);
        if (r < 0)
                return r;
        secret_done(&f->record.secret);
        *ret = TAKE_PTR(f);
        return 0;
}

Factor *factor_ref(Factor *f) {
        assert(f->n_ref > 0);
        f->n_ref++;
        return f;
}

Factor *factor_unref(Factor *f) {
        if (!f || --f->n_ref > 0)
                return NULL;
        store_factor_done(&f->record);
        push_key_free(f->push_key);
        otp_key_free(f->otp_key);
        secret_done(&f->jwt);
        free(f->poll_error);
        budget_done(&f->budget);
        free(f);
        return NULL;
}

int factor_jwt(Factor *f, usec_t now, const Secret **ret) {
        int r;

        /* A JWT from the future means that the server's clock was set back: make a new one. */
        bool fresh = f->jwt.len > 0 && now >= f->jwt_made &&
                     now < usec_add(f->jwt_made, PUSH_JWT_LIFETIME / 2 * USEC_PER_SEC);
        if (!fresh) {
                r = push_device_jwt(f->push_key, strempty(f->record.credential_sid),
                                strempty(f->record.account_sid), (int64_t) (now / USEC_PER_SEC),
                                &f->jwt);
                if (r < 0)
                        return r;
                f->jwt_made = now;
        }
        *ret = &f->jwt;
        return 0;
}

void factor_drop_jwt(Factor *f) {
        secret_done(&f->jwt);
}

FactorStatus factor_status(const Factor *f) {
        return f->detached ? FACTOR_DETACHED : f->record.status;
}

bool factor_is_active(const Factor *f) {
        if (f->removed || factor_status(f) != FACTOR_VERIFIED)
                return false;
        return f->push_key || (f->otp_key && f->account);
}

bool factor_is_of(const Factor *f,
                const char *account_sid,
                const char *service_sid,
                const char *identity) {
        const StoreFactor *s = &f->record;

        return (!account_sid || streq_ptr(account_sid, s->account_sid)) &&
               streq_ptr(service_sid, s->service_sid) && s->identity &&
               strcasecmp(identity, s->identity) == 0;
}

usec_t factor_step_left(const Factor *f, usec_t now) {
        usec_t period = (usec_t) f->record.period * USEC_PER_SEC;

        return period - now % period;
}

int factor_take_code(Factor *f, Store *store, usec_t now, Secret *ret, usec_t *ret_wait) {
        char code[OTP_CODE_SIZE];
        uint64_t step;
        int r;

        r = otp_step((int64_t) (now / USEC_PER_SEC), 0, (uint32_t) f->record.period, &step);
        if (r >= 0)
                r = store_code_take(store, f->record.id, step, now_realtime(), NULL);
        if (r == -EEXIST)
                *ret_wait = factor_step_left(f, now);
        if (r < 0)
                return r;
        r = otp_hotp(f->otp_key, step, (unsigned) f->record.digits, code);
        if (r >= 0)
                r = secret_append_string(ret, code);
        secret_wipe(code, sizeof(code));
        return r;
}
