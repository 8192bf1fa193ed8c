/* SPDX-License-Identifier: Apache-2.0 */
/* factorctl reload. What has faults and stays as it was is a failure, by its exit status too. */

#include <json-c/json.h>

#include "cli/commands.h"
#include "cli/output.h"

int run_reload(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *o, *problems, *notes;
        int r;

        r = session_call(s, "Reload", parameters_new(s), &reply);
        if (r != 0)
                return r;
        o = json_doc_object(reply);
        problems = get_array(o, "problems");
        notes = get_array(o, "notes");
        if (s->json) {
                r = print_json(o);
                return r == 0 && count_items(problems) > 0 ? EXIT_USAGE : r;
        }
        for (size_t i = 0; i < count_items(notes); i++)
                remark("%s", json_object_get_string(json_object_array_get_idx(notes, i)));
        for (size_t i = 0; i < count_items(problems); i++)
                r = complain(EXIT_USAGE, "%s",
                                json_object_get_string(json_object_array_get_idx(problems, i)));
        if (r != 0)
                remark("what has faults stays as it was");
        return r;
}
