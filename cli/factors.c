/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/factor.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <pwd.h>
#include <stdio.h>

#include "cli/challenge.h"
#include "cli/commands.h"
#include "cli/output.h"

/* A user's name or number to a uid. Returns 0 or an exit status. */
static int user_lookup(const char *user, int64_t *ret) {
        struct passwd *entry;
        unsigned long long uid;
        char *end;

        errno = 0;
        entry = getpwnam(user);
        if (entry) {
                *ret = (int64_t) entry->pw_uid;
                return 0;
        }
        errno = 0;
        uid = strtoull(user, &end, 10);
        if (*user < '0' || *user > '9' || *end || errno != 0 || uid >= UINT32_MAX)
                return complain(EXIT_USAGE, "there is no user %s", user);
        *ret = (int64_t) uid;
        return 0;
}

int factor_add_owner(Session *s, json_object *parameters) {
        int64_t uid;
        int r;

        if (!argument_given(s->arguments, OPTION_OWNER))
                return 0;
        r = user_lookup(s->arguments->values[OPTION_OWNER], &uid);
        if (r == 0)
                parameters_add_int(s, parameters, "owner", uid);
        return r;
}

static int factor_print(json_object *o) {
        char owner[64];

        print_pair(stdout, "name", get_string(o, "name"));
        print_pair(stdout, "sid", get_string(o, "sid"));
        print_pair(stdout, "type", get_string(o, "type"));
        print_pair(stdout, "status", get_string(o, "status"));
        print_pair(stdout, "owner", user_name(get_int(o, "owner", -1), owner));
        print_pair(stdout, "account", get_string(o, "account"));
        print_pair(stdout, "account sid", get_string(o, "account_sid"));
        print_pair(stdout, "service", get_string(o, "service_sid"));
        print_pair(stdout, "identity", get_string(o, "identity"));
        print_pair(stdout, "provider", get_string(o, "base_url"));
        print_pair(stdout, "issuer", get_string(o, "issuer"));
        print_pair(stdout, "label", get_string(o, "label"));
        print_pair(stdout, "algorithm", get_string(o, "algorithm"));
        if (get_int(o, "digits", 0) > 0)
                printf("%14s: %" PRId64 "\n", "digits", get_int(o, "digits", 0));
        if (get_int(o, "period", 0) > 0)
                printf("%14s: %" PRId64 "s\n", "period", get_int(o, "period", 0));
        print_pair(stdout, "created", get_string(o, "created"));
        print_pair(stdout, "last poll", get_string(o, "last_poll"));
        print_pair(stdout, "match field", get_string(o, "match_field"));
        print_pair(stdout, "cooling until", get_string(o, "cooling_until"));
        return print_pair(stdout, "error", get_string(o, "error"));
}

static bool any_has(json_object *factors, const char *key) {
        for (size_t i = 0; i < json_object_array_length(factors); i++)
                if (get_string(json_object_array_get_idx(factors, i), key))
                        return true;
        return false;
}

/* What few factors have is no column where none has it. */
int factor_print_table(json_object *factors) {
        const char *headers[10] = {"NAME", "TYPE", "STATUS", "OWNER", "IDENTITY", "SID"};
        bool match = any_has(factors, "match_field"), cooling = any_has(factors, "cooling_until");
        _cleanup_(table_freep) Table *t = NULL;
        size_t n = 6;
        int r;

        if (match)
                headers[n++] = "MATCH FIELD";
        if (cooling)
                headers[n++] = "COOLING UNTIL";
        headers[n++] = "LAST POLL";
        headers[n++] = "ERROR";
        r = table_new(&t, headers, n);
        if (r != 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(factors); i++) {
                json_object *o = json_object_array_get_idx(factors, i);
                const char *identity = get_string(o, "identity");
                char owner[64];

                table_add(t, get_string(o, "name"));
                table_add(t, get_string(o, "type"));
                table_add(t, get_string(o, "status"));
                table_add(t, user_name(get_int(o, "owner", -1), owner));
                /* An imported secret has a label where others have an identity. */
                table_add(t, identity ? identity : get_string(o, "label"));
                table_add(t, get_string(o, "sid"));
                if (match)
                        table_add(t, get_string(o, "match_field"));
                if (cooling)
                        table_add(t, get_string(o, "cooling_until"));
                table_add(t, get_string(o, "last_poll"));
                table_add(t, get_string(o, "error"));
        }
        return table_print(stdout, t);
}

int factor_print_reply(Session *s, const JsonDoc *reply) {
        json_object *o = get_object(json_doc_object(reply), "factor");

        if (!o)
                return complain(EXIT_FAILURE, "the daemon's answer has no factor");
        return s->json ? print_json_member("factor", o) : factor_print(o);
}

int run_list(Session *s, const Arguments *a) {
        _cleanup_(list_done) List l = {0};
        int r;

        r = session_list(s, "ListFactors", parameters_new(s), "factors", &l);
        if (r != 0)
                return r;
        if (s->json)
                return print_json_member("factors", l.items);
        if (json_object_array_length(l.items) > 0)
                return factor_print_table(l.items);
        remark("there are no factors yet: see factorctl enroll --help");
        return 0;
}

static int show_challenge(Session *s, const char *reference) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *challenge;
        int r;

        r = challenge_get(s, reference, &reply, &challenge);
        if (r != 0)
                return r;
        return s->json ? print_json_member("challenge", challenge)
                       : challenge_print(s, stdout, challenge);
}

static int show_factor(Session *s, const char *name) {
        _cleanup_(list_done) List l = {0};
        json_object *p = parameters_new(s), *o;
        int r;

        parameters_add_string(s, p, "name", name);
        r = session_list(s, "ListFactors", p, "factors", &l);
        if (r != 0)
                return r;
        if (json_object_array_length(l.items) == 0)
                return complain(EXIT_NOT_FOUND, "there is no factor %s", name);
        o = json_object_array_get_idx(l.items, 0);
        return s->json ? print_json_member("factor", o) : factor_print(o);
}

int run_show(Session *s, const Arguments *a) {
        return challenge_is_reference(a->words[0]) ? show_challenge(s, a->words[0])
                                                   : show_factor(s, a->words[0]);
}

int run_remove(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *p = parameters_new(s);
        int r;

        parameters_add_string(s, p, "name", a->words[0]);
        if (argument_given(a, OPTION_LOCAL))
                parameters_add_true(s, p, "local");
        r = session_call(s, "Remove", p, &reply);
        if (r != 0)
                return r;
        if (s->json)
                return print_json(NULL);
        return print_pair(stdout, "removed", a->words[0]);
}

int run_set(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *p;
        int r;

        if (argument_given(a, OPTION_MATCH_FIELD) == argument_given(a, OPTION_NO_MATCH_FIELD))
                return complain(EXIT_USAGE, "set wants --match-field LABEL or --no-match-field");
        p = parameters_new(s);
        parameters_add_string(s, p, "name", a->words[0]);
        parameters_add_option(s, p, "field", OPTION_MATCH_FIELD);
        r = session_call(s, "SetMatchField", p, &reply);
        return r == 0 ? factor_print_reply(s, reply) : r;
}

int run_chown(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *p;
        int64_t uid;
        int r;

        r = user_lookup(a->words[1], &uid);
        if (r != 0)
                return r;
        p = parameters_new(s);
        parameters_add_string(s, p, "name", a->words[0]);
        parameters_add_int(s, p, "owner", uid);
        r = session_call(s, "SetOwner", p, &reply);
        return r == 0 ? factor_print_reply(s, reply) : r;
}
