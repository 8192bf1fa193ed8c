#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's API as it is, for administrators: the four Challenge operations, access tokens,
 * and the deletion of a factor. */

#include "daemon/manager.h"

void provider_challenge_create(Manager *m, Call *call);
void provider_challenge_fetch(Manager *m, Call *call);
void provider_challenge_list(Manager *m, Call *call);
void provider_challenge_update(Manager *m, Call *call);
void provider_access_token_create(Manager *m, Call *call);
/* Deletes the factor at the provider, then here; gone there already is as good. */
void provider_remove_factor(Manager *m, Call *call, Factor *f);
/* Cancels what is under way. */
void provider_cancel_all(Manager *m);
