#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Forms: parameters checked one by one and encoded as name=value&name=value, for bodies and
 * queries. Pure. */

#include "base/error.h"
#include "base/secret.h"

/* A form being filled. The first failure is kept in error (and its text in *reterr_msg) and what
 * comes after it is passed over, so that a builder reads as the list of its parameters.
 * Initialise with the caller's reterr_msg only. */
typedef struct Form {
        Secret text;
        int error; /* 0 or -errno: -EINVAL, -ENOMEM */
        char **reterr_msg;
} Form;

/* Wipes and frees the text. */
void form_done(Form *f);

/* Each adds one parameter; a value of NULL is an absent one and adds nothing. Lengths are in code
 * points. Messages carry no values but SIDs, numbers and dates. */

/* A parameter of ours, not checked. */
void form_add(Form *f, const char *name, const char *value);
void form_add_text(Form *f, const char *name, const char *value, size_t min, size_t max);
void form_add_secret(Form *f, const char *name, const Secret *value, size_t min, size_t max);
/* absent is the value that stands for none. */
void form_add_int(
                Form *f, const char *name, int64_t value, int64_t absent, int64_t min, int64_t max);
/* words ends with NULL. */
void form_add_word(Form *f, const char *name, const char *value, const char *const *words);
void form_add_sid(Form *f, const char *name, const char *value, const char *prefix);
/* A JSON object with string values only. */
void form_add_string_map(Form *f, const char *name, const char *json, size_t max);
/* Fails the form when the parameter is absent. */
void form_require(Form *f, const char *name, const void *value);
/* Fails the form with a message of one's own. */
void form_fail(Form *f, const char *format, ...) _printf_(2, 3);

/* The checks alone: 0, or -EINVAL with a message. The value is not NULL. */
int form_check_text(const char *name, const char *value, size_t min, size_t max, char **reterr_msg);
int form_check_sid(const char *name, const char *value, const char *prefix, char **reterr_msg);
int form_check_identity(const char *value, char **reterr_msg);
