/* SPDX-License-Identifier: Apache-2.0 */
/* The enums' words, both ways. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/model.h"

/* Every value has a word of its own, and the word leads back; nothing else does. */
#define CHECK_WORDS(type, prefix, max, ...)                                                        \
        do {                                                                                       \
                static const char *const words[] = {__VA_ARGS__};                                  \
                                                                                                   \
                assert_int_equal(ELEMENTSOF(words), max);                                          \
                for (int i = 0; i < (int) (max); i++) {                                            \
                        assert_string_equal(prefix##_to_string((type) i), words[i]);               \
                        assert_int_equal(prefix##_from_string(words[i]), i);                       \
                }                                                                                  \
                assert_null(prefix##_to_string(max));                                              \
                assert_null(prefix##_to_string((type) -1));                                        \
        } while (false)

#define CHECK_UNKNOWN(prefix)                                                                      \
        do {                                                                                       \
                static const char *const words[] = {                                               \
                                "", " ", "x", "Push", "DENY", "deny ", "approvedx", "approv"};     \
                                                                                                   \
                for (size_t i = 0; i < ELEMENTSOF(words); i++)                                     \
                        assert_int_equal(prefix##_from_string(words[i]), -EINVAL);                 \
                assert_int_equal(prefix##_from_string(NULL), -EINVAL);                             \
        } while (false)

static void test_factor_words(void **state) {
        CHECK_WORDS(FactorType, factor_type, _FACTOR_TYPE_MAX, "push", "totp", "hotp");
        CHECK_UNKNOWN(factor_type);
        CHECK_WORDS(FactorStatus, factor_status, _FACTOR_STATUS_MAX, "enrolling", "unverified",
                        "verified", "local", "revoked", "detached");
        CHECK_UNKNOWN(factor_status);
}

static void test_challenge_words(void **state) {
        CHECK_WORDS(ChallengeState, challenge_state, _CHALLENGE_STATE_MAX, "discovered", "deciding",
                        "asking", "answering", "submitted", "approved", "denied", "expired",
                        "ignored", "superseded", "failed");
        CHECK_UNKNOWN(challenge_state);
        CHECK_WORDS(Verb, verb, _VERB_MAX, "approve", "deny", "ignore", "ask");
        CHECK_UNKNOWN(verb);
}

static void test_provider_words(void **state) {
        CHECK_WORDS(ProviderStatus, provider_status, _PROVIDER_STATUS_MAX, "pending", "approved",
                        "denied", "expired", "unknown");
        assert_int_equal(provider_status_from_string("unverified"), PROVIDER_UNKNOWN);
        assert_int_equal(provider_status_from_string(""), PROVIDER_UNKNOWN);
        assert_int_equal(provider_status_from_string(NULL), PROVIDER_UNKNOWN);
}

static void test_view_done(void **state) {
        static const ChallengeView zero = {0};
        ChallengeView v = {
                        .sid = "YC",
                        .factor = strdup("factor"),
                        .service_sid = strdup("VA"),
                        .identity = strdup("identity"),
                        .message = strdup("message"),
                        .hidden_details = strdup("{}"),
                        .reason = strdup("reason"),
                        .fields = calloc(2, sizeof(DetailField)),
                        .n_fields = 2,
        };

        assert_non_null(v.fields);
        v.fields[0].label = strdup("label");
        v.fields[0].value = strdup("value");
        challenge_view_done(&v);
        assert_memory_equal(&v, &zero, sizeof(v));
        challenge_view_done(&v);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_factor_words),
                        cmocka_unit_test(test_challenge_words),
                        cmocka_unit_test(test_provider_words),
                        cmocka_unit_test(test_view_done),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
