#pragma once
/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket. */

#include <sys/socket.h>

#include "base/error.h"

/* Listens on a numeric IPv4 or IPv6 address. The descriptor is close-on-exec and does not block.
 * Returns 0 or -errno with a message. */
int listen_on(const char *address, int port, int *ret_fd, int *ret_port, char **reterr_msg);
/* 127.0.0.0/8, ::1, and the former as a v4-mapped address. */
bool address_is_loopback(const struct sockaddr *sa);
