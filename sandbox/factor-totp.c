/* SPDX-License-Identifier: Apache-2.0 */
/* TOTP factors: the shared secret, its parameters, and checking codes. */
#include "sandbox/factor-totp.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "sandbox/check.h"
#include "sandbox/json-build.h"
#include "totp/base32.h"
#include "totp/otpauth.h"

#define SECRET_SIZE 20
#define CODE_MIN 3
#define CODE_MAX 8
#define TIME_STEP_MIN 20
#define TIME_STEP_MAX 60
#define SKEW_MAX 2

bool totp_read_binding(Call *c, Factor *f) {
        const char *secret = params_get(&c->form, "Binding.Secret");
        int r;

        if (!secret) {
                r = secret_resize(&f->secret, SECRET_SIZE);
                if (r >= 0)
                        r = random_bytes(f->secret.data, SECRET_SIZE);
        } else {
                r = base32_decode(secret, strlen(secret), &f->secret);
                if (r == -EBADMSG || (r >= 0 && (f->secret.len == 0 ||
                                                                f->secret.len > OTP_SECRET_MAX))) {
                        reply_error(&c->reply, 60314, "Binding.Secret must be Base32");
                        return false;
                }
        }
        if (r < 0)
                reply_failed(&c->reply);
        return r >= 0;
}

static bool read_number(Call *c, const char *name, int64_t min, int64_t max, unsigned *ret) {
        int64_t v = *ret;

        if (!check_integer(c, 60306, name, params_get(&c->form, name), min, max, &v))
                return false;
        *ret = (unsigned) v;
        return true;
}

bool totp_read_config(Call *c, Factor *f) {
        const char *alg = params_get(&c->form, "Config.Alg");

        if (alg) {
                int a = otp_algorithm_from_string(alg);

                if (a < 0 || !streq(alg, otp_algorithm_to_string((OtpAlgorithm) a))) {
                        reply_error(&c->reply, 60306, "Config.Alg must be sha1, sha256 or sha512");
                        return false;
                }
                f->algorithm = (OtpAlgorithm) a;
        }
        return read_number(c, "Config.TimeStep", TIME_STEP_MIN, TIME_STEP_MAX, &f->time_step) &&
               read_number(c, "Config.Skew", 0, SKEW_MAX, &f->skew) &&
               read_number(c, "Config.CodeLength", CODE_MIN, CODE_MAX, &f->code_length);
}

json_object *totp_config_to_json(const Factor *f) {
        JsonBuilder b = {0};

        json_build_string(&b, "alg", otp_algorithm_to_string(f->algorithm));
        json_build_int(&b, "skew", f->skew);
        json_build_int(&b, "code_length", f->code_length);
        json_build_int(&b, "time_step", f->time_step);
        return json_build_end(&b);
}

int totp_secret_text(const Factor *f, char **ret) {
        _cleanup_(secret_done) Secret text = {0};
        int r;

        r = base32_encode(&f->secret, &text);
        if (r < 0)
                return r;
        *ret = strdup(secret_string(&text));
        return *ret ? 0 : -ENOMEM;
}

json_object *totp_binding_to_json(const Factor *f) {
        const OtpAccount account = {
                        .kind = OTP_TOTP,
                        .algorithm = f->algorithm,
                        .digits = f->code_length,
                        .period = f->time_step,
                        .issuer = f->entity->service->friendly_name,
                        .account = f->friendly_name,
                        .secret = f->secret,
        };
        _cleanup_(secret_string_freep) char *secret = NULL;
        _cleanup_(secret_done) Secret uri = {0};
        JsonBuilder b = {0};

        if (totp_secret_text(f, &secret) < 0 || otpauth_format(&account, &uri) < 0)
                return NULL;
        json_build_string(&b, "secret", secret);
        json_build_string(&b, "uri", secret_string(&uri));
        return json_build_end(&b);
}

bool totp_check_code_length(Call *c, const char *code) {
        size_t len = strlen(code);

        if (len >= CODE_MIN && len <= CODE_MAX)
                return true;
        reply_error(&c->reply, 60306, "AuthPayload must have %d to %d characters", CODE_MIN,
                        CODE_MAX);
        return false;
}

int totp_check_code(State *s, Factor *f, usec_t now, const char *code, bool *ret) {
        _cleanup_(otp_key_freep) OtpKey *key = NULL;
        char expected[OTP_CODE_SIZE];
        uint64_t step, first;
        int r;

        r = otp_key_new(&key, f->algorithm, &f->secret);
        if (r < 0)
                return r;
        r = otp_step((int64_t) (now / USEC_PER_SEC), 0, f->time_step, &step);
        if (r < 0)
                return r;
        *ret = false;
        /* A step beyond what can be accepted now was noted before the clock was set back. */
        if (f->last_step > (int64_t) (step + f->skew))
                f->last_step = -1;
        first = step > f->skew ? step - f->skew : 0;
        for (uint64_t i = first; i <= step + f->skew; i++) {
                if (!s->code_reuse && (int64_t) i <= f->last_step)
                        continue;
                r = otp_hotp(key, i, f->code_length, expected);
                if (r < 0)
                        return r;
                if (strlen(code) != f->code_length ||
                                CRYPTO_memcmp(code, expected, f->code_length) != 0)
                        continue;
                f->last_step = (int64_t) i;
                s->dirty = true;
                *ret = true;
                return 0;
        }
        return 0;
}
