/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cli/input.h"
#include "cli/output.h"

/* Whose challenges: --factor (or the argument), or --account, --service and --identity. */
static int add_target(Session *s, json_object *parameters, const char *factor) {
        const Arguments *a = s->arguments;
        json_object *target;

        if (factor && argument_given(a, OPTION_FACTOR))
                return complain(EXIT_USAGE, "the factor is named twice");
        if (!factor)
                factor = a->values[OPTION_FACTOR];
        if (!factor && !(argument_given(a, OPTION_ACCOUNT) && argument_given(a, OPTION_SERVICE) &&
                                       argument_given(a, OPTION_IDENTITY)))
                return complain(EXIT_USAGE,
                                "name a factor, or give --account, --service and --identity");
        target = parameters_new(s);
        parameters_add_string(s, target, "factor", factor);
        parameters_add_option(s, target, "account", OPTION_ACCOUNT);
        parameters_add_option(s, target, "service_sid", OPTION_SERVICE);
        parameters_add_option(s, target, "identity", OPTION_IDENTITY);
        parameters_add(s, parameters, "target", target);
        return 0;
}

static int add_expires(Session *s, json_object *parameters) {
        const char *text = s->arguments->values[OPTION_EXPIRES];
        char date[RFC3339_SIZE];
        usec_t t;

        if (!text)
                return 0;
        if (timespan_parse(text, &t) >= 0) {
                parameters_add_int(s, parameters, "expires_in_ms", (int64_t) (t / USEC_PER_MSEC));
                return 0;
        }
        if (rfc3339_parse(text, &t) < 0)
                return complain(EXIT_USAGE,
                                "--expires wants a date (RFC 3339) or a span like 10min, not "
                                "\"%s\"",
                                text);
        parameters_add_string(s, parameters, "expiration_date", rfc3339_format(t, date));
        return 0;
}

static int add_auth_payload(Session *s, json_object *parameters) {
        const char *path = s->arguments->values[OPTION_AUTH_PAYLOAD_FILE];

        return path ? input_add_file(s, parameters, "auth_payload", path, true) : 0;
}

/* Sends what was put together unless that failed, and prints the provider's challenge. */
static int call_for_challenge(Session *s, const char *operation, json_object *parameters, int r) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *challenge;

        if (r != 0) {
                json_object_wipe_put(parameters);
                return r;
        }
        r = session_call(s, operation, parameters, &reply);
        if (r != 0)
                return r;
        challenge = get_object(json_doc_object(reply), "challenge");
        if (!challenge)
                return complain(EXIT_FAILURE, "the daemon's answer has no challenge");
        return s->json ? print_json_member("challenge", challenge) : print_members(challenge);
}

int run_challenge_create(Session *s, const Arguments *a) {
        json_object *p = parameters_new(s);
        int r;

        parameters_add_option(s, p, "factor_sid", OPTION_FACTOR_SID);
        parameters_add_option(s, p, "message", OPTION_MESSAGE);
        parameters_add_option(s, p, "hidden_details", OPTION_HIDDEN_DETAILS);
        r = add_target(s, p, a->n_words > 0 ? a->words[0] : NULL);
        if (r == 0)
                r = parameters_add_fields(s, p);
        if (r == 0)
                r = add_expires(s, p);
        if (r == 0)
                r = add_auth_payload(s, p);
        return call_for_challenge(s, "ChallengeCreate", p, r);
}

int run_challenge_fetch(Session *s, const Arguments *a) {
        json_object *p = parameters_new(s);

        parameters_add_string(s, p, "sid", a->words[0]);
        return call_for_challenge(s, "ChallengeFetch", p, add_target(s, p, NULL));
}

int run_challenge_update(Session *s, const Arguments *a) {
        json_object *p = parameters_new(s);
        int r;

        parameters_add_string(s, p, "sid", a->words[0]);
        parameters_add_option(s, p, "metadata", OPTION_METADATA);
        r = add_target(s, p, NULL);
        if (r == 0)
                r = add_auth_payload(s, p);
        return call_for_challenge(s, "ChallengeUpdate", p, r);
}

static int print_page(Session *s, const List *l) {
        json_object *last = json_doc_object(l->replies[l->n_replies - 1]);
        static const char *const keys[] = {"next_page", "next_page_token"};
        json_object *o = parameters_new(s);
        int r;

        parameters_add(s, o, "challenges", json_object_get(l->items));
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                json_object *value = NULL;

                (void) json_object_object_get_ex(last, keys[i], &value);
                if (o && json_object_object_add(o, keys[i], json_object_get(value)) < 0)
                        json_object_put(value);
        }
        r = s->out_of_memory ? complain(EXIT_FAILURE, "out of memory") : print_json(o);
        json_object_put(o);
        return r;
}

static int print_table(const List *l) {
        static const char *const headers[] = {"SID", "FACTOR SID", "STATUS", "CREATED", "EXPIRES"};
        static const char *const keys[] = {
                        "sid", "factor_sid", "status", "date_created", "expiration_date"};
        json_object *last = json_doc_object(l->replies[l->n_replies - 1]);
        _cleanup_(table_freep) Table *t = NULL;
        int r = table_new(&t, headers, ELEMENTSOF(headers));

        if (r != 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(l->items); i++)
                for (size_t k = 0; k < ELEMENTSOF(keys); k++)
                        table_add(t, get_string(json_object_array_get_idx(l->items, i), keys[k]));
        r = table_print(stdout, t);
        if (r == 0 && get_string(last, "next_page_token"))
                remark("there is more: --page %lld --page-token %s",
                                (long long) get_int(last, "next_page", 0),
                                get_string(last, "next_page_token"));
        return r;
}

int run_challenge_list(Session *s, const Arguments *a) {
        _cleanup_(list_done) List l = {0};
        json_object *p = parameters_new(s);
        int r;

        parameters_add_option(s, p, "factor_sid", OPTION_FACTOR_SID);
        parameters_add_option(s, p, "status", OPTION_STATUS);
        parameters_add_option(s, p, "order", OPTION_ORDER);
        parameters_add_option(s, p, "page_token", OPTION_PAGE_TOKEN);
        r = parameters_add_integer_option(s, p, "page_size", OPTION_PAGE_SIZE);
        if (r == 0)
                r = parameters_add_integer_option(s, p, "page", OPTION_PAGE);
        if (r == 0)
                r = add_target(s, p, a->n_words > 0 ? a->words[0] : NULL);
        if (r != 0) {
                json_object_put(p);
                return r;
        }
        r = session_list(s, "ChallengeList", p, "challenges", &l);
        if (r != 0)
                return r;
        return s->json ? print_page(s, &l) : print_table(&l);
}

/* Whole seconds, plain or as a span. */
static int add_ttl(Session *s, json_object *parameters) {
        const char *text = s->arguments->values[OPTION_TTL];
        usec_t ttl;

        if (!text || text[strspn(text, "0123456789")] == 0)
                return parameters_add_integer_option(s, parameters, "ttl", OPTION_TTL);
        if (timespan_parse(text, &ttl) < 0)
                return complain(EXIT_USAGE, "--ttl wants seconds or a span like 5min, not \"%s\"",
                                text);
        parameters_add_int(s, parameters, "ttl", (int64_t) (ttl / USEC_PER_SEC));
        return 0;
}

int run_access_token_create(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        _cleanup_(secret_done) Secret line = {0};
        json_object *p = parameters_new(s);
        int r;

        parameters_add_option(s, p, "account", OPTION_ACCOUNT);
        parameters_add_option(s, p, "service_sid", OPTION_SERVICE);
        parameters_add_option(s, p, "identity", OPTION_IDENTITY);
        parameters_add_option(s, p, "friendly_name", OPTION_FRIENDLY_NAME);
        r = add_ttl(s, p);
        if (r != 0) {
                json_object_put(p);
                return r;
        }
        r = session_call(s, "AccessTokenCreate", p, &reply);
        if (r != 0)
                return r;
        if (s->json)
                return print_json(json_doc_object(reply));
        if (!get_string(json_doc_object(reply), "token"))
                return complain(EXIT_FAILURE, "the daemon's answer has no token");
        if (secret_append_string(&line, get_string(json_doc_object(reply), "token")) < 0 ||
                        secret_append_string(&line, "\n") < 0)
                return complain(EXIT_FAILURE, "out of memory");
        return print_bytes(&line);
}
