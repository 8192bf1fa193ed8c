/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/challenge.h"
#include "cli/line.h"
#include "cli/output.h"
#include "cli/terminal.h"

#define SID_END 4 /* characters that stand for a SID */

/* Sends the decision on what was seen: this SID with this digest, and what was typed. */
static int decide(Session *s,
                const char *operation,
                const char *sid,
                const char *digest,
                const char *confirm) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *p = parameters_new(s);
        int r;

        parameters_add_string(s, p, "sid", sid);
        parameters_add_string(s, p, "digest", digest);
        parameters_add_string(s, p, "confirm", confirm);
        r = session_call(s, operation, p, &reply);
        return r == 0 ? challenge_print_reply(s, reply) : r;
}

/* Asks for a line on the terminal, at most until the deadline. Its text is "" at the end of input,
 * and when it is too long to be an answer. What was typed before it was asked for is none. */
static int read_answer(Session *s, const char *prompt, Line *ret) {
        struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
        LineResult result = LINE_SAME;

        terminal_drop_input();
        fputs(prompt, stderr);
        fflush(stderr);
        while (result != LINE_ENTERED && result != LINE_ENDED) {
                struct timespec left = {0};
                usec_t wait = usec_sub(s->deadline, now_boottime());
                uint8_t byte;
                ssize_t n;

                left.tv_sec = (time_t) (wait / USEC_PER_SEC);
                left.tv_nsec = (long) (wait % USEC_PER_SEC) * 1000;
                n = ppoll(&p, 1, s->deadline == USEC_INFINITY ? NULL : &left, NULL);
                if (n == 0)
                        return complain(EXIT_TIMED_OUT, "no answer in time: nothing was decided");
                if (n > 0)
                        n = read(STDIN_FILENO, &byte, 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                result = line_feed(ret, byte);
        }
        if (result != LINE_ENTERED || !line_text(ret))
                line_clear(ret);
        return 0;
}

/* Where nobody can be asked. */
static int confirm_missing(bool field, const char *label) {
        if (field)
                return complain(EXIT_USAGE,
                                "approving this wants the value of \"%s\" as it stands where the "
                                "challenge comes from: give it with --confirm",
                                label);
        return complain(EXIT_USAGE,
                        "more challenges of this factor came than is usual: name the whole SID, or "
                        "give its last %d characters with --confirm",
                        SID_END);
}

/* Approves with what that takes: the option's text, or for a SID that was named whole its end, or
 * what is typed now. shown: the challenge was printed already. */
static int approve(Session *s, json_object *challenge, const char *digest, bool whole, bool shown) {
        const char *sid = get_string(challenge, "sid"), *kind = get_string(challenge, "confirm");
        const char *label = strempty(get_string(challenge, "confirm_field"));
        const char *given = s->arguments->values[OPTION_CONFIRM];
        bool field = streq_ptr(kind, "field");
        _cleanup_(line_clear) Line typed = {0};
        int r;

        if (!digest)
                digest = get_string(challenge, "digest");
        if (!given && streq_ptr(kind, "sid") && whole && sid_valid(sid, "YC"))
                given = sid + SID_LEN - SID_END;
        if (given || (!field && !streq_ptr(kind, "sid")))
                return decide(s, "Approve", sid, digest, given);
        if (!isatty(STDIN_FILENO))
                return confirm_missing(field, label);
        r = shown ? 0 : challenge_print(s, stderr, challenge);
        if (r == 0)
                r = read_answer(s, field ? "Type the value: " : "Type these four characters: ",
                                &typed);
        if (r == 0 && !*typed.text)
                r = complain(EXIT_FAILURE, "nothing was decided");
        return r != 0 ? r : decide(s, "Approve", sid, digest, typed.text);
}

/* Shows the challenge and asks; only a whole word decides. */
static int ask_and_decide(Session *s, json_object *challenge) {
        /* A TOTP challenge has no denial: it is left to expire. */
        bool totp = streq_ptr(get_string(challenge, "factor_type"), "totp");
        const char *refuse = totp ? "ignore" : "deny", *sid = get_string(challenge, "sid");
        _cleanup_(line_clear) Line answer = {0};
        char prompt[80];
        int r;

        (void) snprintf(prompt, sizeof(prompt),
                        "\nType approve or %s; anything else leaves it as it is: ", refuse);
        r = challenge_print(s, stderr, challenge);
        if (r == 0)
                r = read_answer(s, prompt, &answer);
        if (r != 0)
                return r;
        if (streq(answer.text, "approve"))
                return approve(s, challenge, NULL, false, true);
        if (streq(answer.text, refuse))
                return totp ? decide(s, "Ignore", sid, NULL, NULL)
                            : decide(s, "Deny", sid, get_string(challenge, "digest"), NULL);
        return complain(EXIT_FAILURE, "nothing was decided");
}

/* No SID: the one that is pending, or with a digest the one that has it. */
static int find_pending(Session *s, List *l, const char *digest, json_object **ret) {
        size_t n = json_object_array_length(l->items);
        int r;

        for (size_t i = 0; digest && i < n; i++) {
                *ret = json_object_array_get_idx(l->items, i);
                if (streq_ptr(get_string(*ret, "digest"), digest))
                        return 0;
        }
        if (digest)
                return complain(EXIT_NOT_FOUND, "no pending challenge has this digest");
        if (n == 0)
                return complain(EXIT_NOT_FOUND, "nothing is pending");
        *ret = json_object_array_get_idx(l->items, 0);
        if (n == 1)
                return 0;
        r = challenge_print_table(s, stderr, l->items);
        return r != 0 ? r : complain(EXIT_USAGE, "%zu are pending: say which, by its SID", n);
}

static int decide_pending(Session *s, bool approves, const char *digest) {
        _cleanup_(list_done) List l = {0};
        json_object *challenge = NULL;
        int r;

        r = challenge_list_pending(s, &l);
        if (r == 0)
                r = find_pending(s, &l, digest, &challenge);
        if (r != 0)
                return r;
        if (!digest)
                return ask_and_decide(s, challenge);
        return approves ? approve(s, challenge, digest, false, false)
                        : decide(s, "Deny", get_string(challenge, "sid"), digest, NULL);
}

static int decide_named(Session *s, bool approves, const char *reference, const char *digest) {
        _cleanup_(json_doc_freep) JsonDoc *found = NULL;
        bool whole = sid_valid(reference, "YC");
        json_object *challenge = NULL;
        int r;

        if (whole && digest && !approves)
                return decide(s, "Deny", reference, digest, NULL);
        r = challenge_get(s, reference, &found, &challenge);
        if (r != 0)
                return r;
        if (!whole && !digest)
                return ask_and_decide(s, challenge);
        if (approves)
                return approve(s, challenge, digest, whole, false);
        return decide(s, "Deny", get_string(challenge, "sid"),
                        digest ? digest : get_string(challenge, "digest"), NULL);
}

static int run_decision(Session *s, const Arguments *a, bool approves) {
        const char *reference = a->n_words > 0 ? a->words[0] : NULL;
        const char *digest = a->values[OPTION_DIGEST];

        if (reference && !challenge_is_reference(reference))
                return complain(EXIT_USAGE,
                                "\"%s\" is no challenge's SID, nor %d or more characters of one",
                                reference, SID_PREFIX_MIN);
        if (!digest && (!reference || !sid_valid(reference, "YC")) && !isatty(STDIN_FILENO))
                return complain(EXIT_USAGE,
                                "%s wants a whole SID or --digest where there is no terminal to "
                                "ask on",
                                approves ? "approve" : "deny");
        return reference ? decide_named(s, approves, reference, digest)
                         : decide_pending(s, approves, digest);
}

int run_approve(Session *s, const Arguments *a) {
        return run_decision(s, a, true);
}

int run_deny(Session *s, const Arguments *a) {
        return run_decision(s, a, false);
}
