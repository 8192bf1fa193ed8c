/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/terminal.h"

/* "12 2026-01-02T03:04:05Z challenge YC… approved (name): message" */
static int print_event(json_object *event) {
        json_object *challenge = get_object(event, "challenge");
        json_object *o = challenge ? challenge : get_object(event, "factor");
        const char *words[] = {
                        get_string(event, "time"),
                        get_string(event, "type"),
                        get_string(o, challenge ? "sid" : "name"),
                        get_string(o, challenge ? "state" : "status"),
                        challenge ? get_string(o, "factor") : get_string(o, "sid"),
                        get_string(o, "message"),
        };

        printf("%" PRId64, get_int(event, "sequence", 0));
        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                _cleanup_free_ char *escaped = NULL;

                if (!words[i])
                        continue;
                if (text_escape(words[i], &escaped) < 0)
                        return complain(EXIT_FAILURE, "out of memory");
                printf(" %s", escaped);
        }
        putchar('\n');
        return fflush(stdout) == 0 ? 0 : complain(EXIT_FAILURE, "cannot write the event");
}

static int print_events(Session *s) {
        json_object *p = parameters_new(s);
        bool continues = true;
        int r;

        r = parameters_add_integer_option(s, p, "since", OPTION_SINCE);
        if (r != 0) {
                json_object_put(p);
                return r;
        }
        r = session_send(s, "Monitor", p, true);
        while (r == 0 && continues) {
                _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
                json_object *event;

                r = session_receive(s, &reply, &continues);
                if (r != 0)
                        break;
                event = get_object(json_doc_object(reply), "event");
                if (event)
                        r = s->json ? print_json(event) : print_event(event);
        }
        return r;
}

int run_watch(Session *s, const Arguments *a) {
        /* Whoever names a place among the events wants events. */
        bool events = s->json || argument_given(a, OPTION_SINCE) || !terminal_is_there();

        return events ? print_events(s) : prompt_run(s);
}
