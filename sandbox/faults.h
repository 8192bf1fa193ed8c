#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* Faults to order: what goes wrong with which requests, and how often. */

#include <json-c/json_types.h>

#include "base/json.h"

#define FAULTS_MAX 1000
#define FAULT_DELAY_MAX_MSEC (10 * 60 * 1000)

typedef enum FaultCut {
        CUT_NONE,
        CUT_BEFORE, /* the connection is closed, the request is not handled */
        CUT_AFTER,  /* it is handled, then the connection is closed */
        _CUT_MAX,
} FaultCut;

/* Refers to its own copy of everything: a request keeps the fault that struck it. */
typedef struct Fault {
        unsigned n_refs;
        int64_t id;
        char *match;          /* "METHOD path-regex" */
        void *regex;          /* a regex_t */
        int64_t times;        /* how many requests it strikes yet */
        unsigned status;      /* 0: the request is handled */
        json_object *headers; /* object of strings and nulls, or NULL */
        char *body;           /* NULL: as it would be */
        usec_t delay;
        FaultCut cut;
} Fault;

typedef struct Faults {
        Fault **items;
        size_t n;
        int64_t last_id;
} Faults;

/* Frees and zeroes. */
void faults_done(Faults *f);
/* Takes NULL, returns NULL. */
Fault *fault_unref(Fault *f);

/* Adds the fault that a simulator call describes. Returns 0, -EINVAL with a message, or -ENOMEM. */
int faults_add(Faults *f, const JsonDoc *doc, char **reterr_msg);
void faults_clear(Faults *f);
/* The first fault that strikes this request, with its count taken down, or NULL. The caller owns a
 * reference. */
Fault *faults_take(Faults *f, const char *method, const char *path);
/* An array of what is active. NULL when memory is short. */
json_object *faults_to_json(const Faults *f);

const char *fault_cut_to_string(FaultCut c);
