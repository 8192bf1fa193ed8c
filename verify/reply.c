/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* A provider's message is a sentence; what is longer is cut before it reaches a log. */
#define ERROR_MESSAGE_MAX 512

void verify_error_done(VerifyError *e) {
        free(e->message);
        *e = (VerifyError){0};
}

/* Cuts at a code point's start. */
static void cut(char *text, size_t max) {
        if (strlen(text) <= max)
                return;
        while (max > 0 && ((unsigned char) text[max] & 0xC0) == 0x80)
                max--;
        text[max] = '\0';
}

/* An error of the API is an object with a code; a proxy's page or a gateway's {"message"} is not.
 */
static bool error_body_read(VerifyError *e, const char *body, size_t len) {
        static const JsonField fields[] = {
                        {"code", JSON_INT, offsetof(VerifyError, code), JSON_NULLABLE},
                        {"message", JSON_STRING, offsetof(VerifyError, message), JSON_NULLABLE},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;

        if (!body || json_doc_parse(&doc, body, len, NULL) < 0)
                return false;
        /* One at a time: a member of another type does not cost the other. */
        for (size_t i = 0; i < ELEMENTSOF(fields); i++)
                (void) json_doc_read(doc, fields + i, 1, false, e, NULL);
        if (e->message)
                cut(e->message, ERROR_MESSAGE_MAX);
        return e->code > 0;
}

static void redirect_message(VerifyError *e) {
        free(e->message);
        if (asprintf(&e->message,
                            "the server answered with a redirect (%d), which is not followed: "
                            "BaseUrl may be wrong",
                            e->http_status) < 0)
                e->message = NULL;
}

VerifyOutcome verify_reply_classify(
                int http_status, const char *body, size_t len, VerifyError *ret) {
        VerifyError e = {.http_status = http_status};
        bool api;

        if (http_status >= 200 && http_status <= 299)
                return VERIFY_OK;
        api = error_body_read(&e, body, len);
        if (http_status >= 300 && http_status <= 399)
                redirect_message(&e);
        *ret = e;
        if (!api || http_status < 400 || http_status > 499 || http_status == 408)
                return VERIFY_TRANSIENT;
        if (http_status == 401)
                return VERIFY_UNAUTHORIZED;
        if (http_status == 429 && e.code != VERIFY_CODE_ATTEMPTS_EXHAUSTED &&
                        e.code != VERIFY_CODE_FACTOR_ATTEMPTS_EXHAUSTED &&
                        e.code != VERIFY_CODE_CHALLENGE_LIMIT)
                return VERIFY_TRANSIENT;
        return VERIFY_REFUSED;
}

void verify_access_token_done(VerifyAccessToken *t) {
        free(t->sid);
        secret_done(&t->token);
        *t = (VerifyAccessToken){0};
}

int verify_access_token_read(
                VerifyAccessToken *ret, const char *body, size_t len, char **reterr_msg) {
        static const JsonField fields[] = {
                        {"sid", JSON_STRING, offsetof(VerifyAccessToken, sid), JSON_MANDATORY},
                        {"token", JSON_SECRET, offsetof(VerifyAccessToken, token), JSON_MANDATORY},
                        {"ttl", JSON_INT, offsetof(VerifyAccessToken, ttl), JSON_MANDATORY},
        };
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        _cleanup_(verify_access_token_done) VerifyAccessToken t = {0};
        int r;

        r = json_doc_parse(&doc, body, len, reterr_msg);
        if (r < 0)
                return r;
        r = json_doc_read(doc, fields, ELEMENTSOF(fields), false, &t, reterr_msg);
        if (r < 0)
                return r;
        if (!sid_valid(t.sid, "YK"))
                return error_set(reterr_msg, -EBADMSG, "sid is no access token's SID");
        if (t.token.len == 0 || t.ttl <= 0)
                return error_set(reterr_msg, -EBADMSG, "token or ttl is empty");
        *ret = t;
        t = (VerifyAccessToken){0};
        return 0;
}
