/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/clock-watch.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Not every kernel wakes us after a sleep, so we look now and then, too. */
#define WATCH_INTERVAL USEC_PER_MINUTE
#define WATCH_ACCURACY (10 * USEC_PER_SEC)
/* A reading that was interrupted for longer is made again. */
#define READING_MAX (50 * USEC_PER_MSEC)
#define READINGS 3

struct ClockWatch {
        ClockWatchHandler handler;
        ClockTimes last;
        int fd; /* a timer that the kernel cancels when the wall clock is set */
        sd_event_source *set;
        sd_event_source *interval;
};

ClockChange clock_times_compare(ClockTimes *last, const ClockTimes *now) {
        usec_t passed = usec_sub(now->boottime, last->boottime);
        usec_t awake = usec_sub(now->monotonic, last->monotonic);
        ClockChange change = {
                        .jumped = (int64_t) (now->realtime - last->realtime - passed),
                        .slept = usec_sub(passed, awake),
        };
        bool large = change.jumped >= (int64_t) CLOCK_CHANGE_MIN ||
                     change.jumped <= -(int64_t) CLOCK_CHANGE_MIN;

        /* What is too small to report stays in the difference to `last`. */
        if (!large)
                change.jumped = 0;
        if (change.slept < CLOCK_CHANGE_MIN)
                change.slept = 0;
        last->realtime += (usec_t) change.jumped + change.slept;
        last->boottime += change.slept;
        return change;
}

static usec_t now_monotonic(void) {
        struct timespec t;

        (void) clock_gettime(CLOCK_MONOTONIC, &t);
        return (usec_t) t.tv_sec * USEC_PER_SEC + (usec_t) t.tv_nsec / 1000;
}

static ClockTimes read_clocks(void) {
        ClockTimes t;

        for (int i = 0; i < READINGS; i++) {
                usec_t before = now_boottime();

                t.monotonic = now_monotonic();
                t.realtime = now_realtime();
                t.boottime = now_boottime();
                if (t.boottime - before <= READING_MAX)
                        break;
        }
        return t;
}

static void clock_watch_look(ClockWatch *w) {
        ClockTimes now = read_clocks();
        ClockChange change = clock_times_compare(&w->last, &now);

        if (change.jumped != 0 && w->handler.jumped)
                w->handler.jumped(change.jumped, w->handler.userdata);
        if (change.slept != 0 && w->handler.resumed)
                w->handler.resumed(change.slept, w->handler.userdata);
}

/* In a time that does not come. */
static int clock_watch_arm(ClockWatch *w) {
        const struct itimerspec never = {.it_value.tv_sec = INT64_MAX};

        return timerfd_settime(w->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0
                               ? -errno
                               : 0;
}

static int clock_watch_on_set(sd_event_source *s, int fd, uint32_t events, void *userdata) {
        ClockWatch *w = userdata;
        uint64_t expirations;

        /* Fails with ECANCELED, that is the message; whatever it says, we look. */
        (void) !read(fd, &expirations, sizeof(expirations));
        if (clock_watch_arm(w) < 0)
                (void) sd_event_source_set_enabled(s, SD_EVENT_OFF);
        clock_watch_look(w);
        return 0;
}

static int clock_watch_on_interval(sd_event_source *s, uint64_t usec, void *userdata) {
        (void) sd_event_source_set_time_relative(s, WATCH_INTERVAL);
        (void) sd_event_source_set_enabled(s, SD_EVENT_ONESHOT);
        clock_watch_look(userdata);
        return 0;
}

int clock_watch_new(ClockWatch **ret, sd_event *event, const ClockWatchHandler *handler) {
        _cleanup_(clock_watch_freep) ClockWatch *w = NULL;
        int r;

        w = calloc(1, sizeof(ClockWatch));
        if (!w)
                return -ENOMEM;
        w->handler = *handler;
        w->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        if (w->fd < 0)
                return -errno;
        r = clock_watch_arm(w);
        if (r >= 0)
                r = sd_event_add_io(event, &w->set, w->fd, EPOLLIN, clock_watch_on_set, w);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &w->interval, CLOCK_BOOTTIME, WATCH_INTERVAL,
                                WATCH_ACCURACY, clock_watch_on_interval, w);
        if (r < 0)
                return r;
        w->last = read_clocks();
        *ret = TAKE_PTR(w);
        return 0;
}

ClockWatch *clock_watch_free(ClockWatch *w) {
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->set);
        sd_event_source_disable_unref(w->interval);
        closep(&w->fd);
        free(w);
        return NULL;
}
