#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Notices that the local wall clock was set, and that the machine slept. */

#include <systemd/sd-event.h>

#include "base/time.h"

/* The three local clocks, read at one time. */
typedef struct ClockTimes {
        usec_t realtime;
        usec_t boottime;  /* goes on while the machine sleeps */
        usec_t monotonic; /* stands still then */
} ClockTimes;

typedef struct ClockChange {
        int64_t jumped; /* how far the wall clock was set; 0: less than CLOCK_CHANGE_MIN */
        usec_t slept;   /* how long the machine slept; likewise */
} ClockChange;

/* Smaller ones add up until they reach this. */
#define CLOCK_CHANGE_MIN USEC_PER_SEC

/* Pure: what changed since `last`, which is moved on by what is reported. */
ClockChange clock_times_compare(ClockTimes *last, const ClockTimes *now);

typedef struct ClockWatch ClockWatch;

/* Called from the event loop; either may be NULL. */
typedef struct ClockWatchHandler {
        /* The wall clock was set, by so much forward. */
        void (*jumped)(int64_t by, void *userdata);
        /* The machine is back after it slept. */
        void (*resumed)(usec_t slept, void *userdata);
        void *userdata;
} ClockWatchHandler;

/* Watches from now on. References the event loop; the handler is copied. Returns 0 or -errno. */
int clock_watch_new(ClockWatch **ret, sd_event *event, const ClockWatchHandler *handler);
/* Takes NULL, returns NULL. */
ClockWatch *clock_watch_free(ClockWatch *w);
DEFINE_CLEANUP(ClockWatch *, clock_watch_free);
