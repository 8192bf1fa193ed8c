/* SPDX-License-Identifier: Apache-2.0 */
#include "model-prompts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/life.h"
#include "daemon/prompt.h"
#include "daemon/view.h"
#include "model-sim.h"

#define WITHOUT 2 /* the remote that lacks the detail */
#define LOOKS 5   /* per cent of the steps */

bool prompts_number(const Remote *r, char ret[static MODEL_TYPED_SIZE]) {
        (void) snprintf(ret, MODEL_TYPED_SIZE, "value %u", 1000 + r->index);
        return r->index != WITHOUT;
}

bool prompts_type(const Challenge *c, char ret[static MODEL_TYPED_SIZE], bool *ret_enough) {
        bool cooling = c->factor->budget.cooling, matches = daemon_.match, wanted = true;
        bool types = sim_chance(85), right = sim_chance(75);

        if (matches)
                wanted = prompts_number(provider_by_sid(c->view.sid), ret);
        else
                (void) snprintf(ret, MODEL_TYPED_SIZE, "%s", c->view.sid + SID_LEN - 4);
        if (!right)
                ret[sim_below((unsigned) strlen(ret))]++;
        *ret_enough = matches ? wanted && types && right : !cooling || (types && right);
        return types;
}

/* One that a rule settles in the end is nobody's prompt. */
static bool is_asked(const Challenge *c) {
        return c && c->view.state == CHALLENGE_ASKING && !c->held_rule;
}

/* By the texts themselves, not by their digest. */
static bool asks_for_the_same(const Challenge *a, const Challenge *b) {
        bool same = a->factor == b->factor && streq_ptr(a->view.message, b->view.message) &&
                    a->view.n_fields == b->view.n_fields;

        for (size_t i = 0; same && i < a->view.n_fields; i++)
                same = streq(a->view.fields[i].label, b->view.fields[i].label) &&
                       streq(a->view.fields[i].value, b->view.fields[i].value);
        return same;
}

static bool is_older(const Challenge *a, const Challenge *b) {
        if (a->view.created != b->view.created)
                return a->view.created < b->view.created;
        if (a->prompted != b->prompted)
                return a->prompted < b->prompted;
        return strcmp(a->view.sid, b->view.sid) < 0;
}

static void check_group(unsigned index) {
        const Challenge *c = daemon_.held[index], *leader = c;
        size_t n = 0;

        if (is_asked(c) != (c && c->group != NULL))
                sim_fail("%u: in a group though not asked about, or the other way round", index);
        if (c && c->view.state == CHALLENGE_ASKING && c->held_rule && !prompt_is_quiet(c))
                sim_fail("%u: a rule settles it, and it is not quiet", index);
        if (c && c->view.state == CHALLENGE_ASKING && !c->held_rule == daemon_.holds[index])
                sim_fail("%u: %s", index,
                                c->held_rule ? "held back by no rule" : "no rule settles it");
        if (!is_asked(c))
                return;
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++) {
                const Challenge *o = daemon_.held[i];
                if (!is_asked(o) || o == c || !asks_for_the_same(c, o))
                        continue;
                n++;
                if (is_older(o, leader))
                        leader = o;
        }
        if (prompt_leader(c) != (leader == c ? NULL : leader))
                sim_fail("%u: not led by the oldest", index);
        if (prompt_repeats(c) != (leader == c ? n : 0))
                sim_fail("%u: stands for %zu, not %zu", index, prompt_repeats(c), n);
        if (prompt_is_quiet(c) != (leader != c || c->factor->budget.cooling))
                sim_fail("%u: quiet or not?", index);
}

static void check_withheld(unsigned index) {
        const Challenge *c = daemon_.held[index];
        char number[MODEL_TYPED_SIZE];
        json_object *o;

        if (!c || !prompts_number(&provider.remotes[index], number) || !sim_chance(LOOKS))
                return;
        o = view_challenge(c);
        bool shown = strstr(json_object_to_json_string(o), number);
        bool ended = life_is_final(c->view.state);
        json_object_put(o);
        if (daemon_.match && shown != ended)
                sim_fail("%u: what has to be typed is %s", index, shown ? "shown" : "not shown");
}

void prompts_check(void) {
        if (daemon_.dead)
                return;
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++) {
                const Challenge *c = daemon_.held[i];
                /* An end that is not on record yet changes nothing for others. */
                if (c && life_is_final(c->view.state) && c->group)
                        return;
        }
        for (unsigned i = 0; i < MODEL_REMOTES_MAX; i++) {
                check_group(i);
                check_withheld(i);
        }
}
