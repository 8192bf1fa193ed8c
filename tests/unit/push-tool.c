/* SPDX-License-Identifier: Apache-2.0 */
/* Makes keys and signatures, for another implementation to verify.
 *
 *   push-tool generate KEYS SIGNATURES
 *
 * prints KEYS * SIGNATURES lines of JSON: public_key (as the provider gets it), factor_sid and
 * factor_payload (padded base64 of DER), payload (the challenge's, as text in base64), jws, and
 * device_jwt with the time that it was made for.
 *
 *   push-tool sign FIELDS STATUS
 *
 * reads PKCS#8 in padded base64 and then a challenge's JSON, a line each, on stdin and prints the
 * challenge's JWS, or "refused N" with the number of the refusal. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "push/payload.h"

#define ACCOUNT_SID "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define CREDENTIAL_SID "CRcccccccccccccccccccccccccccccccc"

/* A challenge that differs from its neighbours in all that varies. */
static int challenge_new(JsonDoc **ret, const char *factor_sid, const uint8_t noise[static 16]) {
        _cleanup_free_ char *text = NULL, *note = NULL;
        int r;

        r = base64_encode(BASE64_STANDARD, noise, (size_t) noise[0] % 17, &note);
        if (r < 0)
                return r;
        if (asprintf(&text,
                            "{\"sid\":\"YC%08x%08x%08x%08x\",\"factor_sid\":\"%s\","
                            "\"details\":{\"message\":\"caf\\u00e9 \\/ %s\",\"fields\":[]},"
                            "\"hidden_details\":null,\"number\":%u.10e1,\"status\":\"pending\"}",
                            noise[0], noise[1], noise[2], noise[3], factor_sid, note, noise[4]) < 0)
                return -ENOMEM;
        return json_doc_parse(ret, text, strlen(text), NULL);
}

static int print_signatures(PushKey *key, const char *public_key) {
        static const char fields[] = "sid,factor_sid,details,hidden_details,number";
        _cleanup_(secret_done) Secret factor_payload = {0}, jws = {0}, device = {0};
        _cleanup_(json_doc_freep) JsonDoc *challenge = NULL;
        _cleanup_free_ char *payload = NULL, *payload_base64 = NULL;
        char factor_sid[35];
        uint8_t noise[16];
        PushRefusal refusal;
        int64_t now;
        size_t len;
        int r;

        r = random_bytes(noise, sizeof(noise));
        if (r < 0)
                return r;
        now = 1700000000 + noise[5] * 100000;
        snprintf(factor_sid, sizeof(factor_sid), "YF%08x%08x%08x%08x", noise[6], noise[7], noise[8],
                        noise[9]);
        r = challenge_new(&challenge, factor_sid, noise);
        if (r < 0)
                return r;
        r = push_factor_payload(key, factor_sid, &factor_payload);
        if (r < 0)
                return r;
        r = push_challenge_payload(challenge, fields, "approved", &payload, &len, &refusal);
        if (r < 0 || refusal != PUSH_OK)
                return -EIO;
        r = base64_encode(BASE64_STANDARD, payload, len, &payload_base64);
        if (r < 0)
                return r;
        r = push_challenge_jws(key, challenge, fields, "approved", &jws, &refusal);
        if (r < 0 || refusal != PUSH_OK)
                return -EIO;
        r = push_device_jwt(key, CREDENTIAL_SID, ACCOUNT_SID, now, &device);
        if (r < 0)
                return r;
        printf("{\"public_key\":\"%s\",\"factor_sid\":\"%s\",\"factor_payload\":\"%s\","
               "\"payload\":\"%s\",\"jws\":\"%s\",\"now\":%" PRId64 ",\"device_jwt\":\"%s\"}\n",
                        public_key, factor_sid, secret_string(&factor_payload), payload_base64,
                        secret_string(&jws), now, secret_string(&device));
        return 0;
}

static int generate(unsigned n_keys, unsigned n_signatures) {
        for (unsigned i = 0; i < n_keys; i++) {
                _cleanup_(push_key_freep) PushKey *key = NULL;
                _cleanup_free_ char *public_key = NULL;
                int r;

                r = push_key_generate(&key);
                if (r < 0)
                        return r;
                r = push_key_public(key, &public_key);
                if (r < 0)
                        return r;
                for (unsigned j = 0; j < n_signatures; j++) {
                        r = print_signatures(key, public_key);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* Reads a line, without its newline. */
static int read_line(char **ret, size_t *ret_len) {
        size_t allocated = 0;
        ssize_t n = getline(ret, &allocated, stdin);

        if (n <= 0)
                return -ENODATA;
        *ret_len = (size_t) n - ((*ret)[n - 1] == '\n');
        return 0;
}

static int sign(const char *fields, const char *status) {
        _cleanup_free_ char *pkcs8 = NULL, *text = NULL;
        _cleanup_(secret_done) Secret der = {0}, jws = {0};
        _cleanup_(push_key_freep) PushKey *key = NULL;
        _cleanup_(json_doc_freep) JsonDoc *challenge = NULL;
        PushRefusal refusal;
        size_t len;
        int r;

        r = read_line(&pkcs8, &len);
        if (r < 0)
                return r;
        r = base64_decode(BASE64_STANDARD, pkcs8, len, &der);
        if (r < 0)
                return r;
        r = push_key_from_pkcs8(&key, &der);
        if (r < 0)
                return r;
        r = read_line(&text, &len);
        if (r < 0)
                return r;
        r = json_doc_parse(&challenge, text, len, NULL);
        if (r < 0)
                return r;
        r = push_challenge_jws(key, challenge, fields, status, &jws, &refusal);
        if (r < 0)
                return r;
        if (refusal == PUSH_OK)
                puts(secret_string(&jws));
        else
                printf("refused %d\n", refusal);
        return 0;
}

int main(int argc, char **argv) {
        int r;

        if (argc == 4 && strcmp(argv[1], "generate") == 0)
                r = generate((unsigned) atoi(argv[2]), (unsigned) atoi(argv[3]));
        else if (argc == 4 && strcmp(argv[1], "sign") == 0)
                r = sign(argv[2], argv[3]);
        else {
                fprintf(stderr, "usage: push-tool generate KEYS SIGNATURES | sign FIELDS STATUS\n");
                return 2;
        }
        if (r < 0)
                fprintf(stderr, "push-tool: %s\n", strerror(-r));
        return r < 0;
}
