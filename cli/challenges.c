/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/challenge.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/card.h"
#include "cli/clock.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/terminal.h"

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

int challenge_print_table(Session *s, FILE *out, json_object *challenges) {
        static const char *const headers[] = {"SID", "FACTOR", "TYPE", "STATE", "LEFT", "MESSAGE"};
        _cleanup_(table_freep) Table *t = NULL;
        usec_t now;
        int r = session_provider_time(s, &now);

        if (r == 0)
                r = table_new(&t, headers, ELEMENTSOF(headers));
        if (r != 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(challenges); i++) {
                json_object *o = json_object_array_get_idx(challenges, i);
                char left[64], state[64];

                table_add(t, get_string(o, "sid"));
                table_add(t, get_string(o, "factor"));
                table_add(t, get_string(o, "factor_type"));
                table_add(t, state_text(o, state));
                table_add(t, time_left(get_string(o, "expires"), now, left));
                table_add(t, get_string(o, "message"));
        }
        return table_print(out, t);
}

int challenge_print(Session *s, FILE *out, json_object *o) {
        CardLook look = {.columns = terminal_columns(fileno(out)), .full = true};
        int r = session_provider_time(s, &look.now);

        if (r == 0 && card_print(out, o, &look) < 0)
                r = complain(EXIT_FAILURE, "out of memory");
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
                return challenge_print_table(s, stdout, l.items);
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
