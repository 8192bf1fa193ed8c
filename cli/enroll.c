/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <json-c/json.h>

#include "cli/factor.h"
#include "cli/input.h"
#include "cli/output.h"

/* Sends what was put together unless that failed. Takes the parameters. */
static int call_for_factor(Session *s, const char *operation, json_object *parameters, int r) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;

        if (r != 0) {
                json_object_wipe_put(parameters);
                return r;
        }
        r = session_call(s, operation, parameters, &reply);
        return r == 0 ? factor_print_reply(s, reply) : r;
}

static void add_identity(Session *s, json_object *p) {
        parameters_add_option(s, p, "name", OPTION_NAME);
        parameters_add_option(s, p, "service_sid", OPTION_SERVICE);
        parameters_add_option(s, p, "identity", OPTION_IDENTITY);
        parameters_add_option(s, p, "account", OPTION_ACCOUNT);
}

int run_enroll_push(Session *s, const Arguments *a) {
        const char *token_file = a->values[OPTION_ACCESS_TOKEN_FILE];
        json_object *p;
        int r = 0;

        if (!token_file == !argument_given(a, OPTION_ACCOUNT))
                return complain(EXIT_USAGE,
                                "enroll push wants one of --account and --access-token-file");
        p = parameters_new(s);
        add_identity(s, p);
        parameters_add_option(s, p, "friendly_name", OPTION_FRIENDLY_NAME);
        if (token_file)
                r = input_add_file(s, p, "access_token", token_file, true);
        if (r == 0)
                r = factor_add_owner(s, p);
        return call_for_factor(s, "EnrollPush", p, r);
}

int run_enroll_totp(Session *s, const Arguments *a) {
        json_object *p = parameters_new(s);
        int r;

        add_identity(s, p);
        parameters_add_option(s, p, "friendly_name", OPTION_FRIENDLY_NAME);
        parameters_add_option(s, p, "algorithm", OPTION_ALGORITHM);
        r = parameters_add_integer_option(s, p, "digits", OPTION_DIGITS);
        if (r == 0)
                r = parameters_add_integer_option(s, p, "period", OPTION_PERIOD);
        if (r == 0)
                r = factor_add_owner(s, p);
        return call_for_factor(s, "EnrollTotp", p, r);
}

int run_import(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *p = parameters_new(s), *factors;
        int r;

        add_identity(s, p);
        parameters_add_option(s, p, "link", OPTION_LINK);
        r = input_add_file(s, p, "data", a->words[0], false);
        if (r == 0)
                r = factor_add_owner(s, p);
        if (r != 0) {
                json_object_wipe_put(p);
                return r;
        }
        r = session_call(s, "Import", p, &reply);
        if (r != 0)
                return r;
        factors = get_array(json_doc_object(reply), "factors");
        if (!factors)
                return complain(EXIT_FAILURE, "the daemon's answer has no factors");
        return s->json ? print_json_member("factors", factors) : factor_print_table(factors);
}
