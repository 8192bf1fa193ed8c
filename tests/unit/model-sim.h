#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The model's world: one seed, simulated clocks and timers, a trace that a failure prints.
 *
 * The code under test is linked as it is shipped; its clocks, its timers and its random bytes are
 * replaced by the linker (--wrap). */

#include <systemd/sd-event.h>

#include "base/macros.h"
#include "base/time.h"

typedef struct Sim {
        uint64_t seed; /* of this run */
        uint64_t state;
        usec_t boot;
        int64_t wall_offset; /* the local wall clock minus boot time */
        unsigned step;
        uint64_t n_fired; /* timers, ever */
} Sim;

extern Sim sim;

/* Begins a run: nothing is left of the one before. */
void sim_start(uint64_t seed);
uint64_t sim_random(void);
/* 0 … n - 1. */
unsigned sim_below(unsigned n);
bool sim_chance(unsigned percent);

/* Notes what happens. A failure prints the last of it with the seed. */
void sim_trace(const char *format, ...) _printf_(1, 2);
_Noreturn void sim_fail(const char *format, ...) _printf_(1, 2);
/* Prints the seed and the trace, for a crash of the code under test. */
void sim_dump(void);

/* When the next timer is due; USEC_INFINITY: none. */
usec_t sim_next_timer(void);
/* Lets time pass and fires on the way what is due, in order. stop (may be NULL) ends it early. */
void sim_advance(usec_t to, bool (*stop)(void));
/* How many timers are there: none may be left behind. */
unsigned sim_n_timers(void);

usec_t __wrap_now_boottime(void);
usec_t __wrap_now_realtime(void);
int __wrap_random_bytes(void *ret, size_t len);
int __wrap_sd_event_add_time(sd_event *e,
                sd_event_source **ret,
                clockid_t clock,
                uint64_t usec,
                uint64_t accuracy,
                sd_event_time_handler_t callback,
                void *userdata);
int __wrap_sd_event_add_time_relative(sd_event *e,
                sd_event_source **ret,
                clockid_t clock,
                uint64_t usec,
                uint64_t accuracy,
                sd_event_time_handler_t callback,
                void *userdata);
int __wrap_sd_event_source_set_time(sd_event_source *s, uint64_t usec);
int __wrap_sd_event_source_set_enabled(sd_event_source *s, int enabled);
sd_event_source *__wrap_sd_event_source_disable_unref(sd_event_source *s);
