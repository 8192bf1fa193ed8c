/* SPDX-License-Identifier: Apache-2.0 */
#include "base/model.h"

#include <errno.h>

#include "base/text.h"

static const char *const factor_types[_FACTOR_TYPE_MAX] = {
                [FACTOR_PUSH] = "push",
                [FACTOR_TOTP] = "totp",
                [FACTOR_HOTP] = "hotp",
};

static const char *const factor_statuses[_FACTOR_STATUS_MAX] = {
                [FACTOR_ENROLLING] = "enrolling",
                [FACTOR_UNVERIFIED] = "unverified",
                [FACTOR_VERIFIED] = "verified",
                [FACTOR_LOCAL] = "local",
                [FACTOR_REVOKED] = "revoked",
                [FACTOR_DETACHED] = "detached",
};

static const char *const provider_statuses[_PROVIDER_STATUS_MAX] = {
                [PROVIDER_PENDING] = "pending",
                [PROVIDER_APPROVED] = "approved",
                [PROVIDER_DENIED] = "denied",
                [PROVIDER_EXPIRED] = "expired",
                [PROVIDER_UNKNOWN] = "unknown",
};

static const char *const challenge_states[_CHALLENGE_STATE_MAX] = {
                [CHALLENGE_DISCOVERED] = "discovered",
                [CHALLENGE_DECIDING] = "deciding",
                [CHALLENGE_ASKING] = "asking",
                [CHALLENGE_ANSWERING] = "answering",
                [CHALLENGE_SUBMITTED] = "submitted",
                [CHALLENGE_APPROVED] = "approved",
                [CHALLENGE_DENIED] = "denied",
                [CHALLENGE_EXPIRED] = "expired",
                [CHALLENGE_IGNORED] = "ignored",
                [CHALLENGE_SUPERSEDED] = "superseded",
                [CHALLENGE_FAILED] = "failed",
};

static const char *const verbs[_VERB_MAX] = {
                [VERB_APPROVE] = "approve",
                [VERB_DENY] = "deny",
                [VERB_IGNORE] = "ignore",
                [VERB_ASK] = "ask",
};

static const char *word_of(const char *const *words, size_t n, size_t value) {
        return value < n ? words[value] : NULL;
}

static int value_of(const char *const *words, size_t n, const char *word) {
        for (size_t i = 0; word && i < n; i++)
                if (streq(words[i], word))
                        return (int) i;
        return -EINVAL;
}

const char *factor_type_to_string(FactorType t) {
        return word_of(factor_types, ELEMENTSOF(factor_types), (size_t) t);
}

int factor_type_from_string(const char *s) {
        return value_of(factor_types, ELEMENTSOF(factor_types), s);
}

const char *factor_status_to_string(FactorStatus s) {
        return word_of(factor_statuses, ELEMENTSOF(factor_statuses), (size_t) s);
}

int factor_status_from_string(const char *s) {
        return value_of(factor_statuses, ELEMENTSOF(factor_statuses), s);
}

const char *provider_status_to_string(ProviderStatus s) {
        return word_of(provider_statuses, ELEMENTSOF(provider_statuses), (size_t) s);
}

ProviderStatus provider_status_from_string(const char *s) {
        int v = value_of(provider_statuses, ELEMENTSOF(provider_statuses), s);
        return v < 0 ? PROVIDER_UNKNOWN : (ProviderStatus) v;
}

const char *challenge_state_to_string(ChallengeState s) {
        return word_of(challenge_states, ELEMENTSOF(challenge_states), (size_t) s);
}

int challenge_state_from_string(const char *s) {
        return value_of(challenge_states, ELEMENTSOF(challenge_states), s);
}

const char *verb_to_string(Verb v) {
        return word_of(verbs, ELEMENTSOF(verbs), (size_t) v);
}

int verb_from_string(const char *s) {
        return value_of(verbs, ELEMENTSOF(verbs), s);
}

void detail_fields_done(DetailField *fields, size_t n) {
        for (size_t i = 0; i < n; i++) {
                free(fields[i].label);
                free(fields[i].value);
        }
        free(fields);
}

void challenge_view_done(ChallengeView *v) {
        detail_fields_done(v->fields, v->n_fields);
        free(v->factor);
        free(v->service_sid);
        free(v->identity);
        free(v->message);
        free(v->hidden_details);
        free(v->reason);
        *v = (ChallengeView){0};
}
