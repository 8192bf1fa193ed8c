/* SPDX-License-Identifier: Apache-2.0 */
#include "model-sim.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TRACE_LINES 160
#define TRACE_WIDTH 160
#define FIRED_AT_ONCE_MAX 200
#define BOOT_FIRST (1000 * USEC_PER_SEC)

struct sd_event_source {
        struct sd_event_source *next;
        usec_t time;
        bool enabled;
        sd_event_time_handler_t callback;
        void *userdata;
};

Sim sim;
static sd_event_source *timers;
static char trace[TRACE_LINES][TRACE_WIDTH];
static unsigned n_trace;

uint64_t sim_random(void) {
        /* SplitMix64 */
        uint64_t z = sim.state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

unsigned sim_below(unsigned n) {
        return (unsigned) (sim_random() % n);
}

bool sim_chance(unsigned percent) {
        return sim_below(100) < percent;
}

void sim_start(uint64_t seed) {
        sim = (Sim){.seed = seed, .state = seed, .boot = BOOT_FIRST};
        n_trace = 0;
}

void sim_trace(const char *format, ...) {
        char *line = trace[n_trace++ % TRACE_LINES];
        va_list ap;
        int n;

        n = snprintf(line, TRACE_WIDTH, "%4u %9.3f  ", sim.step,
                        (double) (sim.boot - BOOT_FIRST) / USEC_PER_SEC);
        va_start(ap, format);
        (void) vsnprintf(line + n, TRACE_WIDTH - (size_t) n, format, ap);
        va_end(ap);
}

void sim_dump(void) {
        unsigned first = n_trace > TRACE_LINES ? n_trace - TRACE_LINES : 0;

        for (unsigned i = first; i < n_trace; i++)
                fprintf(stderr, "%s\n", trace[i % TRACE_LINES]);
        fprintf(stderr, "again: FACTORD_MODEL_SEED=%" PRIu64 " FACTORD_MODEL_RUNS=1\n", sim.seed);
}

void sim_fail(const char *format, ...) {
        char text[512];
        va_list ap;

        va_start(ap, format);
        (void) vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        sim_dump();
        fail_msg("%s", text);
        abort();
}

static sd_event_source *sim_first(void) {
        sd_event_source *first = NULL;

        for (sd_event_source *s = timers; s; s = s->next)
                if (s->enabled && s->time != USEC_INFINITY && (!first || s->time < first->time))
                        first = s;
        return first;
}

usec_t sim_next_timer(void) {
        sd_event_source *s = sim_first();

        return s ? s->time : USEC_INFINITY;
}

void sim_advance(usec_t to, bool (*stop)(void)) {
        unsigned at_once = 0;

        while (!stop || !stop()) {
                sd_event_source *s = sim_first();
                if (!s || s->time > to)
                        break;
                if (s->time > sim.boot) {
                        sim.boot = s->time;
                        at_once = 0;
                }
                if (++at_once > FIRED_AT_ONCE_MAX)
                        sim_fail("Timers go round without time passing");
                s->enabled = false;
                sim.n_fired++;
                (void) s->callback(s, s->time, s->userdata); /* it may free itself */
        }
        if (to > sim.boot && (!stop || !stop()))
                sim.boot = to;
}

unsigned sim_n_timers(void) {
        unsigned n = 0;

        for (sd_event_source *s = timers; s; s = s->next)
                n++;
        return n;
}

usec_t __wrap_now_boottime(void) {
        return sim.boot;
}

usec_t __wrap_now_realtime(void) {
        return sim.boot + (usec_t) sim.wall_offset;
}

int __wrap_random_bytes(void *ret, size_t len) {
        for (size_t i = 0; i < len; i++)
                ((uint8_t *) ret)[i] = (uint8_t) sim_random();
        return 0;
}

int __wrap_sd_event_add_time(sd_event *e,
                sd_event_source **ret,
                clockid_t clock,
                uint64_t usec,
                uint64_t accuracy,
                sd_event_time_handler_t callback,
                void *userdata) {
        sd_event_source *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        *s = (sd_event_source){timers, usec, true, callback, userdata};
        timers = s;
        *ret = s;
        return 0;
}

int __wrap_sd_event_add_time_relative(sd_event *e,
                sd_event_source **ret,
                clockid_t clock,
                uint64_t usec,
                uint64_t accuracy,
                sd_event_time_handler_t callback,
                void *userdata) {
        return __wrap_sd_event_add_time(
                        e, ret, clock, sim.boot + usec, accuracy, callback, userdata);
}

int __wrap_sd_event_source_set_time(sd_event_source *s, uint64_t usec) {
        s->time = usec;
        return 0;
}

int __wrap_sd_event_source_set_enabled(sd_event_source *s, int enabled) {
        s->enabled = enabled != SD_EVENT_OFF;
        return 0;
}

sd_event_source *__wrap_sd_event_source_disable_unref(sd_event_source *s) {
        if (!s)
                return NULL;
        for (sd_event_source **i = &timers; *i; i = &(*i)->next)
                if (*i == s) {
                        *i = s->next;
                        break;
                }
        free(s);
        return NULL;
}
