/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "base/text.h"
#include "daemon/metadata.h"
#include "verify/request.h"

static void add(MetadataFacts *f, const char *key, const char *value) {
        assert_int_equal(metadata_facts_add(f, key, value), 0);
}

static char *build(const char *key, const char *value, const MetadataFacts *f, size_t max) {
        _cleanup_(json_doc_freep) JsonDoc *doc = NULL;
        char *text = NULL;

        assert_int_equal(metadata_build(key, value, f, max, &text), 0);
        assert_true(utf8_length(text) <= max);
        assert_int_equal(json_doc_parse(&doc, text, strlen(text), NULL), 0);
        return text;
}

static void test_plain(void **state) {
        _cleanup_(metadata_facts_done) MetadataFacts f = {0};

        _cleanup_free_ char *nothing = build(NULL, NULL, &f, VERIFY_METADATA_MAX);
        assert_string_equal(nothing, "{}");
        _cleanup_free_ char *led = build("decision", "1f", &f, VERIFY_METADATA_MAX);
        assert_string_equal(led, "{\"decision\":\"1f\"}");

        add(&f, "os", "Debian");
        add(&f, "site", "");
        _cleanup_free_ char *both = build("decision", "1f", &f, VERIFY_METADATA_MAX);
        assert_string_equal(both, "{\"decision\":\"1f\",\"os\":\"Debian\",\"site\":\"\"}");
        _cleanup_free_ char *facts = build(NULL, NULL, &f, VERIFY_METADATA_MAX);
        assert_string_equal(facts, "{\"os\":\"Debian\",\"site\":\"\"}");
}

/* RFC 8259 §7. */
static void test_escapes(void **state) {
        _cleanup_(metadata_facts_done) MetadataFacts f = {0};

        add(&f, "a\"b\\", "\x01\x1f\n\t\x7f/<é€\xf0\x9f\x98\x80");
        _cleanup_free_ char *text = build(NULL, NULL, &f, VERIFY_METADATA_MAX);
        assert_string_equal(text,
                        "{\"a\\\"b\\\\\":\"\\u0001\\u001f\\u000a\\u0009\x7f/"
                        "<é€\xf0\x9f\x98\x80\"}");
}

static void test_not_utf8(void **state) {
        _cleanup_(metadata_facts_done) MetadataFacts f = {0};
        char *none = NULL;

        add(&f, "latin", "caf\xe9");
        add(&f, "surrogate", "\xed\xa0\x80");
        add(&f, "k\xff", "v");
        add(&f, "good", "café");
        _cleanup_free_ char *text = build("decision", "1", &f, VERIFY_METADATA_MAX);
        assert_string_equal(text, "{\"decision\":\"1\",\"good\":\"café\"}");
        assert_int_equal(metadata_build("decision", "\xff", &f, VERIFY_METADATA_MAX, &none),
                        -EINVAL);
        assert_null(none);
}

/* Every limit from none to all: what does not fit is left out whole, the next is tried. */
static void test_limits(void **state) {
        /* In the order of their lengths; the last is the leading fact alone. */
        static const char *const texts[] = {
                        "{\"d\":\"1\",\"a\":\"äöü\",\"b\":\"long long\",\"c\":\"s\"}",
                        "{\"d\":\"1\",\"a\":\"äöü\",\"b\":\"long long\"}",
                        "{\"d\":\"1\",\"a\":\"äöü\",\"c\":\"s\"}",
                        "{\"d\":\"1\",\"a\":\"äöü\"}",
                        "{\"d\":\"1\",\"c\":\"s\"}",
                        "{\"d\":\"1\"}",
        };
        _cleanup_(metadata_facts_done) MetadataFacts f = {0};

        add(&f, "a", "äöü");
        add(&f, "b", "long long");
        add(&f, "c", "s");
        for (size_t max = 0; max < 60; max++) {
                char *none = NULL;

                if (max < utf8_length(texts[ELEMENTSOF(texts) - 1])) {
                        assert_int_equal(metadata_build("d", "1", &f, max, &none), -E2BIG);
                        assert_null(none);
                        continue;
                }
                _cleanup_free_ char *text = build("d", "1", &f, max);
                size_t i = 0;
                while (max < utf8_length(texts[i]))
                        i++;
                assert_string_equal(text, texts[i]);
        }
}

static void test_api_limit(void **state) {
        _cleanup_(metadata_facts_done) MetadataFacts f = {0};
        char value[VERIFY_METADATA_MAX + 1] = "";

        /* {"k":"…"} is eight characters and the value. */
        memset(value, 'x', VERIFY_METADATA_MAX - 8);
        add(&f, "k", value);
        _cleanup_free_ char *full = build(NULL, NULL, &f, VERIFY_METADATA_MAX);
        assert_int_equal(strlen(full), VERIFY_METADATA_MAX);

        metadata_facts_done(&f);
        value[VERIFY_METADATA_MAX - 8] = 'x';
        add(&f, "k", value);
        _cleanup_free_ char *empty = build(NULL, NULL, &f, VERIFY_METADATA_MAX);
        assert_string_equal(empty, "{}");
}

static void test_no_key_twice(void **state) {
        _cleanup_(metadata_facts_done) MetadataFacts f = {0};

        add(&f, "decision", "forged");
        add(&f, "os", "x");
        assert_int_equal(metadata_facts_add(&f, "os", "y"), -EEXIST);
        assert_int_equal(f.n, 2);
        _cleanup_free_ char *text = build("decision", "1", &f, VERIFY_METADATA_MAX);
        assert_string_equal(text, "{\"decision\":\"1\",\"os\":\"x\"}");
}

static const char *find(const MetadataFacts *f, const char *key) {
        for (size_t i = 0; i < f->n; i++)
                if (streq(f->facts[i].key, key))
                        return f->facts[i].value;
        return NULL;
}

static void test_gather(void **state) {
        char *names[] = {(char[]){"version"}, (char[]){"kernel"}, (char[]){"hostname"},
                        (char[]){"architecture"}, (char[]){"os"}, (char[]){"machine-type"},
                        (char[]){"version"}, (char[]){"weather"}, NULL};
        _cleanup_(metadata_facts_done) MetadataFacts f = {0};
        struct utsname u;

        assert_int_equal(uname(&u), 0);
        assert_int_equal(metadata_facts_gather(&f, names), 0);
        assert_string_equal(f.facts[0].key, "version");
        assert_string_equal(find(&f, "version"), FACTORD_VERSION);
        assert_string_equal(find(&f, "kernel"), u.release);
        assert_string_equal(find(&f, "hostname"), u.nodename);
        assert_string_equal(find(&f, "architecture"), u.machine);
        assert_null(find(&f, "weather"));
        assert_true(f.n >= 4 && f.n <= 6);
        for (size_t i = 0; i < f.n; i++)
                assert_true(f.facts[i].value[0] != '\0');
}

static void test_gather_nothing(void **state) {
        char *names[] = {NULL};
        MetadataFacts f = {0};

        assert_int_equal(metadata_facts_gather(&f, names), 0);
        assert_int_equal(f.n, 0);
        metadata_facts_done(&f);
}

static void test_known(void **state) {
        static const char *const known[] = {
                        "os", "hostname", "kernel", "version", "architecture", "machine-type"};

        for (size_t i = 0; i < ELEMENTSOF(known); i++) {
                assert_true(metadata_fact_known(known[i]));
                assert_string_equal(metadata_known_fact(i), known[i]);
        }
        assert_null(metadata_known_fact(ELEMENTSOF(known)));
        assert_false(metadata_fact_known("OS"));
        assert_false(metadata_fact_known(""));
        assert_false(metadata_fact_known("decision"));
}

static void check_assignment(const char *text, const char *expected) {
        _cleanup_free_ char *value = NULL;

        int r = metadata_assignment(text, "NAME", &value);
        assert_int_equal(r, expected ? 0 : -ENODATA);
        if (expected)
                assert_string_equal(value, expected);
}

/* os-release(5). */
static void test_assignment(void **state) {
        check_assignment("NAME=Fedora\n", "Fedora");
        check_assignment("NAME=Fedora", "Fedora");
        check_assignment("# x\nID=a\nNAME=\"Debian GNU/Linux 12\"\nZ=1\n", "Debian GNU/Linux 12");
        check_assignment("NAME='a \"b\" \\c'\n", "a \"b\" \\c");
        check_assignment("NAME=\"a \\\"b\\\" \\$c\"\n", "a \"b\" $c");
        check_assignment("NAME=one\nNAME=two\n", "two");
        check_assignment("PRETTY_NAME=x\nNAMES=y\n NAME=z\n#NAME=q\n", NULL);
        check_assignment("NAME=\n", NULL);
        check_assignment("NAME=\"\"\n", NULL);
        check_assignment("NAME=\"open\n", NULL);
        check_assignment("NAME\n", NULL);
        check_assignment("NAME=a\\", "a\\");
        check_assignment("", NULL);
}

/* SMBIOS 3.6.0, §7.4.1. */
static void test_chassis(void **state) {
        assert_string_equal(metadata_chassis(3), "desktop");
        assert_string_equal(metadata_chassis(9), "laptop");
        assert_string_equal(metadata_chassis(10), "laptop");
        assert_string_equal(metadata_chassis(23), "server");
        assert_string_equal(metadata_chassis(36), "desktop");
        assert_null(metadata_chassis(0));
        assert_null(metadata_chassis(1));
        assert_null(metadata_chassis(2));
        assert_null(metadata_chassis(37));
        assert_null(metadata_chassis(ULONG_MAX));
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_plain),
                        cmocka_unit_test(test_escapes),
                        cmocka_unit_test(test_not_utf8),
                        cmocka_unit_test(test_limits),
                        cmocka_unit_test(test_api_limit),
                        cmocka_unit_test(test_no_key_twice),
                        cmocka_unit_test(test_gather),
                        cmocka_unit_test(test_gather_nothing),
                        cmocka_unit_test(test_known),
                        cmocka_unit_test(test_assignment),
                        cmocka_unit_test(test_chassis),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
