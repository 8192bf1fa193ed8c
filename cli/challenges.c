/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/challenge.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"

bool challenge_is_reference(const char *text) {
        size_t len = strlen(text);

        return len >= SID_PREFIX_MIN && len <= SID_LEN && strncmp(text, "YC", 2) == 0 &&
               strspn(text + 2, "0123456789abcdef") == len - 2;
}

static int answered_challenge(const JsonDoc *reply, json_object **ret) {
        *ret = get_object(json_doc_object(reply), "challenge");
        if (!*ret || !get_string(*ret, "sid"))
                return complain(EXIT_FAILURE, "the daemon's answer has no challenge");
        return 0;
}

int challenge_get(Session *s, const char *reference, JsonDoc **ret, json_object **ret_challenge) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *p;
        int r;

        if (!challenge_is_reference(reference))
                return complain(EXIT_USAGE,
                                "\"%s\" is no challenge's SID, nor %d or more characters of one",
                                reference, SID_PREFIX_MIN);
        p = parameters_new(s);
        parameters_add_string(s, p, "sid", reference);
        r = session_call(s, "GetChallenge", p, &reply);
        if (r == 0)
                r = answered_challenge(reply, ret_challenge);
        if (r == 0)
                *ret = TAKE_PTR(reply);
        return r;
}

int challenge_print_reply(Session *s, const JsonDoc *reply) {
        _cleanup_free_ char *sid = NULL, *factor = NULL, *state = NULL;
        json_object *o;
        int r;

        r = answered_challenge(reply, &o);
        if (r != 0)
                return r;
        if (s->json)
                return print_json_member("challenge", o);
        if (text_escape(get_string(o, "sid"), &sid) < 0 ||
                        text_escape(strempty(get_string(o, "factor")), &factor) < 0 ||
                        text_escape(strempty(get_string(o, "state")), &state) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        printf("%s %s (%s)\n", state, sid, factor);
        return 0;
}

int challenge_list_pending(Session *s, List *ret) {
        return session_list(s, "ListChallenges", parameters_new(s), "challenges", ret);
}

/* "asking", and in brackets why it is not popped up, or how many it stands for. */
static const char *state_text(json_object *o, char ret[static 64]) {
        int64_t repeats = get_int(o, "repeats", 0);
        const char *state = strempty(get_string(o, "state"));

        if (get_string(o, "repeat_of"))
                snprintf(ret, 64, "%.32s (repeat)", state);
        else if (repeats > 0)
                snprintf(ret, 64, "%.32s (+%" PRId64 ")", state, repeats);
        else
                snprintf(ret, 64, "%.32s%s", state, get_bool(o, "quiet") ? " (quiet)" : "");
        return ret;
}

int challenge_print_table(FILE *out, json_object *challenges) {
        static const char *const headers[] = {"SID", "FACTOR", "TYPE", "STATE", "LEFT", "MESSAGE"};
        _cleanup_(table_freep) Table *t = NULL;
        int r = table_new(&t, headers, ELEMENTSOF(headers));

        if (r != 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(challenges); i++) {
                json_object *o = json_object_array_get_idx(challenges, i);
                char left[64], state[64];

                table_add(t, get_string(o, "sid"));
                table_add(t, get_string(o, "factor"));
                table_add(t, get_string(o, "factor_type"));
                table_add(t, state_text(o, state));
                table_add(t, time_left(get_string(o, "expires"), left));
                table_add(t, get_string(o, "message"));
        }
        return table_print(out, t);
}

static int print_field(FILE *out, json_object *field) {
        const char *text = get_string(field, "value");
        _cleanup_free_ char *label = NULL, *value = NULL;

        if (text_escape(strempty(get_string(field, "label")), &label) < 0 ||
                        text_escape(text ? text : "(to be typed)", &value) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        /* Under a mark of their own: a label must not pass for one of ours. */
        fprintf(out, "%14s| %s: %s\n", "", label, value);
        return 0;
}

/* What an approval takes. */
static int print_confirm(FILE *out, json_object *o) {
        const char *confirm = strempty(get_string(o, "confirm"));
        const char *label = strempty(get_string(o, "confirm_field"));
        _cleanup_free_ char *text = NULL;
        int r = 0;

        if (streq(confirm, "sid"))
                return print_pair(out, "to approve", "type the last four characters of the SID");
        if (streq(confirm, "field"))
                r = asprintf(&text, "type the value of \"%s\" as it stands where this comes from",
                                label);
        else if (streq(confirm, "never"))
                r = asprintf(&text, "not possible: it has not one detail \"%s\" with a value",
                                label);
        if (r < 0) {
                text = NULL;
                return complain(EXIT_FAILURE, "out of memory");
        }
        return print_pair(out, "to approve", text);
}

static void print_repeats(FILE *out, json_object *o) {
        int64_t repeats = get_int(o, "repeats", 0);

        print_pair(out, "repeat of", get_string(o, "repeat_of"));
        if (repeats > 0)
                fprintf(out, "%14s: %" PRId64 " more that ask for the same\n", "repeats", repeats);
}

int challenge_print(FILE *out, json_object *o) {
        json_object *fields = get_array(o, "fields");
        size_t n = count_items(fields);
        char left[64];
        int r = 0;

        print_pair(out, "challenge", get_string(o, "sid"));
        print_pair(out, "factor", get_string(o, "factor"));
        print_pair(out, "type", get_string(o, "factor_type"));
        print_pair(out, "state", get_string(o, "state"));
        print_pair(out, "reason", get_string(o, "reason"));
        print_pair(out, "service", get_string(o, "service_sid"));
        print_pair(out, "identity", get_string(o, "identity"));
        print_pair(out, "created", get_string(o, "created"));
        print_pair(out, "expires", get_string(o, "expires"));
        print_pair(out, "time left", time_left(get_string(o, "expires"), left));
        print_pair(out, "digest", get_string(o, "digest"));
        print_repeats(out, o);
        print_confirm(out, o);
        print_pair(out, "message", get_string(o, "message"));
        for (size_t i = 0; i < n && r == 0; i++)
                r = print_field(out, json_object_array_get_idx(fields, i));
        return r;
}

int run_pending(Session *s, const Arguments *a) {
        _cleanup_(list_done) List l = {0};
        int r;

        r = challenge_list_pending(s, &l);
        if (r != 0)
                return r;
        if (s->json)
                return print_json_member("challenges", l.items);
        if (json_object_array_length(l.items) > 0)
                return challenge_print_table(stdout, l.items);
        remark("nothing is pending");
        return 0;
}

int run_ignore(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *found = NULL, *reply = NULL;
        json_object *p, *challenge;
        int r;

        r = challenge_get(s, a->words[0], &found, &challenge);
        if (r != 0)
                return r;
        p = parameters_new(s);
        parameters_add_string(s, p, "sid", get_string(challenge, "sid"));
        r = session_call(s, "Ignore", p, &reply);
        return r == 0 ? challenge_print_reply(s, reply) : r;
}
