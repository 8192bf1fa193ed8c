#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Rules: the policy in force, how it came to be, and what it has done since the start. */

#include <json-c/json_types.h>
#include <sys/types.h>

#include "base/error.h"
#include "policy/evaluate.h"
#include "store/store.h"

typedef struct Rules Rules;

/* No rule is in force before rules_load(). The store is borrowed. Returns 0 or -errno. */
int rules_new(Rules **ret, Store *store);
/* Takes NULL, returns NULL. */
Rules *rules_free(Rules *r);
DEFINE_CLEANUP(Rules *, rules_free);

/* Reads the folder anew. With faults the policy that is in force stays, and status has them until
 * a load succeeds. Returns 0, -EINVAL with faults in problems (those before stay), -ENOMEM. */
int rules_load(Rules *r, const char *directory, uid_t owner, bool system, ErrorList *problems);
/* Makes sure that the policy in force is on record; before that it decides nothing. actor: who had
 * it loaded, which is kept until it is on record, or NULL. Returns 0 or -errno with a message. */
int rules_record(Rules *r, const Actor *actor, char **reterr_msg);

/* Borrowed until the next load. */
const Policy *rules_policy(const Rules *r);

/* What an evaluation came across is said in the log, now and then, and in status. */
void rules_note(Rules *r, const char *sid, const PolicyVerdict *v);
void rules_note_decider(Rules *r, const char *sid, const char *rule, const char *fault);
/* Counts a ruling. */
void rules_count(Rules *r, const char *rule, Verb verb);

/* For status: what the interface file calls PolicyStatus, without what it says of deciders; and
 * what is wrong, for the list of problems. */
json_object *rules_view(const Rules *r);
void rules_problems(const Rules *r, json_object *list);
