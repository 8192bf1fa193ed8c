/* SPDX-License-Identifier: Apache-2.0 */
/* factorctl log --verify: the daemon checks its trail, also against what the journal has seen of
 * it, which the daemon itself could not vouch for. */
#include "cli/commands.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/journal.h"
#include "cli/output.h"

static int print_verdict(json_object *o) {
        int64_t length = get_int(o, "length", 0), dropped = get_int(o, "dropped", 0);
        int64_t witnessed = get_int(o, "witnessed", 0);
        const char *problem = get_string(o, "problem");

        if (problem)
                return complain(EXIT_FAILURE, "the audit trail was tampered with: %s", problem);
        printf("The audit trail is as it was written: %" PRId64 " records, the last is %" PRId64,
                        length, get_int(o, "last", 0));
        if (dropped > 0)
                printf("; %" PRId64 " older ones were dropped", dropped);
        putchar('\n');
        if (witnessed > 0)
                printf("It fits what the journal has seen of it: %" PRId64 " heads\n", witnessed);
        return 0;
}

/* What the journal shows: an array, or NULL and why not is said. */
static json_object *find_witnesses(uid_t uid) {
        json_object *heads = NULL;
        int r;

        r = journal_heads(uid, &heads);
        if (r < 0)
                remark("the journal cannot be read, so the trail is not compared with it: %s",
                                strerror(-r));
        return heads;
}

int run_log_verify(Session *s, const Arguments *a) {
        static const Option others[] = {OPTION_FACTOR, OPTION_CHALLENGE, OPTION_EVENT, OPTION_SINCE,
                        OPTION_LINES, OPTION_FOLLOW};
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *p, *heads, *o;
        bool compared;
        uid_t uid;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (argument_given(a, others[i]))
                        return complain(EXIT_USAGE, "--verify checks all: it takes no --%s",
                                        option_specs[others[i]].name);
        r = session_daemon_uid(s, &uid);
        if (r != 0)
                return r;
        heads = find_witnesses(uid);
        compared = heads;
        p = parameters_new(s);
        if (heads)
                parameters_add(s, p, "witnesses", heads);
        r = session_call(s, "VerifyAudit", p, &reply);
        if (r != 0)
                return r;
        o = json_doc_object(reply);
        if (compared && get_int(o, "witnessed", 0) == 0 && !get_string(o, "problem"))
                remark("the journal shows no head of this trail to this user, so the two are not "
                       "compared");
        r = s->json ? print_json(o) : print_verdict(o);
        return r == 0 && get_string(o, "problem") ? EXIT_FAILURE : r;
}
