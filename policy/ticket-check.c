/* SPDX-License-Identifier: Apache-2.0 */
/* What a ticket may be: one that fits nothing, or anything, is a mistake to be told of at once. */

#include <errno.h>
#include <string.h>

#include "policy/evaluate.h"
#include "policy/glob.h"
#include "policy/pattern.h"

static int refuse_unsafe(const char *what, const char *text, char **reterr_msg) {
        if (!text_is_unsafe(text))
                return 0;
        return error_set(reterr_msg, -EINVAL,
                        "%s has characters that hide or disguise text: no rule approves those",
                        what);
}

static int check_message(const char *message, char **reterr_msg) {
        const char *fault;

        if (*message == '\0')
                return error_set(reterr_msg, -EINVAL, "The message is empty; leave it out");
        if (strlen(message) > POLICY_TICKET_MESSAGE_MAX)
                return error_set(reterr_msg, -EINVAL, "The message is over %d bytes; shorten it",
                                POLICY_TICKET_MESSAGE_MAX);
        if (*message == '~' || *message == '!')
                return error_set(reterr_msg, -EINVAL,
                                "A ticket's message is a glob, which begins with no '%c'; write "
                                "\\%c for the character itself",
                                *message, *message);
        fault = glob_fault(message);
        if (fault)
                return error_set(reterr_msg, -EINVAL, "The message is no glob: %s", fault);
        return refuse_unsafe("The message", message, reterr_msg);
}

static int check_length(const char *what, const char *text, size_t max, char **reterr_msg) {
        if (utf8_length(text) <= max)
                return 0;
        return error_set(reterr_msg, -EINVAL, "%s is over %zu characters: no detail has that many",
                        what, max);
}

static int check_field(const PolicyTicket *t, size_t i, char **reterr_msg) {
        const DetailField *f = &t->fields[i];
        int r;

        if (*f->label == '\0')
                return error_set(reterr_msg, -EINVAL, "A field has no label; write LABEL=VALUE");
        for (size_t j = 0; j < i; j++)
                if (streq(t->fields[j].label, f->label))
                        return error_set(reterr_msg, -EINVAL,
                                        "Two fields have one label; name each once");
        r = check_length("A field's label", f->label, POLICY_TICKET_LABEL_MAX, reterr_msg);
        if (r == 0)
                r = check_length("A field's value", f->value, POLICY_TICKET_VALUE_MAX, reterr_msg);
        if (r == 0)
                r = refuse_unsafe("A field's label", f->label, reterr_msg);
        return r == 0 ? refuse_unsafe("A field's value", f->value, reterr_msg) : r;
}

static int check_fields(const PolicyTicket *t, char **reterr_msg) {
        if (t->n_fields > POLICY_TICKET_FIELDS_MAX)
                return error_set(reterr_msg, -EINVAL, "There are over %d fields",
                                POLICY_TICKET_FIELDS_MAX);
        for (size_t i = 0; i < t->n_fields; i++) {
                int r = check_field(t, i, reterr_msg);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A message of any kind announces nothing. */
static int check_narrow(const PolicyTicket *t, char **reterr_msg) {
        _cleanup_(regex_scratch_freep) RegexScratch *scratch = NULL;
        _cleanup_(pattern_done) Pattern p = {.kind = PATTERN_GLOB};

        if (t->n_fields > 0)
                return 0;
        if (!t->message)
                return error_set(reterr_msg, -EINVAL,
                                "A ticket for a push factor needs a message or a field");
        int r = regex_scratch_new(&scratch);
        if (r == 0)
                r = text_set(&p.glob, t->message);
        if (r < 0)
                return r;
        if (!pattern_is_broad(&p, scratch))
                return 0;
        return error_set(reterr_msg, -EINVAL,
                        "The message matches anything, so it announces nothing; write more of it, "
                        "or add a field");
}

int policy_ticket_check(
                const PolicyTicket *t, FactorType type, const char **ret_what, char **reterr_msg) {
        int r = 0;

        *ret_what = t->message ? "message" : "fields";
        if (type != FACTOR_PUSH)
                return t->message || t->n_fields > 0
                                       ? error_set(reterr_msg, -EINVAL,
                                                         "A TOTP factor's challenges have neither "
                                                         "a message nor fields")
                                       : 0;
        if (t->message)
                r = check_message(t->message, reterr_msg);
        if (r == 0 && t->n_fields > 0) {
                *ret_what = "fields";
                r = check_fields(t, reterr_msg);
        }
        if (r < 0)
                return r;
        *ret_what = "message";
        return check_narrow(t, reterr_msg);
}
