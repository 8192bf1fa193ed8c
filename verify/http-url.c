/* SPDX-License-Identifier: Apache-2.0 */
/* Base URLs: a strict subset of RFC 3986, so that what is checked here and what libcurl reads is
 * the same. */

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "verify/http.h"

#define HOST_MAX 253

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

/* Reads "[v6]" or a name or an IPv4 address; *rest is what comes after it. */
static bool host_read(
                const char *text, char host[static HOST_MAX + 1], bool *ret_v6, const char **rest) {
        bool v6 = text[0] == '[';
        const char *start = text + v6;
        size_t len = strspn(start, v6 ? DIGITS "ABCDEFabcdef:." : LETTERS DIGITS "-.");

        if (len == 0 || len > HOST_MAX || (v6 && start[len] != ']'))
                return false;
        memcpy(host, start, len);
        host[len] = '\0';
        *ret_v6 = v6;
        *rest = start + len + v6;
        return true;
}

static bool host_is_loopback(const char *host, bool v6) {
        struct in6_addr a6;
        struct in_addr a4;

        if (v6)
                return inet_pton(AF_INET6, host, &a6) == 1 && IN6_IS_ADDR_LOOPBACK(&a6);
        if (inet_pton(AF_INET, host, &a4) == 1)
                return ntohl(a4.s_addr) >> 24 == IN_LOOPBACKNET;
        return streq(host, "localhost");
}

static bool port_skip(const char **rest) {
        const char *digits = *rest + 1;
        size_t len;
        long port;

        if (**rest != ':')
                return true;
        len = strspn(digits, DIGITS);
        port = len >= 1 && len <= 5 ? strtol(digits, NULL, 10) : 0;
        *rest = digits + len;
        return port >= 1 && port <= 65535;
}

static bool path_is_plain(const char *path) {
        return path[0] == '\0' ||
               (path[0] == '/' && path[strspn(path, LETTERS DIGITS "-._~/")] == '\0' &&
                               !strstr(path, "//") && !strstr(path, "/."));
}

int http_check_base_url(const char *url, char **reterr_msg) {
        char host[HOST_MAX + 1];
        const char *rest;
        bool tls, v6;

        tls = strncmp(url, "https://", STRLEN("https://")) == 0;
        if (!tls && strncmp(url, "http://", STRLEN("http://")) != 0)
                return error_set(reterr_msg, -EINVAL, "BaseUrl must start with https://");
        rest = strstr(url, "://") + STRLEN("://");
        /* The URL itself is not shown before it is known to hold no password. */
        if (strpbrk(rest, "@?#"))
                return error_set(reterr_msg, -EINVAL,
                                "BaseUrl must have no user, no query and no fragment ('@', '?' or "
                                "'#')");
        if (!host_read(rest, host, &v6, &rest))
                return error_set(reterr_msg, -EINVAL, "BaseUrl has no valid host");
        if (!port_skip(&rest))
                return error_set(reterr_msg, -EINVAL, "BaseUrl has no valid port (1 to 65535)");
        if (!path_is_plain(rest))
                return error_set(reterr_msg, -EINVAL,
                                "BaseUrl has something else after its host than a plain path");
        if (!tls && !host_is_loopback(host, v6))
                return error_set(reterr_msg, -EINVAL,
                                "BaseUrl is http:// and its host %s is not a loopback address; use "
                                "https://",
                                host);
        return 0;
}
