/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"

#include <errno.h>
#include <stdio.h>

#include "base/file.h"

/* Room for the newline that is dropped. */
#define PASSWORD_FILE_MAX (CONFIG_PASSWORD_MAX + STRLEN("\r\n"))

/* Why a password can't be one, or NULL. Static text: the password stays out of it. */
static const char *password_fault(const Secret *password) {
        if (password->len == 0)
                return "the password is empty; put the auth token or the key's secret into it";
        if (password->len > CONFIG_PASSWORD_MAX)
                return "the password is over 1024 bytes; put the auth token or the key's secret "
                       "into it, and nothing else";
        for (size_t i = 0; i < password->len; i++)
                if (password->data[i] < 0x20 || password->data[i] == 0x7f)
                        return "the password has a line break or a control character in it; put "
                               "the auth token or the key's secret on one line, and nothing else";
        return NULL;
}

/* Where the password stands: *ret is new. Returns 0, -EINVAL with a message, -ENOMEM. */
static int password_path(
                const ConfigAccount *a, const char *directory, char **ret, char **reterr_msg) {
        if (!a->password_file && (!directory || !directory[0]))
                return error_set(reterr_msg, -EINVAL,
                                "no credentials were passed to the service; start factord by "
                                "systemd with LoadCredential=%s:/path in its unit, or use "
                                "PasswordFile=",
                                a->password_credential);

        int r = a->password_file ? asprintf(ret, "%s", a->password_file)
                                 : asprintf(ret, "%s/%s", directory, a->password_credential);
        return r < 0 ? -ENOMEM : 0;
}

static int read_password(ConfigAccount *a, const char *directory, uid_t owner, char **reterr_msg) {
        _cleanup_free_ char *path = NULL;
        _cleanup_(secret_done) Secret password = {0};

        int r = password_path(a, directory, &path, reterr_msg);
        if (r < 0)
                return r;

        /* A credential's file may show the mask of an access list where a file shows its group's
         * rights; its folder is systemd's, and nobody else's. */
        r = file_read_trusted(&password, path, owner, a->password_file != NULL, PASSWORD_FILE_MAX,
                        reterr_msg);
        if (r == -ENOENT)
                return error_set(reterr_msg, r,
                                "%s: there is no such file; create it, or correct %s=", path,
                                a->password_file ? "PasswordFile" : "PasswordCredential");
        if (r == -E2BIG)
                return error_set(reterr_msg, r,
                                "%s: the file is too long for a password; put the auth token or "
                                "the key's secret into it, and nothing else",
                                path);
        if (r < 0)
                return r;

        secret_chomp(&password);
        const char *fault = password_fault(&password);
        if (fault)
                return error_set(reterr_msg, -EINVAL, "%s: %s", path, fault);
        secret_move(&a->password, &password);
        return 0;
}

int config_load_passwords(
                Config *c, const char *credentials_directory, uid_t owner, ErrorList *errors) {
        size_t before = errors->n;

        for (size_t i = 0; i < c->n_accounts; i++) {
                ConfigAccount *a = &c->accounts[i];
                _cleanup_free_ char *msg = NULL;

                int r = read_password(a, credentials_directory, owner, &msg);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        r = error_list_add(errors, "%s:%u: account '%s': %s", a->path, a->line,
                                        a->name, error_text(msg, r));
                if (r < 0)
                        return r;
        }
        return errors->n > before ? -EINVAL : 0;
}
