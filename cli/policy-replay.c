/* SPDX-License-Identifier: Apache-2.0 */
/* factorctl policy replay: what the policy in force would have decided of what there was. */

#include <json-c/json.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/output.h"

/* "deny by ci-rest" */
static int add_decision(Table *t, const char *decision, const char *rule) {
        _cleanup_free_ char *text = NULL;

        if (asprintf(&text, "%s%s%s", strempty(decision), rule ? " by " : "", strempty(rule)) < 0) {
                text = NULL;
                return complain(EXIT_FAILURE, "out of memory");
        }
        table_add(t, text);
        return 0;
}

static bool is_same(json_object *o) {
        json_object *value = NULL;

        return json_object_object_get_ex(o, "same", &value) && json_object_get_boolean(value);
}

static int print_replay(json_object *items) {
        static const char *const headers[] = {
                        "CREATED", "CHALLENGE", "FACTOR", "STATE", "DECIDED", "WOULD", ""};
        _cleanup_(table_freep) Table *t = NULL;
        size_t n = count_items(items), n_other = 0;
        int r = table_new(&t, headers, ELEMENTSOF(headers));

        for (size_t i = 0; i < n && r == 0; i++) {
                json_object *o = json_object_array_get_idx(items, i);

                table_add(t, get_string(o, "created"));
                table_add(t, get_string(o, "sid"));
                table_add(t, get_string(o, "factor"));
                table_add(t, get_string(o, "state"));
                r = add_decision(t, get_string(o, "decision"), get_string(o, "rule"));
                if (r == 0)
                        r = add_decision(t, get_string(o, "would"), get_string(o, "would_rule"));
                table_add(t, is_same(o) ? "" : "differs");
                n_other += !is_same(o);
        }
        if (r == 0 && n > 0)
                r = table_print(stdout, t);
        if (r == 0)
                printf("%s%zu challenge%s, %zu would be decided otherwise\n", n > 0 ? "\n" : "", n,
                                n == 1 ? "" : "s", n_other);
        return r;
}

int run_policy_replay(Session *s, const Arguments *a) {
        _cleanup_(list_done) List list = {0};
        json_object *p = parameters_new(s);
        int r;

        r = parameters_add_since(s, p);
        if (r != 0) {
                json_object_put(p);
                return r;
        }
        r = session_list(s, "ReplayPolicy", p, "challenges", &list);
        if (r != 0)
                return r;
        return s->json ? print_json_member("challenges", list.items) : print_replay(list.items);
}
