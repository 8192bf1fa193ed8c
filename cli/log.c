/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <time.h>

#include "base/text.h"
#include "cli/output.h"

#define POLICY_SHOWN 12 /* characters of the policy's hash */

/* " name=value", escaped; nothing for NULL. */
static int print_word(const char *name, const char *value) {
        _cleanup_free_ char *escaped = NULL;

        if (!value)
                return 0;
        if (text_escape(value, &escaped) < 0)
                return complain(EXIT_FAILURE, "out of memory");
        printf("%s%s", name, escaped);
        return 0;
}

/* "12 2026-01-02T03:04:05Z decision approve factor=office challenge=YC… rule=night uid=1000
 * door=socket: why" */
static int print_record(json_object *o) {
        const char *outcome = get_string(o, "outcome");
        const char *policy = get_string(o, "policy");
        int64_t uid = get_int(o, "uid", -1);
        char number[32], hash[POLICY_SHOWN + 1];
        const struct {
                const char *name, *value;
        } words[] = {
                        {" ", get_string(o, "time")},
                        {" ", get_string(o, "event")},
                        {" ", outcome ? outcome : get_string(o, "verb")},
                        {" factor=", get_string(o, "factor")},
                        {" challenge=", get_string(o, "challenge")},
                        {" rule=", get_string(o, "rule")},
                        {" policy=", policy ? hash : NULL},
                        {" uid=", uid >= 0 ? number : NULL},
                        {" door=", get_string(o, "door")},
                        {": ", get_string(o, "reason")},
        };
        int r = 0;

        (void) snprintf(number, sizeof(number), "%" PRId64, uid);
        (void) snprintf(hash, sizeof(hash), "%s", strempty(policy));
        printf("%" PRId64, get_int(o, "id", 0));
        for (size_t i = 0; i < ELEMENTSOF(words) && r == 0; i++)
                r = print_word(words[i].name, words[i].value);
        putchar('\n');
        if (r == 0 && fflush(stdout) != 0)
                r = complain(EXIT_FAILURE, "cannot write the record");
        return r;
}

static int log_parameters(Session *s, json_object *p) {
        int r;

        parameters_add_option(s, p, "factor", OPTION_FACTOR);
        parameters_add_option(s, p, "challenge", OPTION_CHALLENGE);
        parameters_add_option(s, p, "event", OPTION_EVENT);
        if (argument_given(s->arguments, OPTION_FOLLOW))
                parameters_add_true(s, p, "follow");
        r = parameters_add_integer_option(s, p, "limit", OPTION_LINES);
        return r == 0 ? parameters_add_since(s, p) : r;
}

int run_log(Session *s, const Arguments *a) {
        bool continues = true;
        json_object *p;
        int r;

        if (argument_given(a, OPTION_VERIFY))
                return run_log_verify(s, a);
        p = parameters_new(s);
        r = log_parameters(s, p);
        if (r != 0) {
                json_object_put(p);
                return r;
        }
        r = session_send(s, "ReadAudit", p, true);
        while (r == 0 && continues) {
                _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
                json_object *record;

                r = session_receive(s, &reply, &continues);
                if (r != 0)
                        break;
                record = get_object(json_doc_object(reply), "record");
                if (record)
                        r = s->json ? print_json(record) : print_record(record);
        }
        return r;
}
