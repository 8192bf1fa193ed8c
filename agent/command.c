/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/command.h"

#include <errno.h>
#include <string.h>

#define PLAIN                                                                                      \
        "abcdefghijklmnopqrstuvwxyz"                                                               \
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ"                                                               \
        "0123456789"                                                                               \
        "/._-+,:@%"
#define QUOTED_QUOTE "'\\''"

static int socket_option(const char *socket, char **ret) {
        static const char option[] = " --socket ";
        bool plain = *socket && strspn(socket, PLAIN) == strlen(socket);
        char *out = malloc(sizeof(option) + 2 + STRLEN(QUOTED_QUOTE) * strlen(socket)), *p;

        if (!out)
                return -ENOMEM;
        p = stpcpy(out, option);
        if (plain)
                (void) stpcpy(p, socket);
        else {
                *p++ = '\'';
                for (; *socket; socket++)
                        if (*socket == '\'')
                                p = stpcpy(p, QUOTED_QUOTE);
                        else
                                *p++ = *socket;
                (void) stpcpy(p, "'");
        }
        *ret = out;
        return 0;
}

int command_options(const char *socket, SocketChoice choice, char **ret) {
        static const char *const options[] = {
                        [SOCKET_NEAREST] = "",
                        [SOCKET_USER] = " --user",
                        [SOCKET_SYSTEM] = " --system",
        };

        if (socket)
                return socket_option(socket, ret);
        *ret = strdup(options[choice]);
        return *ret ? 0 : -ENOMEM;
}
