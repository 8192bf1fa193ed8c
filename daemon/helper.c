/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/helper.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/child.h"
#include "daemon/helper-text.h"
#include "daemon/prompt.h"
#include "log/log.h"

typedef struct Run Run;
typedef struct Prompt Prompt;

/* A challenge that is to be asked about, or was. */
struct Prompt {
        TAILQ_ENTRY(Prompt) entry;
        Challenge *challenge; /* borrowed: it tells before it goes */
        char digest[SHA256_HEX_SIZE];
        char *typed;      /* the label of the detail whose value is typed, or NULL */
        Run *run;         /* the program that asks, or NULL */
        unsigned n_typed; /* how often something was typed that did not decide it */
        bool flooded;     /* its factor cooled down meanwhile: it is left to others */
        bool done;        /* it was asked about, or is not to be; others may still answer */
};

/* A program that runs, until it has ended. */
struct Run {
        Helper *helper;
        Prompt *prompt; /* NULL: what it says counts no longer */
        Factor *factor; /* referenced; NULL: a free place */
        Child *child;
        usec_t shown;
};

struct Helper {
        HelperHost host;
        TAILQ_HEAD(, Prompt) prompts; /* the oldest first */
        Run runs[HELPER_RUNS_MAX];
};

static void helper_run_next(Helper *h);

static void run_done(Run *run) {
        if (run->prompt)
                run->prompt->run = NULL;
        child_free(run->child);
        factor_unref(run->factor);
        *run = (Run){.helper = run->helper};
}

/* What it says from now on is nobody's word; its place is free when it has ended. */
static void prompt_stop(Prompt *p) {
        if (!p->run)
                return;
        child_stop(p->run->child);
        p->run->prompt = NULL;
        p->run = NULL;
}

static void prompt_drop(Helper *h, Prompt *p) {
        prompt_stop(p);
        TAILQ_REMOVE(&h->prompts, p, entry);
        free(p->typed);
        free(p);
}

/* What its end means. */

/* Whether it stayed long enough for anybody to have read it. */
static bool run_was_seen(const Run *run) {
        return usec_sub(now_boottime(), run->shown) >= run->helper->host.arm_delay;
}

static bool run_says_yes(const Run *run, const ChildEnd *end) {
        const char *sid = run->prompt->challenge->view.sid;

        if (end->flooded)
                log_warning("The helper for challenge %s wrote more than %d bytes and was killed; "
                            "it decides nothing",
                                sid, HELPER_OUTPUT_MAX);
        else if (!end->exited)
                log_warning("The helper for challenge %s was ended by signal %d; it decides "
                            "nothing",
                                sid, end->status);
        else if (end->status != 0)
                log_info("The helper for challenge %s ended with %d, which decides nothing", sid,
                                end->status);
        else if (!run_was_seen(run))
                log_warning("The helper for challenge %s answered %" PRIu64
                            " ms after it was "
                            "started, sooner than ArmDelay; it decides nothing",
                                sid, usec_sub(now_boottime(), run->shown) / USEC_PER_MSEC);
        else
                return true;
        return false;
}

static void prompt_approve(Helper *h, Prompt *p, const char *typed) {
        Challenge *c = p->challenge;
        char digest[SHA256_HEX_SIZE];

        memcpy(digest, p->digest, sizeof(digest));
        /* The prompt is gone afterwards when that decides. */
        h->host.approved(c, digest, typed, h->host.userdata);
}

static void prompt_take_answer(Helper *h, Prompt *p, const Secret *output) {
        _cleanup_(secret_string_freep) char *typed = NULL;

        if (p->typed) {
                if (helper_typed(output, &typed) >= 0 && typed) {
                        /* A wrong value is not the last word: whoever mistyped may try again. */
                        p->done = ++p->n_typed >= CONFIRM_TRIES_MAX;
                        prompt_approve(h, p, typed);
                        return;
                }
        } else if (helper_says_yes(output)) {
                prompt_approve(h, p, NULL);
                return;
        }
        log_info("The helper for challenge %s gave no answer that means yes, which decides nothing",
                        p->challenge->view.sid);
}

static void run_ended(Child *child, const ChildEnd *end, void *userdata) {
        Run *run = userdata;
        Helper *h = run->helper;
        Prompt *p = run->prompt;
        _cleanup_(secret_done) Secret output = {0};
        bool yes = p && run_says_yes(run, end) && secret_copy(&output, end->output) >= 0;

        run_done(run);
        if (p)
                p->done = true;
        if (yes)
                prompt_take_answer(h, p, &output);
        helper_run_next(h);
}

/* Running. */

static int run_start(Run *run, const Prompt *p) {
        const Challenge *c = p->challenge;
        const char *path = run->helper->host.path;
        _cleanup_free_ char *text = NULL;
        _cleanup_(environment_freep) char **environment = NULL;
        int r;

        r = helper_text(&c->view, usec_sub(c->view.expires, api_now(c->host->api)), p->typed,
                        &text);
        if (r >= 0)
                r = helper_environment(environ, c->view.sid, p->typed != NULL, &environment);
        if (r < 0)
                return r;
        char *argv[] = {(char *) (uintptr_t) path, text, NULL};
        ChildOptions options = {
                        .path = path,
                        .argv = argv,
                        .envp = environment,
                        .output_max = HELPER_OUTPUT_MAX,
                        .ended = run_ended,
                        .userdata = run,
        };
        return child_new(&run->child, run->helper->host.event, &options);
}

static void helper_run(Helper *h, Run *run, Prompt *p) {
        _cleanup_free_ char *why = NULL;
        int r;

        /* Once a change: one that cannot be run now cannot be run a moment later. */
        p->done = true;
        r = helper_check(h->host.path, &why);
        if (r >= 0)
                r = run_start(run, p);
        if (r < 0) {
                log_error("Cannot run the helper for challenge %s: %s", p->challenge->view.sid,
                                error_text(why, r));
                return;
        }
        run->prompt = p;
        run->factor = factor_ref(p->challenge->factor);
        run->shown = now_boottime();
        p->run = run;
        p->done = false;
}

/* A free place for one of that factor; NULL when there is none. */
static Run *helper_place(Helper *h, const Factor *f) {
        Run *place = NULL;

        for (size_t i = 0; i < HELPER_RUNS_MAX; i++) {
                if (h->runs[i].factor == f)
                        return NULL;
                if (!h->runs[i].factor)
                        place = &h->runs[i];
        }
        return place;
}

static void helper_run_next(Helper *h) {
        Prompt *p;

        if (!h->host.may_show(h->host.userdata))
                return;
        TAILQ_FOREACH(p, &h->prompts, entry) {
                Run *place = p->run || p->done ? NULL : helper_place(h, p->challenge->factor);
                if (place)
                        helper_run(h, place, p);
        }
}

/* What is to be asked. */

static bool is_for_helper(const Challenge *c) {
        Confirm confirm = prompt_confirm(c);

        return c->view.state == CHALLENGE_ASKING && !prompt_is_quiet(c) &&
               (confirm == CONFIRM_NONE || confirm == CONFIRM_FIELD);
}

/* The label of the detail whose value is to be typed, or NULL. */
static const char *typed_label(const Challenge *c) {
        return prompt_confirm(c) == CONFIRM_FIELD ? c->factor->record.match_field : NULL;
}

/* One of a flood. When that is over its windows are not to come up one after the other. */
static bool is_flooded(const Challenge *c) {
        return c->view.state == CHALLENGE_ASKING && c->factor->budget.cooling;
}

/* Whether what was shown is what there is. */
static bool prompt_is_current(const Prompt *p) {
        const Challenge *c = p->challenge;

        if (!streq(p->digest, c->view.digest))
                return false;
        if (p->flooded)
                return c->view.state == CHALLENGE_ASKING;
        return is_for_helper(c) && streq_ptr(p->typed, typed_label(c));
}

static Prompt *helper_find(Helper *h, const Challenge *c) {
        Prompt *p;

        TAILQ_FOREACH(p, &h->prompts, entry) {
                if (p->challenge == c)
                        return p;
        }
        return NULL;
}

static void helper_add(Helper *h, Challenge *c) {
        Prompt *p = calloc(1, sizeof(Prompt));

        if (!p || text_set(&p->typed, typed_label(c)) < 0) {
                free(p);
                log_error("Cannot ask a helper about challenge %s: out of memory", c->view.sid);
                return;
        }
        p->challenge = c;
        p->flooded = p->done = is_flooded(c);
        memcpy(p->digest, c->view.digest, sizeof(p->digest));
        TAILQ_INSERT_TAIL(&h->prompts, p, entry);
}

void helper_challenge(Helper *h, Challenge *c) {
        Prompt *p;

        if (!h)
                return;
        p = helper_find(h, c);
        if (p && !prompt_is_current(p)) {
                prompt_drop(h, p);
                p = NULL;
        }
        if (!p && (is_for_helper(c) || is_flooded(c)))
                helper_add(h, c);
        helper_run_next(h);
}

void helper_review(Helper *h) {
        Prompt *p;

        if (!h)
                return;
        if (h->host.may_show(h->host.userdata)) {
                helper_run_next(h);
                return;
        }
        TAILQ_FOREACH(p, &h->prompts, entry) {
                prompt_stop(p);
        }
}

void helper_set_arm_delay(Helper *h, usec_t delay) {
        if (h)
                h->host.arm_delay = delay;
}

int helper_check(const char *path, char **reterr_msg) {
        return file_check_program(path, geteuid(), reterr_msg);
}

int helper_new(Helper **ret, const HelperHost *host) {
        Helper *h = calloc(1, sizeof(Helper));

        if (!h)
                return -ENOMEM;
        h->host = *host;
        TAILQ_INIT(&h->prompts);
        for (size_t i = 0; i < HELPER_RUNS_MAX; i++)
                h->runs[i].helper = h;
        *ret = h;
        return 0;
}

Helper *helper_free(Helper *h) {
        Prompt *p;

        if (!h)
                return NULL;
        for (size_t i = 0; i < HELPER_RUNS_MAX; i++)
                run_done(&h->runs[i]);
        while ((p = TAILQ_FIRST(&h->prompts)))
                prompt_drop(h, p);
        free(h);
        return NULL;
}
