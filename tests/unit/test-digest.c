/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256: FIPS 180-4 examples, and parts that cannot be shifted into one another. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/digest.h"

static void assert_sha256(const void *data, size_t len, const char *expected) {
        uint8_t hash[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];

        assert_int_equal(digest_sha256(data, len, hash), 0);
        hex_encode(hash, sizeof(hash), hex);
        assert_string_equal(hex, expected);
}

static void test_fips_vectors(void **state) {
        static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";

        assert_sha256("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_sha256(two_blocks, strlen(two_blocks),
                        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
        assert_sha256("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_sha256(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_a_million(void **state) {
        _cleanup_free_ char *text = malloc(1000000);

        assert_non_null(text);
        memset(text, 'a', 1000000);
        assert_sha256(text, 1000000,
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void hash_parts(const char *const *parts, size_t n, char ret[static SHA256_HEX_SIZE]) {
        _cleanup_(digest_freep) Digest *d = NULL;
        uint8_t hash[SHA256_SIZE];

        assert_int_equal(digest_new(&d), 0);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(digest_add_part(d, parts[i], parts[i] ? strlen(parts[i]) : 0), 0);
        assert_int_equal(digest_finish(d, hash), 0);
        hex_encode(hash, sizeof(hash), ret);
}

/* The parts' hash is the plain hash of lengths and parts, as an outsider would rebuild it. */
static void test_part_encoding(void **state) {
        static const char *const parts[] = {"abc", "", "de"};
        static const char plain[] =
                        "\0\0\0\0\0\0\0\3"
                        "abc"
                        "\0\0\0\0\0\0\0\0"
                        "\0\0\0\0\0\0\0\2"
                        "de";
        char hex[SHA256_HEX_SIZE];

        hash_parts(parts, ELEMENTSOF(parts), hex);
        assert_sha256(plain, sizeof(plain) - 1, hex);
}

static void test_long_part_has_its_length(void **state) {
        _cleanup_(digest_freep) Digest *d = NULL;
        _cleanup_free_ uint8_t *plain = calloc(1, 8 + 0x012345);
        uint8_t hash[SHA256_SIZE];
        char hex[SHA256_HEX_SIZE];

        assert_non_null(plain);
        plain[5] = 0x01, plain[6] = 0x23, plain[7] = 0x45;
        assert_int_equal(digest_new(&d), 0);
        assert_int_equal(digest_add_part(d, plain + 8, 0x012345), 0);
        assert_int_equal(digest_finish(d, hash), 0);
        hex_encode(hash, sizeof(hash), hex);
        assert_sha256(plain, 8 + 0x012345, hex);
}

static void test_parts_do_not_shift(void **state) {
        static const char *const sequences[][3] = {
                        {"ab", "c", ""},
                        {"a", "bc", ""},
                        {"abc", "", ""},
                        {"", "abc", ""},
                        {"", "", "abc"},
                        {"a", "b", "c"},
        };
        char hex[ELEMENTSOF(sequences) + 2][SHA256_HEX_SIZE];
        size_t n = ELEMENTSOF(sequences);

        for (size_t i = 0; i < n; i++)
                hash_parts(sequences[i], 3, hex[i]);
        hash_parts(sequences[0], 2, hex[n]);
        hash_parts(NULL, 0, hex[n + 1]);

        for (size_t i = 0; i < n + 2; i++)
                for (size_t j = 0; j < i; j++)
                        assert_string_not_equal(hex[i], hex[j]);
}

static void test_null_part_is_empty(void **state) {
        static const char *const null[] = {NULL}, *const empty[] = {""};
        char a[SHA256_HEX_SIZE], b[SHA256_HEX_SIZE];

        hash_parts(null, 1, a);
        hash_parts(empty, 1, b);
        assert_string_equal(a, b);
}

static void test_hex(void **state) {
        char hex[11] = "##########";

        hex_encode((const uint8_t *) "\x00\x0f\xf0\xab\x7f", 5, hex);
        assert_string_equal(hex, "000ff0ab7f");
        hex_encode(NULL, 0, hex);
        assert_string_equal(hex, "");
}

static void test_free_null(void **state) {
        assert_null(digest_free(NULL));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_fips_vectors),
                        cmocka_unit_test(test_a_million),
                        cmocka_unit_test(test_part_encoding),
                        cmocka_unit_test(test_long_part_has_its_length),
                        cmocka_unit_test(test_parts_do_not_shift),
                        cmocka_unit_test(test_null_part_is_empty),
                        cmocka_unit_test(test_hex),
                        cmocka_unit_test(test_free_null),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
