#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* A policy: the texts of *.policy files in, compiled rules out, or every fault at once.
 *
 * docs/policy.md is the language. Nothing here reads a file but zone-file.c, and nothing logs. */

#include "base/error.h"
#include "base/ini.h"
#include "base/model.h"
#include "base/time.h"

#define POLICY_FILE_MAX INI_FILE_MAX /* bytes */
#define POLICY_FILES_MAX 1000
#define POLICY_RULES_MAX 1000    /* in all files */
#define POLICY_CONDITIONS_MAX 64 /* of a rule */
#define POLICY_ERRORS_MAX 1000   /* more are counted only */
#define POLICY_LIMIT_MAX 1000000
#define POLICY_SPAN_MIN (100 * USEC_PER_MSEC)
#define POLICY_SPAN_MAX (36500 * USEC_PER_DAY)
#define POLICY_TIMEOUT_MAX (5 * USEC_PER_MINUTE)
#define POLICY_SOCKET_MAX 107 /* bytes in sockaddr_un.sun_path, without the NUL */

/* The rule of decisions that no rule makes; no rule may be called so. */
#define POLICY_RULE_DEFAULT "default"

typedef struct Policy Policy; /* opaque, constant once it is there */

/* A file as it was read. */
typedef struct PolicyFile {
        const char *path; /* for messages; what follows the last slash is its name */
        const char *text;
        size_t len;
} PolicyFile;

typedef enum PolicyFlags {
        POLICY_NO_EXEC = 1 << 0, /* the system service: Decision=exec: is a fault */
} PolicyFlags;

typedef enum PolicyDeciderKind {
        POLICY_DECIDER_NONE,
        POLICY_DECIDER_UNIX, /* a socket */
        POLICY_DECIDER_EXEC, /* a program */
} PolicyDeciderKind;

/* Who is asked for the decision, when it is not the rule's own. */
typedef struct PolicyDecider {
        PolicyDeciderKind kind;
        const char *path; /* absolute; borrowed */
        usec_t timeout;
        Verb on_error; /* never VERB_APPROVE */
} PolicyDecider;

/* A rule, for status and lists. Borrowed from the policy. */
typedef struct PolicyRule {
        const char *name;
        const char *path; /* its file */
        unsigned line;
        const char *decision; /* as written */
        unsigned limit;       /* decisions … */
        usec_t limit_span;    /* … in this span; 0: no limit */
        bool dangerous;       /* Dangerous=approve-anything is what lets it load */
} PolicyRule;

/* Compiles the rules of the files, in the order of the files' names (strcmp() of what follows the
 * last slash) and of the text. Faults go to errors, all of them, as "path:line: what, and what was
 * expected". *ret is new. Returns 0 when there was no fault, -EINVAL when there was, -ENOMEM. */
int policy_load(Policy **ret,
                const PolicyFile *files,
                size_t n_files,
                unsigned flags,
                ErrorList *errors);
/* Takes NULL, returns NULL. */
Policy *policy_free(Policy *p);
DEFINE_CLEANUP(Policy *, policy_free);

/* SHA-256 in hex over the names and bytes of all files, in their order. The folder they lie in does
 * not count. Borrowed. */
const char *policy_hash(const Policy *p);
size_t policy_n_rules(const Policy *p);
/* i < policy_n_rules(p) */
PolicyRule policy_rule(const Policy *p, size_t i);
