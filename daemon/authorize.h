#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Rights that are the same behind every door: administrators, and polkit, which can only refuse
 * what is allowed without it. That a factor belongs to the caller is each operation's own check. */

#include "daemon/manager.h"
#include "daemon/polkit.h"

/* Whether an administrators' operation is asked for by one; answers NotAuthorized if not. */
bool authorize_administrator(Call *call);

/* Called by an operation after its owner check, before it does anything. factor: the name of what
 * it is about, for polkit's rules; NULL: what an administrators' operation names. True: go on.
 * False: the call is answered, or polkit is being asked; then the operation is run again from its
 * begin when the answer is yes, and else the call is answered NotAuthorized. */
bool manager_authorize(Manager *m, Call *call, const char *factor);

/* What an answer means for an operation of that action. administers: it is an administrators',
 * asked for behind the socket, where being one is a matter of the group: then only a definite no
 * counts, for the action's default is to ask for a password. Pure. */
bool authorize_allows(PolkitAnswer answer, bool administers);

/* The questions that are under way are dropped, and their calls told so. */
void authorize_cancel_all(Manager *m);
