/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/polkit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "base/text.h"
#include "log/log.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define POLKIT_INTERACTIVE 1 /* a flag of CheckAuthorization */

struct Polkit {
        sd_event *event;
        sd_bus *bus;
        uint64_t n_questions;
};

struct PolkitQuestion {
        Polkit *polkit;
        sd_bus_slot *slot;
        sd_event_source *timer; /* the patience, or an answer that is known at once */
        PolkitAnswer answer;    /* when the timer is due */
        uint64_t cancel;        /* what the question can be cancelled by; 0: it is answered */
        void (*answered)(PolkitAnswer answer, void *userdata);
        void *userdata;
};

int polkit_new(Polkit **ret, sd_event *event) {
        Polkit *p = calloc(1, sizeof(Polkit));

        if (!p)
                return -ENOMEM;
        p->event = sd_event_ref(event);
        *ret = p;
        return 0;
}

static void polkit_disconnect(Polkit *p) {
        p->bus = sd_bus_close_unref(p->bus);
}

Polkit *polkit_free(Polkit *p) {
        if (!p)
                return NULL;
        polkit_disconnect(p);
        sd_event_unref(p->event);
        free(p);
        return NULL;
}

/* A connection that has ended is known by its state; then the next question opens another. */
static int polkit_connect(Polkit *p) {
        int r;

        if (p->bus && sd_bus_is_open(p->bus) > 0)
                return 0;
        polkit_disconnect(p);
        r = sd_bus_open_system(&p->bus);
        if (r >= 0)
                r = sd_bus_attach_event(p->bus, p->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                polkit_disconnect(p);
        return r;
}

static void question_end(PolkitQuestion *q, PolkitAnswer answer) {
        if (answer != POLKIT_FAILED)
                q->cancel = 0;
        q->slot = sd_bus_slot_unref(q->slot);
        q->timer = sd_event_source_disable_unref(q->timer);
        q->answered(answer, q->userdata);
}

static int question_on_timer(sd_event_source *s, uint64_t usec, void *userdata) {
        PolkitQuestion *q = userdata;

        if (q->cancel > 0)
                log_warning("polkit does not answer; refusing what it was asked about");
        question_end(q, q->answer);
        return 0;
}

/* That there is no polkit is no refusal: its name can't be had. */
static PolkitAnswer answer_of_error(const sd_bus_error *e) {
        if (sd_bus_error_has_names(e, SD_BUS_ERROR_SERVICE_UNKNOWN, SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                            "org.freedesktop.systemd1.NoSuchUnit"))
                return POLKIT_ABSENT;
        log_warning("polkit cannot be asked: %s; refusing", strempty(e->message));
        return POLKIT_FAILED;
}

static int question_on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        PolkitQuestion *q = userdata;
        int authorized, challenge;

        if (sd_bus_message_is_method_error(m, NULL))
                question_end(q, answer_of_error(sd_bus_message_get_error(m)));
        else if (sd_bus_message_enter_container(m, 'r', "bba{ss}") < 0 ||
                        sd_bus_message_read(m, "bb", &authorized, &challenge) < 0)
                question_end(q, POLKIT_FAILED);
        else
                question_end(q, authorized ? POLKIT_YES : challenge ? POLKIT_CHALLENGE : POLKIT_NO);
        return 0;
}

/* When the process began, in the kernel's ticks: with the pid it names a process for good. 0, for
 * polkit to look itself, when it can't be seen from here. */
static uint64_t process_started(pid_t pid) {
        char path[64], line[1024] = "";
        const char *after;
        uint64_t started = 0;
        FILE *f;

        snprintf(path, sizeof(path), "/proc/%i/stat", (int) pid);
        f = fopen(path, "re");
        if (!f)
                return 0;
        /* The name, in brackets, may hold anything; what is wanted is the 20th field after it. */
        after = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
        for (unsigned i = 0; after && i < 20; i++) {
                after = strchr(after, ' ');
                if (after)
                        after++;
        }
        if (after)
                started = strtoull(after, NULL, 10);
        fclose(f);
        return started;
}

static int append_subject(sd_bus_message *m, const PolkitSubject *s) {
        if (s->bus_name)
                return sd_bus_message_append(
                                m, "(sa{sv})", "system-bus-name", 1, "name", "s", s->bus_name);
        return sd_bus_message_append(m, "(sa{sv})", "unix-process", 3, "pid", "u",
                        (uint32_t) s->pid, "start-time", "t", process_started(s->pid), "uid", "i",
                        (int32_t) s->uid);
}

static int cancel_id(char ret[static 32], uint64_t n) {
        return snprintf(ret, 32, "factord-%" PRIu64, n);
}

static int question_send(PolkitQuestion *q,
                const PolkitSubject *subject,
                const char *action,
                const char *operation,
                const char *factor) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        char id[32];
        int r;

        (void) cancel_id(id, q->cancel);
        r = sd_bus_message_new_method_call(q->polkit->bus, &m, POLKIT_NAME, POLKIT_PATH,
                        POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = append_subject(m, subject);
        if (r >= 0)
                r = sd_bus_message_append(m, "s", action);
        if (r >= 0)
                r = factor ? sd_bus_message_append(m, "a{ss}", 2, "operation", operation, "factor",
                                             factor)
                           : sd_bus_message_append(m, "a{ss}", 1, "operation", operation);
        if (r >= 0)
                r = sd_bus_message_append(m, "us",
                                (uint32_t) (subject->interactive ? POLKIT_INTERACTIVE : 0), id);
        if (r < 0)
                return r;
        /* The patience is the timer's, which also holds while the bus is being connected to. */
        return sd_bus_call_async(q->polkit->bus, &q->slot, m, question_on_reply, q, UINT64_MAX);
}

int polkit_ask(PolkitQuestion **ret,
                Polkit *p,
                const PolkitSubject *subject,
                const char *action,
                const char *operation,
                const char *factor,
                void (*answered)(PolkitAnswer answer, void *userdata),
                void *userdata) {
        usec_t patience = subject->interactive ? POLKIT_TIMEOUT_INTERACTIVE : POLKIT_TIMEOUT;
        PolkitQuestion *q = calloc(1, sizeof(PolkitQuestion));
        int r;

        if (!q)
                return -ENOMEM;
        *q = (PolkitQuestion){
                        .polkit = p,
                        .answer = POLKIT_FAILED,
                        .cancel = ++p->n_questions,
                        .answered = answered,
                        .userdata = userdata,
        };
        r = polkit_connect(p);
        if (r >= 0)
                r = question_send(q, subject, action, operation, factor);
        if (r < 0) {
                /* Nobody listens on the bus's socket, or there is none: so nobody asks polkit. */
                q->answer = r == -ENOENT || r == -ECONNREFUSED ? POLKIT_ABSENT : POLKIT_FAILED;
                q->cancel = 0;
                patience = 0;
                if (q->answer == POLKIT_FAILED)
                        log_warning("The system bus cannot be used to ask polkit: %s; refusing",
                                        strerror(-r));
        }
        r = sd_event_add_time_relative(p->event, &q->timer, CLOCK_BOOTTIME, patience,
                        10 * USEC_PER_MSEC, question_on_timer, q);
        if (r < 0) {
                polkit_question_free(q);
                return r;
        }
        *ret = q;
        return 0;
}

/* A dialog that is still open is closed. */
static void question_cancel(const PolkitQuestion *q) {
        char id[32];

        (void) cancel_id(id, q->cancel);
        (void) sd_bus_call_method_async(q->polkit->bus, NULL, POLKIT_NAME, POLKIT_PATH,
                        POLKIT_INTERFACE, "CancelCheckAuthorization", NULL, NULL, "s", id);
}

PolkitQuestion *polkit_question_free(PolkitQuestion *q) {
        if (!q)
                return NULL;
        if (q->cancel > 0 && q->polkit->bus && sd_bus_is_open(q->polkit->bus) > 0)
                question_cancel(q);
        sd_bus_slot_unref(q->slot);
        sd_event_source_disable_unref(q->timer);
        free(q);
        return NULL;
}
