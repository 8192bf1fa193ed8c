/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/helper-text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int write_line(FILE *out, const char *before, const char *text, const char *after) {
        _cleanup_free_ char *escaped = NULL;
        int r;

        r = text_escape(text, &escaped);
        if (r >= 0)
                (void) fprintf(out, "%s%s%s", before, escaped, after);
        return r;
}

/* A detail, indented: what stands at the left is ours. */
static int write_field(FILE *out, const DetailField *field, const char *typed) {
        int r;

        r = write_line(out, "    ", field->label, ": ");
        if (r < 0)
                return r;
        if (typed && streq(field->label, typed)) {
                (void) fputs("(to be typed)\n", out);
                return 0;
        }
        return write_line(out, "", field->value, "\n");
}

static int write_left(FILE *out, usec_t left) {
        _cleanup_free_ char *span = NULL;
        int r;

        if (left < USEC_PER_SEC) {
                (void) fputs("It is about to expire.\n", out);
                return 0;
        }
        r = timespan_format(left / USEC_PER_SEC * USEC_PER_SEC, &span);
        if (r >= 0)
                (void) fprintf(out, "It expires in %s.\n", span);
        return r;
}

static int write_text(FILE *out, const ChallengeView *v, usec_t left, const char *typed) {
        int r;

        r = write_line(out, "Approve with factor ", v->factor, "?\n");
        if (r >= 0 && v->message)
                r = write_line(out, "\nMessage: ", v->message, "\n");
        if (r >= 0 && v->n_fields > 0)
                (void) fputs("\nDetails:\n", out);
        for (size_t i = 0; i < v->n_fields && r >= 0; i++)
                r = write_field(out, &v->fields[i], typed);
        (void) fputs("\n", out);
        if (r >= 0)
                r = write_left(out, left);
        if (r >= 0 && typed)
                r = write_line(out, "To approve, type the value of: ", typed, "\n");
        return r;
}

int helper_text(const ChallengeView *v, usec_t left, const char *typed, char **ret) {
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        int r;

        if (!out)
                return -ENOMEM;
        r = write_text(out, v, left, typed);
        if (fclose(out) != 0 && r >= 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        /* A dialog has no use for the last newline. */
        text[size - 1] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

static size_t first_line_length(const Secret *output) {
        size_t n = 0;

        while (n < output->len && output->data[n] != '\n' && output->data[n] != '\r')
                n++;
        return n;
}

bool helper_says_yes(const Secret *output) {
        size_t n = first_line_length(output);

        return n == 0 || (n == STRLEN("yes") && strncasecmp((char *) output->data, "yes", n) == 0);
}

int helper_typed(const Secret *output, char **ret) {
        size_t n = first_line_length(output);
        char *line;

        *ret = NULL;
        if (n == 0 || memchr(output->data, '\0', n) || !utf8_valid((char *) output->data, n))
                return 0;
        line = strndup((char *) output->data, n);
        if (!line)
                return -ENOMEM;
        *ret = line;
        return 0;
}

/* What concerns the daemon alone, or is set anew. */
static bool environment_is_ours(const char *entry) {
        static const char *const names[] = {"NOTIFY_SOCKET=", "LISTEN_", "WATCHDOG_",
                        "CREDENTIALS_DIRECTORY=", "JOURNAL_STREAM=", "SSH_ASKPASS_PROMPT=",
                        "FACTORD_CHALLENGE="};

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (strncmp(entry, names[i], strlen(names[i])) == 0)
                        return true;
        return false;
}

int helper_environment(char *const *environment, const char *sid, bool typed, char ***ret) {
        _cleanup_(environment_freep) char **copy = NULL;
        size_t n = 0;

        while (environment && environment[n])
                n++;
        copy = calloc(n + 3, sizeof(char *));
        if (!copy)
                return -ENOMEM;
        size_t kept = 0;
        for (size_t i = 0; i < n; i++) {
                if (environment_is_ours(environment[i]))
                        continue;
                copy[kept] = strdup(environment[i]);
                if (!copy[kept++])
                        return -ENOMEM;
        }
        if (sid && asprintf(&copy[kept], "FACTORD_CHALLENGE=%s", sid) < 0) {
                copy[kept] = NULL;
                return -ENOMEM;
        }
        kept += sid != NULL;
        if (!typed && !(copy[kept] = strdup("SSH_ASKPASS_PROMPT=confirm")))
                return -ENOMEM;
        *ret = TAKE_PTR(copy);
        return 0;
}

char **environment_free(char **environment) {
        for (char **entry = environment; entry && *entry; entry++)
                free(*entry);
        free(environment);
        return NULL;
}
