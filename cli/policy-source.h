#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Where factorctl finds rules: files and folders that it is given, or the configured folder. They
 * are the caller's own to trust. */

#include "cli/options.h"
#include "policy/policy.h"

typedef struct PolicyText PolicyText; /* a file's path and bytes */

/* Zero-initialise. */
typedef struct PolicySource {
        PolicyText *texts;
        size_t n_texts;
        char *folder;   /* the configured one, when its rules are among these */
        unsigned flags; /* PolicyFlags: what the service that reads them would refuse */
} PolicySource;

void policy_source_done(PolicySource *s);

/* Each returns 0, or an exit status and has said why. */

/* Reads a file, or a folder's *.policy. */
int policy_source_add(PolicySource *s, const char *path);
/* Reads the folder of the daemon that the options name: --system, --user, else root's is the
 * system's, and a user's is the own one where there is a configuration. A folder that does not
 * exist has no rules. */
int policy_source_add_configured(PolicySource *s, const Arguments *a);
/* --policy PATH, or the configured folder. */
int policy_source_add_chosen(PolicySource *s, const Arguments *a);

/* Compiles. *ret is NULL when there were faults, which are added to faults. */
int policy_source_load(const PolicySource *s, Policy **ret, ErrorList *faults);
/* Likewise, and says each fault. */
int policy_source_load_or_say(const PolicySource *s, Policy **ret);

/* policy-folder.c. Where the daemon's rules are by its configuration; *ret is new. */
int policy_folder_find(const Arguments *a, char **ret, bool *ret_system);
