/* SPDX-License-Identifier: Apache-2.0 */
/* What the log says of audit records, the table of events and where it is explained; filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/audit-log.h"
#include "daemon/audit-trail.h"

#define SID "YC0123456789abcdef0123456789abcdef"

static void test_text(void **state) {
        static const struct {
                AuditRecord record;
                const char *text;
        } cases[] = {
                        {{.event = "decision",
                                         .factor = "office",
                                         .challenge = SID,
                                         .decision = "0123",
                                         .digest = "4567",
                                         .verb = "approve",
                                         .door = "socket",
                                         .uid = 1000},
                                        "decision approve, factor office, challenge " SID
                                        ", by uid 1000, behind the socket"},
                        {{.event = "outcome",
                                         .verb = "approve",
                                         .outcome = "approved",
                                         .rule = "night",
                                         .policy = "abcd",
                                         .uid = -1},
                                        "outcome approved, rule night"},
                        {{.event = "refused",
                                         .outcome = "NotAuthorized",
                                         .reason = "Import",
                                         .door = "bus",
                                         .uid = 0},
                                        "refused NotAuthorized, by uid 0, behind the bus: Import"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = NULL;

                assert_int_equal(audit_record_text(&cases[i].record, &text), 0);
                assert_string_equal(text, cases[i].text);
        }
}

static void read_source(const char *name, char *ret, size_t size) {
        const char *root = getenv("FACTORD_SOURCE_ROOT");
        char path[PATH_MAX];
        FILE *f;

        assert_non_null(root);
        (void) snprintf(path, sizeof(path), "%s/%s", root, name);
        f = fopen(path, "re");
        assert_non_null(f);
        ret[fread(ret, 1, size - 1, f)] = '\0';
        assert_int_equal(fclose(f), 0);
}

/* Each event has an ID of its own, which the catalog explains, and stands in the documentation. */
static void test_events(void **state) {
        static char catalog[65536], manual[65536];
        const AuditEvent *events;
        size_t n;

        read_source("systemd/factord.catalog", catalog, sizeof(catalog));
        read_source("docs/audit.md", manual, sizeof(manual));
        events = audit_events(&n);
        for (size_t i = 0; i < n; i++) {
                char line[64], word[64];

                (void) snprintf(line, sizeof(line), "\n-- %s\n", events[i].id);
                (void) snprintf(word, sizeof(word), "| `%s` |", events[i].name);
                if (!strstr(catalog, line) || !strstr(manual, word))
                        fail_msg("%s is not explained", events[i].name);
                for (size_t k = 0; k < i; k++) {
                        assert_string_not_equal(events[i].id, events[k].id);
                        assert_string_not_equal(events[i].name, events[k].name);
                }
        }
}

static void test_filter(void **state) {
        const AuditRecord r = {
                        .event = "decision", .factor = "office", .challenge = SID, .time = 100};
        static const struct {
                AuditFilter filter;
                bool matches;
        } cases[] = {
                        {{0}, true},
                        {{.factor = (char *) "office"}, true},
                        {{.factor = (char *) "offic"}, false},
                        {{.factor = (char *) "Office"}, false},
                        {{.event = (char *) "decision"}, true},
                        {{.event = (char *) "outcome"}, false},
                        {{.challenge = (char *) SID}, true},
                        {{.challenge = (char *) "YC01234567"}, true},
                        {{.challenge = (char *) "YC01234568"}, false},
                        {{.since = 100}, true},
                        {{.since = 101}, false},
                        {{.factor = (char *) "office", .event = (char *) "outcome"}, false},
        };
        const AuditRecord bare = {.event = "refused"};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(audit_filter_matches(&cases[i].filter, &r), cases[i].matches);
        assert_false(audit_filter_matches(&cases[1].filter, &bare));
        assert_false(audit_filter_matches(&cases[6].filter, &bare));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_text),
                        cmocka_unit_test(test_events),
                        cmocka_unit_test(test_filter),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
