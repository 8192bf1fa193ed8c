/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/clock.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"

/* To three places or so: nobody reads more. */
static void span_text(usec_t span, char ret[static 64]) {
        _cleanup_free_ char *text = NULL;
        usec_t unit = span >= USEC_PER_MINUTE ? USEC_PER_SEC
                      : span >= USEC_PER_SEC  ? 100 * USEC_PER_MSEC
                      : span >= USEC_PER_MSEC ? USEC_PER_MSEC
                                              : 1;

        (void) snprintf(ret, 64, "%s",
                        timespan_format((span + unit / 2) / unit * unit, &text) < 0 ? "?" : text);
}

void clock_state_read(ClockState *ret, json_object *clock) {
        *ret = (ClockState){
                        .asked = clock != NULL,
                        .heard = streq_ptr(get_string(clock, "source"), "server"),
                        .offset = get_int(clock, "offset_ms", 0) * (int64_t) USEC_PER_MSEC,
                        .waiting = get_int(clock, "candidate_ms", 0) * (int64_t) USEC_PER_MSEC,
        };
        ret->kernel_error = kernel_clock_read(&ret->kernel);
}

bool clock_is_off(const ClockState *c) {
        return c->heard && usec_magnitude(c->offset) > CLOCK_OFF_MAX;
}

const char *clock_offset_text(const ClockState *c, char ret[static 128]) {
        char span[64];

        if (!c->heard) {
                (void) snprintf(ret, 128, "not compared with the provider's yet");
                return ret;
        }
        span_text(usec_magnitude(c->offset), span);
        if (c->offset == 0)
                (void) snprintf(ret, 128, "the same as the provider's");
        else
                (void) snprintf(ret, 128, "%s %s the provider's", span,
                                c->offset > 0 ? "behind" : "ahead of");
        return ret;
}

const char *clock_kernel_text(const ClockState *c, char ret[static 128]) {
        char span[64];

        if (c->kernel_error < 0)
                (void) snprintf(ret, 128, "the kernel does not say (%s)",
                                strerror(-c->kernel_error));
        else if (!c->kernel.synchronized)
                (void) snprintf(ret, 128, "not synchronised");
        else {
                span_text(c->kernel.error, span);
                (void) snprintf(ret, 128, "synchronised, estimated error %s", span);
        }
        return ret;
}

int clock_check_strict(const ClockState *c) {
        char text[128];

        if (clock_is_off(c))
                return complain(EXIT_CLOCK, "this machine's clock is %s",
                                clock_offset_text(c, text));
        if (!c->heard && (c->kernel_error < 0 || !c->kernel.synchronized))
                return complain(EXIT_CLOCK,
                                "this machine's clock may be wrong: %s, and no provider was heard "
                                "yet",
                                clock_kernel_text(c, text));
        return 0;
}

/* Asks the daemon. */
static int session_get_clock(Session *s, ClockState *ret) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        int r = session_call(s, "GetStatus", parameters_new(s), &reply);

        if (r == 0)
                clock_state_read(ret,
                                get_object(get_object(json_doc_object(reply), "status"), "clock"));
        return r;
}

int session_check_clock(Session *s, json_object *status) {
        ClockState c;
        int r = 0;

        if (!argument_given(s->arguments, OPTION_STRICT_CLOCK))
                return 0;
        if (status)
                clock_state_read(&c, get_object(status, "clock"));
        else
                r = session_get_clock(s, &c);
        return r != 0 ? r : clock_check_strict(&c);
}

int session_provider_time(Session *s, usec_t *ret) {
        usec_t now;
        ClockState c;
        int r = session_get_clock(s, &c);

        if (r != 0)
                return r;
        now = now_realtime();
        *ret = c.offset < 0 ? usec_sub(now, usec_magnitude(c.offset))
                            : usec_add(now, usec_magnitude(c.offset));
        return 0;
}
