#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's exit statuses (sysexits.h numbers). */

enum {
        EXIT_USAGE = 2,
        EXIT_IN_USE = 73,        /* the socket or the store belongs to another process */
        EXIT_STORE = 74,         /* the store can't be opened */
        EXIT_CONFIGURATION = 78, /* the configuration is wrong */
};
