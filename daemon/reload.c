/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <errno.h>
#include <string.h>

#include "daemon/configuration.h"
#include "daemon/manager-policy.h"
#include "log/log.h"

static int add_all(ErrorList *list, const ErrorList *more) {
        int r = 0;

        for (size_t i = 0; i < more->n && r >= 0; i++)
                r = error_list_add(list, "%s", more->messages[i]);
        return r;
}

static void say_all(int priority, const ErrorList *list) {
        for (size_t i = 0; i < list->n; i++)
                log_write(priority, __FILE__, __LINE__, "%s", list->messages[i]);
}

static void apply(Manager *m, Config *fresh) {
        configuration_take(m->config, fresh);
        prompts_set_limit(m->prompts, m->config->budget, m->config->budget_span);
        helper_set_arm_delay(m->helper, m->config->arm_delay);
}

/* What the start had to say of the configuration is said anew. */
static int reload_configuration(Manager *m, ErrorList *problems, ErrorList *notes) {
        _cleanup_(error_list_done) ErrorList warnings = {0};
        _cleanup_(config_freep) Config *fresh = NULL;
        int r;

        error_list_done(&m->faults);
        r = configuration_load(&fresh, m->source, &m->faults, &warnings);
        if (r < 0)
                return r == -EINVAL ? add_all(problems, &m->faults) : r;
        error_list_done(&m->problems);
        m->problems = warnings;
        warnings = (ErrorList){0};
        r = add_all(notes, &m->problems);
        if (r >= 0)
                r = configuration_note_restart(m->config, fresh, notes);
        apply(m, fresh);
        return r;
}

void reload(Manager *m, const Actor *actor, ErrorList *problems, ErrorList *notes) {
        _cleanup_(error_list_done) ErrorList own_problems = {0}, own_notes = {0};
        int r;

        if (!problems)
                problems = &own_problems;
        if (!notes)
                notes = &own_notes;
        r = reload_configuration(m, problems, notes);
        if (r >= 0)
                r = manager_reload_policy(m, actor, problems);
        if (r < 0 && r != -EINVAL)
                (void) error_list_add(problems, "Cannot reload: %s", strerror(-r));
        say_all(LOG_ERR, problems);
        say_all(LOG_WARNING, notes);
        if (problems->n == 0)
                log_notice("The configuration and the rules were read again");
        else
                log_error("Not all could be read again: what has faults stays as it was");
}
