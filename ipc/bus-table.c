/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/bus-table.h"

#include "base/text.h"

#define N(name) #name "\0"

/* The signals' one argument is called by what it is of. */
static const char *const manager_signals[] = {
                "ChallengeChanged", "FactorChanged", "FactorRemoved", NULL};

/* clang-format off */
static const BusMethod manager_methods[] = {
        { "GetStatus",         OPERATION_GET_STATUS,            "",            "a{sv}",
          N(status), false },
        { "ListFactors",       OPERATION_LIST_FACTORS,          "a{sv}",       "aa{sv}",
          N(options) N(factors), false },
        { "ListChallenges",    OPERATION_LIST_CHALLENGES,       "a{sv}",       "aa{sv}",
          N(options) N(challenges), false },
        { "GetChallenge",      OPERATION_GET_CHALLENGE,         "s",           "a{sv}",
          N(sid) N(challenge), false },
        { "Subscribe",         OPERATION_MONITOR,               "",            "",
          "", false },
        { "Unsubscribe",       OPERATION_MONITOR,               "",            "",
          "", false },
        { "GetCode",           OPERATION_GET_CODE,              "sa{sv}",      "a{sv}",
          N(name) N(options) N(reply), true },
        { "Approve",           OPERATION_APPROVE,               "ss",          "a{sv}",
          N(sid) N(digest) N(challenge), false },
        { "ApproveConfirmed",  OPERATION_APPROVE,               "sss",         "a{sv}",
          N(sid) N(digest) N(confirm) N(challenge), true },
        { "Deny",              OPERATION_DENY,                  "ss",          "a{sv}",
          N(sid) N(digest) N(challenge), false },
        { "Ignore",            OPERATION_IGNORE,                "s",           "a{sv}",
          N(sid) N(challenge), false },
        { "Expect",            OPERATION_EXPECT,                "sa{sv}",      "a{sv}",
          N(factor) N(options) N(reply), false },
        { "ListTickets",       OPERATION_LIST_TICKETS,          "",            "aa{sv}",
          N(tickets), false },
        { "RevokeTicket",      OPERATION_REVOKE_TICKET,         "x",           "",
          N(id), false },
        { "EnrollPush",        OPERATION_ENROLL_PUSH,           "sssa{sv}",    "a{sv}",
          N(name) N(service_sid) N(identity) N(options) N(factor), true },
        { "EnrollTotp",        OPERATION_ENROLL_TOTP,           "ssssa{sv}",   "a{sv}",
          N(name) N(account) N(service_sid) N(identity) N(options) N(factor), true },
        { "Import",            OPERATION_IMPORT,                "sa{sv}",      "aa{sv}",
          N(data) N(options) N(factors), true },
        { "SetOwner",          OPERATION_SET_OWNER,             "sx",          "a{sv}",
          N(name) N(owner) N(factor), false },
        { "SetMatchField",     OPERATION_SET_MATCH_FIELD,       "sa{sv}",      "a{sv}",
          N(name) N(options) N(factor), false },
        { "Remove",            OPERATION_REMOVE,                "sa{sv}",      "",
          N(name) N(options), false },
        { "Poll",              OPERATION_POLL,                  "",            "",
          "", false },
        { "ChallengeCreate",   OPERATION_CHALLENGE_CREATE,      "a{sv}a{sv}",  "a{sv}",
          N(target) N(options) N(challenge), true },
        { "ChallengeFetch",    OPERATION_CHALLENGE_FETCH,       "a{sv}s",      "a{sv}",
          N(target) N(sid) N(challenge), true },
        { "ChallengeList",     OPERATION_CHALLENGE_LIST,        "a{sv}a{sv}",  "a{sv}",
          N(target) N(options) N(reply), true },
        { "ChallengeUpdate",   OPERATION_CHALLENGE_UPDATE,      "a{sv}sa{sv}", "a{sv}",
          N(target) N(sid) N(options) N(challenge), true },
        { "AccessTokenCreate", OPERATION_ACCESS_TOKEN_CREATE,   "sssa{sv}",    "a{sv}",
          N(account) N(service_sid) N(identity) N(options) N(reply), true },
        { "VerifyAudit",       OPERATION_VERIFY_AUDIT,          "a{sv}",       "a{sv}",
          N(options) N(reply), false },
        { "Reload",            OPERATION_RELOAD,                "",            "a{sv}",
          N(reply), false },
        { "ExplainPolicy",     OPERATION_EXPLAIN_POLICY,        "s",           "a{sv}",
          N(sid) N(reply), false },
        { "ReplayPolicy",      OPERATION_REPLAY_POLICY,         "a{sv}",       "aa{sv}",
          N(options) N(challenges), false },
};

static const BusProperty manager_properties[] = {
        { "Version",      "version",       "s",      BUS_CHANGE_NEVER },
};

static const BusProperty factor_properties[] = {
        { "Name",         "name",          "s",      BUS_CHANGE_NEVER },
        { "Sid",          "sid",           "s",      BUS_CHANGE_TOLD },
        { "Type",         "type",          "s",      BUS_CHANGE_NEVER },
        { "Status",       "status",        "s",      BUS_CHANGE_TOLD },
        { "Owner",        "owner",         "x",      BUS_CHANGE_TOLD },
        { "AccountSid",   "account_sid",   "s",      BUS_CHANGE_TOLD },
        { "ServiceSid",   "service_sid",   "s",      BUS_CHANGE_TOLD },
        { "Identity",     "identity",      "s",      BUS_CHANGE_TOLD },
        { "Account",      "account",       "s",      BUS_CHANGE_TOLD },
        { "BaseUrl",      "base_url",      "s",      BUS_CHANGE_TOLD },
        { "Issuer",       "issuer",        "s",      BUS_CHANGE_TOLD },
        { "Label",        "label",         "s",      BUS_CHANGE_TOLD },
        { "Algorithm",    "algorithm",     "s",      BUS_CHANGE_NEVER },
        { "Digits",       "digits",        "x",      BUS_CHANGE_NEVER },
        { "Period",       "period",        "x",      BUS_CHANGE_NEVER },
        { "Created",      "created",       "s",      BUS_CHANGE_NEVER },
        { "MatchField",   "match_field",   "s",      BUS_CHANGE_TOLD },
        { "CoolingUntil", "cooling_until", "s",      BUS_CHANGE_TOLD },
        { "LastPoll",     "last_poll",     "s",      BUS_CHANGE_UNTOLD },
        { "Error",        "error",         "s",      BUS_CHANGE_UNTOLD },
};

static const BusMethod challenge_methods[] = {
        { "Approve",           OPERATION_APPROVE,               "s",           "a{sv}",
          N(digest) N(challenge), false },
        { "ApproveConfirmed",  OPERATION_APPROVE,               "ss",          "a{sv}",
          N(digest) N(confirm) N(challenge), true },
        { "Deny",              OPERATION_DENY,                  "s",           "a{sv}",
          N(digest) N(challenge), false },
        { "Ignore",            OPERATION_IGNORE,                "",            "a{sv}",
          N(challenge), false },
};

/* What stands in a challenge can change as long as it is open: then its digest does, too. */
static const BusProperty challenge_properties[] = {
        { "Sid",          "sid",           "s",      BUS_CHANGE_NEVER },
        { "Digest",       "digest",        "s",      BUS_CHANGE_TOLD },
        { "Factor",       "factor",        "s",      BUS_CHANGE_NEVER },
        { "FactorSid",    "factor_sid",    "s",      BUS_CHANGE_NEVER },
        { "FactorType",   "factor_type",   "s",      BUS_CHANGE_NEVER },
        { "State",        "state",         "s",      BUS_CHANGE_TOLD },
        { "ServiceSid",   "service_sid",   "s",      BUS_CHANGE_NEVER },
        { "Identity",     "identity",      "s",      BUS_CHANGE_NEVER },
        { "Message",      "message",       "s",      BUS_CHANGE_TOLD },
        { "Fields",       "fields",        "aa{sv}", BUS_CHANGE_TOLD },
        { "Created",      "created",       "s",      BUS_CHANGE_TOLD },
        { "Expires",      "expires",       "s",      BUS_CHANGE_TOLD },
        { "Reason",       "reason",        "s",      BUS_CHANGE_TOLD },
        { "RepeatOf",     "repeat_of",     "s",      BUS_CHANGE_TOLD },
        { "Repeats",      "repeats",       "x",      BUS_CHANGE_TOLD },
        { "Quiet",        "quiet",         "b",      BUS_CHANGE_TOLD },
        { "Confirm",      "confirm",       "s",      BUS_CHANGE_TOLD },
        { "ConfirmField", "confirm_field", "s",      BUS_CHANGE_TOLD },
};
/* clang-format on */

const BusInterface bus_manager = {
                .name = BUS_INTERFACE_MANAGER,
                .methods = manager_methods,
                .n_methods = ELEMENTSOF(manager_methods),
                .properties = manager_properties,
                .n_properties = ELEMENTSOF(manager_properties),
                .signals = manager_signals,
};
const BusInterface bus_factor = {
                .name = BUS_INTERFACE_FACTOR,
                .properties = factor_properties,
                .n_properties = ELEMENTSOF(factor_properties),
};
const BusInterface bus_challenge = {
                .name = BUS_INTERFACE_CHALLENGE,
                .methods = challenge_methods,
                .n_methods = ELEMENTSOF(challenge_methods),
                .properties = challenge_properties,
                .n_properties = ELEMENTSOF(challenge_properties),
};

const BusMethod *bus_interface_method(const BusInterface *i, const char *name) {
        for (size_t k = 0; k < i->n_methods; k++)
                if (streq(i->methods[k].name, name))
                        return &i->methods[k];
        return NULL;
}

const BusProperty *bus_interface_property(const BusInterface *i, const char *name) {
        for (size_t k = 0; k < i->n_properties; k++)
                if (streq(i->properties[k].name, name))
                        return &i->properties[k];
        return NULL;
}
