#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The paths of Verify v2 resources, from checked parts; and finished requests. Pure. */

#include "verify/form.h"
#include "verify/request.h"

/* A resource's own SID: the last part of a path. */
typedef struct PathItem {
        const char *name; /* for messages: "FactorSid" */
        const char *sid;
        const char *prefix;
} PathItem;

/* "/v2/Services/{sid}/{collection}[/{item}]"; item may be NULL. Returns 0, -EINVAL with a message
 * or -ENOMEM. */
int path_of_service(char **ret,
                const char *service_sid,
                const char *collection,
                const PathItem *item,
                char **reterr_msg);
/* "/v2/Services/{sid}/Entities/{identity}/{collection}[/{item}]". Likewise. */
int path_of_entity(char **ret,
                const VerifyEntity *entity,
                const char *collection,
                const PathItem *item,
                char **reterr_msg);

/* Moves the path and the form (may be NULL) into *ret: as a POST's body, else as the path's query.
 * Frees the form. Returns 0, -ENOMEM or the form's error. */
int request_finish(VerifyRequest *ret, VerifyMethod method, char **path, Form *form);

/* Lists: the parameters that all of them share. */
void form_add_page(Form *f, const VerifyList *p);
