/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about factors. */

#include "verify/request.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "verify/path.h"

/* The specification has no limit for SdkVersion; this one keeps a request small. */
#define SDK_VERSION_MAX 255

static const char *const algorithms[] = {"sha1", "sha256", "sha512", NULL};

static void add_public_key(Form *f, const char *key) {
        _cleanup_(secret_done) Secret der = {0};

        form_require(f, "Binding.PublicKey", key);
        if (f->error < 0)
                return;
        int r = base64_decode(BASE64_STANDARD, key, strlen(key), &der);
        if (r == -ENOMEM)
                f->error = r;
        else if (r < 0 || der.len == 0)
                form_fail(f, "Binding.PublicKey is not base64 of a DER public key");
        else
                form_add(f, "Binding.PublicKey", key);
}

static void add_totp_secret(Form *f, const Secret *secret) {
        form_require(f, "Binding.Secret", secret);
        if (f->error < 0)
                return;
        size_t n = strspn(secret_string(secret), "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
        if (n == 0 || n != secret->len)
                form_fail(f, "Binding.Secret is not Base32 (A to Z and 2 to 7, no padding)");
        form_add_secret(f, "Binding.Secret", secret, 1, SIZE_MAX);
}

static void add_totp_config(
                Form *f, int64_t time_step, int64_t skew, int64_t code_length, const char *alg) {
        form_add_int(f, "Config.TimeStep", time_step, 0, VERIFY_TIME_STEP_MIN,
                        VERIFY_TIME_STEP_MAX);
        form_add_int(f, "Config.Skew", skew, -1, 0, VERIFY_SKEW_MAX);
        form_add_int(f, "Config.CodeLength", code_length, 0, VERIFY_CODE_LENGTH_MIN,
                        VERIFY_CODE_LENGTH_MAX);
        form_add_word(f, "Config.Alg", alg, algorithms);
}

static void add_friendly_name(Form *f, const char *name) {
        form_add_text(f, "FriendlyName", name, 1, VERIFY_FRIENDLY_NAME_MAX);
}

int verify_factor_create_push(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyFactorCreatePush *p,
                char **reterr_msg) {
        _cleanup_(form_done) Form f = {.reterr_msg = reterr_msg};
        _cleanup_free_ char *path = NULL;
        int r;

        r = path_of_entity(&path, entity, "Factors", NULL, reterr_msg);
        if (r < 0)
                return r;
        form_require(&f, "FriendlyName", p->friendly_name);
        add_friendly_name(&f, p->friendly_name);
        form_add(&f, "FactorType", "push");
        form_add(&f, "Binding.Alg", "ES256");
        add_public_key(&f, p->public_key);
        form_require(&f, "Config.AppId", p->app_id);
        form_add_text(&f, "Config.AppId", p->app_id, 1, VERIFY_APP_ID_MAX);
        form_add(&f, "Config.NotificationPlatform", "none");
        form_require(&f, "Config.SdkVersion", p->sdk_version);
        form_add_text(&f, "Config.SdkVersion", p->sdk_version, 1, SDK_VERSION_MAX);
        form_add_string_map(&f, "Metadata", p->metadata, VERIFY_METADATA_MAX);
        r = request_finish(ret, VERIFY_POST, &path, &f);
        if (r == 0)
                ret->creates = true;
        return r;
}

int verify_factor_create_totp(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyFactorCreateTotp *p,
                char **reterr_msg) {
        _cleanup_(form_done) Form f = {.reterr_msg = reterr_msg};
        _cleanup_free_ char *path = NULL;
        int r;

        r = path_of_entity(&path, entity, "Factors", NULL, reterr_msg);
        if (r < 0)
                return r;
        form_require(&f, "FriendlyName", p->friendly_name);
        add_friendly_name(&f, p->friendly_name);
        form_add(&f, "FactorType", "totp");
        add_totp_secret(&f, p->secret);
        add_totp_config(&f, p->time_step, p->skew, p->code_length, p->alg);
        form_add_string_map(&f, "Metadata", p->metadata, VERIFY_METADATA_MAX);
        r = request_finish(ret, VERIFY_POST, &path, &f);
        if (r == 0)
                ret->creates = true;
        return r;
}

static int factor_path(
                char **ret, const VerifyEntity *entity, const char *factor_sid, char **reterr_msg) {
        return path_of_entity(ret, entity, "Factors", &(PathItem){"FactorSid", factor_sid, "YF"},
                        reterr_msg);
}

int verify_factor_update(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyFactorUpdate *p,
                char **reterr_msg) {
        static const char *const platforms[] = {"apn", "fcm", "none", NULL};
        _cleanup_(form_done) Form f = {.reterr_msg = reterr_msg};
        _cleanup_free_ char *path = NULL;
        int r;

        r = factor_path(&path, entity, p->factor_sid, reterr_msg);
        if (r < 0)
                return r;
        form_add_secret(&f, "AuthPayload", p->auth_payload, VERIFY_TOTP_PAYLOAD_MIN,
                        VERIFY_PUSH_PAYLOAD_MAX);
        add_friendly_name(&f, p->friendly_name);
        form_add_text(&f, "Config.NotificationToken", p->notification_token,
                        VERIFY_NOTIFICATION_TOKEN_MIN, VERIFY_NOTIFICATION_TOKEN_MAX);
        form_add_word(&f, "Config.NotificationPlatform", p->notification_platform, platforms);
        form_add_text(&f, "Config.SdkVersion", p->sdk_version, 1, SDK_VERSION_MAX);
        add_totp_config(&f, p->time_step, p->skew, p->code_length, p->alg);
        if (f.error == 0 && f.text.len == 0)
                form_fail(&f, "an update needs at least one parameter");
        return request_finish(ret, VERIFY_POST, &path, &f);
}

int verify_factor_fetch(VerifyRequest *ret,
                const VerifyEntity *entity,
                const char *factor_sid,
                char **reterr_msg) {
        _cleanup_free_ char *path = NULL;
        int r = factor_path(&path, entity, factor_sid, reterr_msg);
        return r < 0 ? r : request_finish(ret, VERIFY_GET, &path, NULL);
}

int verify_factor_delete(VerifyRequest *ret,
                const VerifyEntity *entity,
                const char *factor_sid,
                char **reterr_msg) {
        _cleanup_free_ char *path = NULL;
        int r = factor_path(&path, entity, factor_sid, reterr_msg);
        return r < 0 ? r : request_finish(ret, VERIFY_DELETE, &path, NULL);
}

int verify_factor_list(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyList *p,
                char **reterr_msg) {
        _cleanup_(form_done) Form f = {.reterr_msg = reterr_msg};
        _cleanup_free_ char *path = NULL;
        int r;

        r = path_of_entity(&path, entity, "Factors", NULL, reterr_msg);
        if (r < 0)
                return r;
        if (p->factor_sid || p->status || p->order)
                form_fail(&f, "FactorSid, Status and Order are for lists of challenges only");
        form_add_page(&f, p);
        return request_finish(ret, VERIFY_GET, &path, &f);
}
