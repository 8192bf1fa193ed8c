/* SPDX-License-Identifier: Apache-2.0 */
/* TOTP codes a second: ours, liboath's, and OpenSSL's HMAC alone with a context that is keyed once,
 * which is the floor under any of them. */

#include <string.h>

#include <liboath/oath.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "tests/bench/rounds.h"
#include "totp/otp.h"

#define SEED "1234567890123456789012345678901234567890123456789012345678901234"
#define ROUNDS 21
#define CODES_A_ROUND 50000
#define START 1111111109

static const struct {
        const char *name;
        OtpAlgorithm algorithm;
        int oath_flags;
        size_t seed_len;
} algorithms[] = {
                {"SHA1", OTP_SHA1, 0, 20},
                {"SHA256", OTP_SHA256, OATH_TOTP_HMAC_SHA256, 32},
                {"SHA512", OTP_SHA512, OATH_TOTP_HMAC_SHA512, 64},
};

static size_t current; /* the algorithm at work */
static OtpKey *key;
static EVP_MAC_CTX *mac;
static unsigned checksum; /* keeps the results alive */

static void run_ours(unsigned n) {
        char code[OTP_CODE_SIZE];

        for (unsigned i = 0; i < n; i++) {
                must(otp_totp(key, START + (int64_t) i * 30, 0, 30, 6, code) == 0, "otp_totp()");
                checksum += (unsigned char) code[5];
        }
}

static void run_liboath(unsigned n) {
        char code[OTP_CODE_SIZE];

        for (unsigned i = 0; i < n; i++) {
                must(oath_totp_generate2(SEED, algorithms[current].seed_len,
                                     START + (time_t) i * 30, 30, 0, 6,
                                     algorithms[current].oath_flags, code) == OATH_OK,
                                "oath_totp_generate2()");
                checksum += (unsigned char) code[5];
        }
}

static void run_bare(unsigned n) {
        uint8_t out[EVP_MAX_MD_SIZE], message[8] = {0};
        size_t len;

        for (unsigned i = 0; i < n; i++) {
                memcpy(message, &i, sizeof(i));
                must(EVP_MAC_init(mac, NULL, 0, NULL) == 1 &&
                                                EVP_MAC_update(mac, message, sizeof(message)) ==
                                                                1 &&
                                                EVP_MAC_final(mac, out, &len, sizeof(out)) == 1,
                                "EVP_MAC");
                checksum += out[0];
        }
}

static void set_up(size_t i) {
        _cleanup_(secret_done) Secret seed = {0};
        EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        char digest[8];
        OSSL_PARAM params[] = {
                        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                        OSSL_PARAM_construct_end(),
        };

        current = i;
        must(secret_append(&seed, SEED, algorithms[i].seed_len) == 0, "secret_append()");
        must(otp_key_new(&key, algorithms[i].algorithm, &seed) == 0, "otp_key_new()");
        mac = EVP_MAC_CTX_new(hmac);
        EVP_MAC_free(hmac);
        snprintf(digest, sizeof(digest), "%s", algorithms[i].name);
        must(mac && EVP_MAC_init(mac, seed.data, seed.len, params) == 1, "EVP_MAC_init()");
}

/* Both give the same codes, or there is nothing to compare. */
static void check(void) {
        for (int i = 0; i < 1000; i++) {
                char ours[OTP_CODE_SIZE], theirs[OTP_CODE_SIZE];

                must(otp_totp(key, START + i * 30, 0, 30, 6, ours) == 0, "otp_totp()");
                must(oath_totp_generate2(SEED, algorithms[current].seed_len, START + i * 30, 30, 0,
                                     6, algorithms[current].oath_flags, theirs) == OATH_OK,
                                "oath_totp_generate2()");
                must(strcmp(ours, theirs) == 0, "the comparison of codes");
        }
}

int main(void) {
        must(oath_init() == OATH_OK, "oath_init()");
        for (size_t i = 0; i < ELEMENTSOF(algorithms); i++) {
                char names[3][32];
                Contestant contestants[] = {
                                {.name = names[0], .run = run_ours},
                                {.name = names[1], .run = run_liboath},
                                {.name = names[2], .run = run_bare},
                };

                snprintf(names[0], sizeof(names[0]), "totp.%s.ours", algorithms[i].name);
                snprintf(names[1], sizeof(names[1]), "totp.%s.liboath", algorithms[i].name);
                snprintf(names[2], sizeof(names[2]), "totp.%s.bare", algorithms[i].name);
                set_up(i);
                check();
                rounds_run(contestants, ELEMENTSOF(contestants), ROUNDS, CODES_A_ROUND);
                key = otp_key_free(key);
                EVP_MAC_CTX_free(mac);
        }
        oath_done();
        return checksum == 1; /* as good as never */
}
