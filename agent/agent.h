#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Agent: the daemon's requests on one side, the notification server on the other, and the plan
 * between them. */

#include <systemd/sd-event.h>

#include "ipc/socket-path.h"

typedef struct Agent Agent;

typedef struct AgentOptions {
        const char *socket;  /* a path, or NULL: */
        SocketChoice choice; /* then by this */
} AgentOptions;

/* Runs in the event loop. What options points to must outlive it. Returns 0 or -errno. */
int agent_new(Agent **ret, sd_event *event, const AgentOptions *options);
/* Withdraws what stands. Takes NULL, returns NULL. */
Agent *agent_free(Agent *a);
DEFINE_CLEANUP(Agent *, agent_free);
