#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon wrote to the journal, as far as this user may read that. */

#include <json-c/json_types.h>
#include <sys/types.h>

#define JOURNAL_HEADS_MAX 4096

/* The newest heads of audit trails that programs of that uid noted there: others may write the same
 * fields, but not under its uid. *ret is a new array of AuditWitness, as the interface file has it.
 * Returns 0 or -errno. */
int journal_heads(uid_t uid, json_object **ret);
