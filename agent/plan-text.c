/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/plan-text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/body.h"
#include "base/text.h"

#define DIFFERENCES_MAX 4 /* fields of a request side by side with others */
#define DIFFERENCE_MAX 60 /* characters of a label or value there */
#define MESSAGE_MAX 100
#define BRIEF_FIELDS_MAX 3 /* what surely fits on any server */
#define BRIEF_TEXT_MAX 120
#define SID_SHORTENED 16
#define KEY_DIGITS 16 /* of the digest, in the key of what decides */

static bool decides(ActionKind kind) {
        return kind == ACTION_APPROVE || kind == ACTION_DENY || kind == ACTION_IGNORE;
}

static void add_action(Notice *n, const char *key, ActionKind kind, const Request *r) {
        static const char *const labels[] = {
                        [ACTION_APPROVE] = "Approve",
                        [ACTION_DENY] = "Deny",
                        [ACTION_IGNORE] = "Ignore",
                        [ACTION_OPEN] = "Details",
                        [ACTION_ALL] = "Details",
                        [ACTION_BACK] = "Show all",
        };
        NoticeAction *a = &n->actions[n->n_actions++];

        *a = (NoticeAction){.kind = kind};
        if (decides(kind))
                (void) snprintf(a->key, sizeof(a->key), "%s-%.*s", key, KEY_DIGITS, r->digest);
        else
                (void) stpcpy(a->key, key);
        (void) stpcpy(a->label, labels[kind]);
        if (r) {
                (void) stpcpy(a->sid, r->sid);
                (void) stpcpy(a->digest, r->digest);
        }
}

/* What a click on the notification itself means. Some servers draw a button for it, unless it has
 * no label: one that would lead nowhere, or where another leads, is not wanted. */
static void add_default(Notice *n, ActionKind kind, const Request *r, bool drawn) {
        add_action(n, "default", kind, r);
        if (!drawn)
                n->actions[n->n_actions - 1].label[0] = '\0';
}

/* A summary of the agent's own words. */
_printf_(2, 3) static int set_summary(Notice *n, const char *format, ...) {
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&n->summary, format, ap);
        va_end(ap);
        if (r < 0)
                n->summary = NULL;
        return r < 0 ? -ENOMEM : 0;
}

/* Sets what tells this notice from another with the same key. */
static int set_meaning(Notice *n, size_t n_asking) {
        _cleanup_(body_done) Body b = {0};

        body_say(&b, "%s %zu", n->summary, n_asking);
        for (size_t i = 0; i < n->n_actions; i++)
                body_say(&b, "%s %s %s", n->actions[i].key, n->actions[i].sid,
                                n->actions[i].digest);
        return body_copy(&b, &n->meaning);
}

static int set_matter(Notice *n, const Selection *s) {
        _cleanup_(body_done) Body b = {0};

        for (size_t i = 0; i < s->n_rows; i++)
                body_say(&b, "%s %s %i", s->rows[i]->sid, s->rows[i]->digest,
                                (int) s->rows[i]->confirm);
        if (s->n_asking > 1 && s->opened)
                body_say(&b, "%s", s->opened->sid);
        return body_copy(&b, &n->matter);
}

/* For what has no actions: it differs by its words alone. */
static int set_plain(Notice *n, const Body *b) {
        int r = body_copy(b, &n->body);

        if (r >= 0)
                r = text_set(&n->meaning, n->summary);
        return r < 0 ? r : text_set(&n->matter, n->summary);
}

/* "laptop, 4min left, asked 3 times" */
static void say_request(Body *b, const char *prefix, const Request *r, usec_t now) {
        usec_t drawn = time_left_drawn(usec_sub(r->expires, now));
        _cleanup_free_ char *left = NULL;
        char times[32] = "";

        if (timespan_format(drawn, &left) < 0) {
                b->error = -ENOMEM;
                return;
        }
        if (r->repeats > 0)
                (void) snprintf(times, sizeof(times), ", asked %u times", r->repeats + 1);
        body_say(b, "%s%s, %s left%s", prefix, r->factor, drawn > 0 ? left : "less than 15s",
                        times);
}

static size_t text_size(const Request *r) {
        size_t n = r->message ? utf8_length(r->message) : 0;

        for (size_t i = 0; i < r->n_fields; i++)
                n += utf8_length(r->fields[i].label) + utf8_length(strempty(r->fields[i].value));
        return n;
}

/* Where details can be opened they may be left out at first. Then nothing can be approved before
 * they are: nobody says yes to what was not shown. */
static bool is_long(const Request *r) {
        return r->n_fields > PLAN_FIELDS_MAX || text_size(r) > PLAN_TEXT_MAX;
}

static void say_fields(Body *b, const Request *r, bool all) {
        size_t n = all || r->n_fields <= PLAN_FIELDS_MAX ? r->n_fields : PLAN_FIELDS_MAX;

        body_message(b, r->message, all ? 0 : MESSAGE_MAX);
        for (size_t i = 0; i < n; i++)
                body_field(b, r->fields[i].label, r->fields[i].value, all ? 0 : DIFFERENCE_MAX);
        if (!all)
                body_say(b, "This is not all of it: open the details before you decide.");
}

static void say_details(Body *b, const Request *r) {
        char created[RFC3339_SIZE], expires[RFC3339_SIZE];

        body_pair(b, "Identity", r->identity);
        body_pair(b, "Service", r->service_sid);
        body_say(b, "Challenge: %s", r->sid);
        body_say(b, "Created: %s", rfc3339_format(r->created, created));
        body_say(b, "Expires: %s", rfc3339_format(r->expires, expires));
}

static const char *refusal(const Request *r) {
        return r->totp ? "ignore" : "deny";
}

static void say_confirm(Body *b, const Request *r) {
        switch (r->confirm) {
        case CONFIRM_NONE:
                return;
        case CONFIRM_SID:
                body_say(b, "No click approves it. To approve, type in a terminal:");
                return;
        case CONFIRM_FIELD:
                body_say(b, "No click approves it: the value that is withheld stands where you "
                            "asked for this. To approve, type in a terminal:");
                return;
        case CONFIRM_NEVER:
                body_say(b, "It can't be approved: the value to compare is not in it, or is in "
                            "it twice.");
                return;
        }
}

/* A server that draws no buttons may have room for so little that the end of a text pushes its
 * beginning out (notify-osd, past ten rows). A command that decides at once must not be what is
 * left: by a shortened SID factorctl shows the request first, and asks. */
static void say_command(Body *b, const PlanInput *in, const Request *r, const char *verb) {
        bool brief = r->n_fields <= BRIEF_FIELDS_MAX && text_size(r) <= BRIEF_TEXT_MAX;

        body_say(b, "factorctl %s %.*s%s", verb, in->buttons || brief ? SID_LEN : SID_SHORTENED,
                        r->sid, in->options);
}

/* What to type: always for what no click does, else where there are no clicks or all is shown. */
static void say_commands(Body *b, const PlanInput *in, const Request *r, bool all) {
        bool typed = r->confirm == CONFIRM_SID || r->confirm == CONFIRM_FIELD;

        say_confirm(b, r);
        if (typed || (r->confirm == CONFIRM_NONE && (all || !in->buttons)))
                say_command(b, in, r, "approve");
        if (!in->buttons)
                say_command(b, in, r, refusal(r));
}

static void add_actions(Notice *n, const Selection *s, const Request *r, bool cut) {
        add_default(n, ACTION_OPEN, r, !cut && s->opened != r);
        /* Most servers draw no button for the default action, and here it is the way on. */
        if (cut)
                add_action(n, "details", ACTION_OPEN, r);
        else if (r->confirm == CONFIRM_NONE)
                add_action(n, "approve", ACTION_APPROVE, r);
        add_action(n, refusal(r), r->totp ? ACTION_IGNORE : ACTION_DENY, r);
        if (s->n_asking > 1)
                add_action(n, "all", ACTION_BACK, NULL);
}

int text_request(Notice *n, const PlanInput *in, const Selection *s, const Request *r) {
        static const char *const summaries[][2] = {
                        [CONFIRM_NONE] = {"Approve? ", ""},
                        [CONFIRM_SID] = {"Request of ", ": type to approve"},
                        [CONFIRM_FIELD] = {"Request of ", ": type to approve"},
                        [CONFIRM_NEVER] = {"Request of ", ": cannot be approved"},
        };
        _cleanup_(body_done) Body b = {.markup = in->markup};
        bool opened = s->opened == r, cut = in->buttons && !opened && is_long(r);
        int k;

        say_request(&b, "Factor ", r, in->now);
        if (s->n_asking > 1)
                body_say(&b, "%zu more: compare before you decide.", s->n_asking - 1);
        /* All of a request may be more than a screen holds: then what is ours still stands on it,
         * and what to type where the buttons are beyond its edge. */
        if (opened) {
                say_details(&b, r);
                say_commands(&b, in, r, true);
        }
        say_fields(&b, r, !cut);
        if (!opened)
                say_commands(&b, in, r, false);
        if (in->actions)
                add_actions(n, s, r, cut);
        k = body_copy(&b, &n->body);
        if (k >= 0)
                k = set_summary(n, "%s%s%s", summaries[r->confirm][0], r->factor,
                                summaries[r->confirm][1]);
        if (k >= 0)
                k = set_meaning(n, s->n_asking);
        return k < 0 ? k : set_matter(n, s);
}

/* Side by side. */

static bool has_field(const Request *r, const DetailField *f) {
        for (size_t i = 0; i < r->n_fields; i++)
                if (streq(r->fields[i].label, f->label) && streq_ptr(r->fields[i].value, f->value))
                        return true;
        return false;
}

static bool all_have_field(const Request *const *rows, size_t n, const DetailField *f) {
        for (size_t i = 0; i < n; i++)
                if (!has_field(rows[i], f))
                        return false;
        return true;
}

static bool same_message(const Request *const *rows, size_t n) {
        for (size_t i = 1; i < n; i++)
                if (!streq_ptr(rows[i]->message, rows[0]->message))
                        return false;
        return true;
}

/* What tells this one from the others; its message when no field does. */
static void say_differences(Body *b, const Request *const *rows, size_t n, const Request *r) {
        size_t shown = 0;

        for (size_t i = 0; i < r->n_fields && shown < DIFFERENCES_MAX; i++)
                if (!all_have_field(rows, n, &r->fields[i])) {
                        body_field(b, r->fields[i].label, r->fields[i].value, DIFFERENCE_MAX);
                        shown++;
                }
        if (shown == 0 || !same_message(rows, n))
                body_message(b, r->message, MESSAGE_MAX);
}

static void say_row(Body *b, const PlanInput *in, const Selection *s, size_t n, size_t i) {
        const Request *r = s->rows[i];
        bool all = streq(in->opened, PLAN_OPENED_ALL);
        char number[32];

        (void) snprintf(number, sizeof(number), "%zu. ", i + 1);
        say_request(b, number, r, in->now);
        if (all) {
                say_fields(b, r, true);
                say_details(b, r);
        } else {
                body_pair(b, "Identity", r->identity);
                say_differences(b, s->rows, n, r);
        }
        if (in->buttons)
                return;
        if (r->confirm != CONFIRM_NEVER)
                say_command(b, in, r, "approve");
        say_command(b, in, r, refusal(r));
}

static void say_rest(Body *b, const PlanInput *in, const Selection *s, size_t n) {
        if (s->n_cooling > 0)
                body_say(b, "%zu of factors that cool down are not shown.", s->n_cooling);
        if (s->n_rows > n || s->n_cooling > 0)
                body_say(b, "See all with: factorctl pending%s", in->options);
}

int text_several(Notice *n, const PlanInput *in, const Selection *s) {
        static const char *const keys[PLAN_REVIEWS_MAX] = {
                        "review-1", "review-2", "review-3", "review-4"};
        size_t n_shown = s->n_rows < PLAN_REVIEWS_MAX ? s->n_rows : PLAN_REVIEWS_MAX;
        _cleanup_(body_done) Body b = {.markup = in->markup};
        int r;

        if (in->actions)
                add_default(n, ACTION_ALL, NULL, !streq(in->opened, PLAN_OPENED_ALL));
        for (size_t i = 0; i < n_shown; i++) {
                say_row(&b, in, s, n_shown, i);
                if (!in->actions)
                        continue;
                add_action(n, keys[i], ACTION_OPEN, s->rows[i]);
                (void) snprintf(n->actions[n->n_actions - 1].label, sizeof(n->actions[0].label),
                                "Review %zu", i + 1);
        }
        say_rest(&b, in, s, n_shown);
        r = body_copy(&b, &n->body);
        if (r >= 0)
                r = set_summary(n, "%zu requests: which did you start?", s->n_asking);
        if (r >= 0)
                r = set_meaning(n, s->n_asking);
        return r < 0 ? r : set_matter(n, s);
}

/* Without a request's text. */

int text_alarm(Notice *n, const PlanInput *in, const char *factor) {
        _cleanup_(body_done) Body b = {.markup = in->markup};
        const World *w = in->world;
        _cleanup_free_ char *span = NULL;
        int r;

        if (timespan_format(w->budget_span, &span) < 0)
                return -ENOMEM;
        if (w->budget_span > 0)
                body_say(&b, "More than %u requests of %s came within %s.", w->budget, factor,
                                span);
        else
                body_say(&b, "Many requests of %s came within a short time.", factor);
        body_say(&b, "Somebody else may be asking in your name: do not approve what you did not "
                     "start. No more of them pop up until it is quiet again.");
        body_say(&b, "See them with: factorctl pending%s", in->options);
        r = set_summary(n, "Alarm: too many requests of %s", factor);
        return r < 0 ? r : set_plain(n, &b);
}

int text_locked(Notice *n) {
        _cleanup_(body_done) Body b = {0};
        int r = set_summary(n, "A request waits for you");

        body_say(&b, "Unlock the screen to see it.");
        return r < 0 ? r : set_plain(n, &b);
}

int text_outcome(Notice *n, const PlanInput *in, const Outcome *o) {
        _cleanup_(body_done) Body b = {.markup = in->markup};
        int r = set_summary(n, "%s", o->summary);

        if (o->text)
                body_say(&b, "%s", o->text);
        return r < 0 ? r : set_plain(n, &b);
}
