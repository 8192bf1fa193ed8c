#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* What a person has to type to approve a challenge. Pure. */

#include "base/model.h"

#define CONFIRM_SID_LEN 4    /* characters of the SID's end */
#define CONFIRM_TRIES_MAX 3  /* wrong values of a detail, then the challenge is ignored */
#define CONFIRM_LABEL_MAX 36 /* characters of a detail's label, as the provider has it */

typedef enum Confirm {
        CONFIRM_NONE,
        CONFIRM_SID,   /* the last characters of the SID: its factor cools down */
        CONFIRM_FIELD, /* the value of the detail that its factor matches */
        CONFIRM_NEVER, /* it cannot be approved: that detail is not there, twice, or empty */
        _CONFIRM_MAX,
} Confirm;

/* "none", "sid", "field", "never"; NULL out of range. */
const char *confirm_to_string(Confirm c);
/* What is to be typed. match_field: the label that the factor matches, or NULL. */
Confirm confirm_kind(const ChallengeView *v, const char *match_field, bool cooling);
/* Whether what was typed (NULL: nothing) is it: exactly, in a time that does not tell how much of
 * it was right. */
bool confirm_fits(Confirm kind, const ChallengeView *v, const char *match_field, const char *typed);
