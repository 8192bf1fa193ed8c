/* SPDX-License-Identifier: Apache-2.0 */
/* How the manager tells of prompts, and finds them again after a restart. */

#include "daemon/manager.h"

#include <errno.h>

#include "base/text.h"
#include "daemon/log.h"
#include "daemon/message-ids.h"

static void manager_prompt_shown(Challenge *c, void *userdata) {
        Manager *m = userdata;

        monitor_challenge(m->monitor, c);
}

static void manager_cooling(Factor *f, const Challenge *cause, void *userdata) {
        Manager *m = userdata;
        _cleanup_free_ char *span = NULL;

        (void) timespan_format(m->config->budget_span, &span);
        if (cause)
                log_message(LOG_WARNING, __FILE__, __LINE__, MESSAGE_ID_TOO_MANY_PROMPTS,
                                f->record.name,
                                "More than %u challenges of factor %s came within %s; until none "
                                "has come for as long they are not popped up, and approving one "
                                "wants something typed",
                                m->config->budget, f->record.name, strempty(span));
        else
                log_info("Factor %s no longer cools down", f->record.name);
        manager_tell_factor(m, f, "factor");
}

int manager_prepare_prompts(Manager *m) {
        PromptsOptions options = {
                        .store = m->store,
                        .api = m->api,
                        .limit = {m->config->budget, m->config->budget_span},
                        .shown = manager_prompt_shown,
                        .cooling = manager_cooling,
                        .userdata = m,
        };

        return prompts_new(&m->prompts, m->event, &options);
}

int manager_resume_budgets(Manager *m, char **reterr_msg) {
        usec_t span = m->config->budget_span;
        _cleanup_free_ StoreAsked *asked = NULL;
        size_t n = 0;
        int r;

        r = store_asked_load(
                        m->store, usec_sub(api_now(m->api), span), span, &asked, &n, reterr_msg);
        if (r < 0)
                return r;
        for (size_t i = 0, end; i < n; i = end) {
                for (end = i + 1; end < n && asked[end].factor_id == asked[i].factor_id; end++)
                        ;
                Factor *f = manager_factor_by_id(m, asked[i].factor_id);
                if (f)
                        prompts_resume_budget(m->prompts, f, asked + i, end - i);
        }
        return 0;
}

/* Gives those a number that may be shown differently than in the last run; returns how many. */
static size_t number_prompts(Manager *m, uint64_t first, bool count_only) {
        uint64_t next = first;

        for (size_t i = 0; i < m->registry.n_challenges; i++) {
                Challenge *c = m->registry.challenges[i];
                if (c->group && !count_only)
                        c->sequence = next;
                next += c->group != NULL;
        }
        for (size_t i = 0; i < m->registry.n_factors; i++) {
                Factor *f = m->registry.factors[i];
                bool prompted = f->budget.cooling || f->budget.n > 0;
                if (prompted && !count_only)
                        f->sequence = next;
                next += prompted;
        }
        return next - first;
}

/* Whose repeat a challenge is, and whether its factor cools down, is not in its row: whoever goes
 * on from a number of the last run may have been told otherwise. */
void manager_renumber_prompts(Manager *m) {
        size_t n = number_prompts(m, 0, true);
        _cleanup_free_ char *why = NULL;
        uint64_t first;
        int r;

        if (n == 0)
                return;
        r = store_begin(m->store, &why);
        if (r >= 0)
                r = store_end(m->store, store_sequence_take(m->store, n, &first, &why), &why);
        if (r < 0)
                log_error("Cannot number anew what is asked about: %s; ignoring",
                                error_text(why, r));
        else
                (void) number_prompts(m, first, false);
}

void manager_tidy_prompts(Manager *m) {
        for (size_t i = 0; i < m->registry.n_factors; i++)
                prompts_tidy(m->prompts, m->registry.factors[i]);
}
