/* SPDX-License-Identifier: Apache-2.0 */
/* Requests about challenges. */

#include "verify/request.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "verify/path.h"

/* Clocks differ a little: so much past the limit is left to the provider to judge. */
#define EXPIRATION_GRACE (5 * USEC_PER_SEC)

static void add_expiration(Form *f, const char *date, usec_t now) {
        usec_t expires;

        if (f->error < 0 || !date)
                return;
        if (rfc3339_parse(date, &expires) < 0)
                form_fail(f, "ExpirationDate is no RFC 3339 date such as 2026-01-02T03:04:05Z");
        else if (expires <= now)
                form_fail(f, "ExpirationDate is %s; it must be in the future", date);
        else if (expires - now > VERIFY_EXPIRATION_MAX + EXPIRATION_GRACE)
                form_fail(f, "ExpirationDate is %llu minutes ahead; the limit is %llu",
                                (unsigned long long) ((expires - now + USEC_PER_MINUTE - 1) /
                                                      USEC_PER_MINUTE),
                                (unsigned long long) (VERIFY_EXPIRATION_MAX / USEC_PER_MINUTE));
        form_add(f, "ExpirationDate", date);
}

static int field_to_json(const DetailField *field, Form *f) {
        json_object *object, *label, *value;
        const char *text;
        int r = -ENOMEM;

        object = json_object_new_object();
        label = json_object_new_string(field->label);
        value = json_object_new_string(field->value);
        if (object && label && json_object_object_add(object, "label", label) == 0)
                label = NULL;
        if (object && value && json_object_object_add(object, "value", value) == 0)
                value = NULL;
        if (object && !label && !value) {
                text = json_object_to_json_string_ext(
                                object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
                if (text) {
                        form_add(f, "Details.Fields", text);
                        r = 0;
                }
        }
        json_object_put(label);
        json_object_put(value);
        json_object_put(object);
        return r;
}

static void add_fields(Form *f, const DetailField *fields, size_t n) {
        if (n > VERIFY_FIELDS_MAX)
                form_fail(f, "Details.Fields has %zu fields; the limit is %d", n,
                                VERIFY_FIELDS_MAX);
        for (size_t i = 0; i < n && f->error == 0; i++) {
                char label[48], value[48];

                snprintf(label, sizeof(label), "Details.Fields[%zu].label", i);
                snprintf(value, sizeof(value), "Details.Fields[%zu].value", i);
                form_require(f, label, fields[i].label);
                form_require(f, value, fields[i].value);
                if (f->error == 0)
                        f->error = form_check_text(label, fields[i].label, 0,
                                        VERIFY_FIELD_LABEL_MAX, f->reterr_msg);
                if (f->error == 0)
                        f->error = form_check_text(value, fields[i].value, 0,
                                        VERIFY_FIELD_VALUE_MAX, f->reterr_msg);
                if (f->error == 0)
                        f->error = field_to_json(fields + i, f);
        }
}

int verify_challenge_create(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyChallengeCreate *p,
                usec_t now,
                char **reterr_msg) {
        _cleanup_(form_done) Form f = {.reterr_msg = reterr_msg};
        _cleanup_free_ char *path = NULL;
        int r;

        r = path_of_entity(&path, entity, "Challenges", NULL, reterr_msg);
        if (r < 0)
                return r;
        form_require(&f, "FactorSid", p->factor_sid);
        form_add_sid(&f, "FactorSid", p->factor_sid, "YF");
        add_expiration(&f, p->expiration_date, now);
        form_add_text(&f, "Details.Message", p->message, 1, VERIFY_MESSAGE_MAX);
        add_fields(&f, p->fields, p->n_fields);
        form_add_string_map(&f, "HiddenDetails", p->hidden_details, VERIFY_HIDDEN_DETAILS_MAX);
        form_add_secret(&f, "AuthPayload", p->auth_payload, VERIFY_TOTP_PAYLOAD_MIN,
                        VERIFY_TOTP_PAYLOAD_MAX);
        r = request_finish(ret, VERIFY_POST, &path, &f);
        if (r == 0)
                ret->creates = true;
        return r;
}

static int challenge_path(char **ret,
                const VerifyEntity *entity,
                const char *challenge_sid,
                char **reterr_msg) {
        return path_of_entity(ret, entity, "Challenges",
                        &(PathItem){"ChallengeSid", challenge_sid, "YC"}, reterr_msg);
}

int verify_challenge_fetch(VerifyRequest *ret,
                const VerifyEntity *entity,
                const char *challenge_sid,
                char **reterr_msg) {
        _cleanup_free_ char *path = NULL;
        int r = challenge_path(&path, entity, challenge_sid, reterr_msg);
        return r < 0 ? r : request_finish(ret, VERIFY_GET, &path, NULL);
}

int verify_challenge_list(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyList *p,
                char **reterr_msg) {
        static const char *const statuses[] = {"pending", "expired", "approved", "denied", NULL};
        static const char *const orders[] = {"asc", "desc", NULL};
        _cleanup_(form_done) Form f = {.reterr_msg = reterr_msg};
        _cleanup_free_ char *path = NULL;
        int r;

        r = path_of_entity(&path, entity, "Challenges", NULL, reterr_msg);
        if (r < 0)
                return r;
        form_add_sid(&f, "FactorSid", p->factor_sid, "YF");
        form_add_word(&f, "Status", p->status, statuses);
        form_add_word(&f, "Order", p->order, orders);
        form_add_page(&f, p);
        return request_finish(ret, VERIFY_GET, &path, &f);
}

int verify_challenge_update(VerifyRequest *ret,
                const VerifyEntity *entity,
                const VerifyChallengeUpdate *p,
                char **reterr_msg) {
        _cleanup_(form_done) Form f = {.reterr_msg = reterr_msg};
        _cleanup_free_ char *path = NULL;
        int r;

        r = challenge_path(&path, entity, p->challenge_sid, reterr_msg);
        if (r < 0)
                return r;
        form_add_secret(&f, "AuthPayload", p->auth_payload, VERIFY_TOTP_PAYLOAD_MIN,
                        VERIFY_PUSH_PAYLOAD_MAX);
        form_add_string_map(&f, "Metadata", p->metadata, VERIFY_METADATA_MAX);
        if (!p->auth_payload && !p->metadata)
                form_fail(&f, "an update needs AuthPayload or Metadata");
        return request_finish(ret, VERIFY_POST, &path, &f);
}
