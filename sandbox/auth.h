#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Who is calling: the three kinds of credential, all in HTTP Basic. */

#include "sandbox/state.h"

/* Leeway for nbf and exp of a device's JWT. */
#define JWT_LEEWAY_SEC 5

typedef enum AuthKind {
        AUTH_NONE,
        AUTH_ACCOUNT,      /* account SID and auth token */
        AUTH_API_KEY,      /* API key SID and secret */
        AUTH_ACCESS_TOKEN, /* "token" and an access token: creates one push factor */
        AUTH_DEVICE,       /* "token" and a JWT signed by a push factor */
        _AUTH_KIND_MAX,
} AuthKind;

typedef struct Auth {
        AuthKind kind;             /* what it looks like, also when it is refused */
        const char *refused;       /* why, or NULL when it is good */
        char credential[SID_SIZE]; /* the SID that it names; "" for none */
        Factor *factor;            /* AUTH_DEVICE */
        const AccessToken *token;  /* AUTH_ACCESS_TOKEN */
} Auth;

const char *auth_kind_to_string(AuthKind k);
/* Judges an Authorization header's value (NULL for none) at the time now.
 * Returns 0, -ENOMEM or -EIO. */
int auth_check(const State *s, usec_t now, const char *authorization, Auth *ret);
