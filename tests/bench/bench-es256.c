/* SPDX-License-Identifier: Apache-2.0 */
/* Signed tokens a second: our device JWT and challenge JWS, each beside OpenSSL's EVP_DigestSign
 * alone, over input of the same length, with a context that is set up once. */

#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>

#include "push/payload.h"
#include "tests/bench/rounds.h"

#define ROUNDS 21
#define TOKENS_A_ROUND 2000
#define NOW 1700000005

#define CREDENTIAL_SID "CRcccccccccccccccccccccccccccccccc"
#define ACCOUNT_SID "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char challenge_text[] =
                "{\"sid\":\"YC00000000000000000000000000000000\","
                "\"service_sid\":\"VA00000000000000000000000000000000\","
                "\"account_sid\":\"" ACCOUNT_SID
                "\",\"identity\":\"user-0001\","
                "\"factor_sid\":\"YF0123456789abcdef0123456789abcdef\","
                "\"date_created\":\"2026-01-02T03:04:05Z\","
                "\"expiration_date\":\"2026-01-02T03:09:05Z\",\"status\":\"pending\","
                "\"details\":{\"message\":\"Sign in?\",\"date\":\"2026-01-02T03:04:05Z\","
                "\"fields\":[{\"label\":\"IP\",\"value\":\"192.0.2.7\"}]},"
                "\"hidden_details\":null}";

static PushKey *key;
static JsonDoc *challenge;
static EVP_PKEY *bare_key;
static EVP_MD_CTX *bare;
static size_t device_len, challenge_len; /* of what is signed */
static unsigned checksum;

static void run_device(unsigned n) {
        _cleanup_(secret_done) Secret jwt = {0};

        for (unsigned i = 0; i < n; i++) {
                must(push_device_jwt(key, CREDENTIAL_SID, ACCOUNT_SID, NOW + i, &jwt) == 0,
                                "push_device_jwt()");
                checksum += jwt.data[jwt.len - 1];
        }
}

static void run_challenge(unsigned n) {
        _cleanup_(secret_done) Secret jws = {0};
        PushRefusal refusal;

        for (unsigned i = 0; i < n; i++) {
                must(push_challenge_jws(key, challenge, push_usual_fields, "approved", &jws,
                                     &refusal) == 0 &&
                                                refusal == PUSH_OK,
                                "push_challenge_jws()");
                checksum += jws.data[jws.len - 1];
        }
}

static void sign_bare(size_t len, unsigned n) {
        static uint8_t input[PUSH_PAYLOAD_MAX];
        uint8_t signature[PUSH_SIGNATURE_DER_MAX];

        for (unsigned i = 0; i < n; i++) {
                size_t signature_len = sizeof(signature);

                memcpy(input, &i, sizeof(i));
                must(EVP_DigestSignInit_ex(bare, NULL, NULL, NULL, NULL, NULL, NULL) == 1 &&
                                                EVP_DigestSign(bare, signature, &signature_len,
                                                                input, len) == 1,
                                "EVP_DigestSign()");
                checksum += signature[signature_len - 1];
        }
}

static void run_bare_device(unsigned n) {
        sign_bare(device_len, n);
}

static void run_bare_challenge(unsigned n) {
        sign_bare(challenge_len, n);
}

/* The length of header.payload. */
static size_t signed_len(const Secret *jws) {
        return (size_t) (strrchr(secret_string(jws), '.') - secret_string(jws));
}

static void set_up(void) {
        _cleanup_(secret_done) Secret jws = {0};
        PushRefusal refusal;

        must(push_key_generate(&key) == 0, "push_key_generate()");
        must(json_doc_parse(&challenge, challenge_text, strlen(challenge_text), NULL) == 0,
                        "json_doc_parse()");
        must(push_device_jwt(key, CREDENTIAL_SID, ACCOUNT_SID, NOW, &jws) == 0,
                        "push_device_jwt()");
        device_len = signed_len(&jws);
        must(push_challenge_jws(key, challenge, push_usual_fields, "approved", &jws, &refusal) == 0,
                        "push_challenge_jws()");
        challenge_len = signed_len(&jws);
        bare_key = EVP_EC_gen("P-256");
        bare = EVP_MD_CTX_new();
        must(bare_key && bare &&
                                        EVP_DigestSignInit_ex(bare, NULL, "SHA256", NULL, NULL,
                                                        bare_key, NULL) == 1,
                        "EVP_DigestSignInit_ex()");
}

int main(void) {
        Contestant contestants[] = {
                        {.name = "es256.device.ours", .run = run_device},
                        {.name = "es256.device.bare", .run = run_bare_device},
                        {.name = "es256.challenge.ours", .run = run_challenge},
                        {.name = "es256.challenge.bare", .run = run_bare_challenge},
        };

        set_up();
        rounds_run(contestants, ELEMENTSOF(contestants), ROUNDS, TOKENS_A_ROUND);
        EVP_MD_CTX_free(bare);
        EVP_PKEY_free(bare_key);
        json_doc_free(challenge);
        push_key_free(key);
        return checksum == 1; /* as good as never */
}
