#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs: one table, one function each. */

#include "cli/connection.h"

typedef struct Command {
        const char *name;      /* one word, or a group's and its own: "enroll push" */
        const char *arguments; /* as help shows them */
        const char *help;
        size_t min, max;   /* arguments, the verb's own words not counted */
        uint64_t options;  /* beside those that all take */
        uint64_t required; /* of these */
        /* a->words are the arguments alone. Returns the exit status and has said what went wrong.
         */
        int (*run)(Session *s, const Arguments *a);
} Command;

extern const Command commands[];
extern const size_t n_commands;

/* Finds the verb that the words begin with; *ret_words is the number of its words. Returns 0, or an
 * exit status and has said what was wrong. With help wanted, a group's name alone finds *ret NULL.
 */
int command_find(const Command **ret, size_t *ret_words, const Arguments *a);
/* Whether the options and arguments are those the verb takes. Returns 0 or an exit status. */
int command_check(const Command *c, const Arguments *a);

/* Help for all, for a group of verbs (prefix), or for one verb. Returns 0. */
int help_all(void);
int help_group(const char *group);
int help_command(const Command *c);

/* status.c */
int run_status(Session *s, const Arguments *a);
int run_poll(Session *s, const Arguments *a);
/* doctor.c */
int run_doctor(Session *s, const Arguments *a);
/* factors.c */
int run_list(Session *s, const Arguments *a);
int run_show(Session *s, const Arguments *a);
int run_remove(Session *s, const Arguments *a);
int run_set(Session *s, const Arguments *a);
int run_chown(Session *s, const Arguments *a);
/* enroll.c */
int run_enroll_push(Session *s, const Arguments *a);
int run_enroll_totp(Session *s, const Arguments *a);
int run_import(Session *s, const Arguments *a);
/* codes.c */
int run_code(Session *s, const Arguments *a);
/* challenges.c */
int run_pending(Session *s, const Arguments *a);
int run_ignore(Session *s, const Arguments *a);
/* decide.c */
int run_approve(Session *s, const Arguments *a);
int run_deny(Session *s, const Arguments *a);
/* expect.c, tickets.c */
int run_expect(Session *s, const Arguments *a);
int run_ticket_list(Session *s, const Arguments *a);
int run_ticket_revoke(Session *s, const Arguments *a);
/* watch.c */
int run_watch(Session *s, const Arguments *a);
/* log.c */
int run_log(Session *s, const Arguments *a);
/* verify.c */
int run_log_verify(Session *s, const Arguments *a);
/* provider.c */
int run_challenge_create(Session *s, const Arguments *a);
int run_challenge_fetch(Session *s, const Arguments *a);
int run_challenge_list(Session *s, const Arguments *a);
int run_challenge_update(Session *s, const Arguments *a);
int run_access_token_create(Session *s, const Arguments *a);
/* reload.c */
int run_reload(Session *s, const Arguments *a);
/* policy-check.c, policy-explain.c, policy-replay.c, policy-test.c */
int run_policy_check(Session *s, const Arguments *a);
int run_policy_explain(Session *s, const Arguments *a);
int run_policy_replay(Session *s, const Arguments *a);
int run_policy_test(Session *s, const Arguments *a);
