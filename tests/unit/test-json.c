/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: the grammar to the letter, evil documents, raw bytes, typed reading. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/text.h"

#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
        const char *text;
        size_t len;
        size_t n_members;
} good[] = {
                {TEXT("{}"), 0},
                {TEXT(" \t\r\n{ \t\r\n} \t\r\n"), 0},
                {TEXT("{\"a\":1}"), 1},
                {TEXT("{ \"a\" : 1 , \"b\" : 2 }"), 2},
                {TEXT("{\"\":\"\"}"), 1},
                {TEXT("{\"a\":null,\"b\":true,\"c\":false}"), 3},
                {TEXT("{\"a\":[],\"b\":{},\"c\":[[],{}],\"d\":{\"e\":[]}}"), 4},
                {TEXT("{\"a\":[ 1 , \"x\" , null , [ ] , { } ]}"), 1},
                {TEXT("{\"a\":0,\"b\":-0,\"c\":0.0,\"d\":0e0,\"e\":-0.0E-0}"), 5},
                {TEXT("{\"a\":1.5,\"b\":1e5,\"c\":1E+5,\"d\":1.25e-5,\"e\":-12}"), 5},
                {TEXT("{\"a\":9223372036854775807,\"b\":-9223372036854775808}"), 2},
                {TEXT("{\"a\":99999999999999999999999999999999,\"b\":-99999999999999999999}"), 2},
                {TEXT("{\"a\":1e400,\"b\":1e-400}"), 2},
                {TEXT("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}"), 1},
                {TEXT("{\"a\":\"\\u0001\\u001f\\u00e9\\u20AC\\uFFFD\\uffff\"}"), 1},
                {TEXT("{\"a\":\"\\ud83d\\ude00\\uDBFF\\uDFFF\\uD800\\uDC00\"}"), 1},
                {TEXT("{\"a\":\"\\\\u0000\"}"), 1},
                {TEXT("{\"a\":\"\x7f\"}"), 1},
                {TEXT("{\"Gr\xc3\xbc\xc3\x9f"
                      "e\":\"\xe4\xb8\x96\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"}"),
                                1},
                {TEXT("{\"a\":\"\xef\xbb\xbf\xe2\x80\xa8\xe2\x80\xa9\"}"), 1},
                {TEXT("{\"a\":{\"x\":1},\"b\":{\"x\":1},\"x\":1}"), 3},
                {TEXT("{\"a\":1,\"A\":2,\"a \":3,\"\\u00e1\":4}"), 4},
                {TEXT("{\"a\":\"{[,:]}// /* */ NaN\"}"), 1},
                {TEXT("{\"a\":[{\"k\":1},{\"k\":2},{\"k\":[{\"k\":3}]}]}"), 1},
                {TEXT("{\"__proto__\":1,\"constructor\":2}"), 2},
};

static const struct {
        const char *text;
        size_t len;
        const char *message;
} bad[] = {
                /* not one object */
                {TEXT(""), "byte 0: an object is wanted here"},
                {TEXT(" "), "byte 1: an object is wanted here"},
                {TEXT("[]"), "byte 0: an object is wanted here"},
                {TEXT("null"), "byte 0: an object is wanted here"},
                {TEXT("\"a\""), "byte 0: an object is wanted here"},
                {TEXT("1"), "byte 0: an object is wanted here"},
                {TEXT("<html>"), "byte 0: an object is wanted here"},
                {TEXT("\xef\xbb\xbf{}"), "byte 0: an object is wanted here"},
                {TEXT("\0{}"), "byte 0: an object is wanted here"},
                {TEXT("\f{}"), "byte 0: an object is wanted here"},
                {TEXT("\xc2\xa0{}"), "byte 0: an object is wanted here"},
                {TEXT("{}{}"), "byte 2: there is more after the end"},
                {TEXT("{},"), "byte 2: there is more after the end"},
                {TEXT("{}}"), "byte 2: there is more after the end"},
                {TEXT("{} x"), "byte 3: there is more after the end"},
                {TEXT("{}\0"), "byte 2: there is more after the end"},
                {TEXT("{}//"), "byte 2: there is more after the end"},
                /* cut short, and brackets */
                {TEXT("{"), "byte 1: a member's name in double quotes is wanted here"},
                {TEXT("{\"a\""), "byte 4: a colon is wanted here"},
                {TEXT("{\"a\":"), "byte 5: a value is wanted here"},
                {TEXT("{\"a\":1"), "byte 6: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":[1"), "byte 7: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":\"x"), "byte 7: the text ends within a string"},
                {TEXT("{\"a\":\"x\\"), "byte 8: an unknown escape in a string"},
                {TEXT("{\"a\":tru"), "byte 8: a value is wanted here"},
                {TEXT("{\"a\":[1}"), "byte 7: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":{]"), "byte 6: a member's name in double quotes is wanted here"},
                {TEXT("{\"a\":]"), "byte 5: a value is wanted here"},
                /* commas and colons */
                {TEXT("{,}"), "byte 1: a member's name in double quotes is wanted here"},
                {TEXT("{\"a\":1,}"), "byte 7: a member's name in double quotes is wanted here"},
                {TEXT("{\"a\":1,,\"b\":2}"),
                                "byte 7: a member's name in double quotes is wanted here"},
                {TEXT("{\"a\":[1,]}"), "byte 8: a value is wanted here"},
                {TEXT("{\"a\":[,1]}"), "byte 6: a value is wanted here"},
                {TEXT("{\"a\":[1 2]}"), "byte 8: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":1 \"b\":2}"), "byte 7: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":1;\"b\":2}"), "byte 6: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\" 1}"), "byte 5: a colon is wanted here"},
                {TEXT("{\"a\"=1}"), "byte 4: a colon is wanted here"},
                {TEXT("{\"a\"::1}"), "byte 5: a value is wanted here"},
                /* names, words, comments of other dialects */
                {TEXT("{a:1}"), "byte 1: a member's name in double quotes is wanted here"},
                {TEXT("{'a':1}"), "byte 1: a member's name in double quotes is wanted here"},
                {TEXT("{1:1}"), "byte 1: a member's name in double quotes is wanted here"},
                {TEXT("{null:1}"), "byte 1: a member's name in double quotes is wanted here"},
                {TEXT("{\"a\":'x'}"), "byte 5: a value is wanted here"},
                {TEXT("{\"a\":x}"), "byte 5: a value is wanted here"},
                {TEXT("{\"a\":True}"), "byte 5: a value is wanted here"},
                {TEXT("{\"a\":NULL}"), "byte 5: a value is wanted here"},
                {TEXT("{\"a\":nul}"), "byte 8: a value is wanted here"},
                {TEXT("{\"a\":nan}"), "byte 6: a value is wanted here"},
                {TEXT("{\"a\":truex}"), "byte 9: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":undefined}"), "byte 5: a value is wanted here"},
                {TEXT("{/**/\"a\":1}"), "byte 1: a member's name in double quotes is wanted here"},
                {TEXT("{\"a\":1//\n}"), "byte 6: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":1#\n}"), "byte 6: a comma or a closing bracket is wanted here"},
                /* numbers */
                {TEXT("{\"a\":NaN}"), "byte 5: a value is wanted here"},
                {TEXT("{\"a\":Infinity}"), "byte 5: a value is wanted here"},
                {TEXT("{\"a\":-Infinity}"), "byte 6: a digit is wanted here"},
                {TEXT("{\"a\":-NaN}"), "byte 6: a digit is wanted here"},
                {TEXT("{\"a\":+1}"), "byte 5: a value is wanted here"},
                {TEXT("{\"a\":-}"), "byte 6: a digit is wanted here"},
                {TEXT("{\"a\":--1}"), "byte 6: a digit is wanted here"},
                {TEXT("{\"a\":01}"), "byte 6: a number must not begin with 0"},
                {TEXT("{\"a\":-01}"), "byte 7: a number must not begin with 0"},
                {TEXT("{\"a\":00}"), "byte 6: a number must not begin with 0"},
                {TEXT("{\"a\":1.}"), "byte 7: a digit is wanted here"},
                {TEXT("{\"a\":.5}"), "byte 5: a value is wanted here"},
                {TEXT("{\"a\":1.e5}"), "byte 7: a digit is wanted here"},
                {TEXT("{\"a\":1e}"), "byte 7: a digit is wanted here"},
                {TEXT("{\"a\":1e+}"), "byte 8: a digit is wanted here"},
                {TEXT("{\"a\":1e+-5}"), "byte 8: a digit is wanted here"},
                {TEXT("{\"a\":1e5.5}"), "byte 8: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":1.5.5}"), "byte 8: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":0x10}"), "byte 6: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":1_000}"), "byte 6: a comma or a closing bracket is wanted here"},
                {TEXT("{\"a\":1,000}"), "byte 7: a member's name in double quotes is wanted here"},
                {TEXT("{\"a\":1\0}"), "byte 6: a comma or a closing bracket is wanted here"},
                /* strings */
                {TEXT("{\"a\":\"\n\"}"), "byte 6: a control character in a string must be escaped"},
                {TEXT("{\"a\":\"\t\"}"), "byte 6: a control character in a string must be escaped"},
                {TEXT("{\"a\":\"x\0y\"}"),
                                "byte 7: a control character in a string must be escaped"},
                {TEXT("{\"a\0\":1}"), "byte 3: a control character in a string must be escaped"},
                {TEXT("{\"a\":\"\x1f\"}"),
                                "byte 6: a control character in a string must be escaped"},
                {TEXT("{\"a\":\"\\x41\"}"), "byte 7: an unknown escape in a string"},
                {TEXT("{\"a\":\"\\'\"}"), "byte 7: an unknown escape in a string"},
                {TEXT("{\"a\":\"\\U0041\"}"), "byte 7: an unknown escape in a string"},
                {TEXT("{\"a\":\"\\0\"}"), "byte 7: an unknown escape in a string"},
                {TEXT("{\"a\":\"\\\0\"}"), "byte 7: an unknown escape in a string"},
                {TEXT("{\"a\":\"\\\n\"}"), "byte 7: an unknown escape in a string"},
                {TEXT("{\"a\":\"\\u12\"}"), "byte 10: four hex digits are wanted after \\u"},
                {TEXT("{\"a\":\"\\u12g4\"}"), "byte 10: four hex digits are wanted after \\u"},
                {TEXT("{\"a\":\"\\u+123\"}"), "byte 8: four hex digits are wanted after \\u"},
                {TEXT("{\"a\":\"\\u{41}\"}"), "byte 8: four hex digits are wanted after \\u"},
                {TEXT("{\"a\":\"\\u0000\"}"), "byte 12: U+0000 is not allowed in a string"},
                {TEXT("{\"a\\u0000b\":1}"), "byte 9: U+0000 is not allowed in a string"},
                {TEXT("{\"a\":\"\\ud800\"}"), "byte 12: a surrogate stands alone in a string"},
                {TEXT("{\"a\":\"\\udc00\"}"), "byte 12: a surrogate stands alone in a string"},
                {TEXT("{\"a\":\"\\ud800x\"}"), "byte 12: a surrogate stands alone in a string"},
                {TEXT("{\"a\":\"\\ud800\\n\"}"), "byte 13: a surrogate stands alone in a string"},
                {TEXT("{\"a\":\"\\ud800\\ud800\"}"),
                                "byte 18: a surrogate stands alone in a string"},
                {TEXT("{\"a\":\"\\ud800\\u0041\"}"),
                                "byte 18: a surrogate stands alone in a string"},
                {TEXT("{\"a\":\"\\ude00\\ud83d\"}"),
                                "byte 12: a surrogate stands alone in a string"},
                {TEXT("{\"a\":\"\\ud83d\\u\"}"), "byte 14: four hex digits are wanted after \\u"},
                {TEXT("{\"\\udfff\":1}"), "byte 8: a surrogate stands alone in a string"},
                /* UTF-8 */
                {TEXT("{\"a\":\"\x80\"}"), "byte 6: malformed UTF-8"},
                {TEXT("{\"a\":\"\xc0\x80\"}"), "byte 6: malformed UTF-8"},
                {TEXT("{\"a\":\"\xc0\xaf\"}"), "byte 6: malformed UTF-8"},
                {TEXT("{\"a\":\"\xe0\x80\xaf\"}"), "byte 6: malformed UTF-8"},
                {TEXT("{\"a\":\"\xed\xa0\x80\"}"), "byte 6: malformed UTF-8"},
                {TEXT("{\"a\":\"\xf4\x90\x80\x80\"}"), "byte 6: malformed UTF-8"},
                {TEXT("{\"a\":\"\xff\"}"), "byte 6: malformed UTF-8"},
                {TEXT("{\"a\":\"x\xe2\x82\"}"), "byte 7: malformed UTF-8"},
                {TEXT("{\"a\":\"\xc3"), "byte 6: malformed UTF-8"},
                {TEXT("{\"\xfe\":1}"), "byte 2: malformed UTF-8"},
                {TEXT("{\"a\":\xc3\xa9}"), "byte 5: a value is wanted here"},
                /* doubled names, however they are spelt and wherever they stand */
                {TEXT("{\"a\":1,\"a\":1}"), "byte 7: a member's name stands twice in one object"},
                {TEXT("{\"a\":1,\"b\":2,\"a\":3}"),
                                "byte 13: a member's name stands twice in one object"},
                {TEXT("{\"a\":null,\"a\":null}"),
                                "byte 10: a member's name stands twice in one object"},
                {TEXT("{\"a\":1,\"\\u0061\":2}"),
                                "byte 7: a member's name stands twice in one object"},
                {TEXT("{\"/\":1,\"\\/\":2}"), "byte 7: a member's name stands twice in one object"},
                {TEXT("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}"),
                                "byte 18: a member's name stands twice in one object"},
                {TEXT("{\"\":1,\"\":2}"), "byte 6: a member's name stands twice in one object"},
                {TEXT("{\"a\":{\"b\":1,\"b\":2}}"),
                                "byte 5: a member's name stands twice in one object"},
                {TEXT("{\"x\":1,\"a\":[0,[{\"b\":{\"c\":1,\"d\":2,\"c\":3}}]]}"),
                                "byte 11: a member's name stands twice in one object"},
                {TEXT("{\"a\":[{\"b\":{\"x\":1},\"b\":{\"x\":1}}]}"),
                                "byte 5: a member's name stands twice in one object"},
};

static JsonDoc *parse(const char *text) {
        _cleanup_free_ char *msg = NULL;
        JsonDoc *d = NULL;

        int r = json_doc_parse(&d, text, strlen(text), &msg);
        if (r < 0)
                fail_msg("%s: %s", text, error_text(msg, r));
        return d;
}

/* Room of exactly len bytes, so that the sanitizers see a read past the end. */
static char *exact_copy(const char *text, size_t len) {
        char *copy = malloc(len > 0 ? len : 1);

        assert_non_null(copy);
        memcpy(copy, text, len);
        return copy;
}

static void test_good(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                _cleanup_(json_doc_freep) JsonDoc *d = NULL;
                _cleanup_free_ char *msg = NULL, *copy = exact_copy(good[i].text, good[i].len);

                if (json_doc_parse(&d, copy, good[i].len, &msg) != 0)
                        fail_msg("%s: %s", good[i].text, msg);
                assert_null(msg);
                assert_int_equal(json_doc_n_members(d), good[i].n_members);
                assert_int_equal(json_object_object_length(json_doc_object(d)), good[i].n_members);
        }
}

static void test_bad(void **state) {
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_free_ char *msg = NULL, *copy = exact_copy(bad[i].text, bad[i].len);
                JsonDoc *d = NULL;

                if (json_doc_parse(&d, copy, bad[i].len, &msg) != -EBADMSG)
                        fail_msg("document %zu was taken: %s", i, bad[i].text);
                assert_null(d);
                assert_non_null(msg);
                assert_memory_equal(msg, "JSON, ", 6);
                assert_string_equal(msg + 6, bad[i].message);
                assert_int_equal(json_doc_parse(&d, copy, bad[i].len, NULL), -EBADMSG);
        }
}

/* A good document that is cut anywhere is a bad one; the checks of the reader never pass the end.
 */
static void test_every_prefix(void **state) {
        static const char text[] =
                        "{\"a\":[1.5e+3,\"\\ud83d\\ude00\\n\",{\"b\":null}],\"\xf0\x9f\x98"
                        "\x80\":true,\"c\":-0}";

        for (size_t len = 0; len < sizeof(text); len++) {
                _cleanup_free_ char *copy = exact_copy(text, len);
                _cleanup_(json_doc_freep) JsonDoc *d = NULL;

                assert_int_equal(json_doc_parse(&d, copy, len, NULL),
                                len == sizeof(text) - 1 ? 0 : -EBADMSG);
        }
}

/* {"a": and brackets to the depth, the object itself counted. */
static int parse_depth(const char *open, const char *close, int depth, char **reterr_msg) {
        _cleanup_(json_doc_freep) JsonDoc *d = NULL;
        char text[2000] = "{\"a\":";

        for (int i = 1; i < depth; i++)
                strcat(text, open);
        strcat(text, "1");
        for (int i = 1; i < depth; i++)
                strcat(text, close);
        strcat(text, "}");
        return json_doc_parse(&d, text, strlen(text), reterr_msg);
}

static void test_depth(void **state) {
        _cleanup_free_ char *msg = NULL;

        assert_int_equal(parse_depth("[", "]", 1, NULL), 0);
        assert_int_equal(parse_depth("[", "]", JSON_DEPTH_MAX, NULL), 0);
        assert_int_equal(parse_depth("{\"a\":", "}", JSON_DEPTH_MAX, NULL), 0);
        assert_int_equal(parse_depth("[", "]", JSON_DEPTH_MAX + 1, &msg), -EBADMSG);
        assert_string_equal(msg, "JSON, byte 37: too many objects and arrays within each other");
        assert_int_equal(parse_depth("{\"a\":", "}", JSON_DEPTH_MAX + 1, NULL), -EBADMSG);
        assert_int_equal(parse_depth("[", "", 1500, NULL), -EBADMSG);
}

static void assert_raw(const JsonDoc *d, const char *key, const char *raw) {
        JsonSlice s;

        assert_true(json_doc_raw(d, key, &s));
        assert_int_equal(s.len, strlen(raw));
        assert_memory_equal(s.data, raw, s.len);
}

static void test_members(void **state) {
        char text[] = " { \"s\" : \"a\\u0041\\/\" ,\n\"n\":  -1.50e+01\t, \"o\" : { \"x\" : [ 1 ] "
                      "} "
                      ", \"nul\" : null,\"\\u00fc\":\"\xc3\xbc\",\"i\":7 } ";
        _cleanup_(json_doc_freep) JsonDoc *d = parse(text);
        static const char *const names[] = {"s", "n", "o", "nul", "\xc3\xbc", "i"};
        JsonSlice s;

        memset(text, 'x', sizeof(text)); /* the document has its own copy */
        assert_int_equal(json_doc_n_members(d), ELEMENTSOF(names));
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_string_equal(json_doc_member_name(d, i), names[i]);
        assert_null(json_doc_member_name(d, ELEMENTSOF(names)));

        assert_raw(d, "s", "\"a\\u0041\\/\"");
        assert_raw(d, "n", "-1.50e+01");
        assert_raw(d, "o", "{ \"x\" : [ 1 ] }");
        assert_raw(d, "nul", "null");
        assert_raw(d, "\xc3\xbc", "\"\xc3\xbc\"");
        assert_raw(d, "i", "7");
        assert_false(json_doc_raw(d, "x", &s));
        assert_false(json_doc_raw(d, "", &s));

        assert_string_equal(json_object_get_string(json_doc_value(d, "s")), "aA/");
        assert_int_equal(json_object_get_int(json_doc_value(d, "i")), 7);
        assert_null(json_doc_value(d, "nul"));
        assert_null(json_doc_value(d, "absent"));
        assert_ptr_equal(json_object_object_get(json_doc_object(d), "o"), json_doc_value(d, "o"));
        assert_int_equal(json_doc_text(d).len, sizeof(text) - 1 - 2);
        assert_memory_equal(json_doc_text(d).data, "{ \"s\" ", 6);
        assert_null(json_doc_free(NULL));
}

static void test_decoded_strings(void **state) {
        static const char *const table[][2] = {
                        {"\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t"},
                        {"\\u0001\\u007f\\u0080\\u07ff\\u0800\\uffff",
                                        "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
                        {"\\ud800\\udc00\\udbff\\udfff", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
                        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                        {"\\\\u0000", "\\u0000"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                char text[200];

                snprintf(text, sizeof(text), "{\"%s\":\"%s\"}", table[i][0], table[i][0]);
                _cleanup_(json_doc_freep) JsonDoc *d = parse(text);
                assert_string_equal(json_doc_member_name(d, 0), table[i][1]);
                assert_string_equal(json_object_get_string(json_doc_value(d, table[i][1])),
                                table[i][1]);
        }
}

/* 100000 members, and a double at the end of them, in no time. */
static void test_many_members(void **state) {
        enum { N = 100000 };
        _cleanup_free_ char *text = malloc(N * 16), *msg = NULL;
        _cleanup_(json_doc_freep) JsonDoc *d = NULL;
        char *p = text;

        assert_non_null(text);
        for (int i = 0; i < N; i++)
                p += sprintf(p, "%c\"%d\":%d", i > 0 ? ',' : '{', i, i);
        strcpy(p, "}");
        assert_int_equal(json_doc_parse(&d, text, (size_t) (p - text) + 1, &msg), 0);
        assert_int_equal(json_doc_n_members(d), N);
        assert_string_equal(json_doc_member_name(d, N - 1), "99999");
        assert_raw(d, "99999", "99999");

        strcpy(p, ",\"7\":0}");
        d = json_doc_free(d);
        assert_int_equal(json_doc_parse(&d, text, strlen(text), &msg), -EBADMSG);
        assert_non_null(strstr(msg, "stands twice"));
}

static void test_array_split(void **state) {
        static const struct {
                const char *array;
                size_t n;
                const char *elements[4];
        } table[] = {
                        {"[]", 0, {NULL}},
                        {" [ \n ] ", 0, {NULL}},
                        {"[1]", 1, {"1"}},
                        {"[ {\"a\": [1, 2]} , \"x,]\" ,\n[ ], null]", 4,
                                        {"{\"a\": [1, 2]}", "\"x,]\"", "[ ]", "null"}},
        };
        static const char *const refused[] = {"", "{}", "1", "\"[]\"", "[1", "[1,]", "[] []"};

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ JsonSlice *slices = NULL;
                size_t n = 99;

                JsonSlice array = {table[i].array, strlen(table[i].array)};
                assert_int_equal(json_array_split(array, &slices, &n), 0);
                assert_non_null(slices);
                assert_int_equal(n, table[i].n);
                for (size_t j = 0; j < n; j++) {
                        assert_int_equal(slices[j].len, strlen(table[i].elements[j]));
                        assert_memory_equal(slices[j].data, table[i].elements[j], slices[j].len);
                        assert_true(slices[j].data > array.data);
                        assert_true(slices[j].data < array.data + array.len);
                }
        }
        for (size_t i = 0; i < ELEMENTSOF(refused); i++) {
                JsonSlice array = {refused[i], strlen(refused[i])}, *slices = NULL;
                size_t n;

                assert_int_equal(json_array_split(array, &slices, &n), -EBADMSG);
                assert_null(slices);
        }
}

static void test_minify(void **state) {
        static const char *const table[][2] = {
                        {"", ""},
                        {"{}", "{}"},
                        {" { \"a b\" :\t[ 1 ,\r\n 2 ] } ", "{\"a b\":[1,2]}"},
                        {"\" \\\" \\\\\" , \" \"", "\" \\\" \\\\\",\" \""},
                        {"{\"a\": \"\\u0020 \xc2\xa0\"}", "{\"a\":\"\\u0020 \xc2\xa0\"}"},
                        {"1.50 ", "1.50"},
                        {"\"\\", "\"\\"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *copy = exact_copy(table[i][0], strlen(table[i][0]));
                _cleanup_free_ char *text = NULL;
                size_t len;

                assert_int_equal(json_minify((JsonSlice){copy, strlen(table[i][0])}, &text, &len),
                                0);
                assert_string_equal(text, table[i][1]);
                assert_int_equal(len, strlen(table[i][1]));
        }
}

typedef struct Target {
        char *name;
        Secret secret;
        usec_t created;
        int64_t count;
        bool flag;
        char *raw;
} Target;

static const JsonField fields[] = {
                {"name", JSON_STRING, offsetof(Target, name), JSON_MANDATORY},
                {"secret", JSON_SECRET, offsetof(Target, secret), JSON_NULLABLE},
                {"created", JSON_TIME, offsetof(Target, created), 0},
                {"count", JSON_INT, offsetof(Target, count), JSON_NULLABLE},
                {"flag", JSON_BOOL, offsetof(Target, flag), 0},
                {"raw", JSON_RAW, offsetof(Target, raw), JSON_NULLABLE},
};

static int read_target(const char *text, bool strict, Target *ret, char **reterr_msg) {
        _cleanup_(json_doc_freep) JsonDoc *d = parse(text);

        return json_doc_read(d, fields, ELEMENTSOF(fields), strict, ret, reterr_msg);
}

static void assert_zero(const Target *t) {
        static const Target zero = {0};

        assert_null(t->name);
        assert_memory_equal(&t->secret, &zero.secret, sizeof(Secret));
        assert_int_equal(t->created, 0);
        assert_int_equal(t->count, 0);
        assert_false(t->flag);
        assert_null(t->raw);
}

static void test_read(void **state) {
        Target t = {0};

        assert_int_equal(read_target("{\"raw\": { \"x\" : 1 },\"name\":\"\\u00fc\",\"flag\":true,"
                                     "\"count\":-12,\"secret\":\"s\\n\","
                                     "\"created\":\"1970-01-01T00:00:01.5Z\"}",
                                         true, &t, NULL),
                        0);
        assert_string_equal(t.name, "\xc3\xbc");
        assert_string_equal(secret_string(&t.secret), "s\n");
        assert_int_equal(t.secret.len, 2);
        assert_int_equal(t.created, 1500000);
        assert_int_equal(t.count, -12);
        assert_true(t.flag);
        assert_string_equal(t.raw, "{ \"x\" : 1 }");

        json_fields_done(fields, ELEMENTSOF(fields), &t);
        assert_zero(&t);
        json_fields_done(fields, ELEMENTSOF(fields), &t);
}

static void test_read_absent(void **state) {
        Target t = {0};

        assert_int_equal(read_target("{\"name\":\"\",\"secret\":null,\"count\":null,\"raw\":null}",
                                         true, &t, NULL),
                        0);
        assert_string_equal(t.name, "");
        free(t.name);
        t.name = NULL;
        assert_zero(&t);
}

static void test_read_raw_null(void **state) {
        static const JsonField field = {"raw", JSON_RAW, 0, JSON_MANDATORY};
        _cleanup_(json_doc_freep) JsonDoc *d = parse("{\"raw\": null }");
        char *raw = NULL;

        assert_int_equal(json_doc_read(d, &field, 1, true, &raw, NULL), 0);
        assert_string_equal(raw, "null");
        free(raw);
}

static void test_read_mandatory_null(void **state) {
        static const JsonField field = {"a", JSON_INT, 0, JSON_MANDATORY | JSON_NULLABLE};
        _cleanup_(json_doc_freep) JsonDoc *d = parse("{\"a\":null}");
        _cleanup_free_ char *msg = NULL;
        int64_t a = 0;

        assert_int_equal(json_doc_read(d, &field, 1, true, &a, &msg), -EBADMSG);
        assert_string_equal(msg, "JSON: 'a' is missing");
}

static void test_read_strictness(void **state) {
        _cleanup_free_ char *msg = NULL;
        Target t = {0};

        assert_int_equal(read_target("{\"name\":\"n\",\"more\":1}", false, &t, NULL), 0);
        json_fields_done(fields, ELEMENTSOF(fields), &t);
        assert_int_equal(read_target("{\"name\":\"n\",\"mo\\nre\":1}", true, &t, &msg), -EBADMSG);
        assert_string_equal(msg, "JSON: 'mo\\nre' is not known here");
        assert_zero(&t);
}

static void test_read_wrong(void **state) {
        static const struct {
                const char *members, *message;
        } table[] = {
                        {"\"x\":1", "'name' is missing"},
                        {"\"name\":null", "'name' must be a string"},
                        {"\"name\":1", "'name' must be a string"},
                        {"\"name\":true", "'name' must be a string"},
                        {"\"name\":[\"n\"]", "'name' must be a string"},
                        {"\"name\":{}", "'name' must be a string"},
                        {"\"name\":\"n\",\"secret\":1", "'secret' must be a string"},
                        {"\"name\":\"n\",\"created\":null",
                                        "'created' must be a date and time as in RFC 3339"},
                        {"\"name\":\"n\",\"created\":0",
                                        "'created' must be a date and time as in RFC 3339"},
                        {"\"name\":\"n\",\"created\":\"yesterday\"",
                                        "'created' must be a date and time as in RFC 3339"},
                        {"\"name\":\"n\",\"created\":\"2026-02-30T00:00:00Z\"",
                                        "'created' must be a date and time as in RFC 3339"},
                        {"\"name\":\"n\",\"count\":\"1\"", "'count' must be an integer of 64 bits"},
                        {"\"name\":\"n\",\"count\":1.0", "'count' must be an integer of 64 bits"},
                        {"\"name\":\"n\",\"count\":1e3", "'count' must be an integer of 64 bits"},
                        {"\"name\":\"n\",\"count\":true", "'count' must be an integer of 64 bits"},
                        {"\"name\":\"n\",\"count\":[]", "'count' must be an integer of 64 bits"},
                        {"\"name\":\"n\",\"count\":9223372036854775808",
                                        "'count' must be an integer of 64 bits"},
                        {"\"name\":\"n\",\"count\":-9223372036854775809",
                                        "'count' must be an integer of 64 bits"},
                        {"\"name\":\"n\",\"count\":18446744073709551617",
                                        "'count' must be an integer of 64 bits"},
                        {"\"name\":\"n\",\"count\":100000000000000000000",
                                        "'count' must be an integer of 64 bits"},
                        {"\"name\":\"n\",\"flag\":null", "'flag' must be true or false"},
                        {"\"name\":\"n\",\"flag\":1", "'flag' must be true or false"},
                        {"\"name\":\"n\",\"flag\":\"true\"", "'flag' must be true or false"},
                        /* found late: what was read before is gone again */
                        {"\"name\":\"n\",\"secret\":\"s\",\"count\":1,\"raw\":2,\"flag\":3",
                                        "'flag' must be true or false"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_free_ char *msg = NULL;
                char text[200];
                Target t = {0};

                snprintf(text, sizeof(text), "{%s}", table[i].members);
                assert_int_equal(read_target(text, false, &t, &msg), -EBADMSG);
                assert_memory_equal(msg, "JSON: ", 6);
                assert_string_equal(msg + 6, table[i].message);
                assert_zero(&t);
        }
}

static void test_read_int_range(void **state) {
        static const struct {
                const char *text;
                int64_t value;
        } table[] = {
                        {"{\"name\":\"\",\"count\":9223372036854775807}", INT64_MAX},
                        {"{\"name\":\"\",\"count\":-9223372036854775808}", INT64_MIN},
                        {"{\"name\":\"\",\"count\":0}", 0},
                        {"{\"name\":\"\",\"count\":-0}", 0},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                Target t = {.count = 1};

                assert_int_equal(read_target(table[i].text, true, &t, NULL), 0);
                assert_true(t.count == table[i].value);
                json_fields_done(fields, ELEMENTSOF(fields), &t);
        }
}

/* A second reference outlives the wiping, and shows what is left. */
static void test_wipe_put(void **state) {
        json_object *o = json_tokener_parse("{\"a\":\"secret\",\"b\":[[\"deep secret\"],1,null]}");
        json_object *a, *b;

        assert_non_null(o);
        a = json_object_get(json_object_object_get(o, "a"));
        b = json_object_array_get_idx(json_object_object_get(o, "b"), 0);
        b = json_object_get(json_object_array_get_idx(b, 0));
        json_object_wipe_put(o);
        assert_int_equal(json_object_get_string_len(a), 6);
        assert_memory_equal(json_object_get_string(a), "\0\0\0\0\0\0", 6);
        assert_memory_equal(json_object_get_string(b), "\0\0\0\0\0\0\0\0\0\0\0", 11);
        json_object_put(a);
        json_object_put(b);
        json_object_wipe_put(NULL);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_good),
                        cmocka_unit_test(test_bad),
                        cmocka_unit_test(test_every_prefix),
                        cmocka_unit_test(test_depth),
                        cmocka_unit_test(test_members),
                        cmocka_unit_test(test_decoded_strings),
                        cmocka_unit_test(test_many_members),
                        cmocka_unit_test(test_array_split),
                        cmocka_unit_test(test_minify),
                        cmocka_unit_test(test_read),
                        cmocka_unit_test(test_read_absent),
                        cmocka_unit_test(test_read_raw_null),
                        cmocka_unit_test(test_read_mandatory_null),
                        cmocka_unit_test(test_read_strictness),
                        cmocka_unit_test(test_read_wrong),
                        cmocka_unit_test(test_read_int_range),
                        cmocka_unit_test(test_wipe_put),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
