/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/evaluation.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#define RESULT(o, v) ((ConditionResult){.outcome = (o), .value = (v)})

/* Reading the challenge. */

/* "the label 'x' stands there twice"; only the first doubt is kept. */
static int doubt(Evaluation *e, const char *what, const char *text, const char *why) {
        _cleanup_free_ char *shown = NULL;

        if (e->doubt)
                return 0;
        int r = text_shown(text, &shown);
        if (r < 0)
                return r;
        return asprintf(&e->doubt, "the %s '%s' %s", what, shown, why) < 0 ? -ENOMEM : 0;
}

static int check_text(Evaluation *e, const char *what, const char *text) {
        if (!text_is_unsafe(text))
                return 0;
        return doubt(e, what, text, "has characters that hide or disguise text");
}

static int check_fields(Evaluation *e) {
        const ChallengeView *c = e->input->challenge;

        for (size_t i = 0; i < c->n_fields; i++) {
                const DetailField *f = &c->fields[i];

                int r = check_text(e, "label", f->label);
                if (r == 0)
                        r = check_text(e, "value", f->value);
                for (size_t j = 0; r == 0 && j < i; j++)
                        if (streq(c->fields[j].label, f->label))
                                r = doubt(e, "label", f->label, "stands there twice");
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_hidden(Evaluation *e) {
        const char *text = e->input->challenge->hidden_details;
        JsonSlice raw;
        size_t len;

        if (!text)
                return 0;
        int r = json_doc_parse(&e->hidden, text, strlen(text), NULL);
        if (r == -EBADMSG)
                return doubt(e, "hidden details", text, "are no JSON object that can be read");
        if (r < 0)
                return r;
        raw = json_doc_text(e->hidden);
        return json_minify(raw, &e->hidden_text, &len);
}

int evaluation_init(Evaluation *e, const PolicyInput *input) {
        const char *message = input->challenge->message;

        e->input = input;
        int r = regex_scratch_new(&e->scratch);
        if (r == 0)
                r = read_hidden(e);
        if (r == 0 && message)
                r = check_text(e, "message", message);
        if (r == 0)
                r = check_fields(e);
        if (r == 0)
                evaluation_find_ticket(e);
        return r;
}

void evaluation_done(Evaluation *e) {
        regex_scratch_free(e->scratch);
        json_doc_free(e->hidden);
        free(e->hidden_text);
        free(e->doubt);
        *e = (Evaluation){0};
}

/* Testing. */

static ConditionResult test_text(
                Evaluation *e, const Rule *r, const Condition *c, const char *value) {
        if (!value)
                return RESULT(CONDITION_ABSENT, NULL);
        /* Of fields and message the whole challenge is in doubt. */
        if (r->may_approve &&
                        (c->kind == CONDITION_HIDDEN || c->kind == CONDITION_HIDDEN_DETAILS) &&
                        text_is_unsafe(value))
                return RESULT(CONDITION_UNSAFE, value);
        if (c->pattern.kind == PATTERN_REGEX && e->n_given_up >= POLICY_GIVEN_UP_MAX)
                return RESULT(CONDITION_GIVEN_UP, value);

        switch (pattern_match(&c->pattern, e->scratch, value)) {
        case PATTERN_YES:
                return RESULT(CONDITION_HOLDS, value);
        case PATTERN_NO:
                return RESULT(CONDITION_FAILS, value);
        case PATTERN_NO_ADDRESS:
                return RESULT(r->may_approve ? CONDITION_NO_ADDRESS : CONDITION_HOLDS, value);
        case PATTERN_LIMIT:
                e->n_given_up++;
                return RESULT(CONDITION_GIVEN_UP, value);
        }
        return RESULT(CONDITION_FAILS, value);
}

/* A label that occurs twice: it is enough that one of the values is as the rule says. Rules that
 * approve do not match then; for others the wider reading is the safer one. */
static ConditionResult test_field(Evaluation *e, const Rule *r, const Condition *c) {
        const ChallengeView *challenge = e->input->challenge;
        ConditionResult result = RESULT(CONDITION_ABSENT, NULL);

        for (size_t i = 0; i < challenge->n_fields; i++) {
                if (!streq(challenge->fields[i].label, c->name))
                        continue;
                ConditionResult one = test_text(e, r, c, challenge->fields[i].value);
                if (one.outcome == CONDITION_HOLDS)
                        return one;
                if (result.outcome != CONDITION_GIVEN_UP)
                        result = one;
        }
        return result;
}

static const char *hidden_value(const Evaluation *e, const char *key) {
        json_object *value = e->hidden ? json_doc_value(e->hidden, key) : NULL;

        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

static ConditionResult test_max_age(const Evaluation *e, const Condition *c) {
        usec_t created = e->input->challenge->created, now = e->input->now;
        bool ahead = created > usec_add(now, POLICY_AHEAD_MAX);

        return RESULT(!ahead && usec_sub(now, created) <= c->max_age ? CONDITION_HOLDS
                                                                     : CONDITION_FAILS,
                        NULL);
}

static ConditionResult test_hours(const Evaluation *e, const Condition *c) {
        unsigned day, minute;

        zone_local(c->zone, e->input->now, &day, &minute);
        return RESULT(hours_contain(c->hours, day, minute) ? CONDITION_HOLDS : CONDITION_FAILS,
                        NULL);
}

static ConditionResult test_ticket(const Evaluation *e) {
        switch (e->ticket_result) {
        case TICKET_FITS:
                return RESULT(CONDITION_HOLDS, NULL);
        case TICKET_AMBIGUOUS:
                return RESULT(CONDITION_AMBIGUOUS, NULL);
        case TICKET_NONE:
                break;
        }
        return RESULT(CONDITION_FAILS, NULL);
}

ConditionResult condition_test(Evaluation *e, const Rule *r, const Condition *c) {
        const ChallengeView *challenge = e->input->challenge;

        switch (c->kind) {
        case CONDITION_FACTOR:
                return test_text(e, r, c, e->input->factor);
        case CONDITION_TYPE:
                return RESULT((challenge->factor_type == c->type) != c->not_type ? CONDITION_HOLDS
                                                                                 : CONDITION_FAILS,
                                factor_type_to_string(challenge->factor_type));
        case CONDITION_MESSAGE:
                return test_text(e, r, c, challenge->message);
        case CONDITION_FIELD:
                return test_field(e, r, c);
        case CONDITION_HIDDEN:
                return test_text(e, r, c, hidden_value(e, c->name));
        case CONDITION_HIDDEN_DETAILS:
                return test_text(e, r, c, e->hidden_text);
        case CONDITION_HOURS:
                return test_hours(e, c);
        case CONDITION_MAX_AGE:
                return test_max_age(e, c);
        case CONDITION_TICKET:
                return test_ticket(e);
        }
        return RESULT(CONDITION_FAILS, NULL);
}
