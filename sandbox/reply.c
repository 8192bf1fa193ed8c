/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "sandbox/json-build.h"

static const struct ApiError {
        int code;
        unsigned status;
        const char *title;
} api_errors[] = {
                {20001, 400, "Invalid request"},
                {20003, 401, "Authenticate"},
                {20004, 405, "Method not allowed"},
                {20404, 404, "The requested resource was not found"},
                {60300, 400, "Missing, invalid or too long parameter"},
                {60301, 409, "Entity already exists"},
                {60305, 400, "Invalid access token parameter"},
                {60306, 400, "Input parameter has an invalid format"},
                {60307, 400, "Notifications are not configured for this factor"},
                {60308, 429, "Max challenge attempts reached"},
                {60310, 429, "Max factor verification attempts reached"},
                {60311, 403, "Factor verification failed"},
                {60312, 429, "Challenge creation limit reached"},
                {60313, 403, "Unauthorized factor creation"},
                {60314, 400, "Binding has an invalid format"},
                {60315, 400, "Max number of factors of this type reached"},
                {60317, 409, "A factor with the same binding exists"},
                {60318, 403, "Factor is unverified"},
                {60322, 403, "Challenge was already responded"},
                {60323, 403, "Challenge is expired"},
                {60324, 403, "Challenge verification failed"},
                {60326, 429, "Factor creation limit reached"},
                {60328, 429, "Entity creation limit reached"},
};

static void headers_clear(Reply *r) {
        for (size_t i = 0; i < r->n_headers; i++) {
                free(r->headers[i].name);
                free(r->headers[i].value);
        }
        free(r->headers);
        r->headers = NULL;
        r->n_headers = 0;
}

void reply_done(Reply *r) {
        headers_clear(r);
        free(r->body);
        *r = (Reply){0};
}

void reply_failed(Reply *r) {
        reply_done(r);
        r->status = 500;
}

void reply_body(Reply *r, const char *text) {
        char *copy = strdup(text);

        if (!copy) {
                reply_failed(r);
                return;
        }
        free(r->body);
        r->body = copy;
        r->body_len = strlen(copy);
}

void reply_header(Reply *r, const char *name, const char *value) {
        _cleanup_free_ char *n = NULL, *v = NULL;
        ReplyHeader *headers;
        size_t kept = 0;

        for (size_t i = 0; i < r->n_headers; i++)
                if (strcasecmp(r->headers[i].name, name) == 0) {
                        free(r->headers[i].name);
                        free(r->headers[i].value);
                } else
                        r->headers[kept++] = r->headers[i];
        r->n_headers = kept;
        if (!value)
                return;

        n = strdup(name);
        v = strdup(value);
        headers = reallocarray(r->headers, r->n_headers + 1, sizeof(*headers));
        if (headers)
                r->headers = headers;
        if (!n || !v || !headers) {
                reply_failed(r);
                return;
        }
        r->headers[r->n_headers++] = (ReplyHeader){TAKE_PTR(n), TAKE_PTR(v)};
}

void reply_json(Reply *r, unsigned status, json_object *o) {
        _cleanup_json_ json_object *owned = o;
        const char *text;

        text = owned ? json_object_to_json_string_ext(owned,
                                       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                     : NULL;
        if (!text) {
                reply_failed(r);
                return;
        }
        r->status = status;
        reply_header(r, "Content-Type", "application/json");
        if (r->status == status)
                reply_body(r, text);
}

void reply_no_content(Reply *r) {
        r->status = 204;
}

static const struct ApiError *api_error_find(int code) {
        for (size_t i = 0; i < ELEMENTSOF(api_errors); i++)
                if (api_errors[i].code == code)
                        return &api_errors[i];
        return NULL;
}

void reply_error_status(Reply *r, unsigned status, int code, const char *detail) {
        const struct ApiError *e = api_error_find(code);
        const char *title = e ? e->title : "Error";
        JsonBuilder b = {0};

        reply_done(r);
        json_build_int(&b, "code", code);
        if (detail && code == 20404)
                json_build_format(&b, "message", "The requested resource %s was not found", detail);
        else if (detail)
                json_build_format(&b, "message", "%s: %s", title, detail);
        else
                json_build_string(&b, "message", title);
        json_build_format(&b, "more_info", "https://www.twilio.com/docs/errors/%d", code);
        json_build_int(&b, "status", status);
        reply_json(r, status, json_build_end(&b));
        r->code = code;
}

void reply_error(Reply *r, int code, const char *detail, ...) {
        const struct ApiError *e = api_error_find(code);
        _cleanup_free_ char *text = NULL;
        va_list ap;
        int n;

        if (detail) {
                va_start(ap, detail);
                n = vasprintf(&text, detail, ap);
                va_end(ap);
                if (n < 0)
                        text = NULL;
        }
        reply_error_status(r, e ? e->status : 500, code, text);
}

void reply_standard_headers(Reply *r, usec_t now, const char *request_id) {
        static const char *const fixed[][2] = {
                        {"Access-Control-Allow-Origin", "*"},
                        {"Access-Control-Allow-Headers",
                                        "Accept, Authorization, Content-Type, If-Match, "
                                        "If-Modified-Since"},
                        {"Access-Control-Allow-Methods", "GET, POST, DELETE, OPTIONS"},
                        {"Access-Control-Expose-Headers", "ETag, Twilio-Verify-Signature-Fields"},
                        {"Access-Control-Allow-Credentials", "true"},
        };
        time_t seconds = (time_t) (now / USEC_PER_SEC);
        struct tm tm;
        char date[64];

        for (size_t i = 0; i < ELEMENTSOF(fixed); i++)
                reply_header(r, fixed[i][0], fixed[i][1]);
        reply_header(r, "Twilio-Request-Id", request_id);
        if (gmtime_r(&seconds, &tm) &&
                        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0)
                reply_header(r, "Date", date);
}
