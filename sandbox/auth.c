/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/auth.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "sandbox/jws-verify.h"

#define DEVICE_JWT_CTY "twilio-pba;v=1"

static const char *const kind_names[_AUTH_KIND_MAX] = {
                [AUTH_NONE] = "none",
                [AUTH_ACCOUNT] = "account",
                [AUTH_API_KEY] = "api-key",
                [AUTH_ACCESS_TOKEN] = "access-token",
                [AUTH_DEVICE] = "device",
};

const char *auth_kind_to_string(AuthKind k) {
        return kind_names[k];
}

static bool same_secret(const char *a, const char *b) {
        size_t len = strlen(a);

        return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}

static void
auth_pair(const char *sid, const char *secret, const char *user, const char *password, Auth *a) {
        snprintf(a->credential, sizeof(a->credential), "%s", user);
        if (!streq(user, sid))
                a->refused = "unknown user";
        else if (!same_secret(password, secret))
                a->refused = "wrong password";
}

static void auth_access_token(const State *s, usec_t now, const char *password, Auth *a) {
        const AccessToken *t = state_token(s, password);

        a->kind = AUTH_ACCESS_TOKEN;
        if (!t) {
                a->refused = "unknown access token";
                return;
        }
        a->token = t;
        memcpy(a->credential, t->record.sid, sizeof(a->credential));
        if (now >= usec_add(t->record.created, t->ttl * USEC_PER_SEC))
                a->refused = "access token is expired";
}

static const char *claims_refused(const State *s, usec_t now, const JsonDoc *payload) {
        int64_t seconds = (int64_t) (now / USEC_PER_SEC), nbf, exp;
        const char *sub = json_doc_string(payload, "sub");

        if (!sub || !streq(sub, s->account_sid))
                return "JWT's sub is not the account";
        if (!json_doc_integer(payload, "nbf", &nbf) || !json_doc_integer(payload, "exp", &exp))
                return "JWT has no nbf or no exp";
        if (nbf > seconds + JWT_LEEWAY_SEC)
                return "JWT is not valid yet";
        if (exp <= seconds - JWT_LEEWAY_SEC)
                return "JWT is expired";
        return NULL;
}

static int auth_device(const State *s, usec_t now, const Jws *jws, Auth *a) {
        const char *kid = json_doc_string(jws->header, "kid");
        Factor *f = kid ? state_factor_by_credential(s, kid) : NULL;
        bool good;
        int r;

        a->kind = AUTH_DEVICE;
        if (kid && sid_valid(kid, "CR"))
                snprintf(a->credential, sizeof(a->credential), "%s", kid);
        if (!f) {
                a->refused = "JWT's kid is not known";
                return 0;
        }
        r = jws_verify(jws, f->key, &good);
        if (r < 0)
                return r;
        a->refused = good ? claims_refused(s, now, jws->payload) : "JWT's signature is wrong";
        if (!a->refused)
                a->factor = f;
        return 0;
}

static int auth_token(const State *s, usec_t now, const char *password, Auth *a) {
        _cleanup_(jws_done) Jws jws = {0};
        const char *cty;
        int r;

        r = jws_parse(&jws, password);
        if (r < 0 && r != -EBADMSG)
                return r;
        cty = r < 0 ? NULL : json_doc_string(jws.header, "cty");
        if (cty && streq(cty, DEVICE_JWT_CTY))
                return auth_device(s, now, &jws, a);
        auth_access_token(s, now, password, a);
        return 0;
}

int auth_check(const State *s, usec_t now, const char *authorization, Auth *ret) {
        _cleanup_(secret_done) Secret pair = {0};
        char *colon;
        int r;

        *ret = (Auth){0};
        if (!authorization || strncasecmp(authorization, "Basic ", STRLEN("Basic ")) != 0) {
                ret->refused = authorization ? "not HTTP Basic" : "no credentials";
                return 0;
        }
        authorization += STRLEN("Basic ");
        authorization += strspn(authorization, " ");
        r = base64_decode(BASE64_STANDARD, authorization, strlen(authorization), &pair);
        if (r == -ENOMEM)
                return r;
        colon = r < 0 || pair.len == 0 ? NULL : memchr(pair.data, ':', pair.len);
        if (!colon || strlen(secret_string(&pair)) != pair.len) {
                ret->refused = "malformed HTTP Basic";
                return 0;
        }

        *colon++ = '\0';
        if (streq(secret_string(&pair), "token"))
                return auth_token(s, now, colon, ret);
        if (strncmp(secret_string(&pair), "SK", 2) == 0) {
                ret->kind = AUTH_API_KEY;
                auth_pair(s->api_key_sid, s->api_key_secret, secret_string(&pair), colon, ret);
        } else {
                ret->kind = AUTH_ACCOUNT;
                auth_pair(s->account_sid, s->auth_token, secret_string(&pair), colon, ret);
        }
        return 0;
}
