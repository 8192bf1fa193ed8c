/* SPDX-License-Identifier: Apache-2.0 */
/* Preloaded into a program under test: a local wall clock that a test sets, and nothing else. The
 * file that WALLCLOCK names begins with the offset in microseconds and with the kernel's maximum
 * error, 64 bits each; both count at once when they change. Boot-time and monotonic clocks and all
 * timers stay true. A timer that the kernel would cancel when the clock is set comes due every 20
 * ms instead: it wakes the program so that it looks. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shared(void) {
        static const int64_t nothing[2];
        static const volatile int64_t *values;

        if (!values) {
                const char *path = getenv("WALLCLOCK");
                int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
                void *p = fd < 0 ? MAP_FAILED
                                 : mmap(NULL, sizeof(nothing), PROT_READ, MAP_SHARED, fd, 0);

                if (fd >= 0)
                        close(fd);
                values = p == MAP_FAILED ? nothing : p;
        }
        return values;
}

#define REAL(name) ((typeof(name) *) dlsym(RTLD_NEXT, #name))

int clock_gettime(clockid_t id, struct timespec *t) {
        static typeof(clock_gettime) *real;
        int r;

        if (!real)
                real = REAL(clock_gettime);
        r = real(id, t);
        if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
                int64_t nsec = t->tv_nsec + shared()[0] % 1000000 * 1000;

                t->tv_sec += shared()[0] / 1000000 + nsec / 1000000000 - (nsec < 0);
                t->tv_nsec = (nsec % 1000000000 + 1000000000) % 1000000000;
        }
        return r;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
        struct timespec t;
        int r = clock_gettime(CLOCK_REALTIME, &t);

        (void) zone;
        if (r == 0)
                *tv = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
        return r;
}

time_t time(time_t *ret) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        if (ret)
                *ret = t.tv_sec;
        return t.tv_sec;
}

int adjtimex(struct timex *t) {
        t->maxerror = shared()[1];
        t->esterror = shared()[1] / 2;
        return TIME_OK;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old) {
        static const struct itimerspec often = {{0, 20000000}, {0, 20000000}};

        if (flags & TFD_TIMER_CANCEL_ON_SET)
                return REAL(timerfd_settime)(fd, 0, &often, old);
        return REAL(timerfd_settime)(fd, flags, new, old);
}
