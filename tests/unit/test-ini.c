/* SPDX-License-Identifier: Apache-2.0 */
/* INI: what is well-formed, every fault with its line, all at once. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/ini.h"
#include "base/text.h"

static IniFile *parse(const char *text, ErrorList *errors) {
        IniFile *f = NULL;

        assert_int_equal(ini_parse(&f, "test.conf", text, strlen(text), errors), 0);
        assert_non_null(f);
        assert_string_equal(f->path, "test.conf");
        return f;
}

static void assert_entry(
                const IniSection *s, size_t i, const char *key, const char *value, unsigned line) {
        assert_true(i < s->n_entries);
        assert_string_equal(s->entries[i].key, key);
        assert_string_equal(s->entries[i].value, value);
        assert_int_equal(s->entries[i].line, line);
}

static void test_whole_file(void **state) {
        static const char text[] =
                        "# a comment\n"
                        "; another = one\n"
                        "\n"
                        "[Daemon]\n"
                        "Socket=/run/factord/factord.sock\n"
                        "  Group  =  factord  \n"
                        "Helper=\n"
                        "\t[ Account main ]\t\n"
                        "   # indented comment\n"
                        "User=a=b ; not a comment # nor this\n"
                        "Custom.site=Berlin\\\n"
                        "[Rule deploy]\r\n"
                        "Message=~^Deploy [a-z-]+ to \"staging\"$\r\n"
                        "Field.Source address=10.*\n"
                        "Field.Größe=groß\n"
                        "Last=no newline";
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(ini_freep) IniFile *f = parse(text, &errors);

        assert_int_equal(errors.n, 0);
        assert_int_equal(f->n_sections, 3);

        const IniSection *s = &f->sections[0];
        assert_string_equal(s->name, "Daemon");
        assert_int_equal(s->line, 4);
        assert_int_equal(s->n_entries, 3);
        assert_entry(s, 0, "Socket", "/run/factord/factord.sock", 5);
        assert_entry(s, 1, "Group", "factord", 6);
        assert_entry(s, 2, "Helper", "", 7);

        s = &f->sections[1];
        assert_string_equal(s->name, "Account main");
        assert_int_equal(s->line, 8);
        assert_int_equal(s->n_entries, 2);
        assert_entry(s, 0, "User", "a=b ; not a comment # nor this", 10);
        assert_entry(s, 1, "Custom.site", "Berlin\\", 11);

        s = &f->sections[2];
        assert_string_equal(s->name, "Rule deploy");
        assert_int_equal(s->n_entries, 4);
        assert_entry(s, 0, "Message", "~^Deploy [a-z-]+ to \"staging\"$", 13);
        assert_entry(s, 1, "Field.Source address", "10.*", 14);
        assert_entry(s, 2, "Field.Größe", "groß", 15);
        assert_entry(s, 3, "Last", "no newline", 16);
}

static void test_nothing(void **state) {
        static const char *const texts[] = {"", "\n", "\n\n", "# x", "  \t \n;", "\r\n"};

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(error_list_done) ErrorList errors = {0};
                _cleanup_(ini_freep) IniFile *f = parse(texts[i], &errors);

                assert_int_equal(errors.n, 0);
                assert_int_equal(f->n_sections, 0);
        }
        assert_null(ini_free(NULL));
}

static void test_quoted_keys(void **state) {
        static const struct {
                const char *line, *key, *value;
        } good[] = {
                        {"Field.\"Source: address\"=10.*", "Field.Source: address", "10.*"},
                        {"Field.\"a=b\" = c", "Field.a=b", "c"},
                        {"Field.\"a=b\"\t=c=d", "Field.a=b", "c=d"},
                        {"\"Whole key\"=v", "Whole key", "v"},
                        {"\"say \\\"hi\\\"\"=v", "say \"hi\"", "v"},
                        {"Field.\"C:\\\\dir\"=v", "Field.C:\\dir", "v"},
                        {"Field.\" padded \"=v", "Field. padded ", "v"},
                        {"Field.\"# no comment\"=v", "Field.# no comment", "v"},
                        {"Field.\"[x]\"=v", "Field.[x]", "v"},
                        {"\"[x]\"=v", "[x]", "v"},
                        {"a.b.\"c\"=v", "a.b.c", "v"},
                        {"Field.C:\\dir=v", "Field.C:\\dir", "v"},
                        {"Key=\"quoted value\"", "Key", "\"quoted value\""},
        };

        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                _cleanup_(error_list_done) ErrorList errors = {0};
                _cleanup_(ini_freep) IniFile *f = NULL;
                char text[200];

                snprintf(text, sizeof(text), "[S]\n%s\n", good[i].line);
                f = parse(text, &errors);
                if (errors.n > 0)
                        fail_msg("%s: %s", good[i].line, errors.messages[0]);
                assert_int_equal(f->sections[0].n_entries, 1);
                assert_entry(&f->sections[0], 0, good[i].key, good[i].value, 2);
        }
}

static void test_each_fault(void **state) {
        static const struct {
                const char *text, *message;
        } bad[] = {
                        {"[S]\nkey\n", "test.conf:2: there is no '=' after the key; write "
                                       "Key=Value, or '#' before "
                                       "a comment"},
                        {"[S]\n=v\n", "test.conf:2: there is no key before '='; write Key=Value"},
                        {"[S]\n  = v\n",
                                        "test.conf:2: there is no key before '='; write Key=Value"},
                        {"[S]\n\"\"=v\n",
                                        "test.conf:2: there is no key before '='; write Key=Value"},
                        {"[S]\n\"a=v\n", "test.conf:2: the key's quote is not closed; write "
                                         "\"Key\"=Value"},
                        {"[S]\nF.\"a\\\"=v\n",
                                        "test.conf:2: the key's quote is not closed; write "
                                        "\"Key\"=Value"},
                        {"[S]\nF.\"a\"\n",
                                        "test.conf:2: there is no '=' after the key; write "
                                        "Key=Value, or '#' before "
                                        "a comment"},
                        {"[S]\nF.\"a\"b=v\n",
                                        "test.conf:2: there is no '=' after the key; write "
                                        "Key=Value, or '#' before "
                                        "a comment"},
                        {"[S]\nF.\"a\".\"b\"=v\n",
                                        "test.conf:2: there is no '=' after the key; write "
                                        "Key=Value, or '#' before "
                                        "a comment"},
                        {"[S]\nF\"a\"=v\n",
                                        "test.conf:2: a quote opens at a key's start or after a "
                                        "dot; write "
                                        "Key.\"Name\"=Value"},
                        {"[S]\nF. \"a\"=v\n",
                                        "test.conf:2: a quote opens at a key's start or after a "
                                        "dot; write "
                                        "Key.\"Name\"=Value"},
                        {"[S]\nF.\"a\\nb\"=v\n",
                                        "test.conf:2: in a quoted key a backslash stands only "
                                        "before '\"' or '\\'; "
                                        "write \\\\ for one"},
                        {"[S]\nF.\"a\\", "test.conf:2: in a quoted key a backslash stands only "
                                         "before '\"' or '\\'; "
                                         "write \\\\ for one"},
                        {"k=v\n[S]\n", "test.conf:1: 'k' stands before any section; write [Name] "
                                       "above it"},
                        {"[S\n", "test.conf:1: the section's name does not end the line with ']'; "
                                 "write "
                                 "[Name]"},
                        {"[\n", "test.conf:1: the section's name does not end the line with ']'; "
                                "write "
                                "[Name]"},
                        {"[S] # comment\n",
                                        "test.conf:1: the section's name does not end the line "
                                        "with ']'; write "
                                        "[Name]"},
                        {"[]\n", "test.conf:1: the section has no name; write [Name]"},
                        {"[ \t]\n", "test.conf:1: the section has no name; write [Name]"},
                        {"[a]b]\n", "test.conf:1: a section's name has no brackets in it; write "
                                    "[Name]"},
                        {"[[a]\n", "test.conf:1: a section's name has no brackets in it; write "
                                   "[Name]"},
                        {"[[a]]\n", "test.conf:1: a section's name has no brackets in it; write "
                                    "[Name]"},
                        {"[S]\nk=1\n[ S ]\n",
                                        "test.conf:3: section [S] stands in line 1 already; put "
                                        "its keys there, or "
                                        "give it another name"},
                        {"[S]\nk=1\n\nk =2\n",
                                        "test.conf:4: 'k' is set in line 2 already, in the same "
                                        "section; keep one of "
                                        "the two"},
                        {"[S]\nF.a=1\nF.\"a\"=2\n",
                                        "test.conf:3: 'F.a' is set in line 2 already, in the same "
                                        "section; keep one "
                                        "of the two"},
                        {"[S]\nk=\xff\n",
                                        "test.conf:2: this is not UTF-8; save the file in that "
                                        "encoding"},
                        {"# \xc3\n", "test.conf:1: this is not UTF-8; save the file in that "
                                     "encoding"},
                        {"[S]\nk=\x1b[31m\n",
                                        "test.conf:2: there is a control character; write plain "
                                        "text"},
                        {"[S]\nk=a\rb=c\n",
                                        "test.conf:2: there is a control character; write plain "
                                        "text"},
        };

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(error_list_done) ErrorList errors = {0};
                _cleanup_(ini_freep) IniFile *f = parse(bad[i].text, &errors);

                if (errors.n != 1)
                        fail_msg("%zu faults in '%s'", errors.n, bad[i].text);
                assert_true(f->n_sections <= 1);
                assert_string_equal(errors.messages[0], bad[i].message);
        }
}

static void test_all_faults_at_once(void **state) {
        static const char text[] =
                        "early=1\n"
                        "[One]\n"
                        "good=1\n"
                        "no equals\n"
                        "good=2\n"
                        "[Two\n"
                        "lost=1\n"
                        "also lost\n"
                        "[One]\n"
                        "good=3\n"
                        "[Three]\n"
                        "good=4\n"
                        "bad\xff=1\n";
        _cleanup_(error_list_done) ErrorList errors = {0};
        assert_int_equal(error_list_add(&errors, "other.conf:9: an older fault"), 0);
        _cleanup_(ini_freep) IniFile *f = parse(text, &errors);
        static const char *const starts[] = {
                        "other.conf:9: an older fault",
                        "test.conf:1: 'early' stands before any section",
                        "test.conf:4: there is no '='",
                        "test.conf:5: 'good' is set in line 3 already",
                        "test.conf:6: the section's name does not end the line",
                        "test.conf:8: there is no '='",
                        "test.conf:9: section [One] stands in line 2 already",
                        "test.conf:13: this is not UTF-8",
        };

        assert_int_equal(errors.n, ELEMENTSOF(starts));
        for (size_t i = 0; i < ELEMENTSOF(starts); i++)
                assert_memory_equal(errors.messages[i], starts[i], strlen(starts[i]));

        /* What was well-formed is there; a faulty section's keys go nowhere else. */
        assert_int_equal(f->n_sections, 2);
        assert_string_equal(f->sections[0].name, "One");
        assert_int_equal(f->sections[0].n_entries, 1);
        assert_entry(&f->sections[0], 0, "good", "1", 3);
        assert_string_equal(f->sections[1].name, "Three");
        assert_int_equal(f->sections[1].n_entries, 1);
        assert_entry(&f->sections[1], 0, "good", "4", 12);
}

static void test_nul(void **state) {
        static const char text[] = "[S]\nk=a\0b\nl=1\n";
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(ini_freep) IniFile *f = NULL;

        assert_int_equal(ini_parse(&f, "a", text, sizeof(text) - 1, &errors), 0);
        assert_int_equal(errors.n, 1);
        assert_string_equal(errors.messages[0], "a:2: there is a NUL byte; write plain text");
        assert_int_equal(f->sections[0].n_entries, 1);
        assert_entry(&f->sections[0], 0, "l", "1", 3);
}

static void test_same_key_in_other_sections(void **state) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(ini_freep) IniFile *f = parse("[a]\nk=1\nK=2\n[b]\nk=3\n[A]\nk=4\n", &errors);

        assert_int_equal(errors.n, 0);
        assert_int_equal(f->n_sections, 3);
        assert_int_equal(f->sections[0].n_entries, 2);
}

static void test_size_limit(void **state) {
        _cleanup_free_ char *text = malloc(INI_FILE_MAX + 1);
        static const size_t lengths[] = {INI_FILE_MAX, INI_FILE_MAX + 1};

        assert_non_null(text);
        memset(text, '#', INI_FILE_MAX + 1);
        for (size_t i = 0; i < 2; i++) {
                _cleanup_(error_list_done) ErrorList errors = {0};
                _cleanup_(ini_freep) IniFile *f = NULL;

                assert_int_equal(ini_parse(&f, "big", text, lengths[i], &errors), 0);
                assert_int_equal(errors.n, i);
                assert_int_equal(f->n_sections, 0);
                if (i > 0)
                        assert_string_equal(errors.messages[0],
                                        "big:1: the file is over 1048576 bytes; split it");
        }
}

/* The largest file with the most keys is read in no time: no search is quadratic. */
static void test_many_keys(void **state) {
        _cleanup_(error_list_done) ErrorList errors = {0};
        _cleanup_(ini_freep) IniFile *f = NULL;
        _cleanup_free_ char *text = malloc(INI_FILE_MAX + 32);
        size_t len = 0, n = 0;

        assert_non_null(text);
        len += (size_t) sprintf(text, "[S]\n");
        while (len < INI_FILE_MAX - 16)
                len += (size_t) sprintf(text + len, "%zx=\n", n++);
        assert_int_equal(ini_parse(&f, "many", text, len, &errors), 0);
        assert_int_equal(errors.n, 0);
        assert_int_equal(f->sections[0].n_entries, n);
        assert_entry(&f->sections[0], n - 1, f->sections[0].entries[n - 1].key, "",
                        (unsigned) n + 1);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_whole_file),
                        cmocka_unit_test(test_nothing),
                        cmocka_unit_test(test_quoted_keys),
                        cmocka_unit_test(test_each_fault),
                        cmocka_unit_test(test_all_faults_at_once),
                        cmocka_unit_test(test_nul),
                        cmocka_unit_test(test_same_key_in_other_sections),
                        cmocka_unit_test(test_size_limit),
                        cmocka_unit_test(test_many_keys),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
