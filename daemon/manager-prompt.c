/* SPDX-License-Identifier: Apache-2.0 */
/* How the manager tells of prompts, and finds them again after a restart. */

#include "daemon/manager.h"

#include <errno.h>

#include "base/text.h"
#include "daemon/message-ids.h"
#include "log/log.h"

static void manager_prompt_shown(Challenge *c, void *userdata) {
        Manager *m = userdata;

        monitor_challenge(m->monitor, c);
        helper_challenge(m->helper, c);
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

/* Those that are asked about: whose repeat one is, is not in its row. */
static size_t count_asked(const Manager *m) {
        size_t n = 0;

        for (size_t i = 0; i < m->registry.n_challenges; i++)
                n += m->registry.challenges[i]->group != NULL;
        return n;
}

void manager_number_anew(Manager *m) {
        size_t n = m->registry.n_factors + count_asked(m);
        _cleanup_free_ char *why = NULL;
        uint64_t next;
        int r;

        if (n == 0)
                return;
        r = store_begin(m->store, &why);
        if (r >= 0)
                r = store_end(m->store, store_sequence_take(m->store, n, &next, &why), &why);
        if (r < 0) {
                log_error("Cannot number anew what was there before the start: %s; ignoring",
                                error_text(why, r));
                return;
        }
        for (size_t i = 0; i < m->registry.n_challenges; i++)
                if (m->registry.challenges[i]->group)
                        m->registry.challenges[i]->sequence = next++;
        for (size_t i = 0; i < m->registry.n_factors; i++)
                m->registry.factors[i]->sequence = next++;
}

void manager_tidy_prompts(Manager *m) {
        for (size_t i = 0; i < m->registry.n_factors; i++)
                prompts_tidy(m->prompts, m->registry.factors[i]);
}
