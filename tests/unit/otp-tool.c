/* SPDX-License-Identifier: Apache-2.0 */
/* Prints one-time passwords, for comparison with another implementation. Lines on stdin:
 *
 *   totp ALGORITHM DIGITS PERIOD T0 UNIXTIME HEXSECRET
 *   hotp ALGORITHM DIGITS COUNTER HEXSECRET
 *
 * One code a line on stdout. A line that is not of these ends the program with status 1. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "totp/otp.h"

static int hex_decode(const char *hex, Secret *ret) {
        for (; *hex; hex += 2) {
                uint8_t byte;
                int r;

                if (sscanf(hex, "%2" SCNx8, &byte) != 1 || !hex[1])
                        return -1;
                r = secret_append(ret, &byte, 1);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int key_new(OtpKey **ret, const char *algorithm, const char *hex) {
        _cleanup_(secret_done) Secret secret = {0};
        int a = otp_algorithm_from_string(algorithm);

        if (a < 0 || hex_decode(hex, &secret) < 0)
                return -1;
        return otp_key_new(ret, (OtpAlgorithm) a, &secret);
}

static int answer(const char *line) {
        _cleanup_(otp_key_freep) OtpKey *key = NULL;
        char algorithm[8], hex[2 * OTP_SECRET_MAX + 1], code[OTP_CODE_SIZE];
        unsigned digits;
        uint32_t period;
        int64_t t0, now;
        uint64_t counter;
        int r;

        if (sscanf(line, "totp %7s %u %" SCNu32 " %" SCNd64 " %" SCNd64 " %2048s", algorithm,
                            &digits, &period, &t0, &now, hex) == 6) {
                r = key_new(&key, algorithm, hex);
                if (r == 0)
                        r = otp_totp(key, now, t0, period, digits, code);
        } else if (sscanf(line, "hotp %7s %u %" SCNu64 " %2048s", algorithm, &digits, &counter,
                                   hex) == 4) {
                r = key_new(&key, algorithm, hex);
                if (r == 0)
                        r = otp_hotp(key, counter, digits, code);
        } else
                r = -1;
        if (r == 0)
                puts(code);
        return r;
}

int main(void) {
        _cleanup_free_ char *line = NULL;
        size_t allocated = 0;

        while (getline(&line, &allocated, stdin) > 0)
                if (answer(line) < 0) {
                        fprintf(stderr, "no code for: %s", line);
                        return 1;
                }
        return 0;
}
