/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: what is read, what is malformed, and what a status and a code mean. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "verify/page.h"
#include "verify/reply.h"

#define HEX "0123456789abcdef0123456789abcdef"
#define SIDS                                                                                       \
        "\"sid\":\"YC" HEX "\",\"account_sid\":\"AC" HEX "\",\"service_sid\":\"VA" HEX             \
        "\",\"identity\":\"user-0001\",\"factor_sid\":\"YF" HEX "\","
#define DATES                                                                                      \
        "\"date_created\":\"2026-01-02T03:04:05Z\",\"expiration_date\":\"2026-01-02T03:09:05Z\""
#define DETAILS                                                                                    \
        "\"details\":{\"message\":\"Sign in?\",\"fields\":[{\"label\":\"IP\","                     \
        "\"value\":\"192.0.2.7\"}]}"
#define HIDDEN "\"hidden_details\":{\"ip\":\"192.0.2.7\"}"
#define CHALLENGE(rest) "{" SIDS DATES ",\"status\":\"pending\"" rest "}"

static int read_challenge(VerifyChallenge *c, const char *text, char **why) {
        return verify_challenge_read(c, text, strlen(text), why);
}

static void test_challenge(void **state) {
        _cleanup_(verify_challenge_done) VerifyChallenge c = {0};
        char *why = NULL;

        assert_int_equal(read_challenge(&c,
                                         CHALLENGE("," DETAILS "," HIDDEN
                                                   ",\"factor_type\":\"push\",\"metadata\":{"
                                                   "\"os\":\"Linux\",\"decision\":\"d-1\"}"),
                                         &why),
                        0);
        assert_null(why);
        assert_string_equal(c.sid, "YC" HEX);
        assert_string_equal(c.account_sid, "AC" HEX);
        assert_string_equal(c.service_sid, "VA" HEX);
        assert_string_equal(c.factor_sid, "YF" HEX);
        assert_string_equal(c.identity, "user-0001");
        assert_string_equal(c.factor_type, "push");
        assert_int_equal(c.status, PROVIDER_PENDING);
        assert_int_equal(c.created, 1767323045 * USEC_PER_SEC);
        assert_int_equal(c.expires, 1767323345 * USEC_PER_SEC);
        assert_string_equal(c.message, "Sign in?");
        assert_int_equal(c.n_fields, 1);
        assert_string_equal(c.fields[0].label, "IP");
        assert_string_equal(c.fields[0].value, "192.0.2.7");
        assert_string_equal(c.hidden_details, "{\"ip\":\"192.0.2.7\"}");
        assert_string_equal(c.decision, "d-1");
        JsonSlice raw;
        assert_true(json_doc_raw(c.doc, "identity", &raw));
        assert_memory_equal(raw.data, "\"user-0001\"", raw.len);
}

static void test_challenge_of_totp(void **state) {
        static const char *const texts[] = {
                        CHALLENGE(""),
                        CHALLENGE(",\"details\":null,\"hidden_details\":null,\"metadata\":null,"
                                  "\"factor_type\":null"),
                        CHALLENGE(",\"details\":{}"),
                        CHALLENGE(",\"details\":{\"message\":null,\"fields\":null}"),
                        CHALLENGE(",\"details\":{\"fields\":[]},\"metadata\":\"text\""),
                        CHALLENGE(",\"metadata\":{\"decision\":7}"),
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(verify_challenge_done) VerifyChallenge c = {0};
                char *why = NULL;
                if (read_challenge(&c, texts[i], &why) < 0)
                        fail_msg("%s: %s", texts[i], why);
                assert_null(c.message);
                assert_int_equal(c.n_fields, 0);
                assert_null(c.hidden_details);
                assert_null(c.decision);
                assert_int_equal(strlen(c.digest), SHA256_HEX_SIZE - 1);
        }
}

static void test_challenge_status(void **state) {
        static const struct {
                const char *word;
                ProviderStatus status;
        } cases[] = {
                        {"pending", PROVIDER_PENDING},
                        {"approved", PROVIDER_APPROVED},
                        {"denied", PROVIDER_DENIED},
                        {"expired", PROVIDER_EXPIRED},
                        {"later", PROVIDER_UNKNOWN},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(verify_challenge_done) VerifyChallenge c = {0};
                char text[1024];
                snprintf(text, sizeof(text), "{" SIDS DATES ",\"status\":\"%s\"}", cases[i].word);
                assert_int_equal(read_challenge(&c, text, NULL), 0);
                assert_int_equal(c.status, cases[i].status);
        }
}

static void test_challenge_malformed(void **state) {
        static const struct {
                const char *text, *why;
        } cases[] = {
                        {"", ""},
                        {"[]", ""},
                        {"{}", "sid"},
                        {"{" SIDS DATES "}", "status"},
                        {"{" SIDS "\"status\":\"pending\"}", "date_created"},
                        {CHALLENGE("") "x", ""},
                        {CHALLENGE(",\"sid\":\"YC" HEX "\""), ""}, /* twice */
                        {CHALLENGE(",\"factor_type\":1"), "factor_type"},
                        {CHALLENGE(",\"details\":\"Sign in?\""), "details"},
                        {CHALLENGE(",\"details\":[]"), "details"},
                        {CHALLENGE(",\"details\":{\"message\":5}"), "details"},
                        {CHALLENGE(",\"details\":{\"message\":\"a\",\"message\":\"b\"}"), ""},
                        {CHALLENGE(",\"details\":{\"message\":\"\\u0000\"}"), ""},
                        {CHALLENGE(",\"details\":{\"message\":\"\\ud800\"}"), ""},
                        {CHALLENGE(",\"details\":{\"fields\":{}}"), "fields"},
                        {CHALLENGE(",\"details\":{\"fields\":[1]}"), "fields[0]"},
                        {CHALLENGE(",\"details\":{\"fields\":[{\"label\":\"a\"}]}"), "value"},
                        {CHALLENGE(",\"details\":{\"fields\":[{\"label\":1,\"value\":\"b\"}]}"),
                                        "label"},
                        {CHALLENGE(",\"hidden_details\":\"x\""), "hidden_details"},
                        {CHALLENGE(",\"hidden_details\":[]"), "hidden_details"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                VerifyChallenge c = {0};
                _cleanup_free_ char *why = NULL;
                if (read_challenge(&c, cases[i].text, &why) != -EBADMSG)
                        fail_msg("%s was taken", cases[i].text);
                assert_non_null(why);
                if (!strstr(why, cases[i].why))
                        fail_msg("'%s' lacks '%s'", why, cases[i].why);
                assert_null(c.doc);
        }
}

/* Each SID, the identity and each date by itself. */
static void test_challenge_checks_its_ids(void **state) {
        static const struct {
                const char *good, *bad;
        } cases[] = {
                        {"YC" HEX, "YF" HEX},
                        {"AC" HEX, "AC../../../../../../../../../../.."},
                        {"VA" HEX, "VA0"},
                        {"YF" HEX, ""},
                        {"user-0001", "a/b"},
                        {"2026-01-02T03:04:05Z", "now"},
                        {"2026-01-02T03:09:05Z", "2026-13-02T03:09:05Z"},
        };
        static const char good[] = CHALLENGE("");

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                VerifyChallenge c = {0};
                char text[2048];
                const char *at = strstr(good, cases[i].good);
                snprintf(text, sizeof(text), "%.*s%s%s", (int) (at - good), good, cases[i].bad,
                                at + strlen(cases[i].good));
                assert_int_equal(read_challenge(&c, text, NULL), -EBADMSG);
        }
}

static int read_with_details(const char *message, size_t label, size_t value, size_t n) {
        _cleanup_(verify_challenge_done) VerifyChallenge c = {0};
        _cleanup_free_ char *why = NULL;
        static char text[16384];
        size_t len;

        len = (size_t) snprintf(text, sizeof(text),
                        "{" SIDS DATES
                        ",\"status\":\"pending\",\"details\":{\"message\":\"%s\",\"fields\":[",
                        message);
        for (size_t i = 0; i < n; i++)
                len += (size_t) snprintf(text + len, sizeof(text) - len,
                                "%s{\"label\":\"%0*d\",\"value\":\"%0*d\"}", i ? "," : "",
                                (int) label, 0, (int) value, 0);
        snprintf(text + len, sizeof(text) - len, "]}}");
        return read_challenge(&c, text, &why);
}

static void test_challenge_limits(void **state) {
        char message[2 * 257 + 1] = "";

        for (size_t i = 0; i < 256; i++)
                strcat(message, "\xC3\xA9");
        assert_int_equal(read_with_details(message, 36, 128, 20), 0);
        assert_int_equal(read_with_details(message, 37, 128, 20), -EBADMSG);
        assert_int_equal(read_with_details(message, 36, 129, 20), -EBADMSG);
        assert_int_equal(read_with_details(message, 36, 128, 21), -EBADMSG);
        strcat(message, "\xC3\xA9");
        assert_int_equal(read_with_details(message, 36, 128, 20), -EBADMSG);
}

static void digest_of(const char *text, char ret[static SHA256_HEX_SIZE]) {
        _cleanup_(verify_challenge_done) VerifyChallenge c = {0};

        assert_int_equal(read_challenge(&c, text, NULL), 0);
        memcpy(ret, c.digest, SHA256_HEX_SIZE);
}

static void test_digest_is_of_these_parts(void **state) {
        static const char *const parts[] = {
                        "YC" HEX,
                        "YF" HEX,
                        "VA" HEX,
                        "user-0001",
                        "2026-01-02T03:04:05Z",
                        "2026-01-02T03:09:05Z",
                        "{\"message\":\"a \\/ b\"}",
                        "",
        };
        char digest[SHA256_HEX_SIZE], expected[SHA256_HEX_SIZE];
        uint8_t hash[SHA256_SIZE];
        Digest *d = NULL;

        assert_int_equal(digest_new(&d), 0);
        for (size_t i = 0; i < ELEMENTSOF(parts); i++)
                assert_int_equal(digest_add_part(d, parts[i], strlen(parts[i])), 0);
        assert_int_equal(digest_finish(d, hash), 0);
        digest_free(d);
        hex_encode(hash, sizeof(hash), expected);
        digest_of(CHALLENGE(",\"details\" : { \"message\" : \"a \\/ b\" }"), digest);
        assert_string_equal(digest, expected);
}

static void test_digest_changes_with_what_is_shown(void **state) {
        static const char *const others[] = {
                        CHALLENGE("," DETAILS),
                        CHALLENGE("," HIDDEN),
                        CHALLENGE(",\"details\":{\"message\":\"Sign in!\"}," HIDDEN),
                        CHALLENGE("," DETAILS ",\"hidden_details\":{\"ip\":\"192.0.2.8\"}"),
                        CHALLENGE("," DETAILS ",\"hidden_details\":{\"ip\":\"192.0.2. 7\"}"),
        };
        char digest[SHA256_HEX_SIZE], other[SHA256_HEX_SIZE];

        digest_of(CHALLENGE("," DETAILS "," HIDDEN), digest);
        for (size_t i = 0; i < ELEMENTSOF(others); i++) {
                digest_of(others[i], other);
                assert_string_not_equal(digest, other);
        }
        /* Indentation, order of members and what is no part of it change nothing. */
        digest_of("{ \"metadata\" : {\"a\":\"b\"}, " HIDDEN
                  ",\n\t\"details\" : {\n \"message\": \"Sign in?\",\r\n \"fields\": [ { "
                  "\"label\": "
                  "\"IP\", \"value\" :\"192.0.2.7\" } ] }, \"status\":\"approved\", " SIDS DATES
                  "}",
                        other);
        assert_string_equal(digest, other);
}

#define META(url) "\"meta\":{\"page\":0,\"key\":\"challenges\",\"next_page_url\":" url "}"

static int read_list(VerifyChallengeList *l, const char *text, char **why) {
        return verify_challenge_list_read(l, text, strlen(text), why);
}

static void test_list(void **state) {
        _cleanup_(verify_challenge_list_done) VerifyChallengeList l = {0};
        _cleanup_free_ char *why = NULL;

        assert_int_equal(
                        read_list(&l,
                                        "{\"challenges\":[" CHALLENGE("," DETAILS) "," CHALLENGE(
                                                        "") "]," META("\"https://elsewhere.example/"
                                                                      "v2/x?PageSize="
                                                                      "2&Page=1&PageToken=DN%"
                                                                      "2Byc\"") "}",
                                        &why),
                        0);
        assert_int_equal(l.n_items, 2);
        assert_string_equal(l.items[0].message, "Sign in?");
        assert_null(l.items[1].message);
        assert_int_equal(l.n_malformed, 0);
        assert_null(l.malformed_why);
        assert_string_equal(l.page_token, "DN+yc");
        assert_int_equal(l.next_page, 1);
}

static void test_list_last_page(void **state) {
        static const char *const texts[] = {
                        "{\"challenges\":[]," META("null") "}",
                        "{\"challenges\":[],\"meta\":{}}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_(verify_challenge_list_done) VerifyChallengeList l = {0};
                assert_int_equal(read_list(&l, texts[i], NULL), 0);
                assert_int_equal(l.n_items, 0);
                assert_null(l.page_token);
                assert_int_equal(l.next_page, -1);
        }
}

static void test_list_malformed_item_costs_itself(void **state) {
        _cleanup_(verify_challenge_list_done) VerifyChallengeList l = {0};

        assert_int_equal(read_list(&l,
                                         "{\"challenges\":[{\"sid\":1}," CHALLENGE("") ",7]," META(
                                                         "null") "}",
                                         NULL),
                        0);
        assert_int_equal(l.n_items, 1);
        assert_int_equal(l.n_malformed, 2);
        assert_non_null(strstr(l.malformed_why, "sid"));
}

static void test_list_malformed(void **state) {
        static const char *const texts[] = {
                        "",
                        "{}",
                        "{" META("null") "}",
                        "{\"challenges\":[]}",
                        "{\"challenges\":[],\"meta\":null}",
                        "{\"challenges\":[],\"meta\":[]}",
                        "{\"challenges\":{}," META("null") "}",
                        "{\"challenges\":null," META("null") "}",
                        "{\"challenges\":[]," META("7") "}",
                        "{\"challenges\":[]," META("\"https://x/y\"") "}",
                        "{\"challenges\":[]," META("\"https://x/y?Page=1\"") "}",
                        "{\"challenges\":[]," META("\"https://x/y?PageToken=\"") "}",
                        "{\"challenges\":[]," META("\"https://x/y?PageToken=a&PageToken=b\"") "}",
                        "{\"challenges\":[]," META("\"https://x/y?PageToken=%zz\"") "}",
                        "{\"challenges\":[]," META("\"https://x/y?PageToken=%00\"") "}",
                        "{\"challenges\":[]," META("\"https://x/y?PageToken=a&Page=-1\"") "}",
                        "{\"challenges\":[]," META("\"https://x/y?Page=1#PageToken=a\"") "}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                VerifyChallengeList l = {0};
                _cleanup_free_ char *why = NULL;
                if (read_list(&l, texts[i], &why) != -EBADMSG)
                        fail_msg("%s was taken", texts[i]);
                assert_non_null(why);
                assert_null(l.items);
        }
}

static void test_list_of_too_many(void **state) {
        static char text[2 * VERIFY_LIST_MAX + 128];
        VerifyChallengeList l = {0};

        strcpy(text, "{\"challenges\":[0");
        for (size_t i = 1; i < VERIFY_LIST_MAX; i++)
                strcat(text, ",0");
        size_t len = strlen(text);
        strcpy(text + len, "]," META("null") "}");
        assert_int_equal(read_list(&l, text, NULL), 0);
        assert_int_equal(l.n_malformed, VERIFY_LIST_MAX);
        verify_challenge_list_done(&l);
        strcpy(text + len, ",0]," META("null") "}");
        assert_int_equal(read_list(&l, text, NULL), -EBADMSG);
}

static void test_page_url(void **state) {
        char url[VERIFY_PAGE_TOKEN_MAX + 64] = "https://x/y?pageToken=";
        size_t len = strlen(url);
        char *token = NULL;
        int64_t page = 0;

        memset(url + len, 'a', VERIFY_PAGE_TOKEN_MAX);
        assert_int_equal(page_url_read(url, &token, &page, NULL), 0);
        assert_int_equal(strlen(token), VERIFY_PAGE_TOKEN_MAX);
        assert_int_equal(page, -1);
        free(token);
        url[len + VERIFY_PAGE_TOKEN_MAX] = 'a';
        assert_int_equal(page_url_read(url, &token, &page, NULL), -EBADMSG);
        assert_int_equal(page_url_read("?XPageToken=no&PageSize=9&PageToken=b&Page=12#f", &token,
                                         &page, NULL),
                        0);
        assert_string_equal(token, "b");
        assert_int_equal(page, 12);
        free(token);
}

#define FACTOR_IDS                                                                                 \
        "\"sid\":\"YF" HEX "\",\"account_sid\":\"AC" HEX "\",\"service_sid\":\"VA" HEX             \
        "\",\"identity\":\"user-0001\",\"friendly_name\":\"desk\",\"status\":\"verified\""

static int read_factor(VerifyFactor *f, const char *text) {
        return verify_factor_read(f, text, strlen(text), NULL);
}

static void test_factor(void **state) {
        _cleanup_(verify_factor_done) VerifyFactor push = {0}, totp = {0};

        assert_int_equal(read_factor(&push,
                                         "{" FACTOR_IDS
                                         ",\"factor_type\":\"push\",\"config\":{\"credential_sid\":"
                                         "\"CR" HEX "\",\"notification_token\":null},"
                                         "\"metadata\":{\"os\":\"Linux\"}}"),
                        0);
        assert_string_equal(push.sid, "YF" HEX);
        assert_string_equal(push.friendly_name, "desk");
        assert_true(push.verified);
        assert_string_equal(push.credential_sid, "CR" HEX);
        assert_string_equal(push.metadata, "{\"os\":\"Linux\"}");
        assert_null(push.alg);
        assert_int_equal(push.skew, -1);
        assert_int_equal(push.code_length, 0);

        assert_int_equal(
                        read_factor(&totp, "{" FACTOR_IDS
                                           ",\"factor_type\":\"totp\",\"config\":{\"alg\":\"sha1\","
                                           "\"skew\":0,\"code_length\":6,\"time_step\":30},"
                                           "\"metadata\":null}"),
                        0);
        assert_string_equal(totp.alg, "sha1");
        assert_int_equal(totp.skew, 0);
        assert_int_equal(totp.code_length, 6);
        assert_int_equal(totp.time_step, 30);
        assert_null(totp.metadata);
        assert_null(totp.credential_sid);
}

static void test_factor_malformed(void **state) {
        static const char *const texts[] = {
                        "{}",
                        "{" FACTOR_IDS "}",
                        "{" FACTOR_IDS ",\"factor_type\":\"push\",\"config\":7}",
                        "{" FACTOR_IDS
                        ",\"factor_type\":\"push\",\"config\":{\"credential_sid\":\"x\"}}",
                        "{" FACTOR_IDS ",\"factor_type\":\"totp\",\"config\":{\"skew\":\"1\"}}",
                        "{" FACTOR_IDS ",\"factor_type\":\"totp\",\"config\":{\"time_step\":1.5}}",
        };

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                VerifyFactor f = {0};
                if (read_factor(&f, texts[i]) != -EBADMSG)
                        fail_msg("%s was taken", texts[i]);
                assert_null(f.sid);
        }
}

static void test_factor_list(void **state) {
        static const char good[] =
                        "{\"factors\":[{" FACTOR_IDS ",\"factor_type\":\"push\"},{" FACTOR_IDS
                        ",\"factor_type\":\"totp\"}]," META(
                                        "\"https://x/y?Page=3&PageToken=t\"") "}";
        static const char bad[] = "{\"factors\":[{" FACTOR_IDS
                                  ",\"factor_type\":\"push\"},{}]," META("null") "}";
        _cleanup_(verify_factor_list_done) VerifyFactorList l = {0};
        _cleanup_free_ char *why = NULL;

        assert_int_equal(verify_factor_list_read(&l, good, strlen(good), NULL), 0);
        assert_int_equal(l.n_items, 2);
        assert_string_equal(l.items[1].factor_type, "totp");
        assert_string_equal(l.page_token, "t");
        assert_int_equal(l.next_page, 3);
        verify_factor_list_done(&l);
        assert_int_equal(verify_factor_list_read(&l, bad, strlen(bad), &why), -EBADMSG);
        assert_non_null(strstr(why, "factors[1]"));
}

static int read_token(VerifyAccessToken *t, const char *text, char **why) {
        return verify_access_token_read(t, text, strlen(text), why);
}

static void test_access_token(void **state) {
        static const char *const bad[] = {
                        "{\"sid\":\"YK" HEX "\",\"token\":\"HUSH\"}",
                        "{\"sid\":\"YK" HEX "\",\"token\":\"HUSH\",\"ttl\":\"60\"}",
                        "{\"sid\":\"YF" HEX "\",\"token\":\"HUSH\",\"ttl\":60}",
                        "{\"sid\":\"YK" HEX "\",\"token\":\"\",\"ttl\":60}",
                        "{\"sid\":\"YK" HEX "\",\"token\":[\"HUSH\"],\"ttl\":60}",
        };
        _cleanup_(verify_access_token_done) VerifyAccessToken t = {0};

        assert_int_equal(read_token(&t, "{\"sid\":\"YK" HEX "\",\"token\":\"eyJ.x\",\"ttl\":60}",
                                         NULL),
                        0);
        assert_string_equal(t.sid, "YK" HEX);
        assert_string_equal(secret_string(&t.token), "eyJ.x");
        assert_int_equal(t.ttl, 60);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                VerifyAccessToken u = {0};
                _cleanup_free_ char *why = NULL;
                assert_int_equal(read_token(&u, bad[i], &why), -EBADMSG);
                assert_null(strstr(why, "HUSH"));
                assert_null(u.token.data);
        }
}

static void test_classify(void **state) {
        static const struct {
                int status;
                const char *body;
                VerifyOutcome outcome;
                int64_t code;
                const char *message;
        } cases[] = {
                        {200, "", VERIFY_OK, 0, NULL},
                        {201, "x", VERIFY_OK, 0, NULL},
                        {204, "", VERIFY_OK, 0, NULL},
                        {401, "{\"code\":20003,\"message\":\"Authenticate\",\"status\":401}",
                                        VERIFY_UNAUTHORIZED, 20003, "Authenticate"},
                        {401, "<html>", VERIFY_TRANSIENT, 0, NULL},
                        {401, "", VERIFY_TRANSIENT, 0, NULL},
                        {401, "{}", VERIFY_TRANSIENT, 0, NULL},
                        {400, "{\"code\":60306,\"message\":\"m\"}", VERIFY_REFUSED, 60306, "m"},
                        {403, "{\"code\":60322}", VERIFY_REFUSED, 60322, NULL},
                        {404, "{\"code\":20404,\"message\":7}", VERIFY_REFUSED, 20404, NULL},
                        {404, "{\"code\":\"20404\",\"message\":\"m\"}", VERIFY_TRANSIENT, 0, "m"},
                        {404, "{\"message\":\"no Route matched\"}", VERIFY_TRANSIENT, 0,
                                        "no Route matched"},
                        {401, "{\"message\":\"Unauthorized\"}", VERIFY_TRANSIENT, 0,
                                        "Unauthorized"},
                        {404, "not found", VERIFY_TRANSIENT, 0, NULL},
                        {409, "{\"code\":60317}", VERIFY_REFUSED, 60317, NULL},
                        {408, "{\"code\":1}", VERIFY_TRANSIENT, 1, NULL},
                        {429, "{\"code\":20429}", VERIFY_TRANSIENT, 20429, NULL},
                        {429, "", VERIFY_TRANSIENT, 0, NULL},
                        {429, "{\"code\":60308}", VERIFY_REFUSED, 60308, NULL},
                        {429, "{\"code\":60310}", VERIFY_REFUSED, 60310, NULL},
                        {429, "{\"code\":60312}", VERIFY_REFUSED, 60312, NULL},
                        {500, "{\"code\":20500}", VERIFY_TRANSIENT, 20500, NULL},
                        {503, "", VERIFY_TRANSIENT, 0, NULL},
                        {100, "", VERIFY_TRANSIENT, 0, NULL},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_(verify_error_done) VerifyError e = {0};
                assert_int_equal(verify_reply_classify(cases[i].status, cases[i].body,
                                                 strlen(cases[i].body), &e),
                                cases[i].outcome);
                assert_int_equal(e.code, cases[i].code);
                if (cases[i].outcome != VERIFY_OK)
                        assert_int_equal(e.http_status, cases[i].status);
                if (cases[i].message)
                        assert_string_equal(e.message, cases[i].message);
                else
                        assert_null(e.message);
        }
}

static void test_classify_redirect(void **state) {
        _cleanup_(verify_error_done) VerifyError e = {0};

        assert_int_equal(verify_reply_classify(302, "{\"message\":\"m\"}", 15, &e),
                        VERIFY_TRANSIENT);
        assert_non_null(strstr(e.message, "BaseUrl"));
        assert_non_null(strstr(e.message, "302"));
}

static void test_classify_cuts_long_messages(void **state) {
        _cleanup_(verify_error_done) VerifyError e = {0};
        char body[2048] = "{\"code\":1,\"message\":\"x";

        for (size_t i = 0; i < 600; i++)
                strcat(body, "\xC3\xA9");
        strcat(body, "\"}");
        assert_int_equal(verify_reply_classify(400, body, strlen(body), &e), VERIFY_REFUSED);
        assert_int_equal(strlen(e.message), 511); /* "x" and 255 characters of two bytes */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                        cmocka_unit_test(test_challenge),
                        cmocka_unit_test(test_challenge_of_totp),
                        cmocka_unit_test(test_challenge_status),
                        cmocka_unit_test(test_challenge_malformed),
                        cmocka_unit_test(test_challenge_checks_its_ids),
                        cmocka_unit_test(test_challenge_limits),
                        cmocka_unit_test(test_digest_is_of_these_parts),
                        cmocka_unit_test(test_digest_changes_with_what_is_shown),
                        cmocka_unit_test(test_list),
                        cmocka_unit_test(test_list_last_page),
                        cmocka_unit_test(test_list_malformed_item_costs_itself),
                        cmocka_unit_test(test_list_malformed),
                        cmocka_unit_test(test_list_of_too_many),
                        cmocka_unit_test(test_page_url),
                        cmocka_unit_test(test_factor),
                        cmocka_unit_test(test_factor_malformed),
                        cmocka_unit_test(test_factor_list),
                        cmocka_unit_test(test_access_token),
                        cmocka_unit_test(test_classify),
                        cmocka_unit_test(test_classify_redirect),
                        cmocka_unit_test(test_classify_cuts_long_messages),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
