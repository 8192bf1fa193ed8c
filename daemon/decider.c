/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/decider.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "daemon/child.h"
#include "daemon/decider-text.h"
#include "daemon/helper-text.h"

#define DECIDER_ACCURACY (10 * USEC_PER_MSEC)
#define CONNECT_RETRY (20 * USEC_PER_MSEC) /* its queue was full */

/* Waits, then runs until it has answered or its time is over. A program that nobody waits for any
 * more is a run until it has ended. */
struct DeciderRun {
        TAILQ_ENTRY(DeciderRun) entry;
        Deciders *deciders;
        Challenge *challenge; /* NULL: nobody waits */
        PolicyDeciderKind kind;
        char *path, *rule, *question;
        size_t length, sent; /* of the question */
        usec_t timeout;
        sd_event_source *timer;
        bool running;
        Child *child;               /* exec: */
        int fd;                     /* unix: */
        sd_event_source *io, *dial; /* likewise */
        char answer[DECIDER_ANSWER_MAX + 1];
        size_t answered;
};

typedef TAILQ_HEAD(DeciderRuns, DeciderRun) DeciderRuns;

struct Deciders {
        sd_event *event;
        decider_answered_t answered;
        void *userdata;
        sd_event_source *defer; /* there may be one to start */
        DeciderRuns waiting;    /* the oldest first */
        DeciderRuns running;
        size_t n_running, n_waiting;
        uint64_t n_asked, n_failed;
};

/* Freeing. */

static void run_free(DeciderRun *run) {
        Deciders *d = run->deciders;

        TAILQ_REMOVE(run->running ? &d->running : &d->waiting, run, entry);
        if (run->running)
                d->n_running--;
        else
                d->n_waiting--;
        child_free(run->child);
        sd_event_source_disable_unref(run->timer);
        sd_event_source_disable_unref(run->io);
        sd_event_source_disable_unref(run->dial);
        closep(&run->fd);
        free(run->path);
        free(run->rule);
        free(run->question);
        free(run);
        /* Its place is another's. */
        (void) sd_event_source_set_enabled(d->defer, SD_EVENT_ONESHOT);
}

DeciderRun *decider_cancel(DeciderRun *run) {
        if (!run)
                return NULL;
        run->challenge = NULL;
        run->timer = sd_event_source_disable_unref(run->timer);
        /* It has to be waited for, and has its place until then. */
        if (run->child)
                child_kill(run->child);
        else
                run_free(run);
        return NULL;
}

/* Answering. */

static void run_end(DeciderRun *run, const Verb *verb, const char *fault) {
        Deciders *d = run->deciders;
        Challenge *c = run->challenge;
        _cleanup_free_ char *rule = TAKE_PTR(run->rule);
        DeciderAnswer answer = {.rule = rule, .verb = verb ? *verb : VERB_ASK, .fault = fault};

        (void) decider_cancel(run);
        if (!c)
                return;
        d->n_failed += fault != NULL;
        c->decider = NULL;
        d->answered(c, &answer, d->userdata);
}

/* It said all that it says. */
static void run_take(DeciderRun *run, const void *data, size_t len) {
        Verb verb;

        if (len > DECIDER_ANSWER_MAX)
                run_end(run, NULL, "it wrote more than a word");
        else if (len == 0)
                run_end(run, NULL, "it ended without an answer");
        else if (decider_word(data, len, &verb) < 0)
                run_end(run, NULL, "it answered something else than approve, deny, ask or ignore");
        else
                run_end(run, &verb, NULL);
}

static int run_timed_out(sd_event_source *s, uint64_t usec, void *userdata) {
        run_end(userdata, NULL, "it did not answer in time");
        return 0;
}

/* Programs. */

static void run_exited(Child *child, const ChildEnd *end, void *userdata) {
        DeciderRun *run = userdata;
        _cleanup_(secret_done) Secret output = {0};
        int r = secret_copy(&output, end->output);

        run->child = child_free(run->child);
        if (r < 0)
                run_end(run, NULL, "out of memory");
        else if (end->flooded)
                run_end(run, NULL, "it wrote more than a word");
        else if (!end->exited)
                run_end(run, NULL, "it was killed");
        else if (end->status != 0)
                run_end(run, NULL, "it ended with a failure");
        else
                run_take(run, output.data, output.len);
}

static int run_program(DeciderRun *run, char **reterr_msg) {
        _cleanup_(environment_freep) char **environment = NULL;
        char *argv[] = {run->path, NULL};
        int r;

        r = file_check_program(run->path, geteuid(), reterr_msg);
        if (r >= 0)
                r = helper_environment(environ, NULL, true, &environment);
        if (r < 0)
                return r;
        ChildOptions options = {
                        .path = run->path,
                        .argv = argv,
                        .envp = environment,
                        .input = run->question,
                        .input_len = run->length,
                        .output_max = DECIDER_ANSWER_MAX,
                        .ended = run_exited,
                        .userdata = run,
        };
        return child_new(&run->child, run->deciders->event, &options);
}

/* Sockets. */

/* Sends what there is to send. One that does not want to hear it may have answered all the same. */
static void run_send(DeciderRun *run) {
        while (run->sent < run->length) {
                ssize_t n = send(run->fd, run->question + run->sent, run->length - run->sent,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return;
                run->sent = n < 0 ? run->length : run->sent + (size_t) n;
        }
        (void) shutdown(run->fd, SHUT_WR);
        (void) sd_event_source_set_io_events(run->io, EPOLLIN);
}

/* Reads what there is. Returns whether it is over. */
static bool run_receive(DeciderRun *run) {
        while (run->answered < sizeof(run->answer)) {
                ssize_t n = recv(run->fd, run->answer + run->answered,
                                sizeof(run->answer) - run->answered, MSG_DONTWAIT);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return false;
                if (n < 0)
                        run->answered = 0; /* what came before is no answer */
                if (n <= 0)
                        return true;
                run->answered += (size_t) n;
        }
        return true;
}

static int run_on_io(sd_event_source *s, int fd, uint32_t events, void *userdata) {
        DeciderRun *run = userdata;

        if (events & EPOLLOUT)
                run_send(run);
        if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && run_receive(run))
                run_take(run, run->answer, run->answered);
        return 0;
}

static int run_dial(DeciderRun *run, char **reterr_msg);

static int run_redial(sd_event_source *s, uint64_t usec, void *userdata) {
        _cleanup_free_ char *why = NULL;
        DeciderRun *run = userdata;
        int r = run_dial(run, &why);

        if (r < 0)
                run_end(run, NULL, error_text(why, r));
        return 0;
}

static int run_dial(DeciderRun *run, char **reterr_msg) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        memcpy(address.sun_path, run->path, strlen(run->path) + 1);
        if (connect(run->fd, (struct sockaddr *) &address, sizeof(address)) >= 0)
                return sd_event_add_io(run->deciders->event, &run->io, run->fd, EPOLLIN | EPOLLOUT,
                                run_on_io, run);
        if (errno != EAGAIN)
                return error_set(reterr_msg, -errno, "cannot connect: %s", strerror(errno));
        run->dial = sd_event_source_disable_unref(run->dial);
        return sd_event_add_time_relative(run->deciders->event, &run->dial, CLOCK_BOOTTIME,
                        CONNECT_RETRY, DECIDER_ACCURACY, run_redial, run);
}

static int run_socket(DeciderRun *run, char **reterr_msg) {
        int r;

        if (strlen(run->path) > POLICY_SOCKET_MAX)
                return -ENAMETOOLONG;
        r = file_check_socket(run->path, geteuid(), reterr_msg);
        if (r < 0)
                return r;
        run->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return run->fd < 0 ? -errno : run_dial(run, reterr_msg);
}

/* Starting. */

static size_t count_running(const Deciders *d, const char *path) {
        const DeciderRun *run;
        size_t n = 0;

        TAILQ_FOREACH(run, &d->running, entry) {
                n += streq(run->path, path);
        }
        return n;
}

/* The oldest one that may start now, or NULL. */
static DeciderRun *next_run(const Deciders *d) {
        DeciderRun *run;

        if (d->n_running == DECIDER_RUNS_MAX)
                return NULL;
        TAILQ_FOREACH(run, &d->waiting, entry) {
                if (count_running(d, run->path) < DECIDER_RUNS_OF_ONE_MAX)
                        return run;
        }
        return NULL;
}

static void run_start(DeciderRun *run) {
        Deciders *d = run->deciders;
        _cleanup_free_ char *why = NULL;
        int r;

        TAILQ_REMOVE(&d->waiting, run, entry);
        TAILQ_INSERT_TAIL(&d->running, run, entry);
        run->running = true;
        d->n_waiting--;
        d->n_running++;
        d->n_asked++;
        r = sd_event_add_time_relative(d->event, &run->timer, CLOCK_BOOTTIME, run->timeout,
                        DECIDER_ACCURACY, run_timed_out, run);
        if (r >= 0)
                r = run->kind == POLICY_DECIDER_EXEC ? run_program(run, &why)
                                                     : run_socket(run, &why);
        if (r < 0)
                run_end(run, NULL, error_text(why, r));
}

static int deciders_on_defer(sd_event_source *s, void *userdata) {
        Deciders *d = userdata;
        DeciderRun *run;

        while ((run = next_run(d)))
                run_start(run);
        return 0;
}

int decider_ask(Deciders *d,
                DeciderRun **ret,
                Challenge *c,
                const PolicyDecider *decider,
                const char *rule) {
        _cleanup_free_ char *path = NULL, *name = NULL, *question = NULL;
        DeciderRun *run;

        if (text_set(&path, decider->path) < 0 || text_set(&name, rule) < 0 ||
                        decider_question(&c->view, rule, &question) < 0)
                return -ENOMEM;
        run = calloc(1, sizeof(DeciderRun));
        if (!run)
                return -ENOMEM;
        size_t length = strlen(question);
        *run = (DeciderRun){
                        .deciders = d,
                        .challenge = c,
                        .kind = decider->kind,
                        .path = TAKE_PTR(path),
                        .rule = TAKE_PTR(name),
                        .length = length,
                        .question = TAKE_PTR(question),
                        .timeout = decider->timeout,
                        .fd = -EBADF,
        };
        TAILQ_INSERT_TAIL(&d->waiting, run, entry);
        d->n_waiting++;
        (void) sd_event_source_set_enabled(d->defer, SD_EVENT_ONESHOT);
        *ret = run;
        return 0;
}

int deciders_new(Deciders **ret, sd_event *event, decider_answered_t answered, void *userdata) {
        _cleanup_(deciders_freep) Deciders *d = calloc(1, sizeof(Deciders));
        int r;

        if (!d)
                return -ENOMEM;
        TAILQ_INIT(&d->waiting);
        TAILQ_INIT(&d->running);
        d->event = sd_event_ref(event);
        d->answered = answered;
        d->userdata = userdata;
        r = sd_event_add_defer(event, &d->defer, deciders_on_defer, d);
        if (r >= 0)
                r = sd_event_source_set_enabled(d->defer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

Deciders *deciders_free(Deciders *d) {
        DeciderRun *run;

        if (!d)
                return NULL;
        while ((run = TAILQ_FIRST(&d->waiting)) || (run = TAILQ_FIRST(&d->running))) {
                if (run->challenge)
                        run->challenge->decider = NULL;
                run_free(run);
        }
        sd_event_source_disable_unref(d->defer);
        sd_event_unref(d->event);
        free(d);
        return NULL;
}

DecidersView deciders_view(const Deciders *d) {
        return (DecidersView){
                        .n_running = d->n_running,
                        .n_waiting = d->n_waiting,
                        .n_asked = d->n_asked,
                        .n_failed = d->n_failed,
        };
}
