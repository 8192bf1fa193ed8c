#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon says that matters for prompts, read from its replies. Pure.
 *
 * The daemon may be older or newer than the agent: what is absent or of another type has the value
 * that promises least, and an item that cannot be shown safely is left out. */

#include <json-c/json_types.h>

#include "base/model.h"

#define WORLD_BUDGET_DEFAULT 5
#define WORLD_ARM_DELAY_DEFAULT (500 * USEC_PER_MSEC)
#define WORLD_FIELDS_MAX 64 /* of a request; the provider's own limit is 20 */

/* What approving it wants typed. */
typedef enum Confirm {
        CONFIRM_NONE,
        CONFIRM_SID,   /* the SID's last characters; also a kind that this version does not know */
        CONFIRM_FIELD, /* a value that was shown where the request was made */
        CONFIRM_NEVER, /* it cannot be approved */
} Confirm;

/* A challenge that a person is asked about. */
typedef struct Request {
        char sid[SID_SIZE];
        char digest[SHA256_HEX_SIZE];
        char repeat_of[SID_SIZE]; /* "" when it is no repeat */
        char *factor;
        char *service_sid;
        char *identity;
        char *message;       /* or NULL */
        char *confirm_field; /* or NULL */
        DetailField *fields; /* a value is NULL while it is withheld */
        size_t n_fields;
        usec_t created; /* server time */
        usec_t expires; /* server time */
        unsigned repeats;
        Confirm confirm;
        bool quiet;
        bool totp;
} Request;

typedef struct World {
        bool connected; /* else the rest says nothing */
        usec_t arm_delay;
        bool show_locked;     /* a pop-up without details while the screen is locked */
        unsigned budget;      /* requests … */
        usec_t budget_span;   /* … in this span */
        int64_t clock_offset; /* server time minus local time, microseconds */
        char **cooling;       /* names of the factors that cool down */
        size_t n_cooling;
        char **foreign; /* names of others' factors, which an administrator sees too */
        size_t n_foreign;
        Request *requests; /* by age, the oldest first */
        size_t n_requests;
} World;

/* Frees and zeroes. */
void world_done(World *w);

/* Take in the values of GetStatus, one of ListFactors', one of ListChallenges'. What is malformed
 * is passed over. uid: the person that is asked. Each returns 0 or -ENOMEM. */
void world_read_status(World *w, json_object *status);
int world_read_factor(World *w, json_object *factor, uid_t uid);
int world_read_challenge(World *w, json_object *challenge);
/* Once all is read: puts it in order, and drops the requests of others' factors. An administrator
 * may answer them, but it is their owners who are asked. */
void world_finish(World *w);

/* The request of that SID, or NULL. */
const Request *world_find(const World *w, const char *sid);
bool world_is_cooling(const World *w, const char *factor);
