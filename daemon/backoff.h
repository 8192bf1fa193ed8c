#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before trying again. */

#include "base/time.h"

/* Doubles from first with each failure after the first up to max, the half of it at random, so that
 * many who failed together do not come back together. The server's own word (retry_after, 0: none)
 * wins when it is longer. n_failures: in a row, 1 for the first. */
usec_t backoff_delay(usec_t first, usec_t max, unsigned n_failures, usec_t retry_after);
