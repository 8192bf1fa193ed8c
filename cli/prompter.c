/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/prompter.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/prompter-state.h"

#define ARM_DELAY_MAX (10 * USEC_PER_SEC)

int prompter_new(Prompter **ret) {
        *ret = calloc(1, sizeof(Prompter));
        return *ret ? 0 : -ENOMEM;
}

void prompter_decision_done(Prompter *p) {
        free(p->digest);
        secret_string_free(p->confirm);
        p->digest = p->confirm = NULL;
}

Prompter *prompter_free(Prompter *p) {
        if (!p)
                return NULL;
        prompter_decision_done(p);
        secret_done(&p->notices);
        waiting_list_done(&p->list);
        free(p);
        return NULL;
}

void prompter_notice(Prompter *p, const char *format, ...) {
        _cleanup_(secret_string_freep) char *text = NULL, *escaped = NULL;
        va_list ap;
        int n;

        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0) {
                text = NULL;
                return;
        }
        if (text_escape(text, &escaped) >= 0 && secret_append_string(&p->notices, escaped) >= 0)
                (void) secret_append_string(&p->notices, "\n");
}

char *prompter_take_notices(Prompter *p) {
        char *text = p->notices.len > 0 ? strdup(secret_string(&p->notices)) : NULL;

        secret_done(&p->notices);
        return text;
}

static usec_t provider_time(const Prompter *p, usec_t now) {
        int64_t t = (int64_t) now + p->epoch;

        return t > 0 ? (usec_t) t : 0;
}

void prompter_withdraw(Prompter *p) {
        p->shown = NULL;
        p->stage = PROMPTER_IDLE;
        p->armed_at = USEC_INFINITY;
        p->serial++;
}

static void tell_state(Prompter *p, json_object *view) {
        const char *reason = get_string(view, "reason");

        prompter_notice(p, "%s %s (%s)%s%s", strempty(get_string(view, "state")),
                        strempty(get_string(view, "sid")), strempty(get_string(view, "factor")),
                        reason ? ": " : "", strempty(reason));
}

void prompter_status(Prompter *p, json_object *status, usec_t now, usec_t real) {
        int64_t offset = get_int(get_object(status, "clock"), "offset_ms", 0);
        int64_t delay = get_int(get_object(status, "prompt"), "arm_delay_ms", 0);

        /* Counted by the boot clock from here on: no step of the wall clock ends a challenge. */
        p->epoch = (int64_t) (real - now) + offset * (int64_t) USEC_PER_MSEC;
        p->arm_delay = delay > 0 ? (usec_t) delay * USEC_PER_MSEC : 0;
        if (p->arm_delay > ARM_DELAY_MAX)
                p->arm_delay = ARM_DELAY_MAX;
}

/* Of one that is neither asked nor over. */
static const char *what_became(json_object *view) {
        const char *state = strempty(get_string(view, "state"));

        if (get_string(view, "repeat_of"))
                return "is asked together with an older one now";
        if (streq(state, "answering") || streq(state, "submitted"))
                return "is being answered elsewhere";
        return "has changed at the provider: it is looked at again";
}

/* Something has happened to what is shown. */
static void shown_changed(Prompter *p, bool same) {
        Waiting *w = p->shown;

        /* The reply will say. */
        if (p->stage == PROMPTER_ANSWERING || (same && challenge_is_open(w->view)))
                return;
        if (challenge_is_open(w->view))
                prompter_notice(p, "%s: what it asks, or what it takes to approve it, has changed",
                                w->sid);
        else if (challenge_is_final(w->view)) {
                prompter_notice(p, "%s was ended elsewhere:", w->sid);
                tell_state(p, w->view);
        } else {
                prompter_notice(p, "%s %s", w->sid, what_became(w->view));
                w->followed = true;
        }
        prompter_withdraw(p);
}

int prompter_challenge(Prompter *p, json_object *view, usec_t now) {
        const char *sid = get_string(view, "sid");
        Waiting *w = sid ? waiting_find(&p->list, sid) : NULL;
        bool same = w && challenge_is_same(w->view, view);
        int r;

        if (!w && !challenge_is_open(view))
                return 0;
        r = waiting_put(&p->list, view, &w);
        if (r < 0)
                return r == -EBADMSG ? 0 : r;
        w->listed = true;
        if (w == p->shown)
                shown_changed(p, same);
        else if (challenge_is_open(view))
                w->followed = false;
        else if (w->followed && challenge_is_final(view)) {
                tell_state(p, view);
                w->followed = false;
        }
        if (w != p->shown && !w->followed && !challenge_is_open(view))
                waiting_remove(&p->list, w);
        return 0;
}

void prompter_list_begins(Prompter *p) {
        for (size_t i = 0; i < p->list.n; i++)
                p->list.items[i]->listed = false;
}

void prompter_list_ends(Prompter *p) {
        for (size_t i = p->list.n; i > 0; i--)
                if (!p->list.items[i - 1]->listed && !p->list.items[i - 1]->followed)
                        waiting_remove(&p->list, p->list.items[i - 1]);
        if (p->stage == PROMPTER_APART)
                p->stage = PROMPTER_IDLE;
        if (p->parted)
                prompter_notice(p, "The daemon is there again.");
        p->parted = false;
}

void prompter_apart(Prompter *p, const char *why) {
        if (p->stage == PROMPTER_APART)
                return;
        if (p->stage == PROMPTER_ANSWERING)
                prompter_notice(p, "%s: no answer came; what was decided may be done all the same",
                                p->shown->sid);
        if (p->shown)
                p->shown->followed = true;
        prompter_notice(p, "The daemon is gone (%s): connecting again.", why ? why : "it hung up");
        prompter_decision_done(p);
        prompter_withdraw(p);
        p->stage = PROMPTER_APART;
        p->parted = true;
}

/* Whether what was decided on can still be asked about, as it was shown. */
static bool is_still_shown(const Prompter *p) {
        return challenge_is_open(p->shown->view) &&
               streq_ptr(get_string(p->shown->view, "digest"), p->digest);
}

void prompter_answered(Prompter *p, json_object *view, const char *error, const char *message) {
        Waiting *w = p->shown;

        if (p->stage != PROMPTER_ANSWERING)
                return;
        if (error)
                prompter_notice(p, "%s", message ? message : error);
        else {
                p->n_decided++;
                tell_state(p, view);
        }
        if (error && is_still_shown(p)) {
                p->stage = PROMPTER_ASKING;
                prompter_decision_done(p);
                return;
        }
        prompter_decision_done(p);
        prompter_withdraw(p);
        if (!error || challenge_is_final(w->view))
                waiting_remove(&p->list, w);
        else
                w->followed = !challenge_is_open(w->view);
}

unsigned prompter_n_decided(const Prompter *p) {
        return p->n_decided;
}

static void expire(Prompter *p, usec_t now) {
        usec_t t = provider_time(p, now);

        for (size_t i = p->list.n; i > 0; i--) {
                Waiting *w = p->list.items[i - 1];

                if (w->expires > t || (w == p->shown && p->stage == PROMPTER_ANSWERING))
                        continue;
                /* The daemon still has to say how it ended. */
                if (w->followed && usec_add(w->expires, USEC_PER_HOUR) > t)
                        continue;
                if (w == p->shown) {
                        prompter_notice(p, "expired %s (%s): its time ran out", w->sid,
                                        strempty(get_string(w->view, "factor")));
                        prompter_withdraw(p);
                }
                waiting_remove(&p->list, w);
        }
}

usec_t prompter_tick(Prompter *p, usec_t now) {
        usec_t t = provider_time(p, now), wake = USEC_INFINITY, left;

        expire(p, now);
        if (p->stage == PROMPTER_IDLE) {
                p->shown = waiting_first(&p->list, t);
                if (p->shown) {
                        p->stage = PROMPTER_ASKING;
                        p->armed_at = USEC_INFINITY;
                        p->serial++;
                }
        }
        if (p->stage == PROMPTER_ANSWERING)
                return now + USEC_PER_SEC - (now - p->answering_since) % USEC_PER_SEC;
        if (!p->shown)
                return USEC_INFINITY;
        left = prompter_left(p, now);
        if (left != USEC_INFINITY)
                wake = now + (left % USEC_PER_SEC ? left % USEC_PER_SEC : USEC_PER_SEC);
        if (p->armed_at > now && p->armed_at < wake)
                wake = p->armed_at;
        return wake;
}

uint64_t prompter_serial(const Prompter *p) {
        return p->serial;
}

void prompter_show_again(Prompter *p) {
        if (p->stage == PROMPTER_CONFIRMING)
                p->stage = PROMPTER_ASKING;
        if (p->stage != PROMPTER_ANSWERING)
                p->armed_at = USEC_INFINITY;
        p->serial++;
}

void prompter_drawn(Prompter *p, usec_t now) {
        p->armed_at = usec_add(now, p->arm_delay);
}

void prompter_typed_early(Prompter *p, usec_t now) {
        if (p->armed_at != USEC_INFINITY && p->armed_at > now)
                p->armed_at = usec_add(now, p->arm_delay);
}

bool prompter_takes_input(const Prompter *p, usec_t now) {
        return p->stage != PROMPTER_ANSWERING && (!p->shown || p->armed_at <= now);
}

PrompterStage prompter_stage(const Prompter *p) {
        return p->stage;
}

json_object *prompter_shown(const Prompter *p) {
        return p->shown ? p->shown->view : NULL;
}

usec_t prompter_left(const Prompter *p, usec_t now) {
        if (!p->shown || p->shown->expires == USEC_INFINITY)
                return USEC_INFINITY;
        return usec_sub(p->shown->expires, provider_time(p, now));
}

size_t prompter_n_others(const Prompter *p, usec_t now) {
        usec_t t = provider_time(p, now);
        size_t n = waiting_count_open(&p->list, t);

        return n - (p->shown && waiting_is_open(p->shown, t));
}

usec_t prompter_answering_since(const Prompter *p) {
        return p->answering_since;
}
