/* SPDX-License-Identifier: Apache-2.0 */
/* Globs against a naive reference, regular expressions, address ranges, hours, and what is broad.
 */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "base/time.h"
#include "policy/glob.h"
#include "policy/hours.h"
#include "policy/pattern.h"

/* Globs. */

static void test_glob(void **state) {
        static const struct {
                const char *pattern, *text;
                bool matches;
        } table[] = {
                        {"", "", true},
                        {"", "a", false},
                        {"a", "", false},
                        {"*", "", true},
                        {"**", "abc", true},
                        {"a*", "a", true},
                        {"*a", "ba", true},
                        {"*a", "ab", false},
                        {"a*b*c", "aXbXbc", true},
                        {"a*b*c", "acb", false},
                        {"?", "a", true},
                        {"?", "", false},
                        {"?", "ä", true},
                        {"?", "あ", true},
                        {"??", "ä", false},
                        {"?", "a\xcc\x88", false}, /* a letter and its dots are two */
                        {"ä", "a\xcc\x88", false}, /* and are not the letter with dots */
                        {"A", "a", false},
                        {"\\*", "*", true},
                        {"\\*", "a", false},
                        {"\\a", "a", true},
                        {"\\ä", "ä", true},
                        {"\\\\", "\\", true},
                        {"\\[a]", "[a]", true},
                        {"[a]", "a", true},
                        {"[a]", "[a]", false},
                        {"[!a]", "b", true},
                        {"[^a]", "a", false},
                        {"[!a]", "", false},
                        {"[]]", "]", true},
                        {"[!]]", "]", false},
                        {"[!]]", "x", true},
                        {"[a-c]", "b", true},
                        {"[a-c]", "d", false},
                        {"[a-]", "-", true},
                        {"[-a]", "-", true},
                        {"[ä-ü]", "ö", true},
                        {"[\\]]", "]", true},
                        {"[\\-a]", "-", true},
                        {"[a\\-z]", "-", true},
                        {"[a\\-z]", "m", false},
                        {"[*]", "*", true},
                        {"[*]", "x", false},
                        {"]", "]", true},
                        {"a\n", "a\n", true},
                        {"a", "a\n", false},
                        {"*", "a\nb", true},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                assert_null(glob_fault(table[i].pattern));
                if (glob_match(table[i].pattern, table[i].text) != table[i].matches)
                        fail_msg("%s on %s", table[i].pattern, table[i].text);
        }
}

static void test_glob_faults(void **state) {
        static const char *const bad[] = {"\\", "a\\", "[", "[a", "[!", "[]", "[!]", "[a-", "[a\\",
                        "[z-a]", "x*[", "[a-\\"};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                if (!glob_fault(bad[i]))
                        fail_msg("%s", bad[i]);
                assert_false(glob_match(bad[i], bad[i]));
        }
}

/* The reference: every way to divide the text is tried. Characters are one byte each. */
static bool naive_set(const char *set, size_t len, char c) {
        bool negated = *set == '!' || *set == '^', found = false;

        set += negated;
        len -= negated;
        for (size_t i = 0; i < len;) {
                char low = set[i++];
                if (low == '\\')
                        low = set[i++];
                char high = low;
                if (i + 1 < len && set[i] == '-') {
                        high = set[++i];
                        i++;
                        if (high == '\\')
                                high = set[i++];
                }
                found = found || (low <= c && c <= high);
        }
        return found != negated;
}

/* The length of the set that opens at p, up to its closing bracket. */
static size_t naive_set_length(const char *p) {
        size_t i = 1;

        if (p[i] == '!' || p[i] == '^')
                i++;
        for (size_t first = i; p[i] != ']' || i == first; i++)
                if (p[i] == '\\')
                        i++;
        return i;
}

static bool naive_match(const char *p, const char *t) {
        if (*p == '\0')
                return *t == '\0';
        if (*p == '*')
                return naive_match(p + 1, t) || (*t && naive_match(p, t + 1));
        if (*t == '\0')
                return false;
        if (*p == '?')
                return naive_match(p + 1, t + 1);
        if (*p == '[') {
                size_t n = naive_set_length(p);
                return naive_set(p + 1, n - 1, *t) && naive_match(p + n + 1, t + 1);
        }
        p += *p == '\\';
        return *p == *t && naive_match(p + 1, t + 1);
}

/* The seed is fixed: a failure comes again. */
static uint64_t random_state = 88172645463325252U;

static unsigned random_below(unsigned n) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return (unsigned) (random_state % n);
}

static void random_text(const char *letters, size_t max, char *ret) {
        size_t len = random_below((unsigned) max + 1);

        for (size_t i = 0; i < len; i++)
                ret[i] = letters[random_below((unsigned) strlen(letters))];
        ret[len] = '\0';
}

static void test_glob_against_reference(void **state) {
        unsigned n = 0, n_matches = 0;

        for (unsigned i = 0; i < 300000; i++) {
                char pattern[12], text[12];

                random_text("aabb****??c[]!-\\", 8, pattern);
                random_text("aabbc-]", 5, text);
                if (glob_fault(pattern))
                        continue;
                bool ours = glob_match(pattern, text);
                if (ours != naive_match(pattern, text))
                        fail_msg("%s on %s", pattern, text);
                n++;
                n_matches += ours;
        }
        assert_true(n > 100000);
        assert_true(n_matches > 10000);
}

/* A glob that makes backtracking matchers take years. */
static void test_glob_is_bounded(void **state) {
        char pattern[2 * 500 + 2], text[6001];
        clock_t start = clock();

        for (size_t i = 0; i < 500; i++)
                memcpy(pattern + 2 * i, "a*", 2);
        memcpy(pattern + 2 * 500, "b", 2);
        memset(text, 'a', 6000);
        text[6000] = '\0';
        assert_false(glob_match(pattern, text));
        memcpy(pattern, "*a*a*a*a*a*a*a*a*a*ab", 22);
        assert_false(glob_match(pattern, text));
        assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
}

/* Regular expressions. */

static void test_regex(void **state) {
        static const struct {
                const char *pattern, *text;
                RegexResult result;
        } table[] = {
                        {"a", "a", REGEX_YES},
                        {"a", "a\n", REGEX_NO},
                        {"a$", "a\n", REGEX_NO},
                        {"a\\Z", "a\n", REGEX_NO},
                        {"a$\\n", "a\n", REGEX_NO},
                        {"a|ab", "ab", REGEX_YES},
                        {"a|b", "ab", REGEX_NO},
                        {"^a", "ba", REGEX_NO},
                        {".", "ä", REGEX_YES},
                        {".", "\n", REGEX_NO},
                        {".*", "a\nb", REGEX_NO},
                        {"a\\Kb", "ab", REGEX_YES},
                        {"(*ACCEPT)x", "y", REGEX_NO},
                        {"(a)(b)(c)(d)", "abcd", REGEX_YES},
                        {"\\xe4", "ä", REGEX_YES},
                        {"A", "a", REGEX_NO},
                        {"(a+)+[bc]", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                                        REGEX_LIMIT},
                        {"a", "\xff", REGEX_LIMIT},
        };
        _cleanup_(regex_scratch_freep) RegexScratch *scratch = NULL;

        assert_int_equal(regex_scratch_new(&scratch), 0);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(regex_freep) Regex *r = NULL;

                assert_int_equal(regex_new(&r, table[i].pattern, NULL), 0);
                if (regex_match(r, scratch, table[i].text) != table[i].result)
                        fail_msg("%s on %s", table[i].pattern, table[i].text);
        }
}

static void test_regex_faults(void **state) {
        /* \C would match half a character; limits may not be raised from within. */
        static const char *const bad[] = {"(", "[a", "a{2,1}", "\\C", "*", "(?<n>a)(?<n>b)"};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_(regex_freep) Regex *r = NULL;
                _cleanup_free_ char *msg = NULL;

                if (regex_new(&r, bad[i], &msg) != -EINVAL)
                        fail_msg("%s", bad[i]);
                assert_non_null(strstr(msg, "the regular expression has a fault at byte "));
        }
}

static void test_regex_limit_stays(void **state) {
        _cleanup_(regex_scratch_freep) RegexScratch *scratch = NULL;
        _cleanup_(regex_freep) Regex *r = NULL;

        assert_int_equal(regex_scratch_new(&scratch), 0);
        assert_int_equal(regex_new(&r, "(*LIMIT_MATCH=4000000000)(a+)+[bc]", NULL), 0);
        assert_int_equal(
                        regex_match(r, scratch, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
                        REGEX_LIMIT);
}

/* Addresses. */

static void test_address_ranges(void **state) {
        static const struct {
                const char *text;
                int result;
        } table[] = {
                        {"10.0.0.0/8", 0},
                        {"0.0.0.0/0", 0},
                        {"10.0.0.1/32", 0},
                        {"::/0", 0},
                        {"2001:db8::/32", 0},
                        {"::ffff:10.0.0.0/104", 0},
                        {"10.0.0.1", -ENOENT},
                        {"a/b", -ENOENT},
                        {"1/2", -ENOENT},
                        {"1.2.3.4\\/5", -ENOENT},
                        {"https://x/8", -ENOENT},
                        {"10.0.0.0/33", -EINVAL},
                        {"10.0.0.0/", -EINVAL},
                        {"10.0.0.0/08x", -EINVAL},
                        {"10.0.0.0/-1", -EINVAL},
                        {"10.0.0.0/1000", -EINVAL},
                        {"10.0.0.0/255.0.0.0", -EINVAL},
                        {"10.0.0.1/8", -EINVAL},
                        {"010.0.0.0/8", -EINVAL},
                        {"0x0a.0.0.0/8", -EINVAL},
                        {"10.0.0.256/8", -EINVAL},
                        {"2001:db8::/129", -EINVAL},
                        {"2001:db8:::/32", -EINVAL},
                        {"2001:db8::1/32", -EINVAL},
                        {"::ffff:0.0.0.0/96", 0},
                        {"::ffff:0.0.0.0/95", -EINVAL},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *msg = NULL;
                AddressRange range;

                if (address_range_parse(&range, table[i].text, &msg) != table[i].result)
                        fail_msg("%s: %s", table[i].text, strempty(msg));
                assert_int_equal(msg != NULL, table[i].result == -EINVAL);
        }
}

static void test_no_addresses(void **state) {
        static const char *const bad[] = {"", "10", "10.0", "10.0.0", "010.0.0.1", "10.0.0.01",
                        "0x0a000001", "0xa.0.0.1", "167772161", "10.0.0.1 ", " 10.0.0.1",
                        "10.0.0.1\n", "10.0.0.1.", "10.0.0.1/8", "10.0.0.1:1", "10.0.0.256", "1:2",
                        "::1%lo", "[::1]", "::ffff:010.0.0.1", "::g", "12345::"};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Address a;

                if (address_parse(&a, bad[i]) != -EINVAL)
                        fail_msg("%s", bad[i]);
        }
}

/* Patterns. */

static void test_pattern_faults(void **state) {
        static const char *const bad[] = {"", "!", "~", "!~", "!!x", "[", "~(", "10.0.0.1/8"};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                Pattern p = {0};
                _cleanup_free_ char *msg = NULL;

                if (pattern_parse(&p, bad[i], &msg) != -EINVAL)
                        fail_msg("%s", bad[i]);
                assert_non_null(msg);
        }
}

static void test_pattern_length(void **state) {
        char text[PATTERN_MAX + 2];

        memset(text, 'x', sizeof(text));
        for (size_t len = PATTERN_MAX; len <= PATTERN_MAX + 1; len++) {
                _cleanup_(pattern_done) Pattern p = {0};

                text[len] = '\0';
                assert_int_equal(pattern_parse(&p, text, NULL), len > PATTERN_MAX ? -EINVAL : 0);
                text[len] = 'x';
        }
}

static void test_broad(void **state) {
        static const struct {
                const char *pattern;
                bool broad;
        } table[] = {
                        {"*", true},
                        {"**", true},
                        {"?*", true},
                        {"*?*?", true},
                        {"????????", true},
                        {"[!x]*", true},
                        {"~.*", true},
                        {"~^.*$", true},
                        {"~.+", true},
                        {"~(?s).*", true},
                        {"~[\\s\\S]*", true},
                        {"~\\X*", true},
                        {"~.{10}", true},
                        {"~.{40,}", true},
                        {"~Deploy|.*", true},
                        {"~(?!prod).*", true},
                        {"~\\S+", true},
                        {"!Deploy", true},
                        {"!~.*", true},
                        {"!10.0.0.0/8", true},
                        {"0.0.0.0/0", true},
                        {"::/0", true},
                        {"::ffff:0.0.0.0/96", true},
                        {"{*}", true},
                        {"{\"*", true},
                        {"~\\{.*\\}", true},
                        {"Deploy", false},
                        {"Deploy *", false},
                        {"*staging*", false},
                        {"ci-*", false},
                        {"~Deploy [a-z-]+ to staging", false},
                        {"~[a-z0-9]+", false},
                        {"~.*staging.*", false},
                        {"~(Deploy|Restart) .*", false},
                        {"~^$", false},
                        {"~(?i)yes", false},
                        {"10.0.0.0/8", false},
                        {"0.0.0.0/1", false},
                        {"*{\"ip\":\"10.*", false},
                        {"~\\{\"job\":.*\\}", false},
        };
        _cleanup_(regex_scratch_freep) RegexScratch *scratch = NULL;

        assert_int_equal(regex_scratch_new(&scratch), 0);
        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(pattern_done) Pattern p = {0};

                assert_int_equal(pattern_parse(&p, table[i].pattern, NULL), 0);
                if (pattern_is_broad(&p, scratch) != table[i].broad)
                        fail_msg("%s", table[i].pattern);
        }
}

/* Hours. */

static void test_hours(void **state) {
        static const struct {
                const char *text;
                unsigned minutes; /* of the week, how many */
        } table[] = {
                        {"00:00-24:00", MINUTES_PER_WEEK},
                        {"Mon..Sun", MINUTES_PER_WEEK},
                        {"Tue..Mon", MINUTES_PER_WEEK},
                        {"Wed..Wed", MINUTES_PER_DAY},
                        {"Mon", MINUTES_PER_DAY},
                        {"Mon,Mon", MINUTES_PER_DAY},
                        {"Sat..Mon", 3 * MINUTES_PER_DAY},
                        {"Mon..Fri 08:00-18:00", 5 * 600},
                        {"Mon,Wed 08:00-12:00,13:00-17:00", 2 * 480},
                        {"Fri 22:00-06:00", 480},
                        {"22:00-00:00", 7 * 120},
                        {"22:00-24:00", 7 * 120},
                        {"Sun 23:59-00:01", 2},
                        {"Mon 00:00-00:01;Tue 10:00-10:02", 3},
                        {"  Mon\t 00:00-00:01 ;  Tue 10:00-10:02  ", 3},
                        {"08:00-10:00; 09:00-11:00", 7 * 180},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                unsigned n = 0;
                Hours h;

                assert_int_equal(hours_parse(&h, table[i].text, NULL), 0);
                for (unsigned day = 0; day < 7; day++)
                        for (unsigned minute = 0; minute < MINUTES_PER_DAY; minute++)
                                n += hours_contain(&h, day, minute);
                if (n != table[i].minutes)
                        fail_msg("%s: %u", table[i].text, n);
        }
        Hours h;
        assert_int_equal(hours_parse(&h, "Sun 23:59-00:01", NULL), 0);
        assert_true(hours_contain(&h, 6, MINUTES_PER_DAY - 1));
        assert_true(hours_contain(&h, 0, 0));
        assert_false(hours_contain(&h, 0, 1));
        assert_false(hours_contain(&h, 7, 0));
}

static void test_hours_faults(void **state) {
        static const char *const bad[] = {"", ";", "Mon;", "mon", "Monday", "Mon..", "..Fri",
                        "Mon.Fri", "Mon-Fri", "Mon..Fri..Sat", "Mon,", ",Mon", "8:00-18:00",
                        "08:00", "08:00-", "08:00-8:00", "08:00-08:00", "24:00-08:00",
                        "08:00-24:01", "08:60-09:00", "25:00-26:00", "08:00 - 18:00",
                        "08:00-18:00 Mon", "Mon 08:00-18:00 x", "Mon 08:00-18:00, 19:00-20:00",
                        "08:00-18:00,", "0800-1800", "08:00..18:00", "-8:00-18:00", "Mon Tue"};

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *msg = NULL;
                Hours h;

                if (hours_parse(&h, bad[i], &msg) != -EINVAL)
                        fail_msg("%s", bad[i]);
                assert_non_null(strstr(msg, "; write days and times as in Mon..Fri 08:00-18:00"));
        }
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_glob),
                        cmocka_unit_test(test_glob_faults),
                        cmocka_unit_test(test_glob_against_reference),
                        cmocka_unit_test(test_glob_is_bounded),
                        cmocka_unit_test(test_regex),
                        cmocka_unit_test(test_regex_faults),
                        cmocka_unit_test(test_regex_limit_stays),
                        cmocka_unit_test(test_address_ranges),
                        cmocka_unit_test(test_no_addresses),
                        cmocka_unit_test(test_pattern_faults),
                        cmocka_unit_test(test_pattern_length),
                        cmocka_unit_test(test_broad),
                        cmocka_unit_test(test_hours),
                        cmocka_unit_test(test_hours_faults),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
