#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The prompter on a terminal: it asks about what waits until it is told to end. */

#include "cli/connection.h"

/* Returns the exit status and has said what went wrong. The terminal is as it was. */
int prompt_run(Session *s);
