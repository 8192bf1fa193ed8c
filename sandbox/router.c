/* SPDX-License-Identifier: Apache-2.0 */
/* From method and path to an operation: credentials first, then the route, then what the path
 * names. */
#include "sandbox/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/percent.h"

#define ALLOW(kind) (1U << (kind))
#define ACCOUNT (ALLOW(AUTH_ACCOUNT) | ALLOW(AUTH_API_KEY))
#define DEVICE ALLOW(AUTH_DEVICE)
#define TOKEN ALLOW(AUTH_ACCESS_TOKEN)

#define SERVICE "Services/{VA}"
#define ENTITY SERVICE "/Entities/{identity}"

typedef struct Route {
        const char *method;
        const char *pattern; /* after "/v2/" */
        unsigned allowed;
        void (*run)(Call *c);
} Route;

static const Route routes[] = {
                {"POST", SERVICE "/AccessTokens", ACCOUNT, access_token_create},
                {"GET", SERVICE "/AccessTokens/{YK}", ACCOUNT, access_token_fetch},
                {"POST", SERVICE "/Entities", ACCOUNT, entity_create},
                {"GET", SERVICE "/Entities", ACCOUNT, entity_list},
                {"GET", ENTITY, ACCOUNT, entity_fetch},
                {"DELETE", ENTITY, ACCOUNT, entity_delete},
                {"POST", ENTITY "/Factors", ACCOUNT | TOKEN, factor_create},
                {"GET", ENTITY "/Factors", ACCOUNT | DEVICE, factor_list},
                {"GET", ENTITY "/Factors/{YF}", ACCOUNT | DEVICE, factor_fetch},
                {"POST", ENTITY "/Factors/{YF}", ACCOUNT | DEVICE, factor_update},
                {"DELETE", ENTITY "/Factors/{YF}", ACCOUNT | DEVICE, factor_delete},
                {"POST", ENTITY "/Challenges", ACCOUNT, challenge_create},
                {"GET", ENTITY "/Challenges", ACCOUNT | DEVICE, challenge_list},
                {"GET", ENTITY "/Challenges/{YC}", ACCOUNT | DEVICE, challenge_fetch},
                {"POST", ENTITY "/Challenges/{YC}", ACCOUNT | DEVICE, challenge_answer},
                {"POST", ENTITY "/Challenges/{YC}/Notifications", ACCOUNT, notification_create},
};

/* A path's segments, as sent. */
typedef struct Segments {
        const char *text[SEGMENTS_MAX];
        size_t len[SEGMENTS_MAX];
        size_t n;
} Segments;

void call_done(Call *c) {
        params_done(&c->query);
        params_done(&c->form);
        free(c->identity);
        reply_done(&c->reply);
}

static void not_found(Call *c) {
        reply_error(&c->reply, 20404, "%s", c->path);
}

/* Returns false when there are too many. */
static bool split(const char *path, Segments *ret) {
        Segments s = {0};

        for (const char *p = path; p; p = strchr(p, '/') ? strchr(p, '/') + 1 : NULL) {
                if (s.n == SEGMENTS_MAX)
                        return false;
                s.text[s.n] = p;
                s.len[s.n++] = strcspn(p, "/");
        }
        *ret = s;
        return true;
}

static bool is_placeholder(const Segments *pattern, size_t i) {
        return pattern->text[i][0] == '{';
}

static bool route_matches(const Route *route, const Segments *path, Segments *pattern) {
        if (!split(route->pattern, pattern) || pattern->n != path->n)
                return false;
        for (size_t i = 0; i < path->n; i++) {
                if (path->len[i] == 0)
                        return false;
                if (is_placeholder(pattern, i))
                        continue;
                if (pattern->len[i] != path->len[i] ||
                                memcmp(pattern->text[i], path->text[i], path->len[i]) != 0)
                        return false;
        }
        return true;
}

static const Route *route_find(Call *c, const Segments *path, Segments *pattern) {
        bool other_method = false;

        for (size_t i = 0; i < ELEMENTSOF(routes); i++) {
                if (!route_matches(&routes[i], path, pattern))
                        continue;
                if (streq(routes[i].method, c->method))
                        return &routes[i];
                other_method = true;
        }
        if (other_method)
                reply_error(&c->reply, 20004, "%s", c->method);
        else
                not_found(c);
        return NULL;
}

static bool resolve_identity(Call *c, const char *text, size_t len) {
        int r = percent_decode_string(text, len, false, &c->identity);

        if (r == -ENOMEM) {
                reply_failed(&c->reply);
                return false;
        }
        if (r < 0 || !identity_valid(c->identity)) {
                reply_error(&c->reply, 60306,
                                "Identity must be 8 to 64 letters and digits, "
                                "in groups separated by dashes");
                return false;
        }
        c->entity = state_entity(c->state, c->service, c->identity);
        return true;
}

/* A SID in the path: its form is checked, then it is looked up. */
static bool resolve_sid(Call *c, const char *prefix, const char *text, size_t len) {
        bool found = false;

        if (len == SID_LEN)
                snprintf(c->sid, sizeof(c->sid), "%.*s", SID_LEN, text);
        if (len != SID_LEN || !sid_valid(c->sid, prefix)) {
                reply_error(&c->reply, 60306, "%.*s is not a SID of type %s", (int) len, text,
                                prefix);
                return false;
        }
        if (streq(prefix, "VA"))
                found = (c->service = state_service(c->state, c->sid));
        else if (streq(prefix, "YF")) {
                c->factor = state_factor(c->state, c->sid);
                found = c->factor && c->entity && c->factor->entity == c->entity;
        } else if (streq(prefix, "YC")) {
                c->challenge = state_challenge(c->state, c->sid);
                found = c->challenge && c->entity && c->challenge->entity == c->entity;
        } else
                found = true; /* an access token: the operation looks for it */
        if (!found)
                not_found(c);
        return found;
}

static bool resolve(Call *c, const Segments *path, const Segments *pattern) {
        for (size_t i = 0; i < path->n; i++) {
                char prefix[3];

                if (!is_placeholder(pattern, i))
                        continue;
                if (strncmp(pattern->text[i], "{identity}", pattern->len[i]) == 0) {
                        if (!resolve_identity(c, path->text[i], path->len[i]))
                                return false;
                        continue;
                }
                snprintf(prefix, sizeof(prefix), "%.2s", pattern->text[i] + 1);
                if (!resolve_sid(c, prefix, path->text[i], path->len[i]))
                        return false;
        }
        return true;
}

/* A device may touch its own factor, and the challenges of it, and sees nothing else. */
static bool device_may(Call *c) {
        const Factor *own = c->auth.factor;

        if (c->entity == own->entity && (!c->factor || c->factor == own) &&
                        (!c->challenge || streq(c->challenge->factor_sid, own->record.sid)))
                return true;
        not_found(c);
        return false;
}

static bool allowed(Call *c, const Route *route) {
        if (route->allowed & ALLOW(c->auth.kind))
                return true;
        if (c->auth.kind == AUTH_ACCESS_TOKEN)
                reply_error(&c->reply, 20003, "an access token creates a factor, nothing else");
        else if (route->run == factor_create)
                reply_error(&c->reply, 60313, NULL);
        else
                not_found(c);
        return false;
}

void call_route(Call *c, const char *malformed) {
        Segments path, pattern;
        const Route *route;

        if (c->auth.refused) {
                reply_error(&c->reply, 20003, NULL);
                reply_header(&c->reply, "WWW-Authenticate", "Basic realm=\"Verify\"");
                return;
        }
        if (strncmp(c->path, "/v2/", 4) != 0 || !split(c->path + 4, &path)) {
                not_found(c);
                return;
        }
        route = route_find(c, &path, &pattern);
        if (!route || !allowed(c, route))
                return;
        if (malformed) {
                reply_error(&c->reply, 60300, "%s", malformed);
                return;
        }
        if (!resolve(c, &path, &pattern))
                return;
        if (c->auth.kind == AUTH_DEVICE && !device_may(c))
                return;
        route->run(c);
}
