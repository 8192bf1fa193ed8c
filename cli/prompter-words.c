/* SPDX-License-Identifier: Apache-2.0 */
/* What a line means that a person typed. */

#include <json-c/json.h>
#include <string.h>

#include "cli/output.h"
#include "cli/prompter-state.h"

#define CONFIRM_SID_LEN 4

static PrompterAct decide(Prompter *p, const char *operation, const char *confirm, usec_t now) {
        const char *digest = get_string(p->shown->view, "digest");
        bool ignoring = streq(operation, "Ignore");

        prompter_decision_done(p);
        if ((!digest && !ignoring) || text_set(&p->digest, digest) < 0 ||
                        text_set(&p->confirm, confirm) < 0) {
                prompter_notice(p,
                                "out of memory, or a challenge without a digest: nothing was "
                                "decided");
                prompter_decision_done(p);
                p->stage = PROMPTER_ASKING;
                return PROMPTER_GO_ON;
        }
        p->operation = operation;
        p->answering_since = now;
        p->stage = PROMPTER_ANSWERING;
        return PROMPTER_DECIDE;
}

PrompterDecision prompter_decision(const Prompter *p) {
        return (PrompterDecision){
                        .operation = p->operation,
                        .sid = p->shown->sid,
                        .digest = streq(p->operation, "Ignore") ? NULL : p->digest,
                        .confirm = p->confirm,
        };
}

static bool is_push(json_object *view) {
        return streq_ptr(get_string(view, "factor_type"), "push");
}

/* approve: at once, or after what it takes. */
static PrompterAct approve(Prompter *p, usec_t now) {
        json_object *view = p->shown->view;
        const char *confirm = get_string(view, "confirm"), *field;

        if (!confirm || streq(confirm, "none"))
                return decide(p, "Approve", NULL, now);
        field = get_string(view, "confirm_field");
        if (streq(confirm, "sid") || (streq(confirm, "field") && field)) {
                p->stage = PROMPTER_CONFIRMING;
                if (field)
                        prompter_notice(p,
                                        "Type the value of \"%s\" as it stands where the challenge "
                                        "comes "
                                        "from; Enter alone goes back.",
                                        field);
                else
                        prompter_notice(p,
                                        "Type the last four characters of the challenge's SID; "
                                        "Enter "
                                        "alone goes back.");
                return PROMPTER_GO_ON;
        }
        if (streq(confirm, "never"))
                prompter_notice(p,
                                "It can't be approved: it has not one detail \"%s\" with a value, "
                                "which its factor wants typed. Type %s, or skip.",
                                strempty(field), is_push(view) ? "deny or ignore" : "ignore");
        else
                prompter_notice(p,
                                "It can't be approved here: approving it takes \"%s\", which this "
                                "factorctl does not know.",
                                confirm);
        return PROMPTER_GO_ON;
}

static PrompterAct skip(Prompter *p, usec_t now) {
        if (prompter_n_others(p, now) == 0) {
                prompter_notice(p, "Nothing else waits.");
                return PROMPTER_GO_ON;
        }
        waiting_skip(&p->list, p->shown);
        prompter_withdraw(p);
        return PROMPTER_GO_ON;
}

static void help(Prompter *p) {
        prompter_notice(p, "approve: yes, this is what I asked for");
        if (!p->shown || is_push(p->shown->view))
                prompter_notice(p, "deny: no; the one who asks is told");
        prompter_notice(p, "ignore: no answer at all; its time runs out");
        prompter_notice(p, "skip: the next one first");
        prompter_notice(p, "quit: end this; what waits stays as it is");
}

const char *prompter_words(const Prompter *p) {
        if (!p->shown)
                return "quit or help";
        return is_push(p->shown->view) ? "approve, deny, ignore, skip, quit or help"
                                       : "approve, ignore, skip, quit or help";
}

static void tell_possible(Prompter *p, const char *before) {
        prompter_notice(p, "%s Type a whole word: %s.", before, prompter_words(p));
}

static PrompterAct take_word(Prompter *p, const char *word, usec_t now) {
        if (streq(word, "quit"))
                return PROMPTER_QUIT;
        if (streq(word, "help"))
                help(p);
        else if (!p->shown)
                tell_possible(p, "Nothing is asked at present.");
        else if (streq(word, "approve"))
                return approve(p, now);
        else if (streq(word, "deny") && is_push(p->shown->view))
                return decide(p, "Deny", NULL, now);
        else if (streq(word, "deny"))
                prompter_notice(p, "Such a challenge has no denial: ignore it.");
        else if (streq(word, "ignore"))
                return decide(p, "Ignore", NULL, now);
        else if (streq(word, "skip"))
                return skip(p, now);
        else
                tell_possible(p, "Nothing was decided.");
        return PROMPTER_GO_ON;
}

/* What Approve wants typed. A slip of the keyboard does not cost one of the tries that the daemon
 * counts. */
static PrompterAct take_confirmation(Prompter *p, char *text, usec_t now) {
        p->stage = PROMPTER_ASKING;
        if (!*text) {
                tell_possible(p, "Nothing was decided.");
                return PROMPTER_GO_ON;
        }
        if (!streq_ptr(get_string(p->shown->view, "confirm"), "sid"))
                return decide(p, "Approve", text, now);
        for (char *c = text; *c; c++)
                *c = (char) (*c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c);
        if (strlen(text) == CONFIRM_SID_LEN && strspn(text, "0123456789abcdef") == CONFIRM_SID_LEN)
                return decide(p, "Approve", text, now);
        tell_possible(p, "Those are no four characters of a SID: nothing was decided.");
        return PROMPTER_GO_ON;
}

PrompterAct prompter_line(Prompter *p, const char *text, usec_t now) {
        _cleanup_(secret_string_freep) char *copy = NULL;
        size_t len;

        if (p->stage == PROMPTER_ANSWERING)
                return PROMPTER_GO_ON;
        if (!text) {
                tell_possible(p, "That was too long: nothing was decided.");
                return PROMPTER_GO_ON;
        }
        copy = strdup(text + strspn(text, " "));
        if (!copy)
                return PROMPTER_GO_ON;
        for (len = strlen(copy); len > 0 && copy[len - 1] == ' ';)
                copy[--len] = '\0';
        return p->stage == PROMPTER_CONFIRMING ? take_confirmation(p, copy, now)
                                               : take_word(p, copy, now);
}
