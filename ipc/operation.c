/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/operation.h"

#include "base/text.h"

const Operation operations[_OPERATION_MAX] = {
                [OPERATION_GET_STATUS] = {"GetStatus", RIGHT_ANYONE, false},
                [OPERATION_LIST_FACTORS] = {"ListFactors", RIGHT_ANYONE, true},
                [OPERATION_LIST_CHALLENGES] = {"ListChallenges", RIGHT_ANYONE, true},
                [OPERATION_GET_CHALLENGE] = {"GetChallenge", RIGHT_OWNER, false},
                [OPERATION_MONITOR] = {"Monitor", RIGHT_ANYONE, true},
                [OPERATION_GET_CODE] = {"GetCode", RIGHT_OWNER, false},
                [OPERATION_APPROVE] = {"Approve", RIGHT_OWNER, false},
                [OPERATION_DENY] = {"Deny", RIGHT_OWNER, false},
                [OPERATION_IGNORE] = {"Ignore", RIGHT_OWNER, false},
                [OPERATION_EXPECT] = {"Expect", RIGHT_OWNER, false},
                [OPERATION_LIST_TICKETS] = {"ListTickets", RIGHT_ANYONE, true},
                [OPERATION_REVOKE_TICKET] = {"RevokeTicket", RIGHT_OWNER, false},
                [OPERATION_ENROLL_PUSH] = {"EnrollPush", RIGHT_ADMINISTRATOR, false},
                [OPERATION_ENROLL_TOTP] = {"EnrollTotp", RIGHT_ADMINISTRATOR, false},
                [OPERATION_IMPORT] = {"Import", RIGHT_ADMINISTRATOR, false},
                [OPERATION_SET_OWNER] = {"SetOwner", RIGHT_ADMINISTRATOR, false},
                [OPERATION_SET_MATCH_FIELD] = {"SetMatchField", RIGHT_ADMINISTRATOR, false},
                [OPERATION_REMOVE] = {"Remove", RIGHT_ADMINISTRATOR, false},
                [OPERATION_POLL] = {"Poll", RIGHT_ADMINISTRATOR, false},
                [OPERATION_CHALLENGE_CREATE] = {"ChallengeCreate", RIGHT_ADMINISTRATOR, false},
                [OPERATION_CHALLENGE_FETCH] = {"ChallengeFetch", RIGHT_ADMINISTRATOR, false},
                [OPERATION_CHALLENGE_LIST] = {"ChallengeList", RIGHT_ADMINISTRATOR, true},
                [OPERATION_CHALLENGE_UPDATE] = {"ChallengeUpdate", RIGHT_ADMINISTRATOR, false},
                [OPERATION_ACCESS_TOKEN_CREATE] = {"AccessTokenCreate", RIGHT_ADMINISTRATOR, false},
                [OPERATION_READ_AUDIT] = {"ReadAudit", RIGHT_ADMINISTRATOR, true},
                [OPERATION_VERIFY_AUDIT] = {"VerifyAudit", RIGHT_ADMINISTRATOR, false},
                [OPERATION_RELOAD] = {"Reload", RIGHT_ADMINISTRATOR, false},
                [OPERATION_EXPLAIN_POLICY] = {"ExplainPolicy", RIGHT_ADMINISTRATOR, false},
                [OPERATION_REPLAY_POLICY] = {"ReplayPolicy", RIGHT_ADMINISTRATOR, true},
};

const char *operation_action(OperationId id) {
        if (id == OPERATION_APPROVE || id == OPERATION_DENY || id == OPERATION_IGNORE ||
                        id == OPERATION_EXPECT || id == OPERATION_REVOKE_TICKET)
                return OPERATION_ACTION_APPROVE;
        if (id == OPERATION_GET_CODE)
                return OPERATION_ACTION_GET_CODE;
        return operations[id].right == RIGHT_ADMINISTRATOR ? OPERATION_ACTION_ADMINISTER : NULL;
}

bool operation_is_endless(OperationId id) {
        return id == OPERATION_MONITOR || id == OPERATION_READ_AUDIT;
}

OperationId operation_from_name(const char *name) {
        for (OperationId i = 0; i < _OPERATION_MAX; i++)
                if (streq(operations[i].name, name))
                        return i;
        return _OPERATION_MAX;
}

static const struct {
        const char *name;
        int exit_status;
} errors[_IPC_ERROR_MAX] = {
                [IPC_NO_SUCH_FACTOR] = {"NoSuchFactor", 3},
                [IPC_NO_SUCH_CHALLENGE] = {"NoSuchChallenge", 3},
                [IPC_ALREADY_ANSWERED] = {"AlreadyAnswered", 6},
                [IPC_EXPIRED] = {"Expired", 6},
                [IPC_STALE] = {"Stale", 6},
                [IPC_NOT_AUTHORIZED] = {"NotAuthorized", 4},
                [IPC_STORE_LOCKED] = {"StoreLocked", 4},
                [IPC_SESSION_LOCKED] = {"SessionLocked", 4},
                [IPC_POLICY_DENIED] = {"PolicyDenied", 5},
                [IPC_RATE_LIMITED] = {"RateLimited", 8},
                [IPC_UNCONFIRMED] = {"Unconfirmed", 124},
                [IPC_API_ERROR] = {"ApiError", 7},
                [IPC_INVALID_PARAMETER] = {"InvalidParameter", 2},
                [IPC_STORE_ERROR] = {"StoreError", 1},
                [IPC_EVENTS_LOST] = {"EventsLost", 1},
};

const char *ipc_error_to_string(IpcError e) {
        return e < _IPC_ERROR_MAX ? errors[e].name : NULL;
}

IpcError ipc_error_from_string(const char *name) {
        for (IpcError e = 0; e < _IPC_ERROR_MAX; e++)
                if (streq(errors[e].name, name))
                        return e;
        return _IPC_ERROR_MAX;
}

int ipc_error_exit_status(IpcError e) {
        return e < _IPC_ERROR_MAX ? errors[e].exit_status : 1;
}
