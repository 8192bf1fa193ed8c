/* SPDX-License-Identifier: Apache-2.0 */
/* Notifications: asking for a challenge's push notification once more. Nothing is sent. */
#include "sandbox/check.h"
#include "sandbox/json-build.h"

#define TTL_MAX 300

static void reply_notification(Call *c, const char *sid, int64_t ttl) {
        const Challenge *challenge = c->challenge;
        JsonBuilder b = {0};

        json_build_string(&b, "sid", sid);
        json_build_string(&b, "account_sid", c->state->account_sid);
        json_build_string(&b, "service_sid", c->service->record.sid);
        json_build_string(&b, "entity_sid", c->entity->record.sid);
        json_build_string(&b, "identity", c->entity->identity);
        json_build_string(&b, "challenge_sid", challenge->record.sid);
        json_build_string(&b, "priority", "high");
        json_build_int(&b, "ttl", ttl);
        json_build_time(&b, "date_created", c->now);
        reply_json(&c->reply, 201, json_build_end(&b));
}

void notification_create(Call *c) {
        const Factor *f = state_factor(c->state, c->challenge->factor_sid);
        char sid[SID_SIZE];
        int64_t ttl = TTL_MAX;

        if (!check_integer(c, 60306, "Ttl", params_get(&c->form, "Ttl"), 0, TTL_MAX, &ttl))
                return;
        challenge_expire(c->state, c->challenge, c->now);
        if (!f || f->kind != KIND_PUSH || streq(f->platform, "none"))
                reply_error(&c->reply, 60307, NULL);
        else if (c->challenge->status == CHALLENGE_EXPIRED)
                reply_error(&c->reply, 60323, NULL);
        else if (c->challenge->status != CHALLENGE_PENDING)
                reply_error(&c->reply, 60322, NULL);
        else if (sid_new("NT", sid) < 0)
                reply_failed(&c->reply);
        else
                reply_notification(c, sid, ttl);
}
