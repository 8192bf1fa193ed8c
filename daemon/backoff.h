#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before trying again. */

#include "base/time.h"

/* A random span from 0 to max. Without random bytes it is max. */
usec_t random_span(usec_t max);

#define BACKOFF_FLOOR 10 /* never less than a tenth of the first ceiling */

/* Full jitter: anything from next to nothing up to a ceiling that doubles from first with each
 * failure after the first, to max, so that many who failed together do not come back together. The
 * server's own word (retry_after, 0: none) wins. n_failures: in a row, 1 for the first. In
 * microseconds. */
usec_t backoff_delay(usec_t first, usec_t max, unsigned n_failures, usec_t retry_after);
