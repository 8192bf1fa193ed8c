/* SPDX-License-Identifier: Apache-2.0 */
/* Push factors: the public key that they are bound to, and the device's configuration. */
#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "sandbox/check.h"
#include "sandbox/factor-push.h"
#include "sandbox/json-build.h"
#include "sandbox/jws-verify.h"

#define APP_ID_MAX 100
#define NOTIFICATION_TOKEN_MIN 32
#define NOTIFICATION_TOKEN_MAX 255

bool push_read_binding(Call *c, Factor *f) {
        const char *alg = params_get(&c->form, "Binding.Alg");
        const char *public_key = require_param(c, "Binding.PublicKey");
        int r;

        if (!public_key)
                return false;
        if (alg && !streq(alg, "ES256")) {
                reply_error(&c->reply, 60314, "Binding.Alg must be ES256");
                return false;
        }
        r = es256_key_parse(&f->key, public_key);
        if (r == -EBADMSG)
                reply_error(&c->reply, 60314,
                                "Binding.PublicKey must be base64 of a P-256 key in DER");
        else if (r < 0)
                reply_failed(&c->reply);
        return r >= 0 && copy_text(c, public_key, &f->public_key);
}

static bool platform_valid(const char *platform) {
        return streq(platform, "none") || streq(platform, "apn") || streq(platform, "fcm");
}

static bool read_platform(Call *c, Factor *f, bool creating) {
        const char *platform = creating ? require_param(c, "Config.NotificationPlatform")
                                        : params_get(&c->form, "Config.NotificationPlatform");
        const char *token = params_get(&c->form, "Config.NotificationToken");

        if (creating && !platform)
                return false;
        if (platform && !platform_valid(platform)) {
                reply_error(&c->reply, 60306,
                                "Config.NotificationPlatform must be apn, fcm or none");
                return false;
        }
        if (platform && !copy_text(c, platform, &f->platform))
                return false;
        if (token && (strlen(token) < NOTIFICATION_TOKEN_MIN ||
                                     strlen(token) > NOTIFICATION_TOKEN_MAX)) {
                reply_error(&c->reply, 60306,
                                "Config.NotificationToken must have %d to %d characters",
                                NOTIFICATION_TOKEN_MIN, NOTIFICATION_TOKEN_MAX);
                return false;
        }
        if (token && !copy_text(c, token, &f->notification_token))
                return false;
        if (streq(f->platform, "none") && !token) {
                free(f->notification_token);
                f->notification_token = NULL;
        }
        if (!streq(f->platform, "none") && !f->notification_token) {
                reply_error(&c->reply, 60300,
                                "missing required parameter Config.NotificationToken");
                return false;
        }
        return true;
}

bool push_read_config(Call *c, Factor *f, bool creating) {
        const char *app_id = creating ? require_param(c, "Config.AppId")
                                      : params_get(&c->form, "Config.AppId");
        const char *version;

        if (creating && !app_id)
                return false;
        if (app_id && (!check_length(c, "Config.AppId", app_id, APP_ID_MAX) ||
                                      !copy_text(c, app_id, &f->app_id)))
                return false;
        version = creating ? require_param(c, "Config.SdkVersion")
                           : params_get(&c->form, "Config.SdkVersion");
        if (creating && !version)
                return false;
        if (version && !copy_text(c, version, &f->sdk_version))
                return false;
        return read_platform(c, f, creating);
}

json_object *push_config_to_json(const Factor *f) {
        JsonBuilder b = {0};

        json_build_string(&b, "sdk_version", f->sdk_version);
        json_build_string(&b, "app_id", f->app_id);
        json_build_string(&b, "notification_platform", f->platform);
        json_build_string(&b, "notification_token", f->notification_token);
        json_build_string(&b, "credential_sid", f->credential_sid);
        return json_build_end(&b);
}

json_object *push_binding_to_json(const Factor *f) {
        JsonBuilder b = {0};

        json_build_string(&b, "alg", "ES256");
        json_build_string(&b, "public_key", f->public_key);
        return json_build_end(&b);
}

int push_check_signature(const Factor *f, const char *payload, bool *ret) {
        _cleanup_(secret_done) Secret sig = {0};
        int r;

        r = base64_decode(BASE64_STANDARD, payload, strlen(payload), &sig);
        if (r == -EBADMSG) {
                *ret = false;
                return 0;
        }
        if (r < 0)
                return r;
        return es256_verify_der(f->key, f->record.sid, SID_LEN, sig.data, sig.len, ret);
}
