/* SPDX-License-Identifier: Apache-2.0 */

#include "daemon/prompt.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "daemon/life.h"
#include "daemon/prompt-group.h"
#include "log/log.h"

#define PROMPTS_ACCURACY (10 * USEC_PER_MSEC)
#define PROMPTS_STORE_RETRY (10 * USEC_PER_SEC)
/* Before the machine's own start prompts may have come, too. */
#define PROMPTS_EPOCH (1000 * USEC_PER_DAY)

struct Prompts {
        PromptsOptions options;
        void *groups;     /* a tsearch() tree */
        Factor **cooling; /* references */
        size_t n_cooling;
        sd_event_source *timer; /* a cool-down may have ended */
        usec_t due;             /* of it, boot time */
};

/* A clock that nobody can set, for budgets. */
static usec_t prompts_clock(void) {
        return usec_add(now_boottime(), PROMPTS_EPOCH);
}

static int prompts_due(sd_event_source *s, uint64_t usec, void *userdata);

int prompts_new(Prompts **ret, sd_event *event, const PromptsOptions *options) {
        _cleanup_(prompts_freep) Prompts *p = calloc(1, sizeof(Prompts));
        int r;

        if (!p)
                return -ENOMEM;
        p->options = *options;
        p->due = USEC_INFINITY;
        r = sd_event_add_time(event, &p->timer, CLOCK_BOOTTIME, USEC_INFINITY, PROMPTS_ACCURACY,
                        prompts_due, p);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(p);
        return 0;
}

Prompts *prompts_free(Prompts *p) {
        if (!p)
                return NULL;
        assert(!p->groups);
        for (size_t i = 0; i < p->n_cooling; i++)
                factor_unref(p->cooling[i]);
        free(p->cooling);
        sd_event_source_disable_unref(p->timer);
        free(p);
        return NULL;
}

/* Planning. */

static int effect_add(PromptEffect *e, Challenge *c) {
        Challenge **others = array_grow(e->others, e->n_others, sizeof(Challenge *));

        if (!others)
                return -ENOMEM;
        e->others = others;
        e->others[e->n_others++] = c;
        return 0;
}

int prompts_plan_factor(Factor *f, PromptEffect *ret) {
        Challenge *c;
        int r = 0;

        LIST_FOREACH(c, &f->challenges, of_factor) {
                if (!life_is_final(c->view.state))
                        r = effect_add(ret, c);
                if (r < 0)
                        break;
        }
        return r;
}

/* Who is led by another one now, or leads more or fewer. */
static int plan_group(const PromptGroup *g, const Challenge *c, PromptEffect *e) {
        bool leads = c->group ? g->members[0] == c : prompt_group_would_lead(g, c, e->prompted);
        /* All of the others are led by another one than before. */
        size_t n = leads ? PROMPT_REPEATS_TOLD + 1 : 1;
        int r = 0;

        for (size_t i = 0; r >= 0 && i < g->n && i < n; i++)
                if (g->members[i] != c)
                        r = effect_add(e, g->members[i]);
        return r;
}

/* Room for one more that cools down. */
static int reserve_cooling(Prompts *p) {
        Factor **cooling = array_grow(p->cooling, p->n_cooling, sizeof(Factor *));

        if (!cooling)
                return -ENOMEM;
        p->cooling = cooling;
        return 0;
}

static int plan_cool_down(Prompts *p, const Challenge *c, PromptEffect *e) {
        int r = reserve_cooling(p);

        if (r >= 0)
                r = prompts_plan_factor(c->factor, e);
        for (size_t i = 0; r >= 0 && i < e->n_others; i++)
                if (e->others[i] == c)
                        e->others[i--] = e->others[--e->n_others];
        return r;
}

int prompts_plan(Prompts *p, Challenge *c, ChallengeState to, PromptEffect *ret) {
        PromptEffect e = {.prompted = c->prompted};
        int r = 0;

        /* What a rule settles in the end is nobody's prompt. */
        if (to == CHALLENGE_ASKING && !c->group && !c->held_rule) {
                r = prompt_group_get(&p->groups, c, &e.joins);
                if (r < 0)
                        return r;
                e.prompted = api_now(p->options.api);
                e.clock = prompts_clock();
                e.begins = budget_is_spent(&c->factor->budget, &p->options.limit, e.clock);
        } else
                e.leaves = c->group != NULL && to != CHALLENGE_ASKING;
        if (e.begins)
                r = plan_cool_down(p, c, &e);
        else if (e.joins || e.leaves)
                r = plan_group(e.joins ? e.joins : c->group, c, &e);
        if (r < 0)
                prompts_drop(p, &e);
        else
                *ret = e;
        return r;
}

void prompts_drop(Prompts *p, PromptEffect *e) {
        if (e->joins)
                prompt_group_drop(&p->groups, e->joins);
        free(e->others);
        *e = (PromptEffect){0};
}

/* Writing. */

int prompts_write(Prompts *p, const Challenge *c, PromptEffect *e, usec_t now, char **reterr_msg) {
        AuditRecord a = {
                        .time = now,
                        .event = "alarm",
                        .factor = e->begins ? c->view.factor : NULL,
                        .challenge = e->begins ? c->view.sid : NULL,
                        .uid = -1,
        };
        size_t n = e->n_others + (e->begins ? 1 : 0);
        int r = 0;

        if (e->begins)
                r = store_audit_append(p->options.store, &a, reterr_msg);
        if (r >= 0 && n > 0)
                r = store_sequence_take(p->options.store, n, &e->first, reterr_msg);
        return r;
}

/* Applying. */

static void arm(Prompts *p, usec_t due) {
        if (due >= p->due)
                return;
        p->due = due;
        (void) sd_event_source_set_time(p->timer, due);
        (void) sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

/* When it ends, as things are: boot time. */
static usec_t cooling_due(const Prompts *p, const Factor *f) {
        return usec_sub(budget_until(&f->budget, &p->options.limit), PROMPTS_EPOCH);
}

static void begin_cooling(Prompts *p, Factor *f) {
        p->cooling[p->n_cooling++] = factor_ref(f);
        arm(p, cooling_due(p, f));
}

/* A prompt that came at server time asked, which was at this time of the budgets' clock. */
static void count_prompt(Prompts *p, Factor *f, usec_t asked, usec_t clock) {
        (void) budget_add(&f->budget, &p->options.limit, clock);
        f->cooling_until = f->budget.cooling ? usec_add(asked, p->options.limit.span) : 0;
}

void prompts_apply(Prompts *p, Challenge *c, const PromptEffect *e, usec_t now) {
        if (e->leaves) {
                PromptGroup *g = c->group;
                prompt_group_remove(g, c);
                prompt_group_drop(&p->groups, g);
        }
        if (e->joins) {
                c->prompted = e->prompted;
                prompt_group_add(e->joins, c);
                count_prompt(p, c->factor, e->prompted, e->clock);
                if (e->begins)
                        begin_cooling(p, c->factor);
        }
        for (size_t i = 0; i < e->n_others; i++) {
                e->others[i]->sequence = e->first + i;
                e->others[i]->changed = now;
        }
        if (e->begins)
                c->factor->sequence = e->first + e->n_others;
}

void prompts_tell(Prompts *p, Challenge *c, const PromptEffect *e) {
        for (size_t i = 0; i < e->n_others; i++)
                p->options.shown(e->others[i], p->options.userdata);
        if (e->begins)
                p->options.cooling(c->factor, c, p->options.userdata);
}

/* A cool-down that has ended is told, once that can be numbered. */
static int end_cooling(Prompts *p, Factor *f) {
        PromptEffect e = {0};
        int r;

        r = prompts_plan_factor(f, &e);
        if (r < 0)
                return r;
        r = store_begin(p->options.store, NULL);
        if (r >= 0)
                r = store_end(p->options.store,
                                store_sequence_take(
                                                p->options.store, e.n_others + 1, &e.first, NULL),
                                NULL);
        if (r >= 0) {
                (void) budget_pass(&f->budget, &p->options.limit, prompts_clock());
                f->cooling_until = 0;
                prompts_apply(p, NULL, &e, now_realtime());
                f->sequence = e.first + e.n_others;
                prompts_tell(p, NULL, &e);
                p->options.cooling(f, NULL, p->options.userdata);
        }
        prompts_drop(p, &e);
        return r;
}

static int prompts_due(sd_event_source *s, uint64_t usec, void *userdata) {
        Prompts *p = userdata;
        usec_t next = USEC_INFINITY;

        p->due = USEC_INFINITY;
        for (size_t i = p->n_cooling; i-- > 0;) {
                Factor *f = p->cooling[i];
                usec_t due = cooling_due(p, f);
                bool ends = due <= now_boottime();
                if (ends && !f->removed && end_cooling(p, f) < 0) {
                        log_error("Cannot record yet that factor %s no longer cools down",
                                        f->record.name);
                        ends = false;
                        due = usec_add(now_boottime(), PROMPTS_STORE_RETRY);
                }
                if (!ends) {
                        next = due < next ? due : next;
                        continue;
                }
                p->cooling[i] = p->cooling[--p->n_cooling];
                factor_unref(f);
        }
        arm(p, next);
        return 0;
}

void prompts_set_limit(Prompts *p, unsigned n, usec_t span) {
        p->options.limit = (BudgetLimit){n, span};
        /* A cool-down may end sooner now. */
        arm(p, now_boottime());
}

/* After a restart. */

int prompts_resume(Prompts *p, Challenge *c) {
        PromptGroup *g;
        int r;

        r = prompt_group_get(&p->groups, c, &g);
        if (r >= 0)
                prompt_group_add(g, c);
        return r;
}

void prompts_resume_budget(Prompts *p, Factor *f, const StoreAsked *asked, size_t n) {
        usec_t now = api_now(p->options.api);

        /* A machine that starts with a clock far behind was asked no sooner than now. */
        if (n > 0 && now < asked[n - 1].asked)
                now = asked[n - 1].asked;
        for (size_t i = 0; i < n; i++) {
                usec_t clock = usec_sub(prompts_clock(), usec_sub(now, asked[i].asked));
                (void) budget_pass(&f->budget, &p->options.limit, clock);
                count_prompt(p, f, asked[i].asked, clock);
        }
        (void) budget_pass(&f->budget, &p->options.limit, prompts_clock());
        if (f->budget.cooling && reserve_cooling(p) >= 0)
                begin_cooling(p, f);
        else {
                f->budget.cooling = false;
                f->cooling_until = 0;
        }
}

void prompts_forget(Prompts *p, Challenge *c) {
        PromptGroup *g = c->group;

        if (!g)
                return;
        prompt_group_remove(g, c);
        prompt_group_drop(&p->groups, g);
}

void prompts_tidy(Prompts *p, Factor *f) {
        if (!f->budget.cooling)
                (void) budget_pass(&f->budget, &p->options.limit, prompts_clock());
}

/* What is shown of a challenge. */

static bool is_undecided(const Challenge *c) {
        return !c->has_decision && !life_is_final(c->view.state);
}

const Challenge *prompt_leader(const Challenge *c) {
        const Challenge *leader = c->group ? c->group->members[0] : NULL;

        return leader != c && is_undecided(c) ? leader : NULL;
}

size_t prompt_repeats(const Challenge *c) {
        return c->group && c->group->members[0] == c && is_undecided(c) ? c->group->n - 1 : 0;
}

bool prompt_is_quiet(const Challenge *c) {
        return is_undecided(c) && (prompt_leader(c) || c->factor->budget.cooling || c->held_rule);
}

Confirm prompt_confirm(const Challenge *c) {
        if (!is_undecided(c))
                return CONFIRM_NONE;
        return confirm_kind(&c->view, c->factor->record.match_field, c->factor->budget.cooling);
}

bool prompt_withholds(const Challenge *c, const char *label) {
        const char *matched = c->factor->record.match_field;

        /* Also while an answer is under way: a decision that turns out stale is asked for anew. */
        return matched && !life_is_final(c->view.state) && streq(label, matched);
}
