#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The calls under /sandbox/ that set the scene: clock, faults, challenges, and a look inside. */

#include "sandbox/call.h"
#include "sandbox/faults.h"
#include "sandbox/request-log.h"

#define SIMULATOR_PREFIX "/sandbox/"
#define SIMULATOR_BODY_MAX ((size_t) 16 * 1024 * 1024)

/* Answers one. body is the request's, NUL-ended. */
void simulator_run(Call *c, Faults *faults, RequestLog *log, const char *body, size_t len);
