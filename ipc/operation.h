#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of operations, and the errors they share, behind every door. */

#include "base/macros.h"

#define IPC_INTERFACE "org.factord.Authenticator"
#define OPERATION_ACTION_APPROVE "org.factord.Factord1.approve"
#define OPERATION_ACTION_GET_CODE "org.factord.Factord1.get-code"
#define OPERATION_ACTION_ADMINISTER "org.factord.Factord1.administer"
#define IPC_MESSAGE_MAX (1024 * 1024) /* bytes of a message, without its NUL */

typedef enum OperationId {
        OPERATION_GET_STATUS,
        OPERATION_LIST_FACTORS,
        OPERATION_LIST_CHALLENGES,
        OPERATION_GET_CHALLENGE,
        OPERATION_MONITOR,
        OPERATION_GET_CODE,
        OPERATION_APPROVE,
        OPERATION_DENY,
        OPERATION_IGNORE,
        OPERATION_EXPECT,
        OPERATION_LIST_TICKETS,
        OPERATION_REVOKE_TICKET,
        OPERATION_ENROLL_PUSH,
        OPERATION_ENROLL_TOTP,
        OPERATION_IMPORT,
        OPERATION_SET_OWNER,
        OPERATION_SET_MATCH_FIELD,
        OPERATION_REMOVE,
        OPERATION_POLL,
        OPERATION_CHALLENGE_CREATE,
        OPERATION_CHALLENGE_FETCH,
        OPERATION_CHALLENGE_LIST,
        OPERATION_CHALLENGE_UPDATE,
        OPERATION_ACCESS_TOKEN_CREATE,
        OPERATION_READ_AUDIT,
        OPERATION_VERIFY_AUDIT,
        OPERATION_RELOAD,
        OPERATION_EXPLAIN_POLICY,
        OPERATION_REPLAY_POLICY,
        _OPERATION_MAX,
} OperationId;

typedef enum OperationRight {
        RIGHT_ANYONE,        /* what is shown is filtered by owner */
        RIGHT_OWNER,         /* the factor's owner or an administrator: checked by the operation */
        RIGHT_ADMINISTRATOR, /* checked before the operation runs */
} OperationRight;

typedef struct Operation {
        const char *name; /* as in the interface file, without the interface */
        OperationRight right;
        bool streams; /* takes "more" */
} Operation;

extern const Operation operations[_OPERATION_MAX];

/* The polkit action that it belongs to (one of those above), or NULL. */
const char *operation_action(OperationId id);
/* Whether it has no end of its own, so that it wants "more": a reader who does not take what comes
 * is told EventsLost. */
bool operation_is_endless(OperationId id);

/* The operation of that name (without the interface), or _OPERATION_MAX. */
OperationId operation_from_name(const char *name);

typedef enum IpcError {
        IPC_NO_SUCH_FACTOR,
        IPC_NO_SUCH_CHALLENGE,
        IPC_ALREADY_ANSWERED,
        IPC_EXPIRED,
        IPC_STALE,
        IPC_NOT_AUTHORIZED,
        IPC_STORE_LOCKED,
        IPC_SESSION_LOCKED,
        IPC_POLICY_DENIED,
        IPC_RATE_LIMITED,
        IPC_UNCONFIRMED,
        IPC_API_ERROR,
        IPC_INVALID_PARAMETER,
        IPC_STORE_ERROR,
        IPC_EVENTS_LOST,
        _IPC_ERROR_MAX,
} IpcError;

/* "NoSuchFactor" …; from_string gives _IPC_ERROR_MAX for another name. */
const char *ipc_error_to_string(IpcError e);
IpcError ipc_error_from_string(const char *name);
/* The exit status that factorctl gives for it. */
int ipc_error_exit_status(IpcError e);
