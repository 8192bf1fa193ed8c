/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool address_is_loopback(const struct sockaddr *sa) {
        if (sa->sa_family == AF_INET) {
                struct sockaddr_in in;

                memcpy(&in, sa, sizeof(in));
                return ntohl(in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
        }
        if (sa->sa_family == AF_INET6) {
                struct sockaddr_in6 in6;

                memcpy(&in6, sa, sizeof(in6));
                return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) ||
                       (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) &&
                                       in6.sin6_addr.s6_addr[12] == IN_LOOPBACKNET);
        }
        return false;
}

static int bound_port(int fd, int *ret) {
        struct sockaddr_storage ss;
        socklen_t len = sizeof(ss);
        char port[16];

        if (getsockname(fd, (struct sockaddr *) &ss, &len) < 0)
                return -errno;
        if (getnameinfo((struct sockaddr *) &ss, len, NULL, 0, port, sizeof(port),
                            NI_NUMERICSERV) != 0)
                return -EIO;
        *ret = (int) strtol(port, NULL, 10);
        return 0;
}

static int open_socket(const struct addrinfo *ai, int *ret_fd, int *ret_port) {
        _cleanup_close_ int fd = -EBADF;
        int on = 1, r;

        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
                        bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0)
                return -errno;
        r = bound_port(fd, ret_port);
        if (r < 0)
                return r;
        *ret_fd = TAKE_FD(fd);
        return 0;
}

int listen_on(const char *address, int port, int *ret_fd, int *ret_port, char **reterr_msg) {
        const struct addrinfo hints = {
                        .ai_family = AF_UNSPEC,
                        .ai_socktype = SOCK_STREAM,
                        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
        };
        struct addrinfo *ai;
        char service[16];
        int r;

        snprintf(service, sizeof(service), "%d", port);
        if (getaddrinfo(address, service, &hints, &ai) != 0)
                return error_set(reterr_msg, -EINVAL, "%s is not a numeric IPv4 or IPv6 address",
                                address);
        r = open_socket(ai, ret_fd, ret_port);
        freeaddrinfo(ai);
        if (r < 0)
                return error_set(reterr_msg, r, "cannot listen on %s port %d: %s", address, port,
                                strerror(-r));
        return 0;
}
