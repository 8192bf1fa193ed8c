/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing, key derivation, key sources, and what of a secret reaches the disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "store-fixture.h"
#include "store/seal.h"

static const SealPlace place = {.table = "factor", .row = 7, .type = "totp"};

static void fill(Secret *ret, size_t len) {
        assert_int_equal(secret_resize(ret, len), 0);
        for (size_t i = 0; i < len; i++)
                ret->data[i] = (uint8_t) i;
}

static void assert_hex(const Secret *s, const char *expected) {
        char hex[256];

        assert_true(2 * s->len < sizeof(hex));
        hex_encode(s->data, s->len, hex);
        assert_string_equal(hex, expected);
}

/* RFC 5869, A.3: no salt, no info; the first 32 bytes of the output. */
static void test_derive_rfc5869(void **state) {
        _cleanup_(secret_done) Secret key = {0}, derived = {0};

        assert_int_equal(secret_resize(&key, 22), 0);
        memset(key.data, 0x0b, key.len);

        assert_int_equal(seal_derive(&key, "", &derived), 0);
        assert_hex(&derived, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

/* The labels are part of the file format. Expected values: Python's hmac, after RFC 5869. */
static void test_derive_labels(void **state) {
        static const struct {
                const char *label;
                const char *expected;
        } cases[] = {
                        {SEAL_LABEL_SEAL,
                                        "7e9e813c72a70595e7db8db41f5d65ba027d672efada847d7024ced317"
                                        "ec91a8"},
                        {SEAL_LABEL_AUDIT,
                                        "a1d7cf61ffe7560370d6c7f91d7562dc47d572bbc0b1b59f8519f9d7ad"
                                        "94aedd"},
                        {SEAL_LABEL_CHECK,
                                        "806b2b569397290d135130861caad3af74173896bf24b27afe4369561d"
                                        "f913d8"},
        };
        _cleanup_(secret_done) Secret key = {0};

        fill(&key, STORE_KEY_SIZE);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(secret_done) Secret derived = {0};

                assert_int_equal(seal_derive(&key, cases[i].label, &derived), 0);
                assert_hex(&derived, cases[i].expected);
        }
}

/* Bytes that another AES-GCM made (Python's cryptography) open here: the format stays. */
static void test_unwrap_known(void **state) {
        static const uint8_t bytes[] = {
                        0x01,
                        0x00,
                        0x01,
                        0x02,
                        0x03,
                        0x04,
                        0x05,
                        0x06,
                        0x07,
                        0x08,
                        0x09,
                        0x0a,
                        0x0b,
                        0x76,
                        0x30,
                        0xe5,
                        0x2f,
                        0xf0,
                        0xd3,
                        0xf5,
                        0x23,
                        0xb4,
                        0x71,
                        0xa6,
                        0xb9,
                        0x82,
                        0xdd,
                        0x4d,
                        0x5b,
                        0xb4,
                        0xee,
                        0xbe,
                        0x04,
                        0x38,
                        0x3b,
                        0x96,
                        0xe9,
                        0xa0,
                        0xde,
                        0xfb,
                        0x13,
                        0x4f,
                        0x8c,
                        0x05,
                        0x37,
                        0xea,
                        0x20,
                        0x6c,
                        0x90,
        };
        _cleanup_(secret_done) Secret key = {0}, sealed = {0}, secret = {0};

        fill(&key, SEAL_KEY_SIZE);
        assert_int_equal(secret_append(&sealed, bytes, sizeof(bytes)), 0);

        assert_int_equal(seal_unwrap(&key, place, &sealed, &secret), 0);
        assert_string_equal(secret_string(&secret), SECRET_TEXT);
}

static void test_round_trip(void **state) {
        _cleanup_(secret_done) Secret key = {0}, secret = {0}, first = {0}, second = {0};
        _cleanup_(secret_done) Secret opened = {0}, empty = {0};

        fill(&key, SEAL_KEY_SIZE);
        assert_int_equal(secret_append_string(&secret, SECRET_TEXT), 0);

        assert_int_equal(seal_wrap(&key, place, &secret, &first), 0);
        assert_int_equal(first.len, secret.len + SEAL_OVERHEAD);
        assert_int_equal(seal_unwrap(&key, place, &first, &opened), 0);
        assert_true(secret_equal(&secret, &opened));

        /* The nonce is new each time, and with it all the rest. */
        assert_int_equal(seal_wrap(&key, place, &secret, &second), 0);
        assert_memory_not_equal(first.data + 1, second.data + 1, SEAL_NONCE_SIZE);
        assert_memory_not_equal(first.data + 1 + SEAL_NONCE_SIZE, second.data + 1 + SEAL_NONCE_SIZE,
                        secret.len);

        assert_int_equal(seal_wrap(&key, place, &empty, &first), 0);
        assert_int_equal(seal_unwrap(&key, place, &first, &opened), 0);
        assert_int_equal(opened.len, 0);
}

static void test_opens_only_in_its_place(void **state) {
        static const SealPlace others[] = {
                        {.table = "ticket", .row = 7, .type = "totp"},
                        {.table = "factor", .row = 8, .type = "totp"},
                        {.table = "factor", .row = -7, .type = "totp"},
                        {.table = "factor", .row = 7, .type = "hotp"},
                        {.table = "factor", .row = 7, .type = ""},
        };
        _cleanup_(secret_done) Secret key = {0}, secret = {0}, sealed = {0}, opened = {0};

        fill(&key, SEAL_KEY_SIZE);
        assert_int_equal(secret_append_string(&secret, SECRET_TEXT), 0);
        assert_int_equal(seal_wrap(&key, place, &secret, &sealed), 0);

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_int_equal(seal_unwrap(&key, others[i], &sealed, &opened), -EBADMSG);

        key.data[31] ^= 1;
        assert_int_equal(seal_unwrap(&key, place, &sealed, &opened), -EBADMSG);
        assert_int_equal(opened.len, 0);
        assert_null(opened.data);
}

static void test_changed_bytes(void **state) {
        _cleanup_(secret_done) Secret key = {0}, secret = {0}, sealed = {0}, opened = {0};

        fill(&key, SEAL_KEY_SIZE);
        assert_int_equal(secret_append_string(&secret, SECRET_TEXT), 0);
        assert_int_equal(seal_wrap(&key, place, &secret, &sealed), 0);

        for (size_t i = 0; i < 8 * sealed.len; i++) {
                sealed.data[i / 8] ^= (uint8_t) (1 << i % 8);
                assert_int_equal(seal_unwrap(&key, place, &sealed, &opened), -EBADMSG);
                sealed.data[i / 8] ^= (uint8_t) (1 << i % 8);
        }

        for (size_t len = 0; len < sealed.len; len++) {
                Secret cut = {.data = sealed.data, .len = len};

                assert_int_equal(seal_unwrap(&key, place, &cut, &opened), -EBADMSG);
        }

        assert_int_equal(seal_unwrap(&key, place, &sealed, &opened), 0);
}

static void test_key_size(void **state) {
        _cleanup_(secret_done) Secret key = {0}, secret = {0}, sealed = {0};

        fill(&key, SEAL_KEY_SIZE - 1);
        assert_int_equal(seal_wrap(&key, place, &secret, &sealed), -EINVAL);
}

static void test_key_file_made(void **state) {
        _cleanup_(secret_done) Secret made = {0}, loaded = {0}, other = {0};
        Fixture *f = *state;
        struct stat st;
        mode_t mask;

        assert_int_equal(f->key.load(&f->key, &loaded, &f->message), -ENOENT);
        fixture_message(f, f->key_path);

        mask = umask(0);
        assert_int_equal(f->key.make(&f->key, &made, &f->message), 0);
        umask(mask);
        assert_int_equal(made.len, STORE_KEY_SIZE);

        assert_int_equal(stat(f->key_path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(st.st_size, STORE_KEY_SIZE);
        assert_int_equal(f->key.load(&f->key, &loaded, &f->message), 0);
        assert_true(secret_equal(&made, &loaded));

        /* It is never replaced, and another one is another one. */
        assert_int_equal(f->key.make(&f->key, &other, &f->message), -EEXIST);
        fixture_message(f, f->key_path);
        assert_int_equal(unlink(f->key_path), 0);
        assert_int_equal(f->key.make(&f->key, &other, &f->message), 0);
        assert_false(secret_equal(&made, &other));
}

static void test_key_file_refused(void **state) {
        static const uint8_t bytes[STORE_KEY_SIZE + 1] = {1, 2, 3};
        Fixture *f = *state;
        _cleanup_(secret_done) Secret key = {0};
        char moved[160];

        write_file(f->key_path, bytes, STORE_KEY_SIZE - 1, 0600);
        assert_int_equal(f->key.load(&f->key, &key, &f->message), -EBADMSG);
        fixture_message(f, "32 bytes");

        write_file(f->key_path, bytes, STORE_KEY_SIZE + 1, 0600);
        assert_int_equal(f->key.load(&f->key, &key, &f->message), -EBADMSG);
        fixture_message(f, f->key_path);

        write_file(f->key_path, bytes, 0, 0600);
        assert_int_equal(f->key.load(&f->key, &key, &f->message), -EBADMSG);
        fixture_message(f, f->key_path);

        write_file(f->key_path, bytes, STORE_KEY_SIZE, 0640);
        assert_int_equal(f->key.load(&f->key, &key, &f->message), -EPERM);
        fixture_message(f, "chmod");

        write_file(f->key_path, bytes, STORE_KEY_SIZE, 0600);
        assert_int_equal(f->key.load(&f->key, &key, &f->message), 0);
        assert_memory_equal(key.data, bytes, STORE_KEY_SIZE);

        (void) snprintf(moved, sizeof(moved), "%s.moved", f->key_path);
        assert_int_equal(rename(f->key_path, moved), 0);
        assert_int_equal(symlink(moved, f->key_path), 0);
        assert_true(f->key.load(&f->key, &key, &f->message) < 0);
        fixture_message(f, f->key_path);

        /* A link that leads nowhere is something there, too. */
        assert_int_equal(unlink(moved), 0);
        assert_int_equal(f->key.make(&f->key, &key, &f->message), -EEXIST);
        fixture_message(f, f->key_path);
}

static void test_missing_key(void **state) {
        Fixture *f = *state;
        struct stat st;

        fixture_open(f);
        add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        fixture_close(f);

        assert_int_equal(unlink(f->key_path), 0);
        fixture_refused(f, -ENOKEY, f->key_path);
        assert_int_equal(lstat(f->key_path, &st), -1);

        /* A store without factors has a key just as much. */
        fixture_sql(f, "DELETE FROM factor");
        fixture_refused(f, -ENOKEY, f->key_path);
        assert_int_equal(lstat(f->key_path, &st), -1);
}

static void test_different_key(void **state) {
        Fixture *f = *state;
        uint8_t bytes[STORE_KEY_SIZE];
        StoreFactor *factors;
        size_t n;

        fixture_open(f);
        add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        fixture_close(f);

        assert_int_equal(read_file(f->key_path, bytes, sizeof(bytes)), sizeof(bytes));
        bytes[0] ^= 1;
        write_file(f->key_path, bytes, sizeof(bytes), 0600);
        fixture_refused(f, -EKEYREJECTED, f->key_path);

        bytes[0] ^= 1;
        write_file(f->key_path, bytes, sizeof(bytes), 0600);
        f->key.name = "passphrase";
        fixture_refused(f, -EKEYREJECTED, "'file'");

        f->key.name = "file";
        fixture_open(f);
        assert_int_equal(store_factors_load(f->store, &factors, &n, &f->message), 0);
        assert_int_equal(n, 1);
        assert_string_equal(secret_string(&factors[0].secret), SECRET_TEXT);
        free_factors(factors, n);
}

/* A crash between the key's making and the database's leaves a key, which the next start takes. */
static void test_key_before_database(void **state) {
        Fixture *f = *state;
        uint8_t before[STORE_KEY_SIZE], after[STORE_KEY_SIZE];
        _cleanup_(secret_done) Secret key = {0};

        assert_int_equal(f->key.make(&f->key, &key, &f->message), 0);
        assert_int_equal(read_file(f->key_path, before, sizeof(before)), sizeof(before));

        fixture_open(f);
        fixture_close(f);
        assert_int_equal(read_file(f->key_path, after, sizeof(after)), sizeof(after));
        assert_memory_equal(before, after, sizeof(before));

        /* The same with the file there, and even SQLite's first page, but nothing in it. */
        write_file(f->database, "", 0, 0600);
        fixture_sql(f, "PRAGMA journal_mode = WAL");
        fixture_open(f);
        fixture_close(f);
        assert_int_equal(read_file(f->key_path, after, sizeof(after)), sizeof(after));
        assert_memory_equal(before, after, sizeof(before));
        fixture_open(f);
}

/* A key that can't be used does not become part of a new store. */
static void test_new_store_bad_key(void **state) {
        Fixture *f = *state;

        write_file(f->key_path, "short", 5, 0600);
        fixture_refused(f, -EBADMSG, f->key_path);
        assert_int_equal(fixture_sql(f, "SELECT count(*) FROM sqlite_schema"), 0);

        assert_int_equal(unlink(f->key_path), 0);
        fixture_open(f);
}

static void test_moved_secret(void **state) {
        Fixture *f = *state;
        StoreFactor *factors;
        size_t n;

        fixture_open(f);
        add_factor(f, "office", FACTOR_TOTP, SECRET_TEXT);
        add_factor(f, "shop", FACTOR_TOTP, "98765432109876543210");
        fixture_close(f);

        fixture_sql(f, "UPDATE factor SET secret = (SELECT secret FROM factor WHERE name = "
                       "'office') WHERE name = 'shop'");
        fixture_open(f);
        assert_int_equal(store_factors_load(f->store, &factors, &n, &f->message), -EBADMSG);
        fixture_message(f, "shop");
        fixture_close(f);

        /* Another row's id, another type. */
        fixture_sql(f, "DELETE FROM factor WHERE name = 'shop'; UPDATE factor SET id = 2");
        fixture_open(f);
        assert_int_equal(store_factors_load(f->store, &factors, &n, &f->message), -EBADMSG);
        fixture_message(f, "office");
        fixture_close(f);

        fixture_sql(f, "UPDATE factor SET id = 1, type = 'hotp'");
        fixture_open(f);
        assert_int_equal(store_factors_load(f->store, &factors, &n, &f->message), -EBADMSG);
        fixture_message(f, "office");
        fixture_close(f);

        fixture_sql(f, "UPDATE factor SET type = 'totp'");
        fixture_open(f);
        assert_int_equal(store_factors_load(f->store, &factors, &n, &f->message), 0);
        assert_int_equal(n, 1);
        free_factors(factors, n);
}

/* How many of the store's files hold the bytes. */
static unsigned count_files_with(Fixture *f, const void *needle, size_t len) {
        static const char *const suffixes[] = {"", "-wal", "-shm"};
        unsigned n_found = 0;

        for (size_t i = 0; i < ELEMENTSOF(suffixes); i++) {
                static uint8_t bytes[4 * 1024 * 1024];
                char path[256];
                ssize_t n;

                (void) snprintf(path, sizeof(path), "%s%s", f->database, suffixes[i]);
                n = read_file(path, bytes, sizeof(bytes));
                assert_true(n < (ssize_t) sizeof(bytes));
                if (n > 0 && memmem(bytes, (size_t) n, needle, len))
                        n_found++;
        }

        return n_found;
}

static void test_no_secret_on_disk(void **state) {
        static char canary[] = "canary-SECRET-0xfeedface";
        static char name[] = "name-for-all-to-see";
        Fixture *f = *state;
        uint8_t key[STORE_KEY_SIZE];
        StoreFactor factor;

        fixture_open(f);
        factor = sample_factor(name, FACTOR_HOTP, canary);
        assert_int_equal(store_factor_add(f->store, &factor, &f->message), 0);
        factor.owner = 7;
        assert_int_equal(store_factor_update(f->store, &factor, &f->message), 0);
        assert_int_equal(read_file(f->key_path, key, sizeof(key)), sizeof(key));

        /* With the log, and after closing without; the name shows that the search can find. */
        assert_true(count_files_with(f, name, strlen(name)) > 0);
        assert_int_equal(count_files_with(f, canary, strlen(canary)), 0);
        assert_int_equal(count_files_with(f, key, sizeof(key)), 0);

        fixture_close(f);
        assert_int_equal(count_files_with(f, name, strlen(name)), 1);
        assert_int_equal(count_files_with(f, canary, strlen(canary)), 0);
        assert_int_equal(count_files_with(f, key, sizeof(key)), 0);
}

/* What was dropped is overwritten, in the database and in its log. */
static void test_dropped_text_is_gone(void **state) {
        static char document[] = "{\"details\":\"provider-text-to-forget\"}";
        Fixture *f = *state;
        StoreChallenge c = {.sid = "YC0123456789abcdef0123456789abcdef",
                        .state = CHALLENGE_APPROVED,
                        .document = document,
                        .expires = 10,
                        .changed = 10};

        fixture_open(f);
        c.factor_id = add_factor(f, "office", FACTOR_PUSH, SECRET_TEXT);
        assert_int_equal(store_challenge_put(f->store, &c, &f->message), 0);
        assert_true(count_files_with(f, document, strlen(document)) > 0);

        assert_int_equal(store_challenges_prune(f->store, 11, 0, &f->message), 0);
        assert_int_equal(count_files_with(f, document, strlen(document)), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_derive_rfc5869),
                        cmocka_unit_test(test_derive_labels),
                        cmocka_unit_test(test_unwrap_known),
                        cmocka_unit_test(test_round_trip),
                        cmocka_unit_test(test_opens_only_in_its_place),
                        cmocka_unit_test(test_changed_bytes),
                        cmocka_unit_test(test_key_size),
                        STORE_TEST(test_key_file_made),
                        STORE_TEST(test_key_file_refused),
                        STORE_TEST(test_missing_key),
                        STORE_TEST(test_different_key),
                        STORE_TEST(test_key_before_database),
                        STORE_TEST(test_new_store_bad_key),
                        STORE_TEST(test_moved_secret),
                        STORE_TEST(test_no_secret_on_disk),
                        STORE_TEST(test_dropped_text_is_gone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
