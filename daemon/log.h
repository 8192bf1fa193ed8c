#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's log. */

#include "log/log.h"
