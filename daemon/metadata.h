#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Device metadata: what an answer or an enrolment says about this machine. A JSON object of
 * strings. */

#include "base/error.h"
#include "base/macros.h"

#define METADATA_DECISION "decision" /* the fact that leads every answer: its decision's id */
#define METADATA_KNOWN_MAX 8

/* A fact: its name in the JSON, its text. */
typedef struct MetadataFact {
        char *key;
        char *value;
} MetadataFact;

typedef struct MetadataFacts {
        MetadataFact *facts;
        size_t n;
} MetadataFacts;

void metadata_facts_done(MetadataFacts *f);
/* Whether a word is a known fact of [Device] Metadata=: os hostname kernel version architecture
 * machine-type. */
bool metadata_fact_known(const char *name);
/* The known facts' names, i from 0 to METADATA_KNOWN_MAX - 1; NULL past the last. Static. */
const char *metadata_known_fact(size_t i);
/* Gathers the named facts from this machine (os-release's PRETTY_NAME, the host name, uname's
 * release, this program's version, uname's machine, …); one that can't be had is left out. Returns
 * 0 or -ENOMEM. */
int metadata_facts_gather(MetadataFacts *ret, char *const *names);
/* Appends a fact. Returns 0, -EEXIST when the key is there, -ENOMEM. */
int metadata_facts_add(MetadataFacts *f, const char *key, const char *value);

/* Builds the JSON text: first the one leading fact (key may be NULL; it is never dropped), then the
 * others in order, as long as the whole stays within max characters: a fact that does not fit is
 * left out whole and the next is tried. Invalid UTF-8 in a value drops its fact. Pure. *ret is new.
 * Returns 0, -E2BIG when the leading fact alone does not fit, -EINVAL when it is not UTF-8,
 * -ENOMEM.
 */
int metadata_build(const char *leading_key,
                const char *leading_value,
                const MetadataFacts *facts,
                size_t max,
                char **ret);

/* The pure parts of gathering. */

/* The value of the last KEY=value line in a file of shell assignments (os-release(5)), without its
 * quotes; *ret is new. Returns 0, -ENODATA when there is none or it is empty, -ENOMEM. */
int metadata_assignment(const char *text, const char *key, char **ret);
/* A chassis type of the firmware's tables as a word ("laptop"), or NULL. Static. */
const char *metadata_chassis(unsigned long type);
