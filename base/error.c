/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _printf_(1, 0) char *format_text(const char *format, va_list arguments) {
        char *text;

        return vasprintf(&text, format, arguments) < 0 ? NULL : text;
}

/* The arguments may point into the old text, so it goes only now. */
static void replace_text(char **text, char *fresh) {
        free(*text);
        *text = fresh;
}

int error_set(char **reterr_msg, int r, const char *format, ...) {
        va_list arguments;

        if (!reterr_msg)
                return r;

        va_start(arguments, format);
        char *text = format_text(format, arguments);
        va_end(arguments);

        replace_text(reterr_msg, text);
        return r;
}

int error_wrap(char **reterr_msg, int r, const char *format, ...) {
        va_list arguments;
        char *text = NULL;

        if (!reterr_msg)
                return r;

        va_start(arguments, format);
        _cleanup_free_ char *context = format_text(format, arguments);
        va_end(arguments);

        /* Without memory for the context, the reason alone is worth more than nothing. */
        if (!context || asprintf(&text, "%s: %s", context, error_text(*reterr_msg, r)) < 0)
                return r;

        replace_text(reterr_msg, text);
        return r;
}

const char *error_text(const char *msg, int r) {
        return msg ? msg : strerror(-r);
}

int error_list_add(ErrorList *list, const char *format, ...) {
        va_list arguments;

        char **messages = array_grow(list->messages, list->n, sizeof(char *));
        if (!messages)
                return -ENOMEM;
        list->messages = messages;

        va_start(arguments, format);
        char *text = format_text(format, arguments);
        va_end(arguments);
        if (!text)
                return -ENOMEM;

        list->messages[list->n++] = text;
        return 0;
}

void error_list_done(ErrorList *list) {
        for (size_t i = 0; i < list->n; i++)
                free(list->messages[i]);
        free(list->messages);
        *list = (ErrorList){0};
}
