#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an operation's parameters, with InvalidParameter for what does not fit. */

#include "daemon/manager.h"

/* Reads the call's parameters strictly by the table; on failure the call is answered and false
 * returned. */
bool parameters_read(Call *call, const JsonField *fields, size_t n_fields, void *target);
/* Whether the call has that parameter: null counts as absent, 0 and "" do not. */
bool parameter_given(const Call *call, const char *key);

/* The parameter "owner" as a uid: the caller's own when it is absent. On failure the call is
 * answered. */
bool parameter_owner(Call *call, int64_t owner, uid_t *ret);
/* Whether the parameter "name" can be a new factor's; if not, the call is answered. */
bool parameter_new_name(const Manager *m, Call *call, const char *name);

/* Details, as the interface file's DetailField has them. */
typedef struct FieldList {
        DetailField *items;
        size_t n;
} FieldList;

void field_list_done(FieldList *l);
/* Reads a list from raw JSON text, strictly. *ret must be zero, and is freed with field_list_done()
 * also after a failure. Returns 0, or -EBADMSG with the reason, -ENOMEM. */
int field_list_read(const char *raw, FieldList *ret, char **reterr_msg);

/* Whose challenges, as the interface file's Target has it. */
typedef struct Target {
        char *factor, *account, *service_sid, *identity;
} Target;

/* What a Target means here: who asks, and of whom. The strings are borrowed from the target or the
 * factor. */
typedef struct TargetResolved {
        Factor *factor; /* or NULL */
        ApiWho who;
        VerifyEntity entity;
} TargetResolved;

void target_done(Target *t);
/* Reads a Target from raw JSON text and resolves it: a factor's own account (or, when it has none,
 * its device credential), or account, service and identity. On failure the call is answered.
 */
bool target_read(
                Manager *m, Call *call, const char *raw, Target *ret, TargetResolved *ret_resolved);
