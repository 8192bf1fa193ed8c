/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/decider-text.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "daemon/view.h"

/* Exactly as it was received, numbers too; it was checked then. Line breaks can stand between its
 * tokens only. */
static json_object *question_hidden(const ChallengeView *v) {
        char *text = v->hidden_details ? strdup(v->hidden_details) : NULL;
        json_object *o = text ? json_object_new_object() : NULL;

        if (!o) {
                free(text);
                return NULL;
        }
        for (char *p = text; *p; p++)
                if (*p == '\n' || *p == '\r')
                        *p = ' ';
        json_object_set_serializer(
                        o, json_object_userdata_to_json_string, text, json_object_free_userdata);
        return o;
}

/* No secrets, and nothing of who else asks for the same. */
static json_object *question_challenge(const ChallengeView *v) {
        json_object *o = json_object_new_object();

        view_add_string(o, "sid", v->sid);
        view_add_string(o, "digest", v->digest);
        view_add_string(o, "factor", v->factor);
        view_add_string(o, "factor_sid", v->factor_sid);
        view_add_string(o, "factor_type", factor_type_to_string(v->factor_type));
        view_add_string(o, "service_sid", v->service_sid);
        view_add_string(o, "identity", v->identity);
        view_add_string(o, "message", v->message);
        view_add(o, "fields", view_fields(v->fields, v->n_fields));
        view_add(o, "hidden_details", question_hidden(v));
        view_add_time(o, "created", v->created);
        view_add_time(o, "expires", v->expires);
        return o;
}

int decider_question(const ChallengeView *v, const char *rule, char **ret) {
        json_object *o = json_object_new_object();
        const char *text;
        int n = -1;

        view_add_int(o, "schema", 1);
        view_add_string(o, "rule", rule);
        view_add(o, "challenge", question_challenge(v));
        text = o ? json_object_to_json_string_ext(
                                   o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                 : NULL;
        if (text)
                n = asprintf(ret, "%s\n", text);
        json_object_put(o);
        return n < 0 ? -ENOMEM : 0;
}

int decider_word(const void *data, size_t len, Verb *ret) {
        char word[DECIDER_ANSWER_MAX + 1];
        int verb;

        if (len > 0 && ((const char *) data)[len - 1] == '\n')
                len--;
        if (len == 0 || len >= sizeof(word) || memchr(data, '\0', len))
                return -EINVAL;
        memcpy(word, data, len);
        word[len] = '\0';
        verb = verb_from_string(word);
        if (verb < 0)
                return -EINVAL;
        *ret = (Verb) verb;
        return 0;
}
