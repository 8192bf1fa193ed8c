/* SPDX-License-Identifier: Apache-2.0 */
/* Secret: growing, moving, wiping; random bytes. */

#include <stdarg.h>
#include <stddef.h>

#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"

static void test_empty(void **state) {
        Secret s = {0};

        assert_string_equal(secret_string(&s), "");
        secret_chomp(&s);
        secret_done(&s);
        secret_done(&s);
        secret_done(NULL);
        secret_wipe(NULL, 0);
        assert_null(secret_string_free(NULL));
}

static void test_append(void **state) {
        _cleanup_(secret_done) Secret s = {0};

        assert_int_equal(secret_append(&s, NULL, 0), 0);
        assert_int_equal(secret_append(&s, "a\0b", 3), 0);
        assert_int_equal(s.len, 3);
        assert_int_equal(secret_append_string(&s, "cd"), 0);
        assert_int_equal(s.len, 5);
        assert_memory_equal(s.data, "a\0bcd\0", 6);
        assert_true(s.allocated > s.len);

        for (int i = 0; i < 10000; i++) {
                assert_int_equal(secret_append_string(&s, "xy"), 0);
                assert_int_equal(s.data[s.len], 0);
        }
        assert_int_equal(s.len, 20005);
        assert_memory_equal(s.data, "a\0bcdxyxy", 9);
        assert_int_equal(secret_append(&s, s.data, SIZE_MAX - 10), -ENOMEM);
        assert_int_equal(secret_append(&s, s.data, SIZE_MAX / 2), -ENOMEM);
        assert_int_equal(s.len, 20005);
}

static void test_resize(void **state) {
        _cleanup_(secret_done) Secret s = {0};
        static const uint8_t zeroes[100] = {0};

        assert_int_equal(secret_append_string(&s, "before"), 0);
        assert_int_equal(secret_resize(&s, 99), 0);
        assert_int_equal(s.len, 99);
        assert_memory_equal(s.data, zeroes, 100);
        assert_int_equal(secret_resize(&s, 0), 0);
        assert_int_equal(s.len, 0);
        assert_string_equal(secret_string(&s), "");
        assert_int_equal(secret_append_string(&s, "kept"), 0);
        assert_int_equal(secret_resize(&s, SIZE_MAX - 1), -ENOMEM);
        assert_string_equal(secret_string(&s), "kept");
}

static void test_copy_and_move(void **state) {
        _cleanup_(secret_done) Secret a = {0}, b = {0}, empty = {0};

        assert_int_equal(secret_append_string(&a, "first"), 0);
        assert_int_equal(secret_append_string(&b, "second"), 0);

        assert_int_equal(secret_copy(&b, &a), 0);
        assert_string_equal(secret_string(&b), "first");
        assert_ptr_not_equal(a.data, b.data);
        assert_int_equal(secret_copy(&a, &a), 0);
        assert_string_equal(secret_string(&a), "first");

        uint8_t *data = a.data;
        secret_move(&b, &a);
        assert_ptr_equal(b.data, data);
        assert_null(a.data);
        assert_int_equal(a.len, 0);
        secret_move(&b, &b);
        assert_string_equal(secret_string(&b), "first");

        assert_int_equal(secret_copy(&b, &empty), 0);
        assert_int_equal(b.len, 0);
        assert_string_equal(secret_string(&b), "");
}

static void test_equal(void **state) {
        _cleanup_(secret_done) Secret a = {0}, b = {0};

        assert_true(secret_equal(&a, &b));
        assert_int_equal(secret_append(&a, "x\0y", 3), 0);
        assert_false(secret_equal(&a, &b));
        assert_int_equal(secret_append(&b, "x\0z", 3), 0);
        assert_false(secret_equal(&a, &b));
        b.data[2] = 'y';
        assert_true(secret_equal(&a, &b));
        assert_true(secret_equal(&a, &a));
        assert_int_equal(secret_append(&b, "", 1), 0);
        assert_false(secret_equal(&a, &b));
}

static void test_chomp(void **state) {
        static const struct {
                const char *text, *chomped;
        } table[] = {
                        {"", ""},
                        {"a", "a"},
                        {"a\n", "a"},
                        {"a\r\n", "a"},
                        {"a\n\n", "a\n"},
                        {"a\r\n\r\n", "a\r\n"},
                        {"a\r", "a\r"},
                        {"\n", ""},
                        {"\r\n", ""},
                        {"a b \n", "a b "},
                        {"a\nb", "a\nb"},
                        {"a\n\r", "a\n\r"},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++) {
                _cleanup_(secret_done) Secret s = {0};

                assert_int_equal(secret_append_string(&s, table[i].text), 0);
                secret_chomp(&s);
                assert_string_equal(secret_string(&s), table[i].chomped);
                assert_int_equal(s.len, strlen(table[i].chomped));
        }
}

/* A pipe that holds len bytes of 'x' and then text. */
static int filled_pipe(size_t len, const char *text) {
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        for (; len > 0; len--)
                assert_int_equal(write(fds[1], "x", 1), 1);
        assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
        assert_int_equal(close(fds[1]), 0);
        return fds[0];
}

static void test_read_fd(void **state) {
        static const struct {
                size_t filler;
                const char *text;
                size_t max;
                int r;
                size_t len;     /* chomped */
                size_t len_raw; /* every byte */
        } table[] = {
                        {0, "", 0, 0, 0, 0},
                        {0, "", 10, 0, 0, 0},
                        {0, "secret\n", 10, 0, 6, 7},
                        {0, "secret\r\n", 10, 0, 6, 8},
                        {0, "secret\n\n", 10, 0, 7, 8},
                        {0, "0123456789", 10, 0, 10, 10},
                        {0, "01234567890", 10, -E2BIG, 0, 0},
                        {0, "0123456789\n", 10, -E2BIG, 0, 0},
                        {0, "x", 0, -E2BIG, 0, 0},
                        {4095, "\n", 4096, 0, 4095, 4096},
                        {4096, "y", 4096, -E2BIG, 0, 0},
                        {10000, "y", 20000, 0, 10001, 10001},
        };

        for (size_t i = 0; i < ELEMENTSOF(table); i++)
                for (int raw = 0; raw < 2; raw++) {
                        _cleanup_(secret_done) Secret s = {0};
                        _cleanup_close_ int fd = filled_pipe(table[i].filler, table[i].text);

                        assert_int_equal(secret_append_string(&s, "before"), 0);
                        int r = (raw ? secret_read_fd_raw : secret_read_fd)(&s, fd, table[i].max);
                        assert_int_equal(r, table[i].r);
                        if (r < 0) {
                                assert_string_equal(secret_string(&s), "before");
                                continue;
                        }
                        assert_int_equal(s.len, raw ? table[i].len_raw : table[i].len);
                        assert_int_equal(secret_string(&s)[s.len], 0);
                        assert_int_equal(strspn(secret_string(&s), "x") >= table[i].filler, 1);
                }
}

static void test_read_fd_errors(void **state) {
        _cleanup_(secret_done) Secret s = {0};
        _cleanup_close_ int folder = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_int_equal(secret_read_fd(&s, -1, 10), -EBADF);
        assert_int_equal(secret_read_fd(&s, folder, 10), -EISDIR);
        assert_null(s.data);
}

static void test_wipe(void **state) {
        char text[] = "secret";

        secret_wipe(text, 3);
        assert_memory_equal(text, "\0\0\0ret", 7);

        char *copy = strdup("secret");
        assert_non_null(copy);
        assert_null(secret_string_free(copy));
}

static void test_random(void **state) {
        uint8_t a[1000] = {0}, b[1000] = {0};
        bool seen[256] = {0};
        size_t n = 0;

        assert_int_equal(random_bytes(a, sizeof(a)), 0);
        assert_int_equal(random_bytes(b, sizeof(b)), 0);
        assert_memory_not_equal(a, b, sizeof(a));
        for (size_t i = 0; i < sizeof(a); i++)
                seen[a[i]] = true;
        for (size_t i = 0; i < ELEMENTSOF(seen); i++)
                n += seen[i];
        assert_true(n > 200); /* about 251 are expected; under 200 once in far more than 10^20 */

        memset(a, 0, sizeof(a));
        assert_int_equal(random_bytes(a, 0), 0);
        assert_int_equal(random_bytes(a, 16), 0);
        for (size_t i = 16; i < sizeof(a); i++)
                assert_int_equal(a[i], 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_empty),
                        cmocka_unit_test(test_append),
                        cmocka_unit_test(test_resize),
                        cmocka_unit_test(test_copy_and_move),
                        cmocka_unit_test(test_equal),
                        cmocka_unit_test(test_chomp),
                        cmocka_unit_test(test_read_fd),
                        cmocka_unit_test(test_read_fd_errors),
                        cmocka_unit_test(test_wipe),
                        cmocka_unit_test(test_random),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
