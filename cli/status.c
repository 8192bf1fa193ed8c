/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/output.h"

static int print_accounts(json_object *accounts) {
        static const char *const headers[] = {"ACCOUNT", "STATE", "ACCOUNT SID", "ERROR"};
        _cleanup_(table_freep) Table *t = NULL;
        size_t n = accounts ? json_object_array_length(accounts) : 0;
        int r;

        if (n == 0)
                return 0;
        r = table_new(&t, headers, ELEMENTSOF(headers));
        if (r != 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                json_object *o = json_object_array_get_idx(accounts, i);

                table_add(t, get_string(o, "name"));
                table_add(t, get_string(o, "state"));
                table_add(t, get_string(o, "account_sid"));
                table_add(t, get_string(o, "error"));
        }
        putchar('\n');
        return table_print(stdout, t);
}

static void print_count(const char *key, json_object *o, const char *member) {
        printf("%14s: %" PRId64 "\n", key, get_int(o, member, 0));
}

static void print_interval(const char *key, json_object *o, const char *member) {
        _cleanup_free_ char *text = NULL;
        int64_t msec = get_int(o, member, 0);

        if (msec > 0 && timespan_format((usec_t) msec * USEC_PER_MSEC, &text) >= 0)
                print_pair(stdout, key, text);
}

static int print_status(json_object *o) {
        json_object *clock = get_object(o, "clock"), *problems = get_array(o, "problems");
        size_t n = problems ? json_object_array_length(problems) : 0;
        int r;

        print_pair(stdout, "version", get_string(o, "version"));
        print_pair(stdout, "mode", get_string(o, "mode"));
        print_pair(stdout, "started", get_string(o, "started"));
        print_pair(stdout, "provider", get_string(o, "base_url"));
        print_pair(stdout, "default", get_string(o, "default"));
        print_count("factors", o, "factors");
        print_count("pending", o, "pending");
        print_pair(stdout, "last poll", get_string(o, "last_poll"));
        print_interval("poll", o, "poll_interval_ms");
        print_interval("idle poll", o, "idle_interval_ms");
        printf("%14s: %" PRId64 " ms off (%s)\n", "clock", get_int(clock, "offset_ms", 0),
                        streq_ptr(get_string(clock, "source"), "server") ? "the provider says so"
                                                                         : "not compared yet");
        r = print_accounts(get_array(o, "accounts"));
        for (size_t i = 0; i < n && r == 0; i++)
                r = print_pair(stdout, "problem",
                                json_object_get_string(json_object_array_get_idx(problems, i)));
        return r;
}

int run_status(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        json_object *status;
        int r;

        r = session_call(s, "GetStatus", parameters_new(s), &reply);
        if (r != 0)
                return r;
        status = get_object(json_doc_object(reply), "status");
        if (!status)
                return complain(EXIT_FAILURE, "the daemon's answer has no status");
        return s->json ? print_json(status) : print_status(status);
}

int run_poll(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        int r;

        r = session_call(s, "Poll", parameters_new(s), &reply);
        if (r == 0 && s->json)
                r = print_json(NULL);
        return r;
}
