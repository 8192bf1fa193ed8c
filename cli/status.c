/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>

#include "base/text.h"
#include "cli/clock.h"
#include "cli/output.h"

static int print_accounts(json_object *accounts) {
        static const char *const headers[] = {"ACCOUNT", "STATE", "ACCOUNT SID", "ERROR"};
        _cleanup_(table_freep) Table *t = NULL;
        size_t n = count_items(accounts);
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

static void print_clock(json_object *clock) {
        char text[128];
        ClockState c;

        clock_state_read(&c, clock);
        if (c.heard)
                printf("%14s: %s (%" PRId64 " ms off)\n", "clock", clock_offset_text(&c, text),
                                get_int(clock, "offset_ms", 0));
        else
                print_pair(stdout, "clock", clock_offset_text(&c, text));
        if (c.waiting != 0)
                printf("%14s: the provider's last reply was %" PRId64
                       " ms off; it counts when a second one agrees\n",
                                "", c.waiting / (int64_t) USEC_PER_MSEC);
        print_pair(stdout, "kernel clock", clock_kernel_text(&c, text));
}

/* The interval that a round of all polls takes, when it is not the configured one. */
static void print_effective_interval(json_object *o) {
        int64_t msec = get_int(o, "effective_idle_interval_ms", 0);

        if (msec <= get_int(o, "idle_interval_ms", 0))
                return;
        print_interval("in effect", o, "effective_idle_interval_ms");
        if ((usec_t) msec * USEC_PER_MSEC > USEC_PER_MINUTE)
                print_pair(stdout, "warning",
                                "a challenge may be seen more than a minute late: so many factors "
                                "do not fit RequestsPerSecond=");
}

static void table_add_int(Table *t, json_object *o, const char *key) {
        char text[32];

        (void) snprintf(text, sizeof(text), "%" PRId64, get_int(o, key, 0));
        table_add(t, text);
}

/* What is polled by account: where requests wait, or fail, or are too many. */
static int print_polling(json_object *polling) {
        static const char *const headers[] = {
                        "POLLED", "LISTS", "EVERY", "WAITING", "NOT BEFORE", "ERROR"};
        _cleanup_(table_freep) Table *t = NULL;
        size_t n = count_items(polling);
        int r;

        if (n == 0)
                return 0;
        r = table_new(&t, headers, ELEMENTSOF(headers));
        if (r != 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                json_object *o = json_object_array_get_idx(polling, i);
                usec_t msec = (usec_t) get_int(o, "effective_idle_interval_ms", 0);
                _cleanup_free_ char *every = NULL;

                if (timespan_format(msec * USEC_PER_MSEC, &every) < 0)
                        return complain(EXIT_FAILURE, "out of memory");
                table_add(t, get_string(o, "account_sid"));
                table_add_int(t, o, "targets");
                table_add(t, every);
                table_add_int(t, o, "waiting");
                table_add(t, get_string(o, "backoff_until"));
                table_add(t, get_string(o, "error"));
        }
        putchar('\n');
        return table_print(stdout, t);
}

/* What stands in the section [Prompt]. */
static void print_prompt(json_object *prompt) {
        usec_t span = (usec_t) get_int(prompt, "budget_span_ms", 0) * USEC_PER_MSEC;
        _cleanup_free_ char *text = NULL;

        if (span > 0 && timespan_format(span, &text) >= 0)
                printf("%14s: %" PRId64 " prompts of a factor in %s\n", "budget",
                                get_int(prompt, "budget", 0), text);
        print_interval("arm delay", prompt, "arm_delay_ms");
        print_pair(stdout, "while locked", get_string(prompt, "while_locked"));
}

static void print_rules(json_object *policy) {
        int64_t n = get_int(policy, "rules", 0);
        json_object *dangerous = get_array(policy, "dangerous");

        if (n == 0 && !get_string(policy, "problem"))
                print_pair(stdout, "rules", "none");
        else
                printf("%14s: %" PRId64 ", policy %.12s\n", "rules", n,
                                strempty(get_string(policy, "hash")));
        for (size_t i = 0; i < count_items(dangerous); i++) {
                const char *name = json_object_get_string(json_object_array_get_idx(dangerous, i));

                printf("%14s: rule '%s' approves without naming a factor and a request\n",
                                "warning", name_valid(name) ? name : "?");
        }
}

/* What rules have decided since the start. Denials are billed. */
static int print_decisions(json_object *decisions) {
        static const char *const headers[] = {"RULE", "APPROVED", "DENIED", "IGNORED", "ASKED"};
        _cleanup_(table_freep) Table *t = NULL;
        size_t n = count_items(decisions);
        int r;

        if (n == 0)
                return 0;
        r = table_new(&t, headers, ELEMENTSOF(headers));
        if (r != 0)
                return r;
        for (size_t i = 0; i < n; i++) {
                json_object *o = json_object_array_get_idx(decisions, i);

                table_add(t, get_string(o, "rule"));
                table_add_int(t, o, "approved");
                table_add_int(t, o, "denied");
                table_add_int(t, o, "ignored");
                table_add_int(t, o, "asked");
        }
        putchar('\n');
        return table_print(stdout, t);
}

static int print_status(json_object *o) {
        json_object *problems = get_array(o, "problems"), *policy = get_object(o, "policy");
        size_t n = count_items(problems);
        int r;

        print_pair(stdout, "version", get_string(o, "version"));
        print_pair(stdout, "mode", get_string(o, "mode"));
        print_pair(stdout, "started", get_string(o, "started"));
        print_pair(stdout, "provider", get_string(o, "base_url"));
        print_pair(stdout, "default", get_string(o, "default"));
        if (policy)
                print_rules(policy);
        print_count("factors", o, "factors");
        print_count("pending", o, "pending");
        print_pair(stdout, "last poll", get_string(o, "last_poll"));
        print_interval("poll", o, "poll_interval_ms");
        print_interval("idle poll", o, "idle_interval_ms");
        print_effective_interval(o);
        print_prompt(get_object(o, "prompt"));
        if (get_bool(o, "locked"))
                print_pair(stdout, "locked",
                                "yes: you can approve nothing until you unlock your screen");
        print_clock(get_object(o, "clock"));
        r = print_accounts(get_array(o, "accounts"));
        if (r == 0)
                r = print_polling(get_array(o, "polling"));
        if (r == 0)
                r = print_decisions(get_array(policy, "decisions"));
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
        r = s->json ? print_json(status) : print_status(status);
        return r == 0 ? session_check_clock(s, status) : r;
}

int run_poll(Session *s, const Arguments *a) {
        _cleanup_(json_doc_freep) JsonDoc *reply = NULL;
        int r;

        r = session_call(s, "Poll", parameters_new(s), &reply);
        if (r == 0 && s->json)
                r = print_json(NULL);
        return r;
}
