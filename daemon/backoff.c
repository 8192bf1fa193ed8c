/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/backoff.h"

#include "base/secret.h"

usec_t backoff_delay(usec_t first, usec_t max, unsigned n_failures, usec_t retry_after) {
        usec_t delay = first;
        uint32_t random = 0;

        for (unsigned i = 1; i < n_failures && delay < max; i++)
                delay *= 2;
        if (delay > max)
                delay = max;
        /* Without random bytes it is the shortest wait: still a wait. */
        (void) random_bytes(&random, sizeof(random));
        delay = delay / 2 + delay / 2 * random / UINT32_MAX;
        return retry_after > delay ? retry_after : delay;
}
