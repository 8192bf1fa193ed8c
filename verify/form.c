/* SPDX-License-Identifier: Apache-2.0 */
#include "verify/form.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/percent.h"
#include "base/text.h"
#include "verify/request.h"

void form_done(Form *f) {
        secret_done(&f->text);
}

void form_fail(Form *f, const char *format, ...) {
        char text[512];
        va_list ap;

        if (f->error < 0)
                return;
        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        f->error = error_set(f->reterr_msg, -EINVAL, "%s", text);
}

static void form_append(Form *f, const char *name, const void *value, size_t len) {
        if (f->error == 0 && f->text.len > 0)
                f->error = secret_append(&f->text, "&", 1);
        if (f->error == 0)
                f->error = percent_encode(&f->text, name, strlen(name));
        if (f->error == 0)
                f->error = secret_append(&f->text, "=", 1);
        if (f->error == 0)
                f->error = percent_encode(&f->text, value, len);
}

void form_add(Form *f, const char *name, const char *value) {
        form_append(f, name, value, strlen(value));
}

/* The text's length in code points, checked against its limits. */
static int check_length(const char *name,
                const char *value,
                size_t len,
                size_t min,
                size_t max,
                char **reterr_msg) {
        size_t n;

        if (memchr(value, '\0', len) || !utf8_valid(value, len))
                return error_set(reterr_msg, -EINVAL, "%s is not valid UTF-8 text", name);
        n = utf8_length(value);
        if (n > max)
                return error_set(reterr_msg, -EINVAL, "%s is %zu characters long; the limit is %zu",
                                name, n, max);
        if (n == 0 && min > 0)
                return error_set(reterr_msg, -EINVAL,
                                "%s is empty; it must have %zu to %zu characters", name, min, max);
        if (n < min)
                return error_set(reterr_msg, -EINVAL,
                                "%s is %zu characters long; it must have %zu to %zu", name, n, min,
                                max);
        return 0;
}

int form_check_text(
                const char *name, const char *value, size_t min, size_t max, char **reterr_msg) {
        return check_length(name, value, strlen(value), min, max, reterr_msg);
}

int form_check_sid(const char *name, const char *value, const char *prefix, char **reterr_msg) {
        if (sid_valid(value, prefix))
                return 0;
        if (sid_like(value))
                return error_set(reterr_msg, -EINVAL,
                                "%s is %s; it must be %s and 32 hexadecimal digits", name, value,
                                prefix);
        if (strlen(value) != SID_LEN)
                return error_set(reterr_msg, -EINVAL,
                                "%s is %zu characters long; it must be %s and 32 hexadecimal "
                                "digits",
                                name, strlen(value), prefix);
        return error_set(reterr_msg, -EINVAL, "%s is not %s and 32 hexadecimal digits", name,
                        prefix);
}

int form_check_identity(const char *value, char **reterr_msg) {
        size_t n = strlen(value);

        if (identity_valid(value))
                return 0;
        if (!utf8_valid(value, n))
                return error_set(reterr_msg, -EINVAL, "Identity is not valid UTF-8 text");
        n = utf8_length(value);
        if (n < IDENTITY_MIN_LEN || n > IDENTITY_MAX_LEN)
                return error_set(reterr_msg, -EINVAL,
                                "Identity is %zu characters long; it must have %d to %d letters "
                                "and digits, with single dashes between them",
                                n, IDENTITY_MIN_LEN, IDENTITY_MAX_LEN);
        return error_set(reterr_msg, -EINVAL,
                        "Identity has something else than letters and digits with single dashes "
                        "between them");
}

void form_add_text(Form *f, const char *name, const char *value, size_t min, size_t max) {
        if (f->error < 0 || !value)
                return;
        f->error = form_check_text(name, value, min, max, f->reterr_msg);
        form_add(f, name, value);
}

void form_add_secret(Form *f, const char *name, const Secret *value, size_t min, size_t max) {
        if (f->error < 0 || !value)
                return;
        f->error = check_length(name, secret_string(value), value->len, min, max, f->reterr_msg);
        form_append(f, name, value->data, value->len);
}

void form_add_int(Form *f,
                const char *name,
                int64_t value,
                int64_t absent,
                int64_t min,
                int64_t max) {
        char text[24];

        if (value == absent)
                return;
        if (value < min || value > max)
                form_fail(f, "%s is %" PRId64 "; it must be from %" PRId64 " to %" PRId64, name,
                                value, min, max);
        snprintf(text, sizeof(text), "%" PRId64, value);
        form_add(f, name, text);
}

void form_add_word(Form *f, const char *name, const char *value, const char *const *words) {
        char known[128] = "";
        size_t n = 0;

        if (!value)
                return;
        for (size_t i = 0; words[i]; i++) {
                if (streq(value, words[i])) {
                        form_add(f, name, value);
                        return;
                }
                const char *separator = i == 0 ? "" : words[i + 1] ? ", " : " or ";
                n += (size_t) snprintf(known + n, sizeof(known) - n, "%s%s", separator, words[i]);
        }
        form_fail(f, "%s is none of %s", name, known);
}

void form_add_sid(Form *f, const char *name, const char *value, const char *prefix) {
        if (f->error < 0 || !value)
                return;
        f->error = form_check_sid(name, value, prefix, f->reterr_msg);
        form_add(f, name, value);
}

void form_add_string_map(Form *f, const char *name, const char *json, size_t max) {
        if (f->error < 0 || !json)
                return;
        f->error = verify_check_string_map(name, json, max, f->reterr_msg);
        form_add(f, name, json);
}

void form_require(Form *f, const char *name, const void *value) {
        if (!value)
                form_fail(f, "%s is missing", name);
}
