#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What a push factor signs: ES256 compact JWS (RFC 7515, RFC 7518), the device JWT, the factor's
 * verification, the challenge's answer. Pure: the time comes in. */

#include "base/json.h"
#include "push/key.h"

#define PUSH_PAYLOAD_MAX 5456 /* characters of AuthPayload that the API takes */
#define PUSH_JWT_LIFETIME 600 /* seconds from nbf to exp */
#define PUSH_JWT_BACKDATE 5   /* nbf = now - this, for a server whose clock is a little behind */

/* Signs header.payload (JSON texts) into "b64url.b64url.b64url". *ret is replaced.
 * Returns 0, -ENOMEM or -EIO. */
int push_jws(PushKey *k,
                const char *header,
                size_t header_len,
                const char *payload,
                size_t payload_len,
                Secret *ret);

/* The device's credential, "twilio-pba;v=1": header cty, kid, typ, alg; payload sub, exp, nbf with
 * nbf = now - PUSH_JWT_BACKDATE. now: server time in Unix seconds. Used as the password of user
 * "token". Returns 0, -EINVAL when a SID is not one, -ENOMEM or -EIO. */
int push_device_jwt(PushKey *k,
                const char *credential_sid,
                const char *account_sid,
                int64_t now,
                Secret *ret);

/* AuthPayload that verifies a factor: padded base64 of the DER signature over the ASCII factor SID.
 * *ret is replaced. Returns 0, -EINVAL when the SID is not one, -ENOMEM or -EIO. */
int push_factor_payload(PushKey *k, const char *factor_sid, Secret *ret);

/* Why a challenge can't be signed. */
typedef enum PushRefusal {
        PUSH_OK,
        PUSH_FIELDS_MISSING,   /* no header, or an empty one */
        PUSH_FIELDS_MALFORMED, /* an empty name, one twice, one that JSON would escape, or over
                                  PUSH_FIELDS_MAX */
        PUSH_FIELDS_NO_SID,    /* does not name "sid" */
        PUSH_FIELD_ABSENT,     /* names a member that the challenge lacks */
        PUSH_TOO_LONG,         /* over PUSH_PAYLOAD_MAX */
        _PUSH_REFUSAL_MAX,
} PushRefusal;

#define PUSH_FIELDS_MAX 64

/* A sentence for a person, without a full stop. NULL for a value out of range. */
const char *push_refusal_text(PushRefusal r);

/* The nine fields that the provider is known to ask for; used to foretell a payload's length. */
extern const char push_usual_fields[];

/* Builds the JSON that is signed: each member that signature_fields (the
 * Twilio-Verify-Signature-Fields header; white space round names is dropped) names, in that order,
 * its value byte for byte as received, then "status". A "status" in the list is passed over.
 * status: "approved" or "denied". signature_fields may be NULL (no header). The reason that is
 * given is the first in the order of PushRefusal; the length is not looked at. *ret_refusal says
 * why not, with 0 returned and nothing in *ret; else *ret is a new NUL-ended text. Returns 0,
 * -EINVAL for another status, or -ENOMEM. */
int push_challenge_payload(const JsonDoc *challenge,
                const char *signature_fields,
                const char *status,
                char **ret,
                size_t *ret_len,
                PushRefusal *ret_refusal);

/* The length of the JWS over a payload of payload_len bytes. */
size_t push_challenge_jws_len(size_t payload_len);

/* The challenge's AuthPayload: JWS with header {"typ":"JWT","alg":"ES256"} over that payload.
 * Refuses past PUSH_PAYLOAD_MAX. Errors as push_challenge_payload(), and -EIO. */
int push_challenge_jws(PushKey *k,
                const JsonDoc *challenge,
                const char *signature_fields,
                const char *status,
                Secret *ret,
                PushRefusal *ret_refusal);
