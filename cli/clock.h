#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* How right this machine's clock is: by the provider's word, and by the kernel's. */

#include <json-c/json_types.h>

#include "base/kernel-clock.h"
#include "cli/connection.h"

#define EXIT_CLOCK 9
/* The local clock is called wrong from here on; --strict-clock goes by it, too. */
#define CLOCK_OFF_MAX (2 * USEC_PER_SEC)

typedef struct ClockState {
        bool asked;       /* a daemon said something */
        bool heard;       /* its offset is to the provider's clock */
        int64_t offset;   /* the provider's time minus the local time, microseconds */
        int64_t waiting;  /* a large change that waits for a second reply; 0: none */
        int kernel_error; /* 0, or why the kernel did not say */
        KernelClock kernel;
} ClockState;

/* The daemon's word (a status' member clock, NULL: no daemon) and the kernel's. */
void clock_state_read(ClockState *ret, json_object *clock);
/* Whether it is more than CLOCK_OFF_MAX off. */
bool clock_is_off(const ClockState *c);
/* "1s 500ms behind the provider's", "the same as the provider's", … Written to ret. */
const char *clock_offset_text(const ClockState *c, char ret[static 128]);
/* "synchronised, estimated error 1ms", … Written to ret. */
const char *clock_kernel_text(const ClockState *c, char ret[static 128]);
/* --strict-clock: nothing is relied on while the clock is off, or, as long as no provider was
 * heard, while the kernel does not call it synchronised. Returns 0 or EXIT_CLOCK and has said why.
 */
int clock_check_strict(const ClockState *c);
/* The same if --strict-clock is given, by a daemon's status (NULL: it is asked for one). Returns 0
 * or an exit status and has said why. */
int session_check_clock(Session *s, json_object *status);
/* The provider's time, as far as the daemon knows it. Returns 0 or an exit status and has said why.
 */
int session_provider_time(Session *s, usec_t *ret);
