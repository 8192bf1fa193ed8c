/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/backoff.h"

#include "base/secret.h"

usec_t random_span(usec_t max) {
        uint32_t r = UINT32_MAX;

        (void) random_bytes(&r, sizeof(r));
        return max / UINT32_MAX * r + max % UINT32_MAX * r / UINT32_MAX;
}

usec_t backoff_delay(usec_t first, usec_t max, unsigned n_failures, usec_t retry_after) {
        usec_t ceiling = first, floor = first / BACKOFF_FLOOR;

        if (retry_after > 0)
                return retry_after;
        for (unsigned i = 1; i < n_failures && ceiling < max; i++)
                ceiling *= 2;
        if (ceiling > max)
                ceiling = max;
        return floor + random_span(ceiling - floor);
}
