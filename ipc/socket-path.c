/* SPDX-License-Identifier: Apache-2.0 */
#include "ipc/socket-path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SYSTEM_SOCKET "/run/factord/factord.sock"

static int user_socket(char **ret) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");
        int n;

        if (runtime && *runtime == '/')
                n = asprintf(ret, "%s/factord/factord.sock", runtime);
        else
                n = asprintf(ret, "/run/user/%u/factord/factord.sock", (unsigned) getuid());
        return n < 0 ? -ENOMEM : 0;
}

static int system_socket(char **ret) {
        *ret = strdup(SYSTEM_SOCKET);
        return *ret ? 0 : -ENOMEM;
}

int socket_path(SocketChoice choice, char **ret) {
        char *path;

        if (choice == SOCKET_SYSTEM)
                return system_socket(ret);
        if (user_socket(&path) < 0)
                return -ENOMEM;
        if (choice == SOCKET_USER || access(path, F_OK) >= 0) {
                *ret = path;
                return 0;
        }
        free(path);
        return system_socket(ret);
}
